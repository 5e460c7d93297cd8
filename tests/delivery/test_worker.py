"""The worker over a real ledger, with a transport that says what it is told to."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from newsletter.config import Delivery as Rules
from newsletter.delivery.owner import load_owner
from newsletter.delivery.policy import Fault, Phase, Verdict
from newsletter.delivery.worker import Desk, Job, Tally, deliver_due
from newsletter.errors import TransportError
from newsletter.mail.message import Envelope, encode_edition
from newsletter.mail.token import Purpose, read_token
from newsletter.model.delivery import Accepted, Audit, Deferred, DeliveryState, Refused, Reply, Unknown
from newsletter.model.edition import Edition
from newsletter.store.database import Database
from newsletter.store.deliveries import claim_deliveries, list_deliveries
from newsletter.store.editions import StoredEdition
from newsletter.store.subscribers import mark_left
from tests.delivery.conftest import KEY, NOW, audit, publish

OK = Accepted(Reply(250, "2.0.0", "queued"))
LATER = Deferred(Reply(450, "4.2.1", "greylisted"))


@dataclass
class FakeTransport:
    """Answers by the reader's number; 0 is everybody else. `on_deliver` sees each mail first."""

    answers: dict[int, Verdict | Exception] = field(default_factory=dict)
    width: int = 3
    landing: DeliveryState = DeliveryState.UNKNOWN
    name: str = "relay.test:587"
    sent: list[str] = field(default_factory=list)
    on_deliver: Callable[[Envelope], None] = lambda envelope: None

    async def deliver(self, envelope: Envelope) -> Verdict:
        self.on_deliver(envelope)
        await asyncio.sleep(0)
        self.sent.append(envelope.recipient)
        number = int(envelope.recipient.removeprefix("reader").partition("@")[0])
        answer = self.answers.get(number, self.answers.get(0, OK))
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None:
        pass


@dataclass
class Run:
    """One edition's ledger and what to run it with."""

    database: Database
    stored: StoredEdition
    now: datetime = NOW

    def desk(self, transport: FakeTransport, owner: str = "") -> Desk:
        return Desk(
            database=self.database,
            transport=transport,
            rules=Rules(),
            owner=owner or load_owner("test"),
            lease=timedelta(minutes=30),
            clock=lambda: self.now,
            jitter=lambda: 1.0,
        )

    async def deliver(
        self, transport: FakeTransport, stop: asyncio.Event | None = None, progress: list[Tally] | None = None
    ) -> Tally:
        job = Job(self.stored.id, encode_edition(self.stored.edition, self.stored.published_at), KEY)
        heard: list[Tally] = [] if progress is None else progress
        return await deliver_due(self.desk(transport), job, stop or asyncio.Event(), heard.append)

    def audit(self) -> Audit:
        return audit(self.database, self.stored)

    def claim(self, owner: str, limit: int) -> None:
        with self.database.transaction() as connection:
            claim_deliveries(connection, self.stored.id, owner, self.now + timedelta(minutes=30), self.now, limit)


@pytest.fixture
def run(database: Database, edition: Edition) -> Run:
    return Run(database, publish(database, edition, 10))


def readers(*numbers: int) -> list[str]:
    return [f"reader{number}@example.net" for number in numbers]


async def test_everybody_gets_one_mail_and_a_second_run_sends_nothing(run: Run) -> None:
    transport, progress = FakeTransport(), list[Tally]()
    assert await run.deliver(transport, progress=progress) == Tally(sent=10)
    assert sorted(transport.sent) == sorted(readers(*range(1, 11)))
    assert [tally.done for tally in progress] == [0, 3, 6, 9, 10]
    again = FakeTransport()
    assert await run.deliver(again) == Tally()
    assert again.sent == []
    assert run.audit() == Audit(10, sent=10, queued=0, deferred=0, failed=0, cancelled=0, unknown=0)


async def test_each_outcome_is_written_down(run: Run) -> None:
    refused, lost = Refused(Reply(550, "5.1.1", "nobody")), Unknown(Reply(0, "", "lost"))
    tally = await run.deliver(FakeTransport({2: refused, 4: LATER, 5: lost}))
    assert tally == Tally(sent=7, deferred=1, failed=1, unknown=1)
    assert run.audit() == Audit(10, sent=7, queued=0, deferred=1, failed=1, cancelled=0, unknown=1)
    with run.database.read() as connection:
        rows = {row.address: row for row in list_deliveries(connection, run.stored.id)}
    failed, deferred = rows["reader2@example.net"], rows["reader4@example.net"]
    assert (failed.state, failed.attempts, failed.reply) == (DeliveryState.FAILED, 1, refused.reply)
    assert (deferred.attempts, deferred.next_attempt_at) == (1, NOW + timedelta(minutes=5))


async def test_a_deferred_mail_waits_for_its_time_and_is_the_same_bytes_then(run: Run) -> None:
    mails: list[bytes] = []
    first = FakeTransport({3: LATER}, on_deliver=lambda mail: mails.append(mail.message))
    await run.deliver(first)
    early = FakeTransport()
    assert await run.deliver(early) == Tally()
    run.now += timedelta(minutes=5)
    due = FakeTransport(on_deliver=lambda mail: mails.append(mail.message))
    assert await run.deliver(due) == Tally(sent=1)
    assert due.sent == readers(3)
    assert mails[-1] in mails[:-1]


async def test_a_reader_who_leaves_in_the_middle_gets_nothing(run: Run) -> None:
    def leave(envelope: Envelope) -> None:
        if envelope.recipient == "reader1@example.net":
            with run.database.transaction() as connection:
                mark_left(connection, "reader9@example.net", NOW)

    transport = FakeTransport(on_deliver=leave)
    await run.deliver(transport)
    assert "reader9@example.net" not in transport.sent
    assert run.audit().cancelled == 1


async def test_a_fault_about_us_ends_the_run_and_blames_nobody(run: Run) -> None:
    fault = Fault(Reply(550, "5.1.8", "not you"), Phase.MAIL)
    transport = FakeTransport({0: fault, 1: OK, 2: OK, 3: OK, 4: OK})
    with pytest.raises(
        TransportError, match=r"relay\.test:587 doesn't take our mail \(MAIL FROM\): 550 5\.1\.8 not you"
    ):
        await run.deliver(transport)
    assert run.audit() == Audit(10, sent=4, queued=6, deferred=0, failed=0, cancelled=0, unknown=0)
    assert len(transport.sent) == 6
    assert await run.deliver(FakeTransport()) == Tally(sent=6)


async def test_one_reader_s_server_that_bars_us_holds_up_nobody(run: Run) -> None:
    barred = Fault(Reply(550, "5.7.1", "barred"), Phase.RCPT)
    assert await run.deliver(FakeTransport({5: barred})) == Tally(sent=9, failed=1)


async def test_an_outbox_that_is_full_gives_everything_back(run: Run) -> None:
    full = TransportError("no room")
    with pytest.raises(TransportError, match="no room"):
        await run.deliver(FakeTransport({0: full, 1: OK}))
    assert run.audit() == Audit(10, sent=1, queued=9, deferred=0, failed=0, cancelled=0, unknown=0)


async def test_a_mistake_of_ours_is_unknown_once_it_was_handed_over_and_is_not_hidden(run: Run) -> None:
    with pytest.raises(ZeroDivisionError):
        await run.deliver(FakeTransport({2: ZeroDivisionError("oops")}))
    assert run.audit() == Audit(10, sent=2, queued=7, deferred=0, failed=0, cancelled=0, unknown=1)


async def test_a_name_that_no_header_can_hold_fails_alone(database: Database, edition: Edition) -> None:
    stored = publish(database, edition, 3)
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET name = 'a\nBcc: b@example.org' WHERE subscriber_id = 2")
    run, transport = Run(database, stored), FakeTransport()
    assert await run.deliver(transport) == Tally(sent=2, failed=1)
    assert "reader2@example.net" not in transport.sent


async def test_asked_to_stop_it_finishes_what_it_began_and_begins_nothing(run: Run) -> None:
    stop = asyncio.Event()
    transport = FakeTransport(on_deliver=lambda mail: stop.set() if mail.recipient.startswith("reader5@") else None)
    assert await run.deliver(transport, stop) == Tally(sent=6, stopped=True)
    assert run.audit() == Audit(10, sent=6, queued=4, deferred=0, failed=0, cancelled=0, unknown=0)


async def test_asked_to_stop_before_it_began_it_claims_nothing(run: Run) -> None:
    stop = asyncio.Event()
    stop.set()
    assert await run.deliver(FakeTransport(), stop) == Tally(stopped=True)
    assert run.audit().queued == 10


async def test_what_a_dead_worker_held_is_unknown_at_once(run: Run) -> None:
    place, number, _ = load_owner("x").rsplit(":", 2)
    run.claim(f"{place}:{number}:1/dead", 2)  # this process's number, another start
    transport = FakeTransport()
    assert await run.deliver(transport) == Tally(sent=8, recovered=2)
    assert not set(readers(1, 2)) & set(transport.sent)
    assert run.audit().unknown == 2


async def test_what_a_dead_worker_held_of_an_outbox_is_written_again(run: Run) -> None:
    place, number, _ = load_owner("x").rsplit(":", 2)
    run.claim(f"{place}:{number}:1/dead", 2)
    assert await run.deliver(FakeTransport(landing=DeliveryState.QUEUED)) == Tally(sent=10, recovered=2)


async def test_what_a_living_worker_holds_is_left_alone_until_its_lease_is_over(run: Run) -> None:
    run.claim("elsewhere/-:1:1/x", 2)
    assert await run.deliver(FakeTransport()) == Tally(sent=8)
    assert run.audit().queued == 2
    run.now += timedelta(minutes=31)
    assert await run.deliver(FakeTransport()) == Tally(recovered=2)
    assert run.audit().unknown == 2


async def test_two_workers_at_once_share_the_readers(run: Run) -> None:
    one, two = FakeTransport(), FakeTransport()
    job = Job(run.stored.id, encode_edition(run.stored.edition, NOW), KEY)
    tallies = await asyncio.gather(
        deliver_due(run.desk(one, load_owner("one")), job, asyncio.Event(), lambda tally: None),
        deliver_due(run.desk(two, load_owner("two")), job, asyncio.Event(), lambda tally: None),
    )
    assert sum(tally.sent for tally in tallies) == 10
    assert sorted(one.sent + two.sent) == sorted(readers(*range(1, 11)))


async def test_every_mail_carries_its_own_reader_s_tokens(run: Run) -> None:
    mails: list[Envelope] = []
    await run.deliver(FakeTransport(on_deliver=mails.append))
    for mail in mails:
        token = read_token([KEY], Purpose.MESSAGE, mail.name)
        assert token
        assert mail.recipient == f"reader{token.subscriber_id}@example.net"
