"""A clock that a test moves, mails for it, and a sender that is driven by it."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from typing import Any

from newsletter import config
from newsletter.config import DomainPace
from newsletter.delivery.engine import BOOKS_INTERVAL
from newsletter.delivery.exchange import Prepared, Result
from newsletter.delivery.gate import Gate
from newsletter.delivery.lanes import Mail
from newsletter.delivery.meter import Meters
from newsletter.delivery.policy import Phase
from newsletter.model.delivery import PACED, Delivery, DeliveryState, Reply

NOW = datetime(2024, 5, 25, 6, 0, tzinfo=UTC)
TAKEN = Result(Phase.DOT, Reply(250, "2.0.0", "queued"))
SLOWER = Result(Phase.RCPT, Reply(451, "4.7.1", "slow down"))
NOBODY = Result(Phase.RCPT, Reply(550, "5.1.1", "nobody"))
LOST = Result(Phase.RCPT, Reply(0, "", "the connection was lost"))


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def wall(self) -> datetime:
        return NOW + timedelta(seconds=self.now)

    def meters(self) -> Meters:
        return Meters(self, self.wall)


def delivery(number: int, domain: str = "a.example") -> Delivery:
    return Delivery(number, 1, number, f"reader{number}@{domain}", "", DeliveryState.SENDING, 0, NOW)


def mail(number: int, domain: str = "a.example") -> Mail:
    return prepare(delivery(number, domain))


def prepare(reader: Delivery) -> Mail:
    return Prepared(reader, b"", [b"text\r\n"])


def make_gate(clock: Clock, ahead: int = 2000, **rules: Any) -> Gate:
    return Gate(config.Pace(**rules), ahead, clock.meters())


def limit(name: str = "slow.example", **limits: int) -> DomainPace:
    return DomainPace(name=name, **limits)


def pop_all(gate: Gate) -> list[int]:
    """Return the numbers of all mails that may go now."""
    return [popped.key.id for popped in iter(gate.pop, None)]


def count_in_worst_window(times: Sequence[float], length: float) -> int:
    """How many of the ordered times at most lie within some `length` seconds, the last instant not counted."""
    return max((bisect_left(times, start + length) - index for index, start in enumerate(times)), default=0)


@dataclass
class Server:
    """A domain's servers: they take so many mails a second, and put off the rest."""

    rate: float
    _tokens: float = 1.0
    _at: float = 0.0

    def answer(self, now: float) -> Result:
        room = max(1.0, self.rate / 2)
        self._tokens = min(room, self._tokens + (now - self._at) * self.rate)
        self._at = now
        if self._tokens < 1:
            return SLOWER
        self._tokens -= 1
        return TAKEN


def feed(gate: Gate, clock: Clock, server: Server, seconds: float, lanes_rate: float = 2000.0) -> Counter[str]:
    """Let lanes take what the gate gives them, to a domain that never runs out of readers; count the answers."""
    counts: Counter[str] = Counter()
    until, step = clock.now + seconds, 0.01
    while clock.now < until:
        for _ in range(int(lanes_rate * step)):
            if len(gate) < 20:
                gate.extend(mail(number, "slow.example") for number in range(20))
            popped = gate.pop()
            if popped is None:
                break
            result = server.answer(clock.now)
            gate.finish(popped, result)
            counts["taken" if result is TAKEN else "put off"] += 1
        clock.now += step
    return counts


@dataclass
class Press:
    """What the engine and the ledger do, without a wire: claim ahead, hand out, hear, give back, in simulated time.

    Each lane is busy for `busy` seconds with a mail. `sent` holds the times at which a domain's mails were taken.
    """

    gate: Gate
    clock: Clock
    readers: Sequence[Delivery]
    ahead: int = 2000
    lanes: int = 10
    busy: float = 0.01
    answer: Callable[[Delivery, float], Result] = lambda _, __: TAKEN
    sent: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    heard: Counter[int] = field(default_factory=Counter)
    put_off: int = 0
    claims: int = 0
    postponed: int = 0

    def __post_init__(self) -> None:
        self.queued = iter(self.readers)
        self.waiting: list[tuple[datetime, int, Delivery]] = []
        self.held = 0
        self.flight: list[tuple[float, int, Mail]] = []

    def run(self, seconds: float) -> None:
        """Let so much time pass, or until nobody is left."""
        until, page_at = self.clock.now + seconds, self.clock.now
        while self.clock.now < until:
            while self.flight and self.flight[0][0] <= self.clock.now:
                self.hear(heappop(self.flight)[2])
            if self.clock.now >= page_at or not len(self.gate):
                self.turn_page()
                page_at = self.clock.now + BOOKS_INTERVAL
            while len(self.flight) < self.lanes and (popped := self.gate.pop()) is not None:
                heappush(self.flight, (self.clock.now + self.busy, popped.key.id, popped))
            if not self.held and not self.gate.owes:
                return
            waits = [page_at, *(at for at, _, _ in self.flight[:1])]
            wait = self.gate.wait() if len(self.flight) < self.lanes else None
            self.clock.now = min(waits if wait is None else [*waits, self.clock.now + wait])

    def hear(self, mail: Mail) -> None:
        domain = mail.key.address.partition("@")[2]
        result = self.answer(mail.key, self.clock.now)
        self.gate.finish(mail, result)
        self.held -= 1
        self.heard[mail.key.id] += 1
        if result is TAKEN:
            self.sent[domain].append(self.clock.now)
        else:
            self.put_off += 1

    def turn_page(self) -> None:
        for reader, due_at in self.gate.give_back():
            self.postpone(reader, due_at)
        claimed = list(self.claim(self.ahead - self.held))
        self.held += len(claimed)
        self.claims += len(claimed)
        welcome, away = self.gate.turn_away(claimed)
        for reader, due_at in away:
            self.postpone(reader, due_at)
        self.gate.extend(map(prepare, welcome))

    def claim(self, want: int) -> Iterator[Delivery]:
        for _ in range(want):
            if self.waiting and self.waiting[0][0] <= self.clock.wall():
                yield heappop(self.waiting)[2]
            elif (reader := next(self.queued, None)) is not None:
                yield reader
            else:
                return

    def postpone(self, reader: Delivery, due_at: datetime) -> None:
        assert due_at > self.clock.wall()
        self.held -= 1
        self.postponed += 1
        marked = reader if reader.reply else reader._replace(reply=Reply(0, "", PACED))
        heappush(self.waiting, (due_at, reader.id, marked))
