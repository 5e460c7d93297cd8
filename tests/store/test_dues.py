"""Who gets a row of an edition, and what it says: chosen topics, cadence, pauses."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import literal, select, update

from newsletter.model.delivery import Audit, Delivery, DeliveryState
from newsletter.model.edition import Edition, EditionKind
from newsletter.model.subscriber import Cadence, NewSubscriber
from newsletter.model.variant import Allotment, Rendering, Share, VariantKey
from newsletter.store.database import Database
from newsletter.store.deliveries import claim_deliveries, count_deliveries, count_replies, list_deliveries
from newsletter.store.dues import count_choices, count_due, insert_dues, list_choices
from newsletter.store.editions import (
    StoredEdition,
    correct_edition,
    freeze_edition,
    load_edition,
    publish_edition,
    renew_shares,
)
from newsletter.store.schema import subscribers, works
from newsletter.store.subscribers import add_subscribers
from newsletter.store.variants import UnpreparedError, list_variants, load_variant, write_variants

A, B = VariantKey(frozenset({"a"})), VariantKey(frozenset({"b"}))
NOTHING = Share(reason="nothing in this issue for: C")
PLAN = Allotment(("work-a", "work-b"), {"": Share(), "a": Share(A), "a c": Share(A), "b": Share(B), "c": NOTHING})


def reader(name: str, *topics: str, cadence: Cadence = Cadence.EACH) -> NewSubscriber:
    return NewSubscriber(f"{name}@example.org", topics=frozenset(topics), cadence=cadence)


READERS = (reader("all"), reader("a", "a"), reader("c", "c"), reader("ac", "a", "c"), reader("b", "b"))


def render(edition: Edition, key: VariantKey) -> Rendering:
    (topic,) = key.topics
    return Rendering(key, replace(edition, html=f"<p>{topic}</p>", text=f"{topic}\n"), (f"work-{topic}",))


@pytest.fixture
def freeze(database: Database, edition: Edition, now: datetime) -> Callable[..., StoredEdition]:
    """Add readers and freeze an edition with the variants of `a` and `b`."""

    def freeze(*readers: NewSubscriber, kind: EditionKind = EditionKind.ISSUE) -> StoredEdition:
        with database.transaction() as connection:
            add_subscribers(connection, readers, now)
            stored = freeze_edition(connection, edition, "source", now, kind)
            write_variants(connection, stored.id, edition, [render(edition, key) for key in (A, B)])
        return stored

    return freeze


def rows_of(database: Database, edition_id: int) -> dict[str, Delivery]:
    with database.read() as connection:
        return {row.address.partition("@")[0]: row for row in list_deliveries(connection, edition_id)}


def test_each_reader_gets_the_variant_of_his_choice_and_nobody_is_left_out(
    database: Database, now: datetime, freeze: Callable[..., StoredEdition]
) -> None:
    stored = freeze(*READERS)
    with database.transaction() as connection:
        assert publish_edition(connection, stored.id, now, allotment=PLAN) == 5
        numbers = list_variants(connection, stored.id)
        assert count_deliveries(connection, stored.id) == Audit(5, 0, 4, 0, 0, 0, 0, excluded=1)
    rows = rows_of(database, stored.id)
    a, b = numbers["a"], numbers["b"]
    assert {name: row.variant for name, row in rows.items()} == {"all": 0, "a": a, "ac": a, "b": b, "c": 0}
    assert {name for name, row in rows.items() if row.state is DeliveryState.EXCLUDED} == {"c"}
    assert rows["c"].settled_at == now
    assert rows["c"].reply
    assert rows["c"].reply.text == "nothing in this issue for: C"
    assert rows["a"].reply is None
    assert rows["a"].settled_at is None


def test_readers_of_one_variant_stand_together(
    database: Database, now: datetime, freeze: Callable[..., StoredEdition]
) -> None:
    stored = freeze(*(reader(f"{topic}{at}", topic) for at in range(3) for topic in "ba"))
    with database.transaction() as connection:
        publish_edition(connection, stored.id, now, allotment=PLAN)
        claimed = claim_deliveries(connection, stored.id, "sender", now + timedelta(hours=1), now, 10)
    assert [row.variant for row in claimed] == sorted(row.variant for row in claimed)
    assert [row.address[0] for row in claimed] in (list("aaabbb"), list("bbbaaa"))


def test_only_readers_of_an_editions_cadence_are_due(
    database: Database, now: datetime, freeze: Callable[..., StoredEdition]
) -> None:
    readers = [reader(cadence.value, "a", cadence=cadence) for cadence in Cadence]
    stored = freeze(*readers, kind=EditionKind.WEEKLY)
    with database.transaction() as connection:
        assert count_due(connection, Cadence.WEEKLY) == 1
        assert publish_edition(connection, stored.id, now, allotment=PLAN) == 1
    assert list(rows_of(database, stored.id)) == ["weekly"]


def test_a_paused_reader_is_excluded_until_his_time_and_his_choice_needs_no_variant(
    database: Database, now: datetime, freeze: Callable[..., StoredEdition]
) -> None:
    stored = freeze(reader("away", "rare"), reader("back", "a"))
    until = datetime(2024, 6, 1, 22, 30, tzinfo=UTC)
    with database.transaction() as connection:
        pause = update(subscribers).where(subscribers.c.address == "away@example.org").values(paused_until=until)
        connection.execute(pause)
        back = update(subscribers).where(subscribers.c.address == "back@example.org").values(paused_until=now)
        connection.execute(back)
        assert list_choices(connection, Cadence.EACH, now) == ["a"]
        assert publish_edition(connection, stored.id, now, allotment=PLAN) == 2
    rows = rows_of(database, stored.id)
    assert (rows["away"].state, rows["back"].state) == (DeliveryState.EXCLUDED, DeliveryState.QUEUED)
    assert rows["away"].reply
    assert rows["away"].reply.text == "paused until 2024-06-01 22:30 UTC"


def test_a_choice_that_nobody_planned_for_stops_the_publish_and_nothing_is_kept(
    database: Database, now: datetime, freeze: Callable[..., StoredEdition]
) -> None:
    stored = freeze(*READERS, reader("new", "b", "c"))
    with pytest.raises(UnpreparedError), database.transaction() as connection:
        publish_edition(connection, stored.id, now, allotment=PLAN)
    assert rows_of(database, stored.id) == {}
    with database.read() as connection:
        assert load_edition(connection, stored.edition.slug) == stored


def test_a_variant_that_was_never_made_stops_the_publish(
    database: Database, now: datetime, freeze: Callable[..., StoredEdition]
) -> None:
    stored = freeze(*READERS)
    lacking = Allotment((), {**PLAN.shares, "b": Share(VariantKey(frozenset({"b", "a"})))})
    with pytest.raises(UnpreparedError), database.transaction() as connection:
        publish_edition(connection, stored.id, now, allotment=lacking)
    assert rows_of(database, stored.id) == {}


def test_two_publishers_at_once_give_each_reader_one_row(
    database: Database, now: datetime, freeze: Callable[..., StoredEdition]
) -> None:
    stored = freeze(*READERS, *(reader(f"r{at}", "a") for at in range(200)))
    audiences: list[int] = []

    def run() -> None:
        with database.transaction() as connection:
            audiences.append(publish_edition(connection, stored.id, now, allotment=PLAN))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert audiences == [205, 205]
    assert len(rows_of(database, stored.id)) == 205


def test_the_reasons_why_readers_are_excluded_are_counted_apart(
    database: Database, now: datetime, freeze: Callable[..., StoredEdition]
) -> None:
    stored = freeze(*(reader(f"c{at}", "c") for at in range(3)), reader("d", "d"))
    plan = Allotment((), {**PLAN.shares, "d": Share(reason="nothing in this issue for: D")})
    with database.transaction() as connection:
        publish_edition(connection, stored.id, now, allotment=plan)
        replies = count_replies(connection, stored.id)
    assert [(reply.state, reply.example, reply.count) for reply in replies] == [
        (DeliveryState.EXCLUDED, "nothing in this issue for: C", 3),
        (DeliveryState.EXCLUDED, "nothing in this issue for: D", 1),
    ]


def test_works_are_written_for_the_edition_and_for_each_variant(
    database: Database, now: datetime, freeze: Callable[..., StoredEdition]
) -> None:
    stored = freeze(*READERS)
    with database.transaction() as connection:
        publish_edition(connection, stored.id, now, allotment=PLAN)
        numbers = list_variants(connection, stored.id)
        found = connection.execute(select(works.c.variant, works.c.key)).all()
    assert sorted(found) == sorted([(0, "work-a"), (0, "work-b"), (numbers["a"], "work-a"), (numbers["b"], "work-b")])


def test_a_correction_before_the_first_mail_gives_everybody_his_share_anew(
    database: Database, edition: Edition, now: datetime, freeze: Callable[..., StoredEdition]
) -> None:
    stored = freeze(*READERS)
    mended = replace(edition, html="<p>mended</p>")
    plan = Allotment(("work-c",), {"": Share(), "a": NOTHING, "a c": Share(C), "b": NOTHING, "c": Share(C)})
    with database.transaction() as connection:
        publish_edition(connection, stored.id, now, allotment=PLAN)
        corrected = correct_edition(connection, mended, "corrected", now)
        renew_shares(connection, stored.id, now, plan, [render(mended, C)])
        numbers = list_variants(connection, stored.id)
        assert load_variant(connection, stored.id, mended, numbers["c"]).html == "<p>c</p>"
        assert connection.execute(select(works.c.key).where(works.c.variant == 0)).scalars().all() == ["work-c"]
    assert corrected.edition == mended
    assert list(numbers) == ["", "c"]
    rows = rows_of(database, stored.id)
    queued = {name: row.variant for name, row in rows.items() if row.state is DeliveryState.QUEUED}
    assert queued == {"all": 0, "c": numbers["c"], "ac": numbers["c"]}
    assert rows["c"].settled_at is None
    assert rows["c"].reply is None


C = VariantKey(frozenset({"c"}))


def test_a_correction_after_the_first_mail_was_begun_leaves_all_shares(
    database: Database, edition: Edition, now: datetime, freeze: Callable[..., StoredEdition]
) -> None:
    stored = freeze(*READERS)
    with database.transaction() as connection:
        publish_edition(connection, stored.id, now, allotment=PLAN)
        claim_deliveries(connection, stored.id, "sender", now + timedelta(hours=1), now, 1)
        before = list_deliveries(connection, stored.id)
        correct_edition(connection, replace(edition, html="new"), "corrected", now)
        renew_shares(connection, stored.id, now, Allotment(), [])
        assert list_deliveries(connection, stored.id) == before
        assert set(list_variants(connection, stored.id)) == {"", "a", "b"}


def test_a_choice_made_just_now_stops_a_correction_too(
    database: Database, edition: Edition, now: datetime, freeze: Callable[..., StoredEdition]
) -> None:
    stored = freeze(*READERS)
    with database.transaction() as connection:
        publish_edition(connection, stored.id, now, allotment=PLAN)
    before = rows_of(database, stored.id)

    def correct() -> None:
        with database.transaction() as connection:
            correct_edition(connection, replace(edition, html="new"), "corrected", now)
            renew_shares(connection, stored.id, now, Allotment(), [])

    with pytest.raises(UnpreparedError):
        correct()
    assert rows_of(database, stored.id) == before


def test_readers_looked_at_by_several_statements_get_one_row_each(
    database: Database, now: datetime, freeze: Callable[..., StoredEdition]
) -> None:
    stored = freeze(*READERS)
    numbers = {"": (0, ""), "a": (1, ""), "a c": (1, ""), "b": (2, ""), "c": (0, "nothing for C")}
    with database.transaction() as connection:
        statements = list(insert_dues(connection, stored.id, Cadence.EACH, now, literal(0), numbers, at_once=2))
        for statement in statements:
            connection.execute(statement)
        found = [row.address.partition("@")[0] for row in list_deliveries(connection, stored.id)]
    assert len(statements) == 3
    assert sorted(found) == sorted(reader.address.partition("@")[0] for reader in READERS)


def test_who_is_due_is_counted_by_choice_and_who_is_paused_apart(database: Database, now: datetime) -> None:
    later = reader("weekly", cadence=Cadence.WEEKLY)
    with database.transaction() as connection:
        add_subscribers(connection, [*READERS, reader("away", "a"), reader("gone", "a"), later], now)
        away, gone = (subscribers.c.address == f"{name}@example.org" for name in ("away", "gone"))
        connection.execute(update(subscribers).where(away).values(paused_until=now + timedelta(days=1)))
        connection.execute(update(subscribers).where(gone).values(state="left", left_at=now))
        counted = count_choices(connection, Cadence.EACH, now)
    assert counted == [
        ("", False, 1),
        ("a", False, 1),
        ("a", True, 1),
        ("a c", False, 1),
        ("b", False, 1),
        ("c", False, 1),
    ]
