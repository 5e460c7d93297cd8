from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from newsletter.errors import ChangedError, NotFoundError, UsageError
from newsletter.model.edition import Edition
from newsletter.model.subscriber import NewSubscriber, SubscriberState, SuppressionReason
from newsletter.store.database import Database
from newsletter.store.deliveries import claim_deliveries, list_deliveries, release_deliveries
from newsletter.store.editions import (
    EditionState,
    StoredEdition,
    correct_edition,
    find_edition,
    freeze_edition,
    hash_source,
    list_editions,
    list_published,
    load_edition,
    load_source,
    publish_edition,
)
from newsletter.store.schema import revisions
from newsletter.store.subscribers import add_subscribers
from newsletter.store.suppression import suppress

Publish = Callable[..., StoredEdition]


def test_a_new_edition_is_frozen_with_its_time(database: Database, edition: Edition, now: datetime) -> None:
    with database.transaction() as connection:
        frozen = freeze_edition(connection, edition, "source", now)
    with database.read() as connection:
        assert load_edition(connection, edition.slug) == frozen
        assert load_source(connection, edition.slug) == "source"
    assert frozen == StoredEdition(1, edition, EditionState.FROZEN, 1, now, now, None)
    assert frozen.edition.hash == edition.hash


def test_an_edition_frozen_but_never_mailed_takes_new_contents_and_keeps_its_time(
    database: Database, edition: Edition, now: datetime
) -> None:
    later = now + timedelta(hours=1)
    better = replace(edition, title="Better")
    with database.transaction() as connection:
        freeze_edition(connection, edition, "source", now)
        again = freeze_edition(connection, better, "better source", later)
        assert load_source(connection, edition.slug) == "better source"
    assert again == StoredEdition(1, better, EditionState.FROZEN, 1, now, later, None)


def test_freezing_the_same_source_again_does_not_move_its_update(
    database: Database, edition: Edition, now: datetime
) -> None:
    with database.transaction() as connection:
        first = freeze_edition(connection, edition, "source", now)
        assert freeze_edition(connection, edition, "source", now + timedelta(days=1)) == first


def test_a_published_edition_wins_over_a_new_rendering_of_the_same_source(
    database: Database, edition: Edition, now: datetime, publish: Publish
) -> None:
    published = publish(2)
    restyled = replace(edition, html="<p>new template</p>")
    with database.transaction() as connection:
        assert freeze_edition(connection, restyled, "source", now + timedelta(days=1)) == published


def test_a_changed_source_of_a_published_edition_is_refused_with_the_diff(
    database: Database, edition: Edition, now: datetime, publish: Publish
) -> None:
    published = publish(1)
    with pytest.raises(ChangedError, match="--correct") as caught, database.transaction() as connection:
        freeze_edition(connection, edition, "source\nand more", now)
    assert caught.value.diff.splitlines() == [
        "--- 2024-05-25 as published",
        "+++ 2024-05-25 now",
        "@@ -1 +1,2 @@",
        " source",
        "+and more",
    ]
    with database.read() as connection:
        assert load_edition(connection, edition.slug) == published


def test_a_correction_adds_a_revision_and_leaves_the_mail_as_it_was_sent(
    database: Database, edition: Edition, now: datetime, publish: Publish
) -> None:
    published = publish(1)
    later = now + timedelta(hours=2)
    with database.transaction() as connection:
        claim_deliveries(connection, published.id, "sender", later, now, 1)  # from now on it may be on the wire
        corrected = correct_edition(connection, replace(edition, html="new"), "corrected", later)
        assert correct_edition(connection, edition, "corrected", later + timedelta(hours=1)) == corrected
        assert corrected == replace(published, revision=2, updated_at=later)
        assert load_source(connection, edition.slug) == "corrected"
        (issue,) = list_published(connection)
        assert (issue.source_hash, issue.published_at, issue.updated_at) == (hash_source("corrected"), now, later)
        assert freeze_edition(connection, edition, "corrected", later) == corrected
        reasons = connection.execute(select(revisions.c.number, revisions.c.reason).order_by(revisions.c.number))
        assert reasons.all() == [(1, "publish"), (2, "correct")]
        assert len(list_deliveries(connection, published.id)) == 1


def test_a_correction_is_in_the_mail_as_long_as_none_was_begun(
    database: Database, edition: Edition, now: datetime, publish: Publish
) -> None:
    published = publish(2)
    mended = replace(edition, html="new")
    with database.transaction() as connection:
        assert correct_edition(connection, mended, "corrected", now).edition == mended
        (first, _) = claim_deliveries(connection, published.id, "sender", now + timedelta(hours=1), now, 2)
        release_deliveries(connection, "sender", [first.id])
        again = correct_edition(connection, replace(edition, html="newer"), "once more", now)
        assert (again.edition, again.revision) == (mended, 3)


def test_what_was_corrected_is_compared_with_its_correction(
    database: Database, edition: Edition, now: datetime, publish: Publish
) -> None:
    publish(0)
    with database.transaction() as connection:
        correct_edition(connection, edition, "corrected", now)
    with pytest.raises(ChangedError) as caught, database.transaction() as connection:
        freeze_edition(connection, edition, "source", now)
    assert "-corrected\n+source" in caught.value.diff


def test_nothing_can_be_corrected_that_was_never_published(database: Database, edition: Edition, now: datetime) -> None:
    with pytest.raises(NotFoundError, match="never published"), database.transaction() as connection:
        correct_edition(connection, edition, "source", now)


def test_correcting_an_edition_that_was_never_mailed_freezes_it_anew(
    database: Database, edition: Edition, now: datetime
) -> None:
    with database.transaction() as connection:
        freeze_edition(connection, edition, "source", now)
        corrected = correct_edition(connection, edition, "corrected", now)
    assert (corrected.state, corrected.revision) == (EditionState.FROZEN, 1)


def test_a_correction_can_not_move_an_issue_in_the_archive(
    database: Database, edition: Edition, now: datetime, publish: Publish
) -> None:
    publish(0)
    moved = replace(edition, issue_date=date(2024, 5, 26))
    with pytest.raises(UsageError, match="can't change to 2024-05-26"), database.transaction() as connection:
        correct_edition(connection, moved, "corrected", now)


def test_a_publish_is_due_to_active_readers_who_are_not_suppressed(
    database: Database, edition: Edition, now: datetime
) -> None:
    readers = [NewSubscriber(f"{state}@example.org", state=state) for state in SubscriberState]
    readers += [NewSubscriber("Out@example.org"), NewSubscriber("jörg@example.org", name="Jörg")]
    with database.transaction() as connection:
        add_subscribers(connection, readers, now)
        suppress(connection, [("out@example.org", "Out@example.org")], SuppressionReason.COMPLAINED, now)
        frozen = freeze_edition(connection, edition, "source", now)
        assert publish_edition(connection, frozen.id, now) == 2
        rows = list_deliveries(connection, frozen.id)
    assert [(row.address, row.name, row.state, row.attempts, row.queued_at) for row in rows] == [
        ("active@example.org", "", "queued", 0, now),
        ("jörg@example.org", "Jörg", "queued", 0, now),
    ]


def test_publishing_again_adds_nobody(database: Database, now: datetime, publish: Publish) -> None:
    published = publish(3)
    with database.transaction() as connection:
        add_subscribers(connection, [NewSubscriber("late@example.org")], now)
        assert publish_edition(connection, published.id, now) == 3
        assert len(list_deliveries(connection, published.id)) == 3
    assert (published.state, published.audience) == (EditionState.PUBLISHED, 3)


def test_an_edition_that_is_not_there_can_not_be_published(database: Database, now: datetime) -> None:
    with pytest.raises(NotFoundError), database.transaction() as connection:
        publish_edition(connection, 7, now)


def test_issues_are_listed_newest_first_and_then_by_slug(database: Database, edition: Edition, now: datetime) -> None:
    with database.transaction() as connection:
        for slug, day in (("b", 2), ("a", 2), ("c", 1), ("d", 3)):
            one = replace(edition, slug=slug, issue_date=date(2024, 5, day), title=slug.upper())
            freeze_edition(connection, one, slug, now)
        assert [issue.slug for issue in list_published(connection)] == ["d", "b", "a", "c"]
        lines = list_editions(connection, limit=2)
    assert [(line.slug, line.title, line.state) for line in lines] == [("d", "D", "frozen"), ("b", "B", "frozen")]
    assert lines[0].published_at.tzinfo is UTC


def test_an_edition_is_found_by_its_slug_or_by_the_only_date(
    database: Database, edition: Edition, now: datetime
) -> None:
    with database.transaction() as connection:
        for slug, day in (("first", 1), ("second", 2), ("third", 2), ("2024-05-02", 3)):
            freeze_edition(connection, replace(edition, slug=slug, issue_date=date(2024, 5, day)), slug, now)
        assert find_edition(connection, "third").slug == "third"
        assert find_edition(connection, "2024-05-01").slug == "first"
        assert find_edition(connection, "2024-05-02").issue_date == date(2024, 5, 3)
        with pytest.raises(NotFoundError, match="2024-05-09 was never published"):
            find_edition(connection, "2024-05-09")
        freeze_edition(connection, replace(edition, slug="fourth", issue_date=date(2024, 5, 1)), "fourth", now)
        with pytest.raises(UsageError, match="2 issues were published for 2024-05-01: say fourth or first"):
            find_edition(connection, "2024-05-01")


def test_an_unknown_slug_is_none_and_has_no_source(database: Database) -> None:
    with database.read() as connection:
        assert load_edition(connection, "none") is None
        assert list_published(connection) == []
        with pytest.raises(NotFoundError, match="none was never published"):
            load_source(connection, "none")
