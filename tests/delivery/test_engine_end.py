"""How a run of the engine ends: asked to, by a mistake, by a ledger that refuses, or next to another."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from newsletter.delivery.desk import Tally
from newsletter.delivery.exchange import Result
from newsletter.delivery.lanes import Mail
from newsletter.delivery.policy import Phase
from newsletter.errors import StoreError
from newsletter.model.delivery import Audit, DeliveryState, Reply
from newsletter.model.edition import Edition
from newsletter.store.database import Database
from newsletter.store.schema import deliveries
from tests.delivery.conftest import NOW, publish
from tests.delivery.ledgers import (
    CLOSING,
    LATER,
    NOBODY,
    FakeTransport,
    MoodyDatabase,
    Run,
    dead_owner,
    number_of,
    readers,
)

EVERYBODY = Audit(10, sent=10, queued=0, deferred=0, failed=0, cancelled=0, unknown=0)


@pytest.fixture
def run(database: Database, edition: Edition, tmp_path: Path) -> Run:
    return Run(database, publish(database, edition, 10), tmp_path / "journal")


def journals(run: Run) -> list[Path]:
    return list(run.folder.glob("*.journal"))


# Stopping


async def test_asked_to_stop_it_finishes_what_it_began_and_begins_nothing(run: Run) -> None:
    stop = asyncio.Event()
    transport = FakeTransport(on_wire=lambda mail: stop.set() if number_of(mail) == 5 else None)
    tally = await run.deliver(transport, stop)
    assert tally.stopped
    assert 5 <= tally.sent <= 8
    assert run.audit() == Audit(
        10, sent=tally.sent, queued=10 - tally.sent, deferred=0, failed=0, cancelled=0, unknown=0
    )
    assert {row.state for row in run.rows().values()} == {DeliveryState.SENT, DeliveryState.QUEUED}
    assert journals(run) == []


async def test_asked_to_stop_before_it_began_it_claims_nothing(run: Run) -> None:
    stop = asyncio.Event()
    stop.set()
    transport = FakeTransport()
    assert await run.deliver(transport, stop) == Tally(stopped=True)
    assert transport.knocks == 0
    assert run.audit().queued == 10


async def test_asked_to_stop_while_connecting_it_does_not_wait_for_the_relay(run: Run) -> None:
    stop = asyncio.Event()
    run.drain = 60.0
    transport = FakeTransport(hang_at_the_door=True)
    sending = asyncio.create_task(run.deliver(transport, stop))
    while transport.knocks < 3:
        await asyncio.sleep(0.01)
    stop.set()
    assert await asyncio.wait_for(sending, 2) == Tally(stopped=True)
    assert run.audit().queued == 10


async def test_what_has_no_answer_when_the_drain_is_over_is_unknown(run: Run) -> None:
    stop, run.drain = asyncio.Event(), 0.2
    transport = FakeTransport(hold=asyncio.Event(), width=3)
    sending = asyncio.create_task(run.deliver(transport, stop))
    while len(transport.lanes) < 3:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    stop.set()
    assert await asyncio.wait_for(sending, 2) == Tally(unknown=3, stopped=True)
    assert run.audit() == Audit(10, sent=0, queued=7, deferred=0, failed=0, cancelled=0, unknown=3)


async def test_a_connection_that_closes_during_the_drain_defers_nobody(run: Run) -> None:
    stop = asyncio.Event()
    transport = FakeTransport({2: CLOSING}, width=1, on_wire=lambda mail: stop.set())
    tally = await run.deliver(transport, stop)
    assert (tally.sent, tally.deferred) == (1, 0)
    assert {row.state for row in run.rows().values()} == {DeliveryState.SENT, DeliveryState.QUEUED}


async def test_cancelled_from_outside_it_drains_and_settles(run: Run) -> None:
    hold = asyncio.Event()
    transport = FakeTransport(hold=hold, width=2)
    sending = asyncio.create_task(run.deliver(transport))
    while len(transport.lanes) < 2:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    sending.cancel()
    asyncio.get_running_loop().call_later(0.1, hold.set)
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert run.audit() == Audit(10, sent=2, queued=8, deferred=0, failed=0, cancelled=0, unknown=0)
    assert {row.state for row in run.rows().values()} == {DeliveryState.SENT, DeliveryState.QUEUED}


async def test_cancelled_twice_it_waits_no_longer_and_forgets_nothing(run: Run) -> None:
    run.drain = 60.0
    transport = FakeTransport(hold=asyncio.Event(), width=2)
    sending = asyncio.create_task(run.deliver(transport))
    while len(transport.lanes) < 2:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    sending.cancel()
    await asyncio.sleep(0.05)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(sending, 2)
    assert run.audit() == Audit(10, sent=0, queued=8, deferred=0, failed=0, cancelled=0, unknown=2)


# Mistakes of ours


@pytest.mark.parametrize("page", [1, 2, 3])
async def test_a_progress_bar_that_fails_ends_the_run_with_clean_books(run: Run, page: int) -> None:
    run.ahead = 10
    calls = 0

    def fail(tally: Tally) -> None:
        nonlocal calls
        calls += 1
        if calls >= page:
            raise BrokenPipeError("nobody looks")

    with pytest.raises(BrokenPipeError):
        await run.deliver(FakeTransport(), progress=fail)
    assert DeliveryState.SENDING not in {row.state for row in run.rows().values()}
    assert journals(run) == []
    sent_before = run.audit().sent
    assert await run.deliver(FakeTransport()) == Tally(sent=10 - sent_before)


async def test_a_lane_that_breaks_its_promise_leaves_that_one_mail_unknown(run: Run) -> None:
    with pytest.raises(ZeroDivisionError):
        await run.deliver(FakeTransport({2: ZeroDivisionError("oops")}))
    assert run.rows()[2].state is DeliveryState.SENDING
    tally = await run.deliver(FakeTransport())
    assert tally.recovered == 1
    assert run.audit() == Audit(10, sent=9, queued=0, deferred=0, failed=0, cancelled=0, unknown=1)
    assert run.rows()[2].state is DeliveryState.UNKNOWN


# The ledger refuses


@pytest.mark.parametrize("page", [1, 2, 3])
@pytest.mark.parametrize("mood", ["refuses", "keeps it, and its answer is lost"])
async def test_a_page_that_fails_is_written_at_the_end(run: Run, mood: str, page: int) -> None:
    run.ahead = 10
    transport = FakeTransport()
    with pytest.raises(StoreError):
        await run.deliver(transport, ledger=MoodyDatabase(run.database, {page: mood}))
    assert run.audit().sent == len(transport.sent)
    again = FakeTransport()
    tally = await run.deliver(again)
    assert run.audit() == EVERYBODY
    assert tally.unknown == 0
    assert sorted(transport.sent + again.sent) == sorted(readers(*range(1, 11)))
    assert journals(run) == []


async def test_a_ledger_that_refuses_from_now_on_stops_it_and_the_next_run_settles_by_the_journal(run: Run) -> None:
    transport = FakeTransport({2: NOBODY, 4: LATER})
    with pytest.raises(StoreError, match="disk is full"):
        await run.deliver(transport, ledger=MoodyDatabase(run.database, {1: "", 0: "refuses"}))
    assert len(transport.sent) == 8
    assert run.audit() == Audit(10, sent=0, queued=10, deferred=0, failed=0, cancelled=0, unknown=0)
    assert len(journals(run)) == 1
    again = FakeTransport()
    assert await run.deliver(again) == Tally(recovered=10)
    assert again.sent == []
    assert run.audit() == Audit(10, sent=8, queued=0, deferred=1, failed=1, cancelled=0, unknown=0)
    assert journals(run) == []


async def test_a_ledger_that_refuses_the_first_claim_lets_nothing_out(run: Run) -> None:
    transport = FakeTransport()
    with pytest.raises(StoreError):
        await run.deliver(transport, ledger=MoodyDatabase(run.database, {0: "refuses"}))
    assert transport.knocks == 0
    assert run.audit().queued == 10


async def test_no_more_is_sent_than_the_journal_can_hold_while_the_ledger_is_stuck(
    database: Database, edition: Edition, tmp_path: Path
) -> None:
    run = Run(database, publish(database, edition, 40), tmp_path, ahead=10)
    transport = FakeTransport()
    with pytest.raises(StoreError):
        await run.deliver(transport, ledger=MoodyDatabase(database, {1: "", 0: "refuses"}))
    assert len(transport.sent) <= 10
    assert await run.deliver(FakeTransport()) == Tally(sent=30, recovered=10)
    assert run.audit() == Audit(40, sent=40, queued=0, deferred=0, failed=0, cancelled=0, unknown=0)


# Several at once


async def test_two_engines_at_once_share_the_readers(run: Run) -> None:
    run.ahead = 10
    one, two = FakeTransport(), FakeTransport()
    tallies = await asyncio.gather(run.deliver(one, owner="one"), run.deliver(two, owner="two"))
    assert sum(tally.sent for tally in tallies) == 10
    assert sorted(one.sent + two.sent) == sorted(readers(*range(1, 11)))
    assert run.audit() == EVERYBODY


async def test_what_a_dead_worker_without_a_journal_held_is_unknown_at_once(run: Run) -> None:
    run.claim(dead_owner(), 2)
    transport = FakeTransport()
    assert await run.deliver(transport) == Tally(sent=8, recovered=2)
    assert not set(readers(1, 2)) & set(transport.sent)
    assert run.audit().unknown == 2


async def test_what_a_living_worker_holds_is_left_alone_until_its_lease_is_over(run: Run) -> None:
    run.claim("elsewhere/-:1:1/x", 2)
    assert await run.deliver(FakeTransport()) == Tally(sent=8)
    assert run.audit().queued == 2
    run.now += timedelta(minutes=31)
    assert await run.deliver(FakeTransport()) == Tally(recovered=2)
    assert run.audit().unknown == 2


async def test_an_answer_that_comes_after_the_lease_was_lost_overwrites_nothing(run: Run) -> None:
    """A machine that slept: others have given its readers up, and the operator may have decided since."""

    def sleep(mail: Mail) -> None:
        with run.database.transaction() as connection:
            taken = update(deliveries).where(deliveries.c.id == mail.key.id)
            connection.execute(taken.values(state="unknown", owner=None, lease_until=None, settled_at=NOW))

    transport = FakeTransport({0: NOBODY}, on_wire=sleep)
    transport.answers = {3: Result(Phase.DOT, Reply(250, "", "late")), 0: NOBODY}
    assert await run.deliver(transport) == Tally(failed=9)
    assert run.audit() == Audit(10, sent=0, queued=0, deferred=0, failed=9, cancelled=0, unknown=1)
    assert run.rows()[3].state is DeliveryState.UNKNOWN
    assert journals(run) == []


async def test_after_the_machine_slept_nothing_is_sent_that_another_may_have_taken(run: Run) -> None:
    def sleep(mail: Mail) -> None:
        if number_of(mail) == 3:
            run.now += timedelta(minutes=31)

    transport = FakeTransport(on_wire=sleep, width=1)
    with pytest.raises(StoreError, match="slept"):
        await run.deliver(transport)
    assert transport.sent == readers(1, 2, 3)
    assert run.audit() == Audit(10, sent=3, queued=7, deferred=0, failed=0, cancelled=0, unknown=0)
    assert await run.deliver(FakeTransport()) == Tally(sent=7)


async def test_a_clock_that_is_set_back_changes_nothing(run: Run) -> None:
    run.ahead = 10

    def change(mail: Mail) -> None:
        if number_of(mail) == 3:
            run.now -= timedelta(hours=30)

    assert await run.deliver(FakeTransport({7: LATER}, on_wire=change)) == Tally(sent=9, deferred=1)
