from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text

from newsletter.model.subscriber import Admission, NewSubscriber, Subscriber, SubscriberState, SuppressionReason
from newsletter.store.consents import list_consents
from newsletter.store.database import Database
from newsletter.store.editions import StoredEdition
from newsletter.store.schema import suppressions
from newsletter.store.subscribers import (
    BulkCount,
    add_subscriber,
    add_subscribers,
    count_subscribers,
    find_subscriber,
    judge_subscribers,
    mark_left,
    walk_subscribers,
)
from newsletter.store.suppression import find_suppressed, hash_key, lift_suppression, suppress

Publish = Callable[..., StoredEdition]
ANN = NewSubscriber("Ann@example.org", "Ann", language="de", source="added by hand")


def _add(database: Database, new: NewSubscriber, now: datetime, lift: bool = False) -> Admission:
    with database.transaction() as connection:
        return add_subscriber(connection, new, now, lift=lift)[0]


def _find(database: Database, address: str) -> Subscriber | None:
    with database.read() as connection:
        return find_subscriber(connection, address)


def test_a_new_reader_is_kept_as_given(database: Database, now: datetime) -> None:
    assert _add(database, ANN, now) is Admission.NEW
    expected = Subscriber(1, "Ann@example.org", "Ann", SubscriberState.ACTIVE, "de", now, None, "added by hand")
    assert _find(database, "ann@EXAMPLE.org") == expected
    assert _find(database, "bob@example.org") is None


def test_adding_twice_changes_nothing_in_any_case(database: Database, now: datetime) -> None:
    _add(database, ANN, now)
    before = _find(database, ANN.address)
    assert _add(database, NewSubscriber("ANN@example.org", "Other"), now) is Admission.KNOWN
    assert _find(database, ANN.address) == before


def test_who_left_stays_out_until_the_operator_lifts_it(database: Database, now: datetime) -> None:
    _add(database, ANN, now)
    with database.transaction() as connection:
        mark_left(connection, ANN.address, now)
    assert _add(database, ANN, now) is Admission.SUPPRESSED
    assert _add(database, NewSubscriber("ann@example.org", "Anna"), now, lift=True) is Admission.BACK
    back = _find(database, ANN.address)
    assert back is not None
    assert (back.state, back.left_at, back.name, back.language) == (SubscriberState.ACTIVE, None, "Anna", "de")
    assert _add(database, ANN, now) is Admission.KNOWN


def test_a_suspended_reader_comes_back_only_by_lifting(database: Database, now: datetime) -> None:
    _add(database, NewSubscriber("ann@example.org", state=SubscriberState.SUSPENDED), now)
    assert _add(database, ANN, now) is Admission.SUPPRESSED
    assert _add(database, ANN, now, lift=True) is Admission.BACK


def test_a_pending_reader_who_is_added_reads(database: Database, now: datetime) -> None:
    _add(database, NewSubscriber("ann@example.org", state=SubscriberState.PENDING), now)
    assert _add(database, ANN, now) is Admission.BACK


def test_leaving_is_idempotent_and_keeps_its_first_time(database: Database, now: datetime) -> None:
    _add(database, ANN, now)
    with database.transaction() as connection:
        first = mark_left(connection, "ANN@example.org", now)
        second = mark_left(connection, "ann@example.org", now + timedelta(days=1))
    assert first is not None
    assert second is not None
    assert (first.changed, second.changed) == (True, False)
    assert first.subscriber == second.subscriber
    assert (first.subscriber.state, first.subscriber.left_at) == (SubscriberState.LEFT, now)


def test_an_address_nobody_has_can_be_kept_out(database: Database, now: datetime) -> None:
    with database.transaction() as connection:
        assert mark_left(connection, "never@example.org", now) is None
    assert _add(database, NewSubscriber("Never@example.org"), now) is Admission.SUPPRESSED


def test_a_suppression_outlives_its_reader_and_its_address(database: Database, now: datetime) -> None:
    _add(database, ANN, now)
    with database.transaction() as connection:
        mark_left(connection, ANN.address, now)
        connection.execute(text("DELETE FROM consents"))
        connection.execute(text("DELETE FROM subscribers"))
        connection.execute(text("UPDATE suppressions SET address = NULL, reason = 'erased'"))
        assert add_subscribers(connection, [ANN], now) == BulkCount(added=0, known=0, suppressed=1)


def test_a_suppression_keeps_its_first_reason(database: Database, now: datetime) -> None:
    with database.transaction() as connection:
        for reason in (SuppressionReason.COMPLAINED, SuppressionReason.LEFT):
            suppress(connection, [("a@example.org", "A@example.org")], reason, now)
        suppress(connection, [], SuppressionReason.LEFT, now)
        row = connection.execute(select(suppressions)).one()
        assert (row.address_hash, row.address, row.reason) == (hash_key("a@example.org"), "A@example.org", "complained")
        assert find_suppressed(connection, ["a@example.org", "b@example.org"]) == {"a@example.org"}
        assert lift_suppression(connection, "a@example.org")
        assert not lift_suppression(connection, "a@example.org")


def test_a_batch_counts_every_row_once(database: Database, now: datetime) -> None:
    with database.transaction() as connection:
        add_subscribers(connection, [NewSubscriber("known@example.org")], now)
        mark_left(connection, "out@example.org", now)
        addresses = ("new@example.org", "NEW@example.org", "known@example.org", "Out@example.org")
        count = add_subscribers(connection, [NewSubscriber(address) for address in addresses], now)
        assert add_subscribers(connection, [], now) == BulkCount(0, 0, 0)
    assert count == BulkCount(added=1, known=2, suppressed=1)


def test_a_reader_who_comes_as_left_is_kept_out(database: Database, now: datetime) -> None:
    gone = NewSubscriber("gone@example.org", state=SubscriberState.LEFT, left_at=now - timedelta(days=9))
    with database.transaction() as connection:
        counted = add_subscribers(connection, [gone, NewSubscriber("new@example.org")], now)
    assert counted == BulkCount(added=1, known=0, suppressed=0, kept_out=1)
    found = _find(database, "gone@example.org")
    assert found is not None
    assert (found.state, found.left_at) == (SubscriberState.LEFT, now - timedelta(days=9))
    assert _add(database, NewSubscriber("gone@example.org"), now) is Admission.SUPPRESSED


def test_whoever_comes_as_bounced_or_complaining_is_kept_out_for_that(database: Database, now: datetime) -> None:
    reasons = {"b@example.org": SuppressionReason.BOUNCED, "c@example.org": SuppressionReason.COMPLAINED}
    gone = [NewSubscriber(name, state=SubscriberState.SUSPENDED, kept_out=why) for name, why in reasons.items()]
    with database.transaction() as connection:
        assert add_subscribers(connection, gone, now).kept_out == 2
        found = connection.execute(select(suppressions.c.address, suppressions.c.reason)).all()
    assert {row.address: row.reason for row in found} == reasons


@pytest.mark.parametrize(
    ("gone", "state", "event"),
    [
        (replace(ANN, state=SubscriberState.LEFT), "left", "left"),
        (
            replace(ANN, state=SubscriberState.SUSPENDED, kept_out=SuppressionReason.COMPLAINED),
            "suspended",
            "suspended",
        ),
    ],
)
def test_who_reads_here_reads_no_more_when_another_list_says_so(
    database: Database, publish: Publish, now: datetime, gone: NewSubscriber, state: str, event: str
) -> None:
    with database.transaction() as connection:
        add_subscribers(connection, [replace(ANN, joined_at=now)], now)
    publish(0)
    with database.transaction() as connection:
        later = replace(gone, left_at=now + timedelta(days=1)) if state == "left" else gone
        assert add_subscribers(connection, [later, later], now) == BulkCount(added=0, known=2, suppressed=0, ended=1)
        assert find_suppressed(connection, ["ann@example.org"]) == {"ann@example.org"}
        found = find_subscriber(connection, ANN.address)
        assert found is not None
        assert found.state == state
        assert [line.event for line in list_consents(connection, found.id)] == ["imported", event]
        assert connection.execute(text("SELECT state FROM deliveries")).scalars().all() == ["cancelled"]


def test_who_joined_here_after_he_left_there_reads_on(database: Database, now: datetime) -> None:
    gone = replace(ANN, state=SubscriberState.LEFT, left_at=now - timedelta(days=1))
    with database.transaction() as connection:
        add_subscribers(connection, [replace(ANN, joined_at=now)], now)
        assert add_subscribers(connection, [gone], now) == BulkCount(added=0, known=1, suppressed=0)
        assert find_suppressed(connection, ["ann@example.org"]) == set()
        found = find_subscriber(connection, ANN.address)
    assert found is not None
    assert found.state is SubscriberState.ACTIVE


def test_whoever_is_added_in_bulk_has_a_record_of_it(database: Database, now: datetime) -> None:
    opted = datetime(2018, 2, 5, 19, 28, 23, tzinfo=UTC)
    known = NewSubscriber("known@example.org", source="form")
    list_of_others = [
        known,
        NewSubscriber("new@example.org", source="import of a.csv", opted_in_at=opted, client="192.0.2.7"),
        NewSubscriber("NEW@example.org", source="import of b.csv", client="192.0.2.8"),
        NewSubscriber("bare@example.org"),
    ]
    with database.transaction() as connection:
        add_subscribers(connection, [known], now)
        add_subscribers(connection, list_of_others, now + timedelta(days=1))
        readers = list(walk_subscribers(connection))
        records = [list_consents(connection, reader.id) for reader in readers]
    assert [reader.address for reader in readers] == ["known@example.org", "new@example.org", "bare@example.org"]
    assert [[(line.event, line.at, line.origin.source) for line in record] for record in records] == [
        [("imported", now, "form")],
        [("imported", now + timedelta(days=1), "import of a.csv")],
        [("imported", now + timedelta(days=1), "import")],
    ]
    assert [(record[0].origin.client, record[0].detail) for record in records] == [
        ("", ""),
        ("192.0.2.7", "opted in on 2018-02-05 at 19:28:23 UTC"),
        ("", ""),
    ]


def test_what_adding_would_come_to_is_known_without_adding(database: Database, now: datetime) -> None:
    with database.transaction() as connection:
        add_subscribers(connection, [ANN], now)
        mark_left(connection, "out@example.org", now)
        addresses = ("new@example.org", "ANN@example.org", "Out@example.org")
        judged = judge_subscribers(connection, [NewSubscriber(address) for address in addresses])
        assert [one.admission for one in judged] == [Admission.NEW, Admission.KNOWN, Admission.SUPPRESSED]
        assert [one.reads_since for one in judged] == [None, now, None]
        assert judge_subscribers(connection, []) == []
        assert count_subscribers(connection)[SubscriberState.ACTIVE] == 1


@pytest.mark.parametrize("batch", [1, 2, 5, 100])
def test_a_walk_meets_every_reader_once_in_order(database: Database, publish: Publish, batch: int) -> None:
    publish(5)
    with database.transaction() as connection:
        connection.execute(text("UPDATE subscribers SET state = 'suspended' WHERE id = 3"))
        assert [one.id for one in walk_subscribers(connection, batch=batch)] == [1, 2, 3, 4, 5]
        assert [one.id for one in walk_subscribers(connection, SubscriberState.ACTIVE, 1, batch)] == [2, 4, 5]


def test_readers_are_counted_by_state(database: Database, now: datetime) -> None:
    with database.transaction() as connection:
        add_subscribers(connection, [NewSubscriber(f"{n}@example.org") for n in range(3)], now)
        mark_left(connection, "0@example.org", now)
        assert count_subscribers(connection) == {"pending": 0, "active": 2, "left": 1, "suspended": 0}


def test_both_engines_hash_a_key_as_python_does(database: Database, now: datetime) -> None:
    key = "jörg@xn--mller-kva.de"
    with database.transaction() as connection:
        suppress(connection, [(key, key)], SuppressionReason.LEFT, now)
        add_subscribers(connection, [NewSubscriber("other@example.org")], now)
        connection.execute(text("UPDATE subscribers SET address_key = :key"), {"key": key})
        function = "sha256_hex(address_key)"
        if database.dialect == "postgresql":
            function = "encode(sha256(convert_to(address_key, 'UTF8')), 'hex')"
        hashed = connection.execute(text(f"SELECT {function} FROM subscribers")).scalar_one()  # noqa: S608 - no input
    assert hashed == hash_key(key)
