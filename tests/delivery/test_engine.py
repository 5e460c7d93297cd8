"""The engine over a real ledger, with a relay that says what it is told to."""

import asyncio
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from newsletter.config import Delivery as Rules
from newsletter.delivery import engine
from newsletter.delivery.desk import Tally
from newsletter.delivery.engine import Engine
from newsletter.delivery.exchange import Result
from newsletter.delivery.lanes import Mail
from newsletter.delivery.owner import is_dead_owner, load_owner
from newsletter.delivery.policy import Fault, Phase
from newsletter.delivery.recovery import recover
from newsletter.errors import TransportError
from newsletter.mail.token import Purpose, read_token
from newsletter.model.delivery import Audit, Delivery, DeliveryState, Reply
from newsletter.model.edition import Edition
from newsletter.store.database import Database
from newsletter.store.subscribers import mark_left
from tests.delivery.conftest import KEY, NOW, publish
from tests.delivery.ledgers import (
    BARRED,
    BOOT,
    BUSY,
    CLOSING,
    LATER,
    LOST,
    NOBODY,
    OK,
    FakeLane,
    FakeTransport,
    Run,
    number_of,
    readers,
)

EVERYBODY = Audit(10, sent=10, queued=0, deferred=0, failed=0, cancelled=0, unknown=0)


@pytest.fixture
def run(database: Database, edition: Edition, tmp_path: Path) -> Run:
    return Run(database, publish(database, edition, 10), tmp_path / "journal")


def journals(run: Run) -> list[Path]:
    return list(run.folder.glob("*.journal"))


# What becomes of each reader


async def test_everybody_gets_one_mail_and_a_second_run_sends_nothing(run: Run) -> None:
    transport, progress = FakeTransport(), list[int]()
    assert await run.deliver(transport, progress=lambda tally: progress.append(tally.done)) == Tally(sent=10)
    assert sorted(transport.sent) == sorted(readers(*range(1, 11)))
    assert progress[0] == 0
    assert progress[-1] == 10
    assert progress == sorted(progress)
    again = FakeTransport()
    assert await run.deliver(again) == Tally()
    assert again.sent == []
    assert run.audit() == EVERYBODY
    assert journals(run) == []


async def test_each_outcome_is_written_down(run: Run) -> None:
    tally = await run.deliver(FakeTransport({2: NOBODY, 4: LATER, 5: LOST}))
    assert tally == Tally(sent=7, deferred=1, failed=1, unknown=1)
    assert run.audit() == Audit(10, sent=7, queued=0, deferred=1, failed=1, cancelled=0, unknown=1)
    rows = run.rows()
    assert (rows[2].state, rows[2].attempts, rows[2].reply) == (DeliveryState.FAILED, 1, NOBODY.reply)
    assert (rows[4].attempts, rows[4].next_attempt_at) == (1, NOW + timedelta(minutes=5))
    assert (rows[5].state, rows[5].reply) == (DeliveryState.UNKNOWN, LOST.reply)


async def test_a_deferred_mail_waits_for_its_time_and_is_the_same_bytes_then(run: Run) -> None:
    mails: list[tuple[str, bytes]] = []

    def keep(mail: Mail) -> None:
        mails.append((mail.key.address, mail.envelope + b"".join(mail.body)))

    later_at_the_dot = Result(Phase.DOT, LATER.reply)
    await run.deliver(FakeTransport({3: later_at_the_dot}, on_wire=keep))
    assert await run.deliver(FakeTransport()) == Tally()
    run.now += timedelta(minutes=5)
    due = FakeTransport(on_wire=keep)
    assert await run.deliver(due) == Tally(sent=1)
    assert due.sent == readers(3)
    first, second = (content for address, content in mails if address == readers(3)[0])
    assert first == second


async def test_a_deferred_mail_that_comes_due_during_the_run_is_tried_in_it(run: Run) -> None:
    run.ahead = 10  # what remains is claimed page by page

    def wait(mail: Mail) -> None:
        run.now += timedelta(minutes=2)

    assert await run.deliver(FakeTransport({1: [LATER, NOBODY]}, on_wire=wait, width=1)) == Tally(
        sent=9, deferred=1, failed=1
    )


async def test_a_reader_who_leaves_in_the_middle_gets_nothing(run: Run) -> None:
    run.ahead = 4

    def leave(mail: Mail) -> None:
        if number_of(mail) == 1:
            with run.database.transaction() as connection:
                mark_left(connection, "reader9@example.net", NOW)

    transport = FakeTransport(on_wire=leave)
    await run.deliver(transport)
    assert "reader9@example.net" not in transport.sent
    assert run.audit().cancelled == 1


async def test_a_reader_who_leaves_while_his_mail_waits_for_the_wire_gets_nothing(run: Run) -> None:
    """Everybody is claimed, and made ready, when he leaves; the page after that is heeded."""
    hold = asyncio.Event()
    transport = FakeTransport(width=1, hold=hold)
    seen = 0

    def look(_: Tally) -> None:
        nonlocal seen
        seen += 1

    sending = asyncio.create_task(run.deliver(transport, progress=look))
    while not run.rows(DeliveryState.SENDING):
        await asyncio.sleep(0.01)
    with run.database.transaction() as connection:
        mark_left(connection, "reader9@example.net", NOW)
    claimed_at = seen
    while seen < claimed_at + 2:
        await asyncio.sleep(0.01)
    hold.set()
    await sending
    assert "reader9@example.net" not in transport.sent
    assert (run.audit().cancelled, run.audit().sent) == (1, 9)


async def test_every_mail_carries_its_own_reader_s_tokens(run: Run) -> None:
    mails: list[Mail] = []
    await run.deliver(FakeTransport(on_wire=mails.append))
    assert len(mails) == 10
    for mail in mails:
        body = b"".join(mail.body)
        name = body.split(b"Message-ID: <")[1].split(b"@")[0].decode()
        token = read_token([KEY], Purpose.MESSAGE, name)
        assert token
        assert b"To: reader%d@example.net\r\n" % token.subscriber_id in body
        assert b"RCPT TO:<reader%d@example.net>\r\n" % token.subscriber_id in mail.envelope


async def test_a_name_that_no_header_can_hold_fails_alone(run: Run) -> None:
    with run.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET name = 'a\nBcc: b@example.org' WHERE subscriber_id = 2")
    transport = FakeTransport()
    assert await run.deliver(transport) == Tally(sent=9, failed=1)
    assert "reader2@example.net" not in transport.sent


async def test_a_mistake_in_composing_ends_the_run_and_gives_everything_back(run: Run) -> None:
    def compose(delivery: Delivery) -> Mail:
        raise KeyError("oops")

    run.compose = compose
    with pytest.raises(KeyError, match="oops"):
        await run.deliver(FakeTransport())
    assert {row.state for row in run.rows().values()} == {DeliveryState.QUEUED}
    assert journals(run) == []


# Connections


async def test_a_mail_whose_connection_is_lost_before_its_body_is_tried_once_on_another(run: Run) -> None:
    transport = FakeTransport({3: [CLOSING, Result(Phase.DOT, Reply(250, "", "ok"))], 4: CLOSING}, width=2)
    assert await run.deliver(transport) == Tally(sent=9, deferred=1)
    row = run.rows()[4]
    assert (row.state, row.attempts, row.reply) == (DeliveryState.DEFERRED, 0, CLOSING.reply)
    assert transport.knocks >= 3


async def test_a_mail_that_may_have_arrived_is_not_tried_on_another_connection(run: Run) -> None:
    transport = FakeTransport({3: [LOST, Result(Phase.DOT, Reply(250, "", "ok"))]})
    assert await run.deliver(transport) == Tally(sent=9, unknown=1)
    assert run.rows()[3].state is DeliveryState.UNKNOWN


async def test_a_relay_that_wants_fewer_connections_gets_fewer(run: Run) -> None:
    transport = FakeTransport(doors=[BUSY, None, BUSY], width=3)
    assert await run.deliver(transport) == Tally(sent=10)
    assert transport.knocks == 3


async def test_a_lane_that_was_turned_away_asks_again_after_a_rest(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "LANE_REST", 0.05)
    hold = asyncio.Event()
    transport = FakeTransport(doors=[BUSY, None], width=2, hold=hold)
    sending = asyncio.create_task(run.deliver(transport))
    while len(transport.lanes) < 2:
        await asyncio.sleep(0.01)
    hold.set()
    assert await sending == Tally(sent=10)
    assert transport.knocks >= 3


async def test_a_relay_that_turns_everybody_away_ends_the_run_and_is_asked_once_by_each_lane(run: Run) -> None:
    transport = FakeTransport(doors=[BUSY] * 9, width=3)
    with pytest.raises(TransportError, match=r"relay\.test:587 doesn't take our mail \(connecting\): 421 4\.7\.0"):
        await run.deliver(transport)
    assert transport.knocks == 3
    assert run.audit().queued == 10
    assert {row.state for row in run.rows().values()} == {DeliveryState.QUEUED}


async def test_a_door_that_is_shut_for_good_ends_the_run_though_other_lanes_work(run: Run) -> None:
    shut = Fault(Reply(535, "5.7.8", "wrong password"), Phase.AUTH)
    hold = asyncio.Event()
    transport = FakeTransport(doors=[None, shut], width=2, hold=hold)
    sending = asyncio.create_task(run.deliver(transport))
    while transport.knocks < 2:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    hold.set()  # what is on the wire is waited for
    with pytest.raises(TransportError, match=r"\(AUTH\)"):
        await sending
    assert run.audit() == Audit(10, sent=1, queued=9, deferred=0, failed=0, cancelled=0, unknown=0)


async def test_every_connection_is_closed_at_the_end(run: Run) -> None:
    transport = FakeTransport(width=3)
    await run.deliver(transport)
    assert [lane.closed for lane in transport.lanes] == [True] * 3


async def test_lanes_that_end_without_a_word_do_not_leave_the_run_waiting(run: Run) -> None:
    class Vanishing(FakeTransport):
        async def open_lane(self) -> FakeLane:
            raise asyncio.CancelledError

    with pytest.raises(RuntimeError, match="every lane has ended"):
        await run.deliver(Vanishing())
    assert run.audit().queued == 10


# Faults about us


async def test_a_fault_about_us_ends_the_run_and_blames_nobody(run: Run) -> None:
    fault = Result(Phase.MAIL, Reply(550, "5.1.8", "not you"))
    fine = Result(Phase.DOT, Reply(250, "", "ok"))
    transport = FakeTransport({0: fault, 1: fine, 2: fine, 3: fine, 4: fine}, width=1)
    with pytest.raises(
        TransportError, match=r"relay\.test:587 doesn't take our mail \(MAIL FROM\): 550 5\.1\.8 not you"
    ):
        await run.deliver(transport)
    assert run.audit() == Audit(10, sent=4, queued=6, deferred=0, failed=0, cancelled=0, unknown=0)
    assert await run.deliver(FakeTransport()) == Tally(sent=6)


@pytest.mark.parametrize("number", [1, 5, 10])
async def test_one_reader_s_server_that_bars_us_holds_up_nobody(run: Run, number: int) -> None:
    assert await run.deliver(FakeTransport({number: BARRED})) == Tally(sent=9, failed=1)
    assert run.rows()[number].reply == BARRED.reply


async def test_a_relay_that_bars_everybody_is_believed_after_one_mail_a_connection(run: Run) -> None:
    asked: list[str] = []

    class Barring(FakeTransport):
        def answer(self, mail: Mail) -> Result:
            asked.append(mail.key.address)
            return BARRED

    with pytest.raises(TransportError, match=r"5\.7\.1 barred"):
        await run.deliver(Barring(width=3))
    assert 3 <= len(asked) <= 5  # the other lanes may have had the next one in hand
    assert {row.state for row in run.rows().values()} == {DeliveryState.QUEUED}


async def test_a_suspect_that_is_the_last_one_is_told_and_not_blamed(run: Run) -> None:
    transport = FakeTransport(dict.fromkeys(range(1, 10), LATER) | {10: BARRED}, width=3)
    with pytest.raises(TransportError, match=r"5\.7\.1 barred"):
        await run.deliver(transport)
    assert run.audit() == Audit(10, sent=0, queued=1, deferred=9, failed=0, cancelled=0, unknown=0)


async def test_one_who_is_barred_when_nobody_else_is_left_ends_no_later_run(run: Run) -> None:
    """He was put off at first, so that the relay takes our mail: he is tried until patience ends, and fails then."""
    await run.deliver(FakeTransport({4: LATER}))
    for _ in range(40):
        waiting = run.rows(DeliveryState.DEFERRED)
        if not waiting:
            break
        (row,) = waiting.values()
        assert row.next_attempt_at
        run.now = row.next_attempt_at
        await run.deliver(FakeTransport({4: BARRED}, width=3))
    audit = run.audit()
    assert (audit.sent, audit.failed, audit.deferred) == (9, 1, 0)
    assert run.now >= NOW + timedelta(hours=Rules().patience_hours)


async def test_over_one_connection_a_barred_reader_holds_up_nobody_behind_him(run: Run) -> None:
    assert await run.deliver(FakeTransport({1: BARRED}, width=1)) == Tally(sent=9, failed=1)


async def test_one_who_is_barred_alone_is_put_off_when_others_have_the_edition_already(run: Run) -> None:
    stop, run.ahead = asyncio.Event(), 2
    await run.deliver(FakeTransport(width=1), stop, progress=lambda tally: stop.set() if tally.sent else None)
    left = run.rows(DeliveryState.QUEUED)
    assert 3 <= len(left) <= 9
    assert await run.deliver(FakeTransport(dict.fromkeys(left, BARRED), width=1)) == Tally(deferred=len(left))


async def test_killed_while_it_suspects_one_the_refusal_is_known(run: Run, tmp_path: Path) -> None:
    """Refused is refused: it must not come back as unknown. The others had no answer yet."""
    refused_at_the_dot = Result(Phase.DOT, Reply(554, "5.7.1", "spam"))
    hold = asyncio.Event()

    class Refusing(FakeTransport):
        def answer(self, mail: Mail) -> Result:
            self.hold = None if number_of(mail) == 1 else hold
            return refused_at_the_dot if number_of(mail) == 1 else OK

    run.drain = 0.1
    on_wire: list[Mail] = []
    desk = run.desk(Refusing(width=3, on_wire=on_wire.append), lambda tally: None, load_owner("killed"))
    sending = asyncio.create_task(Engine(desk).run(asyncio.Event()))
    while len(on_wire) < 4:
        await asyncio.sleep(0.01)
    (tmp_path / "killed").mkdir()
    copy = shutil.copy(desk.ledger.journal.path, tmp_path / "killed")
    assert recover(run.database, Path(copy).parent, BOOT, Rules(), NOW, is_dead_owner) == 10
    assert run.audit() == Audit(10, sent=0, queued=7, deferred=0, failed=0, cancelled=0, unknown=3)
    assert run.rows()[1].state is DeliveryState.QUEUED
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    desk.ledger.journal.close()
    assert run.audit().unknown == 3  # what was taken away meanwhile is not overwritten


# Memory


async def test_memory_does_not_grow_with_the_readers(
    database: Database, edition: Edition, tmp_path: Path, engine_name: str
) -> None:
    """Each mail loses its connection once, the longest way through the engine."""
    if engine_name != "sqlite":
        pytest.skip("the engine's own memory has nothing to do with the database")
    count = 4000
    run = Run(database, publish(database, edition, count), tmp_path, ahead=200)
    seen: set[int] = set()

    class Dropping(FakeTransport):
        def answer(self, mail: Mail) -> Result:
            if number_of(mail) % 2 or number_of(mail) in seen:
                return Result(Phase.DOT, Reply(250, "", "ok"))
            seen.add(number_of(mail))
            return CLOSING

    sizes: list[int] = []

    def measure(tally: Tally) -> None:
        sizes.append(len(sending._retried) + len(sending._gate) + len(sending._suspects) + sending._books.held)

    desk = run.desk(Dropping(width=3), measure, load_owner("run"))
    sending = Engine(desk)
    assert (await sending.run(asyncio.Event())).sent == count
    desk.ledger.journal.close()
    assert max(sizes) <= 3 * run.ahead
    assert sizes[-1] == 0
