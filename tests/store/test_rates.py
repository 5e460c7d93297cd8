"""How much of what was sent came back: by domain and by reason."""

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import update

from newsletter.model.bounce import Finding, Reason, Report, ReportKind, Severity
from newsletter.model.edition import Edition
from newsletter.model.rates import Rate
from newsletter.model.subscriber import NewSubscriber
from newsletter.model.verdict import Verdict, Way
from newsletter.store.bounces import lock_reader, record_bounce, record_report
from newsletter.store.database import Database
from newsletter.store.editions import freeze_edition, publish_edition
from newsletter.store.rates import count_complaints, count_reasons, load_rates
from newsletter.store.schema import deliveries
from newsletter.store.subscribers import add_subscribers

DAY = timedelta(days=1)
GONE = Finding(Reason.USER_UNKNOWN, Severity.HARD)
FULL = Finding(Reason.MAILBOX_FULL, Severity.SOFT)
SPAM = Finding(Reason.SPAM, Severity.SOFT)
COMPLAINT = Finding(Reason.COMPLAINT, Severity.NONE)
READERS = ("a@big.example", "b@big.example", "c@big.example", "d@small.example", "e@tiny.example", "f@quiet.example")


def send(database: Database, edition: Edition, at: datetime) -> None:
    """Publish an edition to everybody, and let every server take it but the last, which refuses."""
    with database.transaction() as connection:
        add_subscribers(connection, [NewSubscriber(address) for address in READERS], at)
        frozen = freeze_edition(connection, edition, "source", at)
        publish_edition(connection, frozen.id, at)
        mine = update(deliveries).where(deliveries.c.edition_id == frozen.id)
        connection.execute(mine.values(state="sent", settled_at=at))
        refused = mine.where(deliveries.c.subscriber_id == len(READERS))
        connection.execute(refused.values(state="failed", reply_code=550))


def come_back(database: Database, reader: int, finding: Finding, verdict: Verdict, at: datetime) -> None:
    with database.transaction() as connection:
        found = lock_reader(connection, reader)
        assert found is not None
        digest = f"{reader}{finding.reason}{at.timestamp()}".encode().hex()[-64:].rjust(64, "0")
        number = record_report(connection, digest, Report(ReportKind.BOUNCE), Way.PIPE, 1, at, reader=found)
        record_bounce(connection, found, 1, finding, verdict, at, report_id=number)


def test_the_busiest_domains_are_told_apart_and_the_rest_is_one(
    database: Database, edition: Edition, now: datetime
) -> None:
    send(database, edition, now)
    come_back(database, 1, GONE, Verdict.SUSPEND, now)
    come_back(database, 2, FULL, Verdict.COUNTED, now)
    come_back(database, 3, FULL, Verdict.COUNTED, now)
    come_back(database, 4, SPAM, Verdict.NOTED, now)
    come_back(database, 4, FULL, Verdict.COUNTED, now)
    come_back(database, 5, COMPLAINT, Verdict.COMPLAINT, now)
    with database.read() as connection:
        rates = load_rates(connection, now, limit=2)
        assert load_rates(connection, now).domains[-1] == Rate("", 1)
        assert count_complaints(connection, now) == (1, 5)
        assert count_reasons(connection, now)[Reason.MAILBOX_FULL] == 3
    big, small, others = rates.domains
    assert big == Rate("big.example", 3, 1, 2, 0, {Reason.MAILBOX_FULL: 2, Reason.USER_UNKNOWN: 1})
    assert small == Rate("small.example", 1, 0, 2, 0, {Reason.MAILBOX_FULL: 1, Reason.SPAM: 1})
    assert others == Rate("", 2, 0, 0, 1, {Reason.COMPLAINT: 1})
    assert (rates.total.mails, rates.total.hard, rates.total.soft, rates.total.complaints) == (6, 1, 4, 1)
    assert rates.total.bounced == 5 / 6
    assert next(iter(rates.total.reasons)) is Reason.MAILBOX_FULL


def test_what_is_older_is_left_out(database: Database, edition: Edition, now: datetime) -> None:
    send(database, edition, now)
    come_back(database, 1, GONE, Verdict.SUSPEND, now)
    send(database, replace(edition, slug="2024-05-26"), now + DAY)
    come_back(database, 2, FULL, Verdict.COUNTED, now + DAY)
    with database.read() as connection:
        rates = load_rates(connection, now + DAY)
    assert rates.total == Rate("", 6, 0, 1, 0, {Reason.MAILBOX_FULL: 1})
    assert [rate.domain for rate in rates.domains] == ["big.example", ""]


def test_nothing_sent_is_no_rate(database: Database, now: datetime) -> None:
    with database.read() as connection:
        rates = load_rates(connection, now)
    assert rates.domains == ()
    assert (rates.total.bounced, rates.total.complained) == (0.0, 0.0)
