"""Several relays as one transport: lanes are shared out by weight, and a relay that doesn't take our mail is set aside.

Owns which relay the next lane goes to, and when one that was set aside is tried again. How one is spoken to, and how
much it gets, is `delivery.relay`.

A relay is set aside when it can't be connected to or logged in to, when it refuses our sender (5xx to MAIL), when
`STRIKES` of its answers in a row are refusals for policy (5.7.x), or when as many connections are lost while there is
another relay. Its share goes to the others, up to their connections, and it is tried again after a while that doubles
each time; a mail that it takes forgets all that.
Only when no relay is left does the Fault of the last reach the run.

Nobody is blamed for a relay: until it has taken a mail, its refusals for policy are about us, and the mail is tried on
another connection or later. Limit: a refusal for policy after that is taken for the reader's, as with one relay.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from newsletter.delivery.exchange import Result
from newsletter.delivery.lanes import Lane, Mail, Transport
from newsletter.delivery.policy import Fault, Phase, decide_outcome
from newsletter.model.delivery import Reply

FIRST_REST: Final = 10.0
"""Seconds for which a relay is set aside at first; doubled each time, up to `LONGEST_REST`."""

LONGEST_REST: Final = 600.0
CROWDED: Final = 300.0
"""Seconds for which a relay that wants fewer connections gets no more."""

STRIKES: Final = 3
"""Bad answers in a row, without a mail taken, that set a relay aside."""

_LOST = (0, 421)
NO_SMTPUTF8: Final = Result(
    Phase.RCPT, Reply(553, "5.6.7", "the address isn't ASCII, and the relay doesn't offer SMTPUTF8")
)
_LATER = 454  # a 4xx that asks for no slower pace: the relay never meant it, we do

_logger = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Member:
    """One of several relays, and how it does. Times are seconds on the transport's clock."""

    transport: Transport
    weight: int
    lanes: set["_RelaysLane"] = field(default_factory=set)
    opening: int = 0
    rest_until: float = 0.0
    rest: float = FIRST_REST
    most: int = 0  # connections, when it wants fewer than configured
    most_until: float = 0.0
    proven: bool = False  # it has taken a mail since it was last set aside
    strikes: int = 0
    ascii_only: bool = False  # it has shown that it offers no SMTPUTF8
    fault: Fault | None = None

    @property
    def load(self) -> int:
        """Return how many lanes it has, or will have in a moment."""
        return len(self.lanes) + self.opening

    def may_open(self, now: float) -> bool:
        """Return whether it may have one more lane; one that was set aside is tried by one at first."""
        most = self.most if now < self.most_until else self.transport.width
        on_trial = self.fault is not None and not self.proven
        return now >= self.rest_until and self.load < (1 if on_trial else most)

    def is_left(self, now: float) -> bool:
        """Return whether anything can be expected of it."""
        return now >= self.rest_until or bool(self.lanes)


class Relays:
    """Connections to several relays."""

    def __init__(self, relays: Sequence[tuple[Transport, int]], clock: Callable[[], float] = monotonic) -> None:
        self._relays = [Member(transport, weight) for transport, weight in relays]
        self._clock = clock
        self._news = asyncio.Event()
        self.name = ", ".join(relay.transport.name for relay in self._relays)
        self.width = compute_width([(relay.transport.width, relay.weight) for relay in self._relays])

    async def open_lane(self) -> Lane | Fault:
        """Return a lane to one of the relays, or one that waits until a relay has room; a Fault when none is left."""
        lane = _RelaysLane(self)
        fault = await lane.find_relay()
        return fault or lane

    async def connect(self) -> tuple[Member, Lane] | Fault | None:
        """Open a lane to the relay that has the fewest for its weight; None when every relay that is left is full."""
        while (relay := self._choose()) is not None:
            relay.opening += 1
            try:
                opened = await relay.transport.open_lane()
            finally:
                relay.opening -= 1
            if not isinstance(opened, Fault):
                return relay, opened
            self._hear_fault(relay, opened)
        return None if any(relay.is_left(self._clock()) for relay in self._relays) else self._sum_up()

    async def wait(self) -> None:
        """Wait until a relay may have room."""
        news, now = self._news, self._clock()
        rests = [until - now for relay in self._relays for until in (relay.rest_until, relay.most_until) if until > now]
        with suppress(TimeoutError):
            async with asyncio.timeout(min(rests, default=None)):
                await news.wait()

    def tell(self) -> None:
        """Wake lanes that wait: something about a relay has changed."""
        self._news.set()
        self._news = asyncio.Event()

    def judge(self, relay: Member, result: Result, *, lost_before: bool = False) -> Result:
        """Learn about a relay from an answer, and return what the run shall hear of it.

        `lost_before` says that another mail was lost with the same connection: that counts once.
        """
        code = result.reply.code
        if 200 <= code < 300:
            # What was on the wire when it was set aside proves nothing about what comes after.
            if not relay.proven and self._clock() >= relay.rest_until:
                relay.proven, relay.fault, relay.rest = True, None, FIRST_REST
                self.tell()  # it was on trial, and may have more lanes now
            relay.strikes = 0
            return result
        if result is NO_SMTPUTF8:
            return self._leave_to_others(relay)
        verdict = decide_outcome(result.reply, result.phase)
        if not isinstance(verdict, Fault) and code not in _LOST:
            return result
        relay.strikes += not lost_before
        if not isinstance(verdict, Fault):
            if relay.strikes >= STRIKES and self._others_left(relay):
                self._set_aside(relay, Fault(result.reply, result.phase))
            return result
        about_us = result.phase is Phase.MAIL or not relay.proven
        if result.phase is Phase.MAIL or relay.strikes >= STRIKES:
            self._set_aside(relay, verdict)
        return _soften(result, relay.transport.name) if about_us else result

    def _leave_to_others(self, relay: Member) -> Result:
        """Put a reader off whose address one relay can't write, as long as another may be able to."""
        relay.ascii_only = True
        if all(other.ascii_only for other in self._relays):
            return NO_SMTPUTF8
        return _soften(NO_SMTPUTF8, relay.transport.name, _LATER)

    def _others_left(self, relay: Member) -> bool:
        return any(other.is_left(self._clock()) for other in self._relays if other is not relay)

    def _choose(self) -> Member | None:
        now = self._clock()
        ready = [relay for relay in self._relays if relay.may_open(now)]
        return min(ready, key=lambda relay: (relay.load + 1) / relay.weight, default=None)

    def _hear_fault(self, relay: Member, fault: Fault) -> None:
        """Take a relay that has lanes and opens no more for one that wants fewer; set aside one that has none."""
        if fault.temporary and relay.lanes:
            relay.most, relay.most_until = len(relay.lanes), self._clock() + CROWDED
        else:
            self._set_aside(relay, fault)

    def _set_aside(self, relay: Member, fault: Fault) -> None:
        now = self._clock()
        if now < relay.rest_until:
            return  # what was on its way when it was set aside
        _logger.warning(
            "%s is set aside for %d s: %s (%s). The other relays get its share.",
            relay.transport.name,
            relay.rest,
            _quote(fault.reply),
            fault.phase,
        )
        relay.rest_until, relay.rest = now + relay.rest, min(2 * relay.rest, LONGEST_REST)
        relay.proven, relay.strikes, relay.fault = False, 0, fault
        for lane in list(relay.lanes):
            lane.retire()
        self.tell()

    def _sum_up(self) -> Fault:
        """Return the last Fault, with what the other relays said before."""
        told = sorted((relay for relay in self._relays if relay.fault), key=lambda relay: relay.rest_until)
        last = told[-1].fault
        if last is None:
            raise RuntimeError("no relay is left, and none has failed")
        others = [f"{relay.transport.name}: {_quote(relay.fault.reply)}" for relay in told[:-1] if relay.fault]
        text = f"{last.reply.text} (so says {told[-1].transport.name}; before it, {'; '.join(others)})"
        return Fault(Reply(last.reply.code, last.reply.enhanced, text if others else last.reply.text), last.phase)


class _RelaysLane:
    """A lane to one of the relays, or one that waits for a relay to have room."""

    def __init__(self, relays: Relays) -> None:
        self._relays = relays
        self._relay: Member | None = None
        self._lane: Lane | None = None
        self._over = False
        self._stopped = asyncio.Event()

    @property
    def usable(self) -> bool:
        """Return whether more mail may be pumped here."""
        return not self._over and (self._lane is None or self._lane.usable)

    async def find_relay(self) -> Fault | None:
        """Connect to a relay if one has room; return a Fault when none is left."""
        found = await self._relays.connect()
        if isinstance(found, Fault):
            self._over = True
            return found
        if found is not None:
            self._relay, self._lane = found
            self._relay.lanes.add(self)
            if self._stopped.is_set():
                self._lane.stop()
        return None

    async def pump(
        self,
        next_mail: Callable[[], Mail | None],
        before_body: Callable[[Mail], None],
        on_result: Callable[[Mail, Result], None],
    ) -> None:
        """Hand over mails (`delivery.lanes`); without a relay, wait for one first."""
        if self._lane is None:
            await self._search_until_stopped()
        relay, lane = self._relay, self._lane
        if relay is None or lane is None:
            return

        lost = False

        def hear(mail: Mail, result: Result) -> None:
            nonlocal lost
            answer = self._relays.judge(relay, result, lost_before=lost)
            lost = lost or result.reply.code in _LOST
            on_result(mail, answer)

        await lane.pump(next_mail, before_body, hear)

    async def _search_until_stopped(self) -> None:
        tasks = [asyncio.create_task(self._search()), asyncio.create_task(self._stopped.wait())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()

    async def _search(self) -> None:
        while not self._over and self._lane is None:
            await self.find_relay()
            if not self._over and self._lane is None:
                await self._relays.wait()

    def retire(self) -> None:
        """Begin no further mail here: the relay is set aside."""
        self._over = True
        self.stop()

    def stop(self) -> None:
        """Begin no further mail."""
        self._stopped.set()
        if self._lane is not None:
            self._lane.stop()

    async def close(self) -> None:
        """End politely."""
        self._over = True
        if self._relay is not None:
            self._relay.lanes.discard(self)
        if self._lane is not None:
            with suppress(Exception):
                await self._lane.close()
        self._relays.tell()


def compute_width(relays: Sequence[tuple[int, int]]) -> int:
    """Return how many lanes there can be if each relay's share of them is its weight; pairs of connections and weight.

    At least one for each relay.
    """
    whole = sum(weight for _, weight in relays)
    return max(len(relays), min(connections * whole // weight for connections, weight in relays))


def _soften(result: Result, name: str, code: int | None = None) -> Result:
    """Turn a refusal that is a relay's into one that blames nobody: it is tried elsewhere, or later.

    Before the body it is as if the connection had been lost; after it, or with a `code`, as if the server had asked to
    try later.
    """
    if code is None:
        code = _LATER if result.phase is Phase.DOT else 0
    return Result(result.phase, Reply(code, "", f"{name} doesn't take our mail: {_quote(result.reply)}"))


def _quote(reply: Reply) -> str:
    return " ".join(part for part in (str(reply.code or ""), reply.enhanced, reply.text.rstrip(".")) if part)
