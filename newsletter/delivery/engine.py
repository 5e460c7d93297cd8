"""The engine: sends an edition to everyone who is due, at the speed of the wire, and forgets nothing if it dies.

Owns one run: the lanes that pump mails, and what becomes of each answer. What a reply means is decided in
`delivery.policy`; which bytes go out when, in `delivery.pipeline`; when the ledger is written, in `delivery.books`.

The order that the guarantee rests on: a delivery is claimed in the ledger, noted in the journal before its final dot
may leave, noted again with the answer, settled in the ledger, and only then forgotten by the journal.

Whatever ends a run, an error of ours included: what is on the wire is awaited, what was answered is settled, and what
never left is given back. What even then has no answer is left to the journal and the next run.
"""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final

from newsletter.delivery.books import Books
from newsletter.delivery.composers import Composers
from newsletter.delivery.desk import PHASES, Desk, Made, Tally
from newsletter.delivery.domains import parse_domain
from newsletter.delivery.exchange import Prepared, Result
from newsletter.delivery.gate import Gate, Return
from newsletter.delivery.lanes import Lane, Mail
from newsletter.delivery.policy import Fault, Phase, decide_outcome, decide_settlement, describe_fault, was_tried
from newsletter.delivery.stages import Halt, NextStage, Stages
from newsletter.errors import StoreError, TransportError
from newsletter.model.control import Control, Stage
from newsletter.model.delivery import Accepted, Deferred, Delivery, DeliveryState, Outcome, Refused, Reply

BOOKS_INTERVAL: Final = 0.25
"""Seconds between two pages of the books at the most, so that `status` is never far behind."""

LEAST_SUSPECTS: Final = 3
"""Readers who must be barred before anybody is accepted, so that it is about us; more where there are more lanes."""

LANE_REST: Final = 30.0
"""Seconds before a lane that the relay turned away, while it served others, asks again."""

_LEASE_OVER: Final = (
    "Sending stopped: this machine slept, or its clock was put forward, for so long that another sender may have taken "
    "over. Nothing was sent since; the same command goes on with who is left."
)
_UNHEARD: Final = (0, 421)
_UNSAID: Final = Result(Phase.RCPT, Reply(0, "", ""))


class Engine:
    """One run over one edition; `run` it once."""

    def __init__(self, desk: Desk) -> None:
        self.tally = Tally()
        self._desk = desk
        self._books = Books(desk.ledger)
        self._stages = Stages(desk.rules)
        self._alarm = False  # answers look wrong: nothing is begun until the books have judged them
        self._composers = Composers(desk.compose, self._take_made, self._end)
        self._gate = Gate(desk.pace, desk.ledger.ahead, desk.meters)
        self._departed: set[int] = set()  # readers who have left since they were claimed
        self._lanes: set[Lane] = set()
        self._changing: set[asyncio.Task[None]] = set()  # drivers between two connections: nothing is on their wire
        self._accepted = False
        self._taken = False  # somebody has the edition from an earlier run
        self._suspects: list[tuple[Mail, Fault]] = []
        self._retried: set[int] = set()
        self._error: Exception | None = None
        self._ended = asyncio.Event()
        self._news = asyncio.Event()  # wakes the books
        self._mail = asyncio.Event()  # wakes the lanes

    @property
    def settled(self) -> bool:
        """Return whether the ledger knows everything; if not, the journal must be kept for the next run."""
        return self._books.settled

    @property
    def _ending(self) -> bool:
        return self._ended.is_set()

    async def run(self, stop: asyncio.Event) -> Tally:
        """Deliver to everyone who is due now. `stop` ends it gracefully: what is on the wire is waited for.

        Raises TransportError when the relay bars us, StoreError when the ledger refuses; nothing is lost by either.
        """
        watch = asyncio.create_task(self._watch(stop))
        lanes: list[asyncio.Task[None]] = []
        await asyncio.sleep(0)  # asked to stop before it began, it claims nothing
        try:
            await self._turn_page()
            if self._books.held:
                self._taken = await self._books.was_taken()
                lanes = [asyncio.create_task(self._drive()) for _ in range(self._desk.transport.width)]
                await self._keep_books(lanes)
        except Exception as error:
            self._error = self._error or error
        finally:
            watch.cancel()
            self._end()
            try:
                await self._drain(lanes)
            finally:
                self._composers.close()
                await self._close_books()
        if self._error:
            raise self._error
        return self.tally

    async def _watch(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self.tally.stopped = True
        self._end()

    def _end(self, error: Exception | None = None) -> None:
        """Begin nothing more; those who wait are woken to see it, and a connection that isn't ready is given up."""
        self._ended.set()
        self._error = self._error or error
        for lane in self._lanes:
            lane.stop()
        for driver in self._changing:
            driver.cancel()
        self._mail.set()
        self._news.set()

    async def _drain(self, lanes: Sequence[asyncio.Task[None]]) -> None:
        """Wait for what is on the wire; who hasn't answered by the end of `drain` is unknown."""
        try:
            if lanes:
                await asyncio.wait(lanes, timeout=self._desk.drain.total_seconds())
        finally:
            for lane in lanes:
                lane.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)

    async def _drive(self) -> None:
        """Pump mails through one connection after another until the run ends."""
        lane: Lane | None = None
        try:
            while await self._mail_is_ready():
                if lane is None or not lane.usable:
                    lane = await self._change_lane(lane)
                if lane is not None:
                    await lane.pump(self._next, self._begin, self._take)
        except Exception as error:
            self._end(error)
        finally:
            if lane is not None:
                self._lanes.discard(lane)
                await lane.close()

    async def _mail_is_ready(self) -> bool:
        while not self._ending:
            wait = None if self._alarm else self._gate.wait()
            if wait == 0.0:
                return True
            self._mail.clear()
            if not (len(self._gate) or self._composers.busy):
                self._news.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._mail.wait()
        return False

    async def _change_lane(self, old: Lane | None) -> Lane | None:
        """Open a connection; a relay that wants fewer than configured gets fewer, one that takes none ends the run."""
        opened = await self._open_lane(old)
        if not isinstance(opened, Fault):
            return opened
        if opened.temporary and (self._lanes or self._changing):
            await self._rest()
        else:
            self._fail(opened)
        return None

    async def _open_lane(self, old: Lane | None) -> Lane | Fault:
        driver = asyncio.current_task()
        if driver is None:
            raise RuntimeError("lanes are driven by tasks")
        self._changing.add(driver)
        try:
            if old is not None:
                self._lanes.discard(old)
                await old.close()
            opened = await self._desk.transport.open_lane()
        finally:
            self._changing.discard(driver)
        if not isinstance(opened, Fault):
            self._lanes.add(opened)
            if self._ending:
                opened.stop()
        return opened

    async def _rest(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LANE_REST):
                await self._ended.wait()

    def _next(self) -> Mail | None:
        if self._ending or self._alarm:
            return None
        mail = self._gate.pop()
        while mail is not None and self._departed and mail.key.id in self._departed:
            self._drop(mail)
            mail = self._gate.pop()
        return mail

    def _drop(self, mail: Mail) -> None:
        """Give back the mail of a reader who has left since it was claimed; the ledger cancels it."""
        self._gate.finish(mail, _UNSAID)
        self._departed.discard(mail.key.id)
        self._books.give_back(mail.key.id)

    def _begin(self, mail: Mail) -> None:
        if self._books.expired:
            raise StoreError(_LEASE_OVER)
        self._desk.ledger.journal.begin(mail.key.id)

    def _take(self, mail: Mail, result: Result) -> None:
        """Take the answer to a mail; called from the wire, so it must not wait."""
        if self._gate.finish(mail, result):
            self._mail.set()
        if result.reply.code in _UNHEARD and result.phase is not Phase.DOT and self._try_again(mail):
            return
        verdict = decide_outcome(result.reply, result.phase)
        if isinstance(verdict, Fault):
            self._suspect(mail, verdict)
            return
        self._settle(mail.key, result.phase, verdict)
        if not self._accepted and isinstance(verdict, Accepted):
            self._accepted = True
            for suspect, fault in self._suspects:
                self._settle(suspect.key, fault.phase, Refused(fault.reply))
            self._suspects.clear()

    def _try_again(self, mail: Mail) -> bool:
        """Let a mail whose connection was lost before its body try one other connection in this run.

        When the run ends it isn't tried, and will be given back: that nobody took it is no server's verdict.
        """
        if mail.key.id in self._retried and not self._ending:
            return False
        self._retried.add(mail.key.id)
        self._desk.ledger.journal.forget(mail.key.id)  # with a window, its body was on its way and came to nothing
        self._gate.push_back(mail)
        self._mail.set()
        return True

    def _suspect(self, mail: Mail, fault: Fault) -> None:
        """Decide whether a refusal is about us or about this reader: when others are let through, it is the reader."""
        about_one = fault.phase in (Phase.RCPT, Phase.DATA, Phase.DOT)
        if about_one and self._accepted:
            self._settle(mail.key, fault.phase, Refused(fault.reply))
            return
        self._note(mail.key, fault.phase, fault.reply)  # killed now, it must not look as if it might have arrived
        self._suspects.append((mail, fault))
        if not about_one:
            self._fail(fault)
        elif len(self._suspects) >= max(LEAST_SUSPECTS, self._desk.transport.width):
            one_domain = len({parse_domain(barred.key.address) for barred, _ in self._suspects}) == 1
            self._judge_suspects(about_us=not (one_domain and self._taken))

    def _judge_last_suspects(self) -> None:
        """Decide when nobody is left who could show whom refusals are about.

        It is taken to be about us, but for readers that a relay has dealt with before, or whose edition others have:
        else one of them would end every run.
        """
        self._judge_suspects(about_us=not self._taken and not all(was_tried(mail.key) for mail, _ in self._suspects))

    def _judge_suspects(self, *, about_us: bool) -> None:
        """End the run, or put the suspects off until patience ends."""
        if about_us:
            self._fail(next(fault for mail, fault in self._suspects if self._taken or not was_tried(mail.key)))
            return
        for mail, fault in self._suspects:
            self._settle(mail.key, fault.phase, Deferred(fault.reply))
        self._suspects.clear()

    def _settle(self, delivery: Delivery, phase: Phase, outcome: Outcome) -> None:
        desk = self._desk
        self._note(delivery, phase, outcome.reply)
        self._retried.discard(delivery.id)
        jitter = desk.jitter() if isinstance(outcome, Deferred) else 1.0
        settlement = decide_settlement(delivery, outcome, desk.ledger.clock(), desk.rules, jitter)
        self._books.settle(settlement)
        self._stages.count(settlement)
        if self._alarm or settlement.state is not DeliveryState.SENT:  # what was taken raises no alarm
            self._judge_alarm()
        if self._alarm or self._books.low:
            self._news.set()

    def _judge_alarm(self) -> None:
        was, self._alarm = self._alarm, self._stages.alarm
        if was and not self._alarm:
            self._mail.set()

    def _note(self, delivery: Delivery, phase: Phase, reply: Reply) -> None:
        self._desk.ledger.journal.finish(delivery.id, PHASES.index(phase), reply)

    def _fail(self, fault: Fault) -> None:
        self._end(TransportError(describe_fault(fault, self._desk.transport.name)))

    async def _keep_books(self, lanes: Sequence[asyncio.Task[None]]) -> None:
        """Turn pages until nothing is held and nothing is due, or the run ends."""
        while (self._books.held or self._gate.owes) and not self._ending:
            if all(lane.done() for lane in lanes):
                raise RuntimeError("every lane has ended, and mail is left")
            if self._books.waiting == len(self._suspects) > 0:
                self._judge_last_suspects()
                continue
            if await self._is_overtaken():
                self._postpone(self._gate.give_back_all())
                self._end()
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(BOOKS_INTERVAL):
                    await self._news.wait()
            self._news.clear()
            await self._turn_page()

    async def _is_overtaken(self) -> bool:
        """Return whether another edition should have the wire: here everybody only waits for his domain's turn."""
        resting = self._gate.aside
        if self._composers.busy or resting != len(self._gate) or self._books.waiting != resting:
            return False
        return bool(resting or self._gate.owes) and await asyncio.to_thread(self._desk.is_overtaken)

    async def _turn_page(self, *, claim: bool = True) -> None:
        """Turn a page, and one more for each stage that is through."""
        meters = self._desk.meters
        while True:
            self._postpone(self._gate.give_back())
            claims, spent = claim and not self._ending, meters.report(final=not claim)
            turn = await self._books.turn_page(claim=claims, stage=self._stages.stage, spendings=spent)
            meters.adopt(turn.paces)
            self.tally.count(turn.settled)
            self._desk.on_progress(self.tally)
            self._departed = set(turn.departed)
            welcome, away = self._gate.turn_away(turn.claimed)
            self._postpone(away)
            self._composers.make(welcome)
            if not turn.control.runs:
                self._stop_for(turn.control)
            elif not await self._advance(claimed_none=turn.through):
                return
            if self._ending:
                return

    def _postpone(self, returns: Iterable[Return]) -> None:
        """Give back mails of a slow domain, each until its turn comes."""
        for delivery, due_at in returns:
            self._books.postpone(delivery.id, due_at)

    async def _advance(self, *, claimed_none: bool) -> bool:
        """Begin the next stage when this one is through and well received, or halt; return whether there is a next."""
        waiting, owes = self._books.waiting, self._gate.owes
        if self._stages.stage is Stage.FIRST_SHARE:  # who only waits for his domain's turn holds up nobody else
            waiting, owes = waiting - self._gate.aside, False
        move = self._stages.decide(waiting, claimed_none=claimed_none and not owes)
        if isinstance(move, Halt):
            self._stop_for(await self._books.halt(move.reason))
        elif isinstance(move, NextStage):
            self._stages.advance()
            return True
        return False

    def _stop_for(self, control: Control) -> None:
        """End gracefully: an operator, or the engine itself, has stopped the edition."""
        self.tally.control = control
        self._end()

    def _take_made(self, made: Sequence[Made]) -> None:
        """Let mails go that are ready, and settle who can't be written to."""
        for item in made:
            if isinstance(item, Prepared):
                self._gate.extend((item,))
            else:
                self._gate.let_go(item[0])
                self._settle(item[0], Phase.RCPT, Refused(item[1]))
        self._mail.set()

    async def _close_books(self) -> None:
        """Settle what was answered and give back what was never begun."""
        for mail, _ in self._suspects:
            self._books.give_back(mail.key.id)
        self._books.give_back_the_rest()
        try:
            await self._turn_page(claim=False)
        except Exception as error:
            self._error = self._error or error  # the journal keeps what the ledger didn't take
