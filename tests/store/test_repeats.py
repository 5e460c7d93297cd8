"""What readers have had comes out of what they are given next."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest

from newsletter.model.edition import Edition, EditionKind
from newsletter.model.subscriber import Cadence, NewSubscriber
from newsletter.model.variant import Allotment, Rendering, Share, VariantKey
from newsletter.store.database import Database
from newsletter.store.deliveries import list_deliveries
from newsletter.store.editions import freeze_edition, publish_edition
from newsletter.store.repeats import list_repeats
from newsletter.store.subscribers import add_subscribers
from newsletter.store.variants import UnpreparedError, write_variants

WORKS = tuple(f"work-{number:04}" for number in range(2500))
OLD = frozenset(WORKS[:3])
REST = VariantKey(without=OLD)


@pytest.fixture
def weekly(database: Database, edition: Edition, now: datetime) -> int:
    """A frozen roll-up of 2,500 works, three of which an issue brought to reader 1 before he read weekly."""
    with database.transaction() as connection:
        add_subscribers(connection, [NewSubscriber("one@example.org")], now)
        issue = freeze_edition(connection, edition, "source", now)
        publish_edition(connection, issue.id, now, allotment=Allotment((*OLD, "another")))
        connection.exec_driver_sql("UPDATE subscribers SET cadence = 'weekly'")
        add_subscribers(connection, [NewSubscriber("two@example.org", cadence=Cadence.WEEKLY)], now)
        rollup = replace(edition, slug="weekly-2024-W21")
        return freeze_edition(connection, rollup, "from", now, EditionKind.WEEKLY).id


def allot(reduce: Callable[[VariantKey, frozenset[str]], Share]) -> Allotment:
    return Allotment(WORKS, reduce=reduce, candidates=WORKS)


def test_it_is_known_beforehand_what_readers_have_had(database: Database, weekly: int, now: datetime) -> None:
    with database.read() as connection:
        assert list_repeats(connection, weekly, Cadence.WEEKLY, now, WORKS) == {("", OLD)}
        assert list_repeats(connection, weekly, Cadence.WEEKLY, now, WORKS[3:]) == set()
        assert list_repeats(connection, weekly, Cadence.MONTHLY, now, WORKS) == set()


def test_who_has_had_some_gets_the_rest_and_others_the_whole(
    database: Database, edition: Edition, weekly: int, now: datetime
) -> None:
    asked: list[tuple[VariantKey, frozenset[str]]] = []

    def reduce(key: VariantKey, had: frozenset[str]) -> Share:
        asked.append((key, had))
        return Share(REST)

    rollup = replace(edition, slug="weekly-2024-W21")
    with database.transaction() as connection:
        write_variants(connection, weekly, rollup, [Rendering(REST, replace(rollup, html="rest"), WORKS[3:])])
        assert publish_edition(connection, weekly, now, allotment=allot(reduce)) == 2
        rows = list_deliveries(connection, weekly)
    assert asked == [(VariantKey(), OLD)]
    assert {row.address: row.variant for row in rows} == {"one@example.org": 1, "two@example.org": 0}


def test_who_has_had_all_gets_nothing_and_the_row_says_so(database: Database, weekly: int, now: datetime) -> None:
    with database.transaction() as connection:
        publish_edition(connection, weekly, now, allotment=allot(lambda key, had: Share(reason="nothing new")))
        rows = {row.address: row for row in list_deliveries(connection, weekly)}
    one = rows["one@example.org"]
    assert (one.state, one.variant, one.settled_at) == ("excluded", 0, now)
    assert one.reply
    assert one.reply.text == "nothing new"
    assert rows["two@example.org"].state == "queued"


def test_what_is_left_and_was_never_made_stops_the_publish(database: Database, weekly: int, now: datetime) -> None:
    with pytest.raises(UnpreparedError), database.transaction() as connection:
        publish_edition(connection, weekly, now, allotment=allot(lambda key, had: Share(REST)))
    with database.read() as connection:
        assert list_deliveries(connection, weekly) == []
