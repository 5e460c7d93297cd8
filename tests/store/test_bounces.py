"""What came back, once each, and what is known of a reader's mail."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, update

from newsletter.model.bounce import Finding, Named, NamedBy, Reason, Report, ReportKind, Severity
from newsletter.model.delivery import DeliveryState
from newsletter.model.subscriber import Admission, NewSubscriber, Subscriber, SubscriberState, SuppressionReason
from newsletter.model.verdict import Past, Verdict, Way
from newsletter.store.bounces import (
    keep_report,
    list_bounces,
    list_refusals,
    list_reports,
    load_bounce,
    load_past,
    load_report,
    lock_reader,
    prune_reports,
    record_bounce,
    record_report,
    restore_reader,
    suspend_reader,
)
from newsletter.store.database import Database
from newsletter.store.deliveries import count_deliveries, list_deliveries
from newsletter.store.editions import StoredEdition
from newsletter.store.schema import deliveries
from newsletter.store.subscribers import add_subscriber, find_subscriber, mark_left

Publish = Callable[..., StoredEdition]
DAY = timedelta(days=1)
FULL = Finding(Reason.MAILBOX_FULL, Severity.SOFT, code=452, status="4.2.2", diagnostic="over quota")
GONE = Finding(Reason.USER_UNKNOWN, Severity.HARD)
BOUNCE = Report(
    ReportKind.BOUNCE, (FULL,), (Named(1, 1, NamedBy.ENVELOPE),), form="dsn", sender="", subject="Undelivered"
)


def digest(number: int) -> str:
    return f"{number:064x}"


def record(
    database: Database, number: int, report: Report = BOUNCE, at: datetime | None = None, **more: bytes
) -> int | None:
    when = at or datetime.fromisoformat("2024-05-26T00:00:00Z")
    with database.transaction() as connection:
        reader = lock_reader(connection, report.named.subscriber_id) if report.named else None
        return record_report(connection, digest(number), report, Way.PIPE, 1000, when, reader=reader, **more)


def bounce(database: Database, edition: int, at: datetime, verdict: Verdict = Verdict.COUNTED, number: int = 0) -> int:
    report = record(database, number or int(at.timestamp()), at=at)
    with database.transaction() as connection:
        finding = GONE if verdict is Verdict.SUSPEND else FULL
        return record_bounce(connection, reader_of(connection), edition, finding, verdict, at, report_id=report)


def reader_of(connection: Connection) -> Subscriber:
    found = lock_reader(connection, 1)
    assert found is not None
    return found


def settle(database: Database, edition: int, state: DeliveryState, at: datetime) -> None:
    with database.transaction() as connection:
        changes = {"state": state, "settled_at": at, "reply_code": 550, "reply_text": "no such user"}
        connection.execute(update(deliveries).where(deliveries.c.edition_id == edition).values(changes))


def past(database: Database, quiet_since: datetime) -> Past:
    with database.read() as connection:
        return load_past(connection, 1, quiet_since)


def test_a_mail_that_comes_twice_counts_once(database: Database, publish: Publish, now: datetime) -> None:
    publish(1)
    number = record(database, 1)
    assert number is not None
    assert record(database, 1) is None
    with database.read() as connection:
        (stored,) = list_reports(connection)
        assert stored == load_report(connection, number)
    assert (stored.kind, stored.subscriber_id, stored.edition_id, stored.state) == (ReportKind.BOUNCE, 1, 1, "read")


def test_a_name_of_nobody_names_nobody(database: Database) -> None:
    record(database, 1)
    with database.read() as connection:
        assert list_reports(connection)[0].subscriber_id is None


def test_a_mail_for_a_human_is_kept_until_it_is_done_with(database: Database) -> None:
    number = record(database, 1, Report(ReportKind.UNREADABLE), raw=b"\0\xff what is this?")
    assert number is not None
    with database.transaction() as connection:
        assert [kept.raw for kept in list_reports(connection, kept=True)] == [b"\0\xff what is this?"]
        keep_report(connection, number, "read")
        assert list_reports(connection, kept=True) == []


def test_what_no_database_may_hold_is_left_out(database: Database) -> None:
    record(database, 1, Report(ReportKind.REPLY, sender="a\0b" + "x" * 400, subject="\0" + "y" * 900))
    with database.read() as connection:
        (stored,) = list_reports(connection)
    assert (len(stored.sender), len(stored.subject)) == (320, 500)


def test_misses_count_from_the_last_mail_that_arrived(database: Database, publish: Publish, now: datetime) -> None:
    for day in range(4):
        publish(1 if day == 0 else 0, slug=f"day-{day}")
        settle(database, day + 1, DeliveryState.SENT, now + day * DAY)
    bounce(database, 1, now + DAY / 2)
    bounce(database, 3, now + 2.5 * DAY)
    bounce(database, 4, now + 3.5 * DAY)
    assert [miss.edition_id for miss in past(database, now).misses] == [1, 3, 4]
    assert [miss.edition_id for miss in past(database, now + 1.5 * DAY).misses] == [3, 4]


def test_a_delay_and_a_note_count_for_nothing(database: Database, publish: Publish, now: datetime) -> None:
    publish(1)
    bounce(database, 1, now, Verdict.NOTED)
    assert past(database, now) == Past()


def test_a_warning_is_remembered_until_it_must_have_arrived(
    database: Database, publish: Publish, now: datetime
) -> None:
    publish(1)
    bounce(database, 1, now, Verdict.WARN)
    found = past(database, now - DAY)
    assert (found.stage, found.stage_at, len(found.misses)) == (Verdict.WARN, now, 1)
    assert past(database, now + DAY) == Past()


def test_a_suspended_reader_gets_nothing_that_waits_and_stays_out(
    database: Database, publish: Publish, now: datetime
) -> None:
    publish(2)
    with database.transaction() as connection:
        found = reader_of(connection)
        assert suspend_reader(connection, found, SuppressionReason.BOUNCED, now)
        assert not suspend_reader(connection, found, SuppressionReason.BOUNCED, now)
    with database.transaction() as connection:
        assert [row.state for row in list_deliveries(connection, 1)] == ["cancelled", "queued"]
        assert count_deliveries(connection, 1).holds
        again, still = add_subscriber(connection, NewSubscriber("reader0@example.org"), now)
    assert again is Admission.SUPPRESSED
    assert still is not None
    assert still.state is SubscriberState.SUSPENDED


def test_an_operator_undoes_it_and_nothing_counts_any_more(database: Database, publish: Publish, now: datetime) -> None:
    publish(1)
    number = bounce(database, 1, now, Verdict.SUSPEND)
    bounce(database, 1, now + DAY)
    with database.transaction() as connection:
        suspend_reader(connection, reader_of(connection), SuppressionReason.BOUNCED, now)
        assert restore_reader(connection, reader_of(connection), now + DAY)
        assert not restore_reader(connection, reader_of(connection), now + DAY)
    with database.transaction() as connection:
        assert reader_of(connection).state is SubscriberState.ACTIVE
        assert add_subscriber(connection, NewSubscriber("reader0@example.org"), now)[0] is Admission.KNOWN
        undone = load_bounce(connection, number)
    assert undone is not None
    assert undone.undone_at == now + DAY
    assert past(database, now - DAY) == Past()


def test_who_left_is_not_restored_by_an_operator_s_undo(database: Database, publish: Publish, now: datetime) -> None:
    publish(1)
    with database.transaction() as connection:
        mark_left(connection, "reader0@example.org", now)
        assert not restore_reader(connection, reader_of(connection), now)
        left = find_subscriber(connection, "reader0@example.org")
    assert left is not None
    assert left.state is SubscriberState.LEFT


def test_a_refusal_while_sending_is_found_until_it_is_judged(
    database: Database, publish: Publish, now: datetime
) -> None:
    publish(2)
    settle(database, 1, DeliveryState.FAILED, now)
    with database.transaction() as connection:
        first, second = list_refusals(connection, 10)
        assert (first.address, first.code, first.text) == ("reader0@example.org", 550, "no such user")
        assert list_refusals(connection, 1) == [first]
        record_bounce(connection, reader_of(connection), 1, GONE, Verdict.SUSPEND, now, delivery_id=first.delivery_id)
        assert list_refusals(connection, 10) == [second]


def test_bounces_are_listed_newest_first(database: Database, publish: Publish, now: datetime) -> None:
    publish(1)
    settle(database, 1, DeliveryState.SENT, now)
    for day in range(3):
        bounce(database, 1, now + day * DAY)
    bounce(database, 1, now + 3 * DAY, Verdict.COMPLAINT)
    with database.read() as connection:
        ids = [found.id for found in list_bounces(connection)]
        assert ids == sorted(ids, reverse=True)
        assert len(list_bounces(connection, since=now + DAY)) == 3
        assert len(list_bounces(connection, subscriber_id=1, reason="mailbox_full", limit=2)) == 2
        assert list_bounces(connection, subscriber_id=2) == []


def test_old_mails_are_forgotten_but_for_what_a_bounce_rests_on(
    database: Database, publish: Publish, now: datetime
) -> None:
    publish(1)
    bounce(database, 1, now)
    record(database, 5, Report(ReportKind.UNREADABLE), at=now, raw=b"junk")
    record(database, 6, at=now + DAY)
    with database.transaction() as connection:
        assert prune_reports(connection, now + DAY / 2) == 1
        assert len(list_reports(connection)) == 2
        assert len(list_bounces(connection)) == 1


@pytest.mark.parametrize("number", [0, 99])
def test_nobody_is_locked_who_isn_t_there(database: Database, number: int) -> None:
    with database.transaction() as connection:
        assert lock_reader(connection, number) is None
