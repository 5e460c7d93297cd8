"""A run of the engine over a real ledger, with relays and a database that behave as they are told."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection

from newsletter.config import Delivery as Rules
from newsletter.config import Pace
from newsletter.delivery.books import Ledger
from newsletter.delivery.compose import make_compose, one_by_one
from newsletter.delivery.desk import Compose, Desk, Tally
from newsletter.delivery.engine import Engine
from newsletter.delivery.exchange import Result
from newsletter.delivery.journal import Journal
from newsletter.delivery.lanes import Lane, Mail, Transport
from newsletter.delivery.meter import Meters
from newsletter.delivery.owner import is_dead_owner, load_owner
from newsletter.delivery.policy import Fault, Phase
from newsletter.delivery.publish import open_fence
from newsletter.delivery.recovery import name_ledger, recover
from newsletter.errors import StoreError
from newsletter.model.delivery import Audit, Delivery, DeliveryState, Reply
from newsletter.model.pace import Pace as KeptPace
from newsletter.store.database import Database
from newsletter.store.deliveries import claim_deliveries, list_deliveries
from newsletter.store.editions import StoredEdition
from newsletter.store.paces import load_paces
from tests.delivery.conftest import KEY, NOW, audit

BOOT = "boot-1"
OK = Result(Phase.DOT, Reply(250, "2.0.0", "queued"))
LATER = Result(Phase.RCPT, Reply(450, "4.2.1", "greylisted"))
NOBODY = Result(Phase.RCPT, Reply(550, "5.1.1", "nobody"))
BARRED = Result(Phase.RCPT, Reply(550, "5.7.1", "barred"))
CLOSING = Result(Phase.MAIL, Reply(421, "4.3.2", "closing"))
LOST = Result(Phase.DOT, Reply(0, "", "the server closed the connection"))
BUSY = Fault(Reply(421, "4.7.0", "too many connections"), Phase.GREETING)

Answer = Result | Exception


def number_of(mail: Mail) -> int:
    return int(mail.key.address.removeprefix("reader").partition("@")[0])


@dataclass
class FakeTransport:
    """Answers by the reader's number, 0 is everybody else; a list is answered one by one, its last entry stays.

    `on_wire` sees each mail when its body has left. `doors` answers each connection in turn with a Fault or None.
    """

    answers: Mapping[int, Answer | list[Answer]] = field(default_factory=dict)
    width: int = 3
    name: str = "relay.test:587"
    doors: list[Fault | None] = field(default_factory=list)
    on_wire: Callable[[Mail], None] = lambda mail: None
    hold: asyncio.Event | None = None
    hang_at_the_door: bool = False
    sent: list[str] = field(default_factory=list)
    lanes: "list[FakeLane]" = field(default_factory=list)
    knocks: int = 0

    async def open_lane(self) -> Lane | Fault:
        self.knocks += 1
        if self.hang_at_the_door:
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        fault = self.doors.pop(0) if self.doors else None
        if fault:
            return fault
        self.lanes.append(FakeLane(self))
        return self.lanes[-1]

    def answer(self, mail: Mail) -> Answer:
        wanted = self.answers.get(number_of(mail), self.answers.get(0, OK))
        if not isinstance(wanted, list):
            return wanted
        return wanted.pop(0) if len(wanted) > 1 else wanted[0]


class FakeLane:
    """Keeps what `lanes.Lane` promises: one result for each mail, whatever happens."""

    def __init__(self, transport: FakeTransport) -> None:
        self.usable = True
        self.closed = False
        self._transport = transport
        self._stopped = False

    async def pump(
        self,
        next_mail: Callable[[], Mail | None],
        before_body: Callable[[Mail], None],
        on_result: Callable[[Mail, Result], None],
    ) -> None:
        while self.usable and not self._stopped and (mail := next_mail()) is not None:
            answer = self._transport.answer(mail)
            try:
                result = await self._send(mail, answer, before_body)
            except asyncio.CancelledError:
                self.usable = False
                on_result(mail, Result(Phase.DOT, Reply(0, "", "sending was cancelled")))
                raise
            on_result(mail, result)
            self.usable = result.reply.code not in (0, 421)

    async def _send(self, mail: Mail, answer: Answer, before_body: Callable[[Mail], None]) -> Result:
        if isinstance(answer, Result) and answer.phase is not Phase.DOT:
            await asyncio.sleep(0)
            return answer
        before_body(mail)
        self._transport.on_wire(mail)
        await (self._transport.hold.wait() if self._transport.hold else asyncio.sleep(0))
        if isinstance(answer, Exception):
            raise answer
        if answer.reply.code == 250:
            self._transport.sent.append(mail.key.address)
        return answer

    def stop(self) -> None:
        self._stopped = True

    async def close(self) -> None:
        self.usable = False
        self.closed = True


class MoodyDatabase(Database):
    """A database that fails when told to: `moods` gives each transaction's number, from 1, and how it fails."""

    def __init__(self, database: Database, moods: Mapping[int, str]) -> None:
        vars(self).update(vars(database))
        self.moods = moods
        self.count = 0

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        self.count += 1
        mood = self.moods.get(self.count, self.moods.get(0, ""))
        if mood == "refuses":
            raise StoreError("newsletter.db: database or disk is full.")
        with super().transaction() as connection:
            yield connection
        if mood == "keeps it, and its answer is lost":
            raise StoreError("newsletter.db: the connection broke.")


@dataclass
class Run:
    """One edition's ledger, and what to run the engine with."""

    database: Database
    stored: StoredEdition
    folder: Path
    now: datetime = NOW
    ahead: int = 100
    drain: float = 5.0
    compose: Compose | None = None
    lease: timedelta = timedelta(minutes=30)
    rules: Rules = field(default_factory=Rules)
    pace: Pace = field(default_factory=Pace)

    def desk(
        self, transport: Transport, progress: Callable[[Tally], None], owner: str, ledger: Database | None = None
    ) -> Desk:
        journal = Journal.create(self.folder, owner, name_ledger(self.database), BOOT, self.ahead)
        fence = open_fence(self.database, self.folder, self.stored.edition.slug)
        return Desk(
            ledger=Ledger(
                ledger or self.database, journal, fence, self.stored.id, owner, self.lease, self.ahead, lambda: self.now
            ),
            transport=transport,
            rules=self.rules,
            compose=one_by_one(self.compose or make_compose(self.stored.edition, self.stored.published_at, KEY, None)),
            jitter=lambda: 1.0,
            drain=timedelta(seconds=self.drain),
            on_progress=progress,
            meters=Meters(time.monotonic, lambda: self.now, self.load_paces()),
            pace=self.pace,
        )

    def load_paces(self) -> list[KeptPace]:
        with self.database.read() as connection:
            return load_paces(connection)

    def recover(self, boot: str = BOOT) -> int:
        return recover(self.database, self.folder, boot, Rules(), self.now, is_dead_owner)

    async def deliver(
        self,
        transport: Transport,
        stop: asyncio.Event | None = None,
        *,
        progress: Callable[[Tally], None] = lambda tally: None,
        owner: str = "run",
        ledger: Database | None = None,
    ) -> Tally:
        """Do what `publish.send_edition` does, within ten seconds."""
        recovered = await asyncio.to_thread(self.recover)
        desk = self.desk(transport, progress, load_owner(owner), ledger)
        engine = Engine(desk)
        engine.tally.recovered = recovered
        try:
            async with asyncio.timeout(10):
                return await engine.run(stop or asyncio.Event())
        finally:
            desk.ledger.journal.close(keep=not engine.settled)
            desk.ledger.fence.close()

    def audit(self) -> Audit:
        return audit(self.database, self.stored)

    def rows(self, state: DeliveryState | None = None) -> dict[int, Delivery]:
        with self.database.read() as connection:
            return {row.subscriber_id: row for row in list_deliveries(connection, self.stored.id, state)}

    def claim(self, owner: str, limit: int) -> list[Delivery]:
        with self.database.transaction() as connection:
            return claim_deliveries(connection, self.stored.id, owner, self.now + self.lease, self.now, limit)


def readers(*numbers: int) -> list[str]:
    return [f"reader{number}@example.net" for number in numbers]


def dead_owner(name: str = "dead") -> str:
    """Return the name of a process of this machine that is gone: this one's number, another start."""
    place, number, _ = load_owner("x").rsplit(":", 2)
    return f"{place}:{number}:1/{name}"
