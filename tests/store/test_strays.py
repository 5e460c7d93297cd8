"""What a clock that was wrong has put off too far is brought back, and nothing else, on both engines."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Table, select, update

from newsletter.model.control import ControlState
from newsletter.model.delivery import DeliveryState, Reply, Settlement
from newsletter.model.edition import EditionKind
from newsletter.model.notice import NewNotice
from newsletter.model.pace import Pace, Period, Spending
from newsletter.model.slot import Plan, SlotKey
from newsletter.store.calls import claim_call, write_call
from newsletter.store.controls import load_control, pause_edition
from newsletter.store.database import Database
from newsletter.store.deliveries import claim_deliveries, postpone_deliveries, settle_deliveries
from newsletter.store.editions import StoredEdition
from newsletter.store.notices import claim_notices, write_notice
from newsletter.store.paces import load_paces, save_paces
from newsletter.store.schema import calls, deliveries, notices, slots
from newsletter.store.slots import claim_slot, find_slot, plan_slots
from newsletter.store.strays import Reach, recall_strays

NOW = datetime(2024, 5, 25, 6, 30, tzinfo=UTC)
HOUR, DAY, YEAR = timedelta(hours=1), timedelta(days=1), timedelta(days=366)
REACH = Reach(9 * HOUR, 8 * HOUR, 5 * HOUR, DAY, {Period.HOUR: 3 * HOUR, Period.DAY: 49 * HOUR}, HOUR)


def recall(database: Database) -> int:
    with database.transaction() as connection:
        return recall_strays(connection, NOW, REACH)


def column(database: Database, table: Table, name: str) -> list[Any]:
    with database.read() as connection:
        return list(connection.execute(select(table.c[name]).order_by(table.c.id)).scalars())


def defer(database: Database, *waits: timedelta) -> None:
    """Put off one reader for each wait: the last one waits for his domain's turn, the others were tried."""
    with database.transaction() as connection:
        *tried, paced = claim_deliveries(connection, 1, "one", NOW + HOUR, NOW, len(waits))
        answers = [
            Settlement(row.id, DeliveryState.DEFERRED, Reply(451, "4.7.1", "later"), 1, NOW, NOW + wait)
            for row, wait in zip(tried, waits, strict=False)
        ]
        settle_deliveries(connection, "one", answers)
        postpone_deliveries(connection, "one", [(paced.id, NOW + waits[-1])])


def test_only_tries_beyond_the_longest_wait_are_brought_back(
    database: Database, publish: Callable[[int], StoredEdition]
) -> None:
    publish(5)
    defer(database, 9 * HOUR, YEAR, 10 * HOUR, YEAR)
    with database.transaction() as connection:
        pause_edition(connection, 1, NOW)
    assert recall(database) == 3
    assert column(database, deliveries, "next_attempt_at") == [NOW + 9 * HOUR, NOW, NOW, NOW, None]
    assert set(column(database, deliveries, "state")) == {"deferred", "queued"}
    with database.read() as connection:
        assert load_control(connection, 1).state is ControlState.PAUSED
    assert recall(database) == 0


def test_patience_begins_now_with_who_was_queued_in_the_future(
    database: Database, publish: Callable[[int], StoredEdition]
) -> None:
    publish(3)
    defer(database, HOUR, HOUR)
    ahead = update(deliveries).where(deliveries.c.id == 1).values(queued_at=NOW + YEAR)
    with database.transaction() as connection:
        connection.execute(ahead)
    before = column(database, deliveries, "queued_at")
    assert recall(database) == 1
    assert column(database, deliveries, "queued_at") == [NOW, *before[1:]]


def a_letter(key: str) -> NewNotice:
    return NewNotice("editor", "a@example.org", "Subject", "Text", "en", NOW + YEAR, key=key)


def test_letters_and_calls_are_tried_again_now(database: Database) -> None:
    with database.transaction() as connection:
        for key, wait_of_letter, wait_of_call in (("near", 8, 5), ("far", 9, 6)):
            write_notice(connection, a_letter(key), NOW, not_before=NOW + wait_of_letter * HOUR)
            write_call(connection, "webhook", key, "", NOW + wait_of_call * HOUR, NOW + YEAR)
    assert recall(database) == 2
    assert column(database, notices, "next_attempt_at") == [NOW + 8 * HOUR, NOW]
    assert column(database, calls, "next_attempt_at") == [NOW + 5 * HOUR, NOW]


def test_a_claim_of_a_year_ends_when_a_whole_one_would(
    database: Database, publish: Callable[[int], StoredEdition]
) -> None:
    publish(2)
    key = SlotKey(EditionKind.ISSUE, date(2024, 5, 25))
    with database.transaction() as connection:
        claim_deliveries(connection, 1, "far", NOW + YEAR, NOW, 1)
        claim_deliveries(connection, 1, "here", NOW + HOUR, NOW, 1)
        write_call(connection, "webhook", "one", "", NOW, NOW + DAY)
        claim_call(connection, "far", NOW + YEAR, NOW, lambda owner: False)
        write_notice(connection, a_letter("one"), NOW)
        claim_notices(connection, "far", NOW + YEAR, NOW, 1)
        plan_slots(connection, [Plan(key, NOW, "08:30", "UTC")], (), (), NOW - DAY)
        slot = find_slot(connection, key)
        assert slot is not None
        claim_slot(connection, slot, "far", NOW + YEAR, NOW, lambda owner: False)
    assert recall(database) == 4
    assert column(database, notices, "lease_until") == [NOW + DAY]
    assert column(database, deliveries, "lease_until") == [NOW + DAY, NOW + HOUR]
    assert column(database, calls, "lease_until") == [NOW + DAY]
    with database.read() as connection:
        assert connection.execute(select(slots.c.lease_until)).scalar_one() == NOW + DAY


@pytest.mark.parametrize(("hours", "brought_back"), [(48, False), (366 * 24, True)])
def test_a_limit_that_is_used_up_for_a_year_is_whole(database: Database, hours: int, brought_back: bool) -> None:
    spent = {Period.HOUR: timedelta(minutes=30), Period.DAY: hours * HOUR}
    with database.transaction() as connection:
        save_paces(connection, [Spending("all", spent, None, NOW, NOW)])
    assert recall(database) == brought_back
    with database.read() as connection:
        (pace,) = load_paces(connection)
    until = NOW if brought_back else NOW + hours * HOUR
    assert pace == Pace("all", {Period.HOUR: NOW + timedelta(minutes=30), Period.DAY: until}, None, NOW)
