"""The books: what is claimed, written down and forgotten, and when."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from newsletter.config import Delivery as Rules
from newsletter.delivery.books import Books
from newsletter.delivery.policy import decide_settlement
from newsletter.errors import StoreError
from newsletter.model.delivery import Accepted, Delivery, DeliveryState, Reply, Settlement
from newsletter.model.edition import Edition
from newsletter.store.database import Database
from newsletter.store.schema import deliveries
from tests.delivery.conftest import NOW, publish
from tests.delivery.ledgers import FakeTransport, MoodyDatabase, Run

OK = Accepted(Reply(250, "2.0.0", "queued"))


@pytest.fixture
def run(database: Database, edition: Edition, tmp_path: Path) -> Run:
    return Run(database, publish(database, edition, 10), tmp_path / "journal", ahead=4)


def open_books(run: Run, database: Database | None = None) -> Books:
    ledger = run.desk(FakeTransport(), lambda tally: None, "books").ledger
    return Books(replace(ledger, database=database or run.database))


def answer(books: Books, claimed: Sequence[Delivery]) -> list[Settlement]:
    """Let each mail leave and be accepted."""
    settlements = [decide_settlement(delivery, OK, NOW, Rules(), 1.0) for delivery in claimed]
    for settlement in settlements:
        books.ledger.journal.begin(settlement.delivery_id)
        books.ledger.journal.finish(settlement.delivery_id, 7, OK.reply)
        books.settle(settlement)
    return settlements


def leases(run: Run) -> set[timedelta]:
    with run.database.read() as connection:
        held = connection.execute(select(deliveries.c.lease_until).where(deliveries.c.state == "sending")).scalars()
        return {until - run.now for until in held}


async def turn(books: Books, *, claim: bool) -> tuple[list[Delivery], list[Settlement]]:
    """Turn a page; return what was claimed and what was settled."""
    turned = await books.turn_page(claim=claim)
    return list(turned.claimed), list(turned.settled)


async def test_no_more_is_held_than_may_be_claimed_ahead(run: Run) -> None:
    books = open_books(run)
    first, _ = await turn(books, claim=True)
    assert (len(first), books.held, books.waiting, books.low) == (4, 4, 4, False)
    assert await turn(books, claim=True) == ([], [])
    answered = answer(books, first[:3])
    assert (books.held, books.waiting, books.low) == (4, 1, True)
    second, settled = await turn(books, claim=True)
    assert (len(second), settled) == (3, answered)
    assert books.held == 4
    assert not {row.id for row in first} & {row.id for row in second}


async def test_the_journal_forgets_what_the_ledger_has_and_nothing_sooner(run: Run) -> None:
    books = open_books(run)
    claimed, _ = await turn(books, claim=True)
    answer(books, claimed[:2])
    assert books.ledger.journal.room == 2
    await turn(books, claim=False)
    assert books.ledger.journal.room == 4
    assert run.audit().sent == 2


@pytest.mark.parametrize("mood", ["refuses", "keeps it, and its answer is lost"])
async def test_a_page_that_is_refused_is_kept_and_the_journal_keeps_it_too(run: Run, mood: str) -> None:
    books = open_books(run, MoodyDatabase(run.database, {2: mood}))
    claimed, _ = await turn(books, claim=True)
    answer(books, claimed[:2])
    books.give_back(claimed[2].id)
    with pytest.raises(StoreError):
        await turn(books, claim=True)
    assert books.ledger.journal.room == 2
    answer(books, claimed[3:])
    await turn(books, claim=False)
    assert books.held == 0
    assert books.ledger.journal.room == 4
    assert run.audit().sent == 3
    assert not books.settled  # rows may have been claimed that we don't know of


async def test_the_rest_is_what_has_no_answer_and_never_was_on_the_wire(run: Run) -> None:
    books = open_books(run)
    claimed, _ = await turn(books, claim=True)
    answer(books, claimed[:1])
    books.give_back(claimed[1].id)
    books.ledger.journal.begin(claimed[2].id)
    books.give_back_the_rest()
    await turn(books, claim=False)
    assert books.held == 1
    assert not books.settled
    states = {row.id: row.state for row in run.rows().values()}
    assert [states[row.id] for row in claimed] == [
        DeliveryState.SENT,
        DeliveryState.QUEUED,
        DeliveryState.SENDING,
        DeliveryState.QUEUED,
    ]


async def test_leases_are_renewed_in_good_time_and_not_at_every_page(run: Run) -> None:
    books = open_books(run)
    await turn(books, claim=True)
    run.now += run.lease / 4
    await turn(books, claim=True)
    assert leases(run) == {run.lease * 3 / 4}
    run.now += run.lease / 4
    await turn(books, claim=True)
    assert leases(run) == {run.lease}
    assert not books.expired


async def test_leases_follow_a_clock_that_is_set_back(run: Run) -> None:
    books = open_books(run)
    await turn(books, claim=True)
    run.now -= timedelta(days=3)
    await turn(books, claim=True)
    assert leases(run) == {run.lease}


async def test_a_lease_is_over_when_no_page_could_be_turned_for_so_long(run: Run) -> None:
    books = open_books(run)
    await turn(books, claim=True)
    run.now += run.lease
    assert books.expired
    await turn(books, claim=False)
    assert not books.expired


async def test_an_answer_to_what_was_taken_from_us_is_dropped_and_not_counted(run: Run) -> None:
    books = open_books(run)
    claimed, _ = await turn(books, claim=True)
    answered = answer(books, claimed)
    with run.database.transaction() as connection:
        taken = update(deliveries).where(deliveries.c.id == claimed[0].id)
        connection.execute(taken.values(owner="another"))
    _, settled = await turn(books, claim=False)
    assert settled == answered[1:]
    assert books.held == 0
    assert books.settled
    assert run.audit().queued == 7


async def test_what_is_in_our_hands_is_not_handed_out_again(run: Run) -> None:
    """Taken from us while it was on the wire, and put back by the operator: one copy at a time."""
    books = open_books(run)
    claimed, _ = await turn(books, claim=True)
    with run.database.transaction() as connection:
        back = update(deliveries).where(deliveries.c.state == "sending")
        connection.execute(back.values(state="queued", owner=None, lease_until=None))
    answer(books, claimed[:3])
    again, settled = await turn(books, claim=True)
    assert settled == []
    assert claimed[3].id not in {row.id for row in again}


async def test_a_page_is_turned_off_the_event_loop(run: Run) -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    await turn(open_books(run), claim=True)
    ticking.cancel()
    assert ticks > 3
