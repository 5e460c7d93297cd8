"""Variants belong to the contents that their edition had when they were made."""

from dataclasses import replace
from datetime import datetime

import pytest

from newsletter.errors import StoreError, UsageError
from newsletter.model.edition import Edition, EditionKind
from newsletter.model.variant import Rendering, VariantKey
from newsletter.store.database import Database
from newsletter.store.editions import (
    correct_edition,
    find_edition,
    freeze_edition,
    list_editions,
    list_lookalikes,
    list_named,
    list_published,
    publish_edition,
)
from newsletter.store.variants import UnpreparedError, count_variants, list_variants, load_variant, write_variants

A, B = VariantKey(frozenset({"a"})), VariantKey(frozenset({"b"}))


def render(edition: Edition, key: VariantKey) -> Rendering:
    return Rendering(key, replace(edition, html=f"<p>{key.text}</p>", preheader=key.text), ("work",))


def test_a_variant_is_its_edition_with_other_contents(database: Database, edition: Edition, now: datetime) -> None:
    with database.transaction() as connection:
        stored = freeze_edition(connection, edition, "source", now)
        write_variants(connection, stored.id, edition, [render(edition, B), render(edition, A)])
        assert list_variants(connection, stored.id) == {"": 0, "b": 1, "a": 2}
        assert load_variant(connection, stored.id, edition, 2) == replace(edition, html="<p>a</p>", preheader="a")


def test_a_variant_is_made_once_and_keeps_its_number(database: Database, edition: Edition, now: datetime) -> None:
    with database.transaction() as connection:
        stored = freeze_edition(connection, edition, "source", now)
        write_variants(connection, stored.id, edition, [render(edition, A)])
        write_variants(connection, stored.id, edition, [render(edition, B), render(replace(edition, text="x"), A)])
        assert list_variants(connection, stored.id) == {"": 0, "a": 1, "b": 2}
        assert count_variants(connection, stored.id) == 2
        assert load_variant(connection, stored.id, edition, 1).text == edition.text


def test_freezing_anew_forgets_the_variants(database: Database, edition: Edition, now: datetime) -> None:
    with database.transaction() as connection:
        stored = freeze_edition(connection, edition, "source", now)
        write_variants(connection, stored.id, edition, [render(edition, A)])
        freeze_edition(connection, edition, "source", now)
        assert list_variants(connection, stored.id) == {"": 0}


def test_variants_of_contents_that_others_have_replaced_are_not_stored(
    database: Database, edition: Edition, now: datetime
) -> None:
    with database.transaction() as connection:
        stored = freeze_edition(connection, edition, "source", now)
        freeze_edition(connection, replace(edition, html="<p>other</p>"), "other", now)
    with pytest.raises(UnpreparedError), database.transaction() as connection:
        write_variants(connection, stored.id, edition, [render(edition, A)])


def test_a_published_edition_takes_no_more_variants(database: Database, edition: Edition, now: datetime) -> None:
    with database.transaction() as connection:
        stored = freeze_edition(connection, edition, "source", now)
        publish_edition(connection, stored.id, now)
        write_variants(connection, stored.id, edition, [render(edition, A)])
        assert list_variants(connection, stored.id) == {"": 0}


def test_a_sender_is_stopped_when_its_edition_was_corrected_under_it(
    database: Database, edition: Edition, now: datetime
) -> None:
    with database.transaction() as connection:
        stored = freeze_edition(connection, edition, "source", now)
        write_variants(connection, stored.id, edition, [render(edition, A)])
        publish_edition(connection, stored.id, now)
        correct_edition(connection, replace(edition, html="<p>new</p>"), "corrected", now)
        with pytest.raises(StoreError, match="2024-05-25 was corrected while"):
            load_variant(connection, stored.id, edition, 1)


def test_a_rollup_is_mail_only_and_goes_by_its_slug(database: Database, edition: Edition, now: datetime) -> None:
    rollup = replace(edition, slug="weekly-2024-W21")
    with database.transaction() as connection:
        freeze_edition(connection, edition, "source", now)
        stored = freeze_edition(connection, rollup, "from", now, EditionKind.WEEKLY)
        assert (stored.kind, stored.kind.cadence) == ("weekly", "weekly")
        assert [issue.slug for issue in list_published(connection)] == ["2024-05-25"]
        assert [(line.slug, line.kind) for line in list_editions(connection)] == [
            ("weekly-2024-W21", "weekly"),
            ("2024-05-25", "issue"),
        ]
        assert find_edition(connection, "2024-05-25").kind is EditionKind.ISSUE
        assert find_edition(connection, "weekly-2024-W21").kind is EditionKind.WEEKLY
        assert [line.slug for line in list_named(connection, "2024-05-25")] == ["2024-05-25"]
        assert list_lookalikes(connection, edition) == []


def test_a_name_that_another_kind_of_edition_has_is_refused(
    database: Database, edition: Edition, now: datetime
) -> None:
    with database.transaction() as connection:
        freeze_edition(connection, edition, "source", now, EditionKind.MONTHLY)
    taken = pytest.raises(UsageError, match="the name of the monthly edition of 2024-05-25")
    with taken, database.transaction() as connection:
        freeze_edition(connection, edition, "source", now)
