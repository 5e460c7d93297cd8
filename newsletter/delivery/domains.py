"""The domains that are looked after: those with limits, and those that complained.

Owns what is known of each: its meter, what is set aside for it, how many of its mails are on the wire, and how fast it
was before anybody looked. Every other domain costs one entry among the most recent answers.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Final

from newsletter import config
from newsletter.delivery.lanes import Mail
from newsletter.delivery.meter import SPAN, Meter, Meters, make_limits
from newsletter.model.delivery import Delivery
from newsletter.model.pace import Period

DOMAIN: Final = "domain:"

_RECENT: Final = 4096
_REMEMBERED: Final = 10_000  # more domains than that are looked through for idle ones
_FORGET_EVERY: Final = 60.0  # seconds
_COUNT_EVERY: Final = 0.2  # seconds
_SHORTEST_SPAN: Final = 0.5  # seconds; less says nothing about a rate
_GUESSED: Final = 50.0  # mails a second that one place on the wire is good for, as long as nobody knows


class Queue:
    """A domain that is looked after: what is set aside for it, and how many of its mails are where."""

    __slots__ = ("_done", "_since", "_speed", "aside", "coming", "flight", "meter", "most", "owed", "scheduled")

    def __init__(self, meter: Meter, most: int) -> None:
        self.meter = meter
        self.most = most  # mails on their way at once; 0 is no limit
        self.aside: deque[Mail] = deque()
        self.scheduled = False  # its turn is noted
        self.coming = 0  # let in, and not handed out yet
        self.flight = 0
        self.owed = 0  # in the ledger until their turn
        self._done, self._since, self._speed = 0, 0.0, 0.0

    @property
    def full(self) -> bool:
        """Return whether as many mails are on their way as may be."""
        return 0 < self.most <= self.flight

    @property
    def limited(self) -> bool:
        """Return whether anything slows it."""
        return self.meter.limited or self.most > 0

    @property
    def rate(self) -> float:
        """Return how many mails a second may go; as far as known, where only their number on the wire is limited."""
        rate = self.meter.rate
        return min(rate, self._speed or self.most * _GUESSED) if self.most else rate

    def wait(self, now: float) -> float:
        """Return the seconds until a mail may go, infinite when that takes an answer first."""
        return float("inf") if self.full else self.meter.wait(now)

    def hand_out(self, now: float) -> None:
        """Count a mail that goes to the wire."""
        self.coming = max(0, self.coming - 1)
        self.flight += 1
        if self.meter.limited:
            self.meter.take(now)

    def set_aside(self, mail: Mail, now: float) -> None:
        """Keep a mail until it may go."""
        if not self.aside:
            self._done, self._since = 0, now
        self.aside.append(mail)

    def finish(self, now: float) -> None:
        """Count an answer to a mail that was on the wire."""
        self.flight = max(0, self.flight - 1)
        self._done += 1
        if self.aside and now - self._since >= 1.0:  # what can't keep it busy doesn't show how fast it is
            self._speed = self._done / (now - self._since)
            self._done, self._since = 0, now

    def is_idle(self, now: float) -> bool:
        """Return whether nothing would be lost if it was not looked after any more."""
        return not (self.aside or self.scheduled or self.flight or self.owed) and self.meter.is_whole(now)


class Domains:
    """What the config says about domains, and what is known of those that are looked after."""

    def __init__(self, rules: config.Pace, meters: Meters) -> None:
        self._meters = meters
        self._named = {domain.name: domain for domain in rules.domains}
        self._default = make_limits(rules.domain_per_second, rules.domain_per_hour, rules.domain_per_day)
        self._default_most = rules.domain_connections
        self._every = bool(self._default or self._default_most)
        self._queues: dict[str, Queue] = {}
        self._recent: deque[tuple[float, str]] = deque(maxlen=_RECENT)
        self._counted_at, self._span, self._counts = -SPAN, _SHORTEST_SPAN, Counter[str]()
        self.note: Callable[[tuple[float, str]], None] = self._recent.append
        """Note the time and the reader's address of an answer."""
        for name in (*self._named, *(meters.list_slowed(DOMAIN) if rules.adapt else ())):
            self.look_after(name)
        self._forget_beyond, self._forget_at = len(self._queues) + _REMEMBERED, meters.clock() + _FORGET_EVERY

    def __bool__(self) -> bool:
        """Return whether any domain is, or must be, looked after."""
        return self._every or bool(self._queues)

    def __iter__(self) -> Iterator[Queue]:
        return iter(self._queues.values())

    def find(self, delivery: Delivery) -> Queue | None:
        """Return what is known of a reader's domain, if it is looked after."""
        domain = parse_domain(delivery.address)
        queue = self._queues.get(domain)
        return self.look_after(domain) if queue is None and self._every else queue

    def look_after(self, domain: str) -> Queue:
        """Look after a domain from now on."""
        queue = self._queues.get(domain)
        if queue is None:
            own = self._named.get(domain)
            limits = make_limits(own.per_second, own.per_hour, own.per_day) if own else self._default
            lasting = own is not None or bool(self._default.keys() - {Period.SECOND})
            meter = self._meters.find(f"{DOMAIN}{domain}", limits, shared=lasting)
            queue = self._queues[domain] = Queue(meter, own.connections if own else self._default_most)
        return queue

    def measure(self, domain: str, now: float) -> tuple[int, float]:
        """Return how many answers came from a domain of late, and how many that is a second."""
        if now - self._counted_at >= _COUNT_EVERY:
            recent = [(at, address) for at, address in self._recent if now - at <= SPAN]
            self._counts = Counter(parse_domain(address) for _, address in recent)
            self._span = max(_SHORTEST_SPAN, now - recent[0][0]) if recent else SPAN
            self._counted_at = now
        answers = self._counts[domain]
        return answers, max(1, answers) / self._span

    def forget_idle(self, now: float) -> None:
        """Now and then, or when there are too many, drop those that need not be looked after."""
        if now < self._forget_at and len(self._queues) <= self._forget_beyond:
            return
        idle = [name for name, queue in self._queues.items() if name not in self._named and queue.is_idle(now)]
        for name in idle:
            self._meters.forget(self._queues.pop(name).meter)
        self._forget_beyond, self._forget_at = 2 * len(self._queues) + _REMEMBERED, now + _FORGET_EVERY


def parse_domain(address: str) -> str:
    """Return the domain of an address in its wire form."""
    return address.rpartition("@")[2]
