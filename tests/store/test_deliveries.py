from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from newsletter.errors import NotFoundError
from newsletter.model.control import Stage
from newsletter.model.delivery import PACED, Audit, Delivery, DeliveryState, Reply, ReplyCount, Settlement
from newsletter.model.subscriber import SuppressionReason
from newsletter.store.database import Database
from newsletter.store.deliveries import (
    claim_deliveries,
    count_deliveries,
    count_replies,
    hasten_deliveries,
    list_deliveries,
    postpone_deliveries,
    recover_deliveries,
    release_deliveries,
    renew_leases,
    settle_deliveries,
)
from newsletter.store.editions import StoredEdition
from newsletter.store.subscribers import mark_left
from newsletter.store.suppression import suppress

Publish = Callable[..., StoredEdition]
MINUTE = timedelta(minutes=1)
OK = Reply(250, "2.0.0", "taken")


def _claim(database: Database, now: datetime, owner: str = "one", limit: int = 100) -> list[Delivery]:
    with database.transaction() as connection:
        return claim_deliveries(connection, 1, owner, now + MINUTE, now, limit)


def _settle(
    database: Database, now: datetime, deliveries: list[Delivery], state: DeliveryState, **more: object
) -> None:
    again = now + MINUTE if state is DeliveryState.DEFERRED else None
    reply = more.get("reply", OK)
    assert isinstance(reply, Reply)
    settlements = [Settlement(row.id, state, reply, row.attempts + 1, now, again) for row in deliveries]
    with database.transaction() as connection:
        assert settle_deliveries(connection, "one", settlements) == []


def _states(database: Database) -> list[str]:
    with database.read() as connection:
        return [str(row.state) for row in list_deliveries(connection, 1)]


def test_a_claim_takes_the_first_in_the_queue_and_no_more_than_asked(
    database: Database, now: datetime, publish: Publish
) -> None:
    publish(5)
    claimed = _claim(database, now, limit=2)
    assert [(row.address, row.state) for row in claimed] == [
        ("reader0@example.org", "sending"),
        ("reader1@example.org", "sending"),
    ]
    assert _states(database) == ["sending", "sending", "queued", "queued", "queued"]
    assert [row.address for row in _claim(database, now, "two")] == [f"reader{n}@example.org" for n in (2, 3, 4)]
    assert _claim(database, now, "three") == []


def test_a_claim_keeps_to_its_edition(database: Database, now: datetime, publish: Publish) -> None:
    publish(1)
    other = publish(1, slug="other")
    with database.transaction() as connection:
        (claimed,) = claim_deliveries(connection, other.id, "one", now + MINUTE, now, 10)
    assert claimed.edition_id == other.id


def test_a_deferred_delivery_is_claimed_when_it_is_due_and_before_the_queue(
    database: Database, now: datetime, publish: Publish
) -> None:
    publish(3)
    _settle(database, now, _claim(database, now, limit=1), DeliveryState.DEFERRED, reply=Reply(451, "4.7.1", "later"))
    assert [row.id for row in _claim(database, now + MINUTE / 2, limit=1)] == [2]
    (again,) = _claim(database, now + MINUTE, limit=1)
    assert (again.id, again.attempts, again.next_attempt_at) == (1, 1, now + MINUTE)
    assert again.reply == Reply(451, "4.7.1", "later")


def test_a_reader_who_is_out_is_cancelled_at_the_claim_and_others_take_his_place(
    database: Database, now: datetime, publish: Publish
) -> None:
    publish(4)
    with database.transaction() as connection:
        suppress(connection, [("reader0@example.org", "")], SuppressionReason.COMPLAINED, now)
        connection.execute(text("UPDATE subscribers SET state = 'suspended' WHERE address = 'reader1@example.org'"))
    assert [row.id for row in _claim(database, now, limit=2)] == [3, 4]
    assert _states(database) == ["cancelled", "cancelled", "sending", "sending"]


def test_leaving_cancels_what_waits_and_not_what_is_being_sent(
    database: Database, now: datetime, publish: Publish
) -> None:
    publish(3)
    _settle(database, now, _claim(database, now, limit=1), DeliveryState.DEFERRED)
    _claim(database, now, limit=1)
    with database.transaction() as connection:
        departures = [mark_left(connection, f"reader{number}@example.org", now) for number in range(3)]
    assert [departure.cancelled for departure in departures if departure] == [1, 0, 1]
    assert _states(database) == ["cancelled", "sending", "cancelled"]


def test_two_claimers_never_get_the_same_row(database: Database, now: datetime, publish: Publish) -> None:
    publish(300)

    def take(owner: str) -> list[int]:
        taken: list[int] = []
        while rows := _claim(database, now, owner, limit=7):
            taken += [row.id for row in rows]
        return taken

    with ThreadPoolExecutor(4) as pool:
        taken = [number for numbers in pool.map(take, "abcd") for number in numbers]
    assert Counter(taken) == Counter(range(1, 301))


def test_settling_writes_down_what_was_learned(database: Database, now: datetime, publish: Publish) -> None:
    publish(1)
    _settle(
        database, now, _claim(database, now), DeliveryState.FAILED, reply=Reply(550, "5.1.1", "no\0 such" + "x" * 999)
    )
    with database.read() as connection:
        (row,) = list_deliveries(connection, 1)
    assert (row.state, row.attempts, row.settled_at, row.next_attempt_at) == ("failed", 1, now, None)
    assert row.reply is not None
    assert (row.reply.code, row.reply.enhanced, row.reply.text[:7], len(row.reply.text)) == (
        550,
        "5.1.1",
        "no such",
        500,
    )


def test_only_the_owner_settles_and_is_told_what_it_lost(database: Database, now: datetime, publish: Publish) -> None:
    publish(3)
    mine, other = _claim(database, now, "one", 1), _claim(database, now, "two", 1)
    settlements = [Settlement(number, DeliveryState.SENT, OK, 1, now) for number in (mine[0].id, other[0].id, 3)]
    with database.transaction() as connection:
        assert settle_deliveries(connection, "one", settlements) == settlements[1:]
        assert settle_deliveries(connection, "one", settlements[:1]) == settlements[:1]
        assert settle_deliveries(connection, "one", []) == []
    assert _states(database) == ["sent", "sending", "queued"]


def test_a_released_delivery_goes_back_to_where_it_came_from(
    database: Database, now: datetime, publish: Publish
) -> None:
    publish(3)
    _settle(database, now, _claim(database, now, limit=1), DeliveryState.DEFERRED)
    ids = [row.id for row in _claim(database, now + MINUTE)]
    with database.transaction() as connection:
        assert release_deliveries(connection, "two", ids) == 0
        assert release_deliveries(connection, "one", ids) == 3
        assert release_deliveries(connection, "one", []) == 0
    assert _states(database) == ["deferred", "queued", "queued"]


@pytest.mark.parametrize(
    ("landing", "expected"),
    [
        (DeliveryState.UNKNOWN, ["unknown", "unknown", "sending", "queued"]),
        (DeliveryState.QUEUED, ["deferred", "queued", "sending", "queued"]),
    ],
)
def test_recovery_takes_from_the_dead_and_from_those_whose_lease_is_over(
    database: Database, now: datetime, publish: Publish, landing: DeliveryState, expected: list[str]
) -> None:
    publish(4)
    _settle(database, now, _claim(database, now, limit=1), DeliveryState.DEFERRED)
    later = now + MINUTE
    _claim(database, later, "dead", limit=1)
    _claim(database, now, "slow", limit=1)
    _claim(database, later, "alive", limit=1)
    with database.transaction() as connection:
        assert recover_deliveries(connection, later, lambda owner: owner == "dead", landing) == 2
        assert recover_deliveries(connection, later, lambda owner: owner == "dead", landing) == 0
    assert _states(database) == expected


def test_a_renewed_lease_is_not_over(database: Database, now: datetime, publish: Publish) -> None:
    publish(3)
    _claim(database, now, "slow", limit=2)
    _claim(database, now, "other", limit=1)
    with database.transaction() as connection:
        assert renew_leases(connection, "slow", now + 3 * MINUTE) == 2
        assert recover_deliveries(connection, now + 2 * MINUTE, lambda _: False, DeliveryState.UNKNOWN) == 1
    assert _states(database) == ["sending", "sending", "unknown"]


def test_recovery_lands_in_no_other_state(database: Database, now: datetime) -> None:
    with database.transaction() as connection, pytest.raises(ValueError, match="sent"):
        recover_deliveries(connection, now, bool, DeliveryState.SENT)


def test_the_audit_counts_every_reader_once(database: Database, now: datetime, publish: Publish) -> None:
    publish(9)
    claimed = _claim(database, now, limit=7)
    _settle(database, now, claimed[:2], DeliveryState.SENT)
    _settle(database, now, claimed[2:3], DeliveryState.DEFERRED)
    _settle(database, now, claimed[3:5], DeliveryState.FAILED)
    _settle(database, now, claimed[5:6], DeliveryState.UNKNOWN)
    with database.transaction() as connection:
        mark_left(connection, "reader8@example.org", now)
        audit = count_deliveries(connection, 1)
    assert audit == Audit(audience=9, sent=2, queued=2, deferred=1, failed=2, cancelled=1, unknown=1)
    assert audit.holds


def test_the_audit_of_an_edition_that_is_not_there_is_refused(database: Database) -> None:
    with database.read() as connection, pytest.raises(NotFoundError):
        count_deliveries(connection, 1)


def test_an_audit_that_does_not_hold_says_so(database: Database, publish: Publish) -> None:
    publish(2)
    with database.transaction() as connection:
        connection.execute(text("DELETE FROM deliveries WHERE id = 1"))
        assert not count_deliveries(connection, 1).holds


def test_replies_are_grouped_with_the_most_frequent_first(database: Database, now: datetime, publish: Publish) -> None:
    publish(6)
    claimed = _claim(database, now)
    _settle(database, now, claimed[:1], DeliveryState.FAILED, reply=Reply(550, "5.1.1", "no such user b"))
    _settle(database, now, claimed[1:2], DeliveryState.FAILED, reply=Reply(550, "5.1.1", "no such user a"))
    _settle(database, now, claimed[2:5], DeliveryState.DEFERRED, reply=Reply(452, "4.2.2", "full"))
    _settle(database, now, claimed[5:], DeliveryState.SENT)
    with database.read() as connection:
        assert count_replies(connection, 1) == [
            ReplyCount(DeliveryState.DEFERRED, 452, "4.2.2", "full", 3),
            ReplyCount(DeliveryState.FAILED, 550, "5.1.1", "no such user a", 2),
        ]
        assert len(count_replies(connection, 1, limit=1)) == 1


def test_deliveries_are_walked_by_number_and_state(database: Database, now: datetime, publish: Publish) -> None:
    publish(5)
    _settle(database, now, _claim(database, now, limit=3), DeliveryState.SENT)
    with database.read() as connection:
        first = list_deliveries(connection, 1, DeliveryState.SENT, limit=2)
        rest = list_deliveries(connection, 1, DeliveryState.SENT, after_id=first[-1].id, limit=2)
        assert [row.id for row in (*first, *rest)] == [1, 2, 3]
        assert len(list_deliveries(connection, 1)) == 5


@pytest.mark.parametrize("engine_name", ["sqlite"])  # PostgreSQL plans by statistics, and reads small tables whole
@pytest.mark.parametrize("stage", Stage)
def test_claiming_is_answered_by_indexes_and_not_by_reading_the_ledger(
    database: Database, now: datetime, publish: Publish, stage: Stage
) -> None:
    publish(1)
    ran: list[str] = []
    with database.transaction() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        raw.set_trace_callback(ran.append)
        claim_deliveries(connection, 1, "one", now + MINUTE, now, 10, stage)
        raw.set_trace_callback(None)
        selects = [statement for statement in ran if statement.startswith("SELECT")]
        plans = [[row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}")] for statement in selects]
    first_steps = {plan[0].partition(" (")[0] for plan in plans}
    assert first_steps == {
        "SEARCH editions USING INTEGER PRIMARY KEY",
        "SEARCH deliveries USING INDEX ix_deliveries_deferred",
        "SEARCH deliveries USING INDEX ix_deliveries_queued",
    }
    assert not [step for plan in plans for step in plan if step.startswith("SCAN") or "TEMP B-TREE" in step]


def _postpone(database: Database, due_at: datetime, rows: list[Delivery], owner: str = "one") -> int:
    with database.transaction() as connection:
        return postpone_deliveries(connection, owner, [(row.id, due_at) for row in rows])


def test_a_postponed_delivery_waits_for_its_turn_and_counts_no_try(
    database: Database, now: datetime, publish: Publish
) -> None:
    publish(3)
    first, second, _ = _claim(database, now)
    assert _postpone(database, now + MINUTE, [first, second]) == 2
    assert _states(database) == ["deferred", "deferred", "sending"]
    assert _claim(database, now + MINUTE / 2) == []
    again = _claim(database, now + MINUTE)
    assert [row.id for row in again] == [first.id, second.id]
    assert [(row.attempts, row.reply) for row in again] == [(0, Reply(0, "", PACED))] * 2


def test_what_a_server_said_is_kept_when_a_delivery_is_postponed(
    database: Database, now: datetime, publish: Publish
) -> None:
    publish(1)
    said = Reply(451, "4.7.1", "slow down")
    _settle(database, now, _claim(database, now), DeliveryState.DEFERRED, reply=said)
    assert _postpone(database, now + 3 * MINUTE, _claim(database, now + MINUTE)) == 1
    (row,) = _claim(database, now + 3 * MINUTE)
    assert (row.attempts, row.reply) == (1, said)


def test_nobody_postpones_what_another_holds(database: Database, now: datetime, publish: Publish) -> None:
    publish(2)
    assert _postpone(database, now + MINUTE, _claim(database, now), owner="two") == 0
    assert _postpone(database, now + MINUTE, []) == 0
    assert _states(database) == ["sending", "sending"]


def test_a_run_that_begins_needn_t_wait_for_turns_that_another_gave_out(
    database: Database, now: datetime, publish: Publish
) -> None:
    publish(3)
    first, second, third = _claim(database, now)
    _postpone(database, now + 60 * MINUTE, [first, second])
    _settle(database, now, [third], DeliveryState.DEFERRED, reply=Reply(451, "4.7.1", "slow down"))
    with database.transaction() as connection:
        assert hasten_deliveries(connection, 2, now) == 0
        assert hasten_deliveries(connection, 1, now) == 2
    assert [row.id for row in _claim(database, now)] == [first.id, second.id]
