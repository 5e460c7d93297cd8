"""The epoch, and what becomes of readers when a restored database is compared with what was sent."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete

from newsletter.model.delivery import Audit, DeliveryState, Reply, Settlement
from newsletter.model.edition import Edition
from newsletter.model.ledger import LedgerMark, Reconciled, Restoration
from newsletter.store.controls import list_unknown
from newsletter.store.database import Database
from newsletter.store.deliveries import claim_deliveries, count_deliveries, settle_deliveries
from newsletter.store.editions import StoredEdition, freeze_edition, publish_edition
from newsletter.store.fences import (
    MAYBE_SENT,
    advance_ledger,
    last_known,
    list_fenced,
    load_ledger,
    note_copy,
    open_ledger,
    reconcile_ledger,
)
from newsletter.store.marks import set_mark
from newsletter.store.schema import ledgers

NOW = datetime(2024, 5, 25, 6, 30, tzinfo=UTC)
LINE, LIFE, NEXT = "0" * 32, "1" * 32, "2" * 32

Publish = Callable[..., StoredEdition]


@pytest.fixture
def mark(database: Database) -> LedgerMark:
    """A database that nobody has sent from, with names of our own."""
    with database.transaction() as connection:
        connection.execute(delete(ledgers))
        return open_ledger(connection, LINE, LIFE)


def audit(database: Database, edition_id: int) -> Audit:
    with database.read() as connection:
        found = count_deliveries(connection, edition_id)
    assert found.holds
    return found


def restore(
    database: Database,
    mark: LedgerMark,
    slugs: tuple[str, ...] = (),
    *,
    everything: bool = False,
    days: Sequence[str] = (),
) -> Reconciled:
    with database.transaction() as connection:
        return reconcile_ledger(connection, mark, Restoration(slugs, NEXT, 9, everything), days, NOW)


def test_a_database_gets_its_names_once(database: Database, mark: LedgerMark) -> None:
    assert mark == LedgerMark(LINE, LIFE, 0)
    with database.transaction() as connection:
        assert open_ledger(connection, "x" * 32, "y" * 32) == mark


def test_each_page_counts_in_the_life_it_was_begun_in(database: Database, mark: LedgerMark) -> None:
    with database.transaction() as connection:
        assert [advance_ledger(connection, LIFE) for _ in range(3)] == [1, 2, 3]
        assert advance_ledger(connection, NEXT) is None
        assert load_ledger(connection) == replace(mark, epoch=3)


def test_who_may_have_been_sent_an_issue_is_unknown(database: Database, mark: LedgerMark, publish: Publish) -> None:
    one, two = publish(6), publish(0, "other")
    with database.transaction() as connection:
        rows = claim_deliveries(connection, one.id, "gone", NOW + timedelta(hours=1), NOW, 4)
        sent = Settlement(rows[0].id, DeliveryState.SENT, Reply(250, "", ""), 1, NOW)
        failed = sent._replace(delivery_id=rows[1].id, state=DeliveryState.FAILED)
        later = sent._replace(delivery_id=rows[2].id, state=DeliveryState.DEFERRED, next_attempt_at=NOW)
        settle_deliveries(connection, "gone", [sent, failed, later])
    done = restore(database, mark, (one.edition.slug,))
    assert done == Reconciled({one.edition.slug: 4}, ())
    assert audit(database, one.id) == Audit(6, sent=1, queued=0, deferred=0, failed=1, cancelled=0, unknown=4)
    assert audit(database, two.id).queued == 6
    with database.read() as connection:
        assert {row.reply and row.reply.text for row in list_unknown(connection, one.id)} == {MAYBE_SENT}
        assert load_ledger(connection) == LedgerMark(LINE, NEXT, 9, ((LIFE, 0),))


def test_without_knowing_what_was_sent_everybody_who_waits_is_unknown(
    database: Database, mark: LedgerMark, publish: Publish
) -> None:
    one, two = publish(2), publish(0, "other")
    done = restore(database, mark, everything=True, days=["2024-05-26"])
    assert done == Reconciled({one.edition.slug: 2, "other": 2}, ("day:2024-05-26",))
    assert (audit(database, one.id).unknown, audit(database, two.id).unknown) == (2, 2)


def test_doing_it_again_changes_nothing_more(database: Database, mark: LedgerMark, publish: Publish) -> None:
    one = publish(2)
    restore(database, mark, (one.edition.slug, "missing"))
    again = restore(database, mark, (one.edition.slug, "missing"))
    assert again.unknown == {}
    with database.read() as connection:
        assert list_fenced(connection) == ["slug:missing"]


@pytest.mark.parametrize("key", ["slug", "day"])
def test_an_issue_that_may_have_been_sent_mails_nobody_when_it_is_published(
    database: Database, mark: LedgerMark, publish: Publish, edition: Edition, key: str
) -> None:
    publish(3, "other")
    day = replace(edition, slug="lost", issue_date=edition.issue_date + timedelta(days=1))
    if key == "slug":
        restore(database, mark, ("lost",))
    else:
        restore(database, mark, days=[str(day.issue_date)])
    with database.transaction() as connection:
        frozen = freeze_edition(connection, day, "source", NOW)
        assert publish_edition(connection, frozen.id, NOW) == 3
        assert publish_edition(connection, frozen.id, NOW) == 3
        assert claim_deliveries(connection, frozen.id, "run", NOW, NOW, 10) == []
    assert audit(database, frozen.id).unknown == 3
    with database.read() as connection:
        assert list_fenced(connection) == ([] if key == "slug" else [f"day:{day.issue_date}"])


def test_how_late_a_database_surely_was_in_use(database: Database, mark: LedgerMark, publish: Publish) -> None:
    with database.transaction() as connection:
        assert last_known(connection) is None
    publish(1)
    with database.transaction() as connection:
        found = last_known(connection)
        assert found is not None
        set_mark(connection, "tick:plan", found + timedelta(hours=2))
        assert last_known(connection) == found + timedelta(hours=2)
        note_copy(connection, NOW + timedelta(days=1))
        assert last_known(connection) == NOW + timedelta(days=1)
