"""Slots on both engines: planned once, decided once, published together with the edition or not at all."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from threading import Barrier

import pytest
from sqlalchemy import Connection, update
from sqlalchemy.exc import IntegrityError

from newsletter.errors import NewsletterError, NotFoundError
from newsletter.model.edition import EditionKind
from newsletter.model.slot import Plan, Slot, SlotChange, SlotKey, SlotState, Why
from newsletter.store.database import Database
from newsletter.store.editions import StoredEdition
from newsletter.store.marks import load_mark, load_marks, set_mark
from newsletter.store.schema import slots
from newsletter.store.slots import (
    adopt_slot,
    claim_slot,
    find_slot,
    give_back_slot,
    list_open_slots,
    list_unreported_slots,
    load_slots,
    note_report,
    note_telling,
    note_warning,
    plan_slots,
    publish_slot,
    reopen_slot,
    settle_slot,
    skip_slot,
    unskip_slot,
)

DUE = datetime(2024, 5, 25, 5, 30, tzinfo=UTC)
EVE = DUE - timedelta(days=1)
LEASE = timedelta(minutes=5)
KEY = SlotKey(EditionKind.ISSUE, date(2024, 5, 25))
PLAN = Plan(KEY, DUE, "07:30", "Europe/Berlin")


def nobody(_owner: str) -> bool:
    return False


def plan(database: Database, *plans: Plan, now: datetime = EVE) -> Slot:
    with database.transaction() as connection:
        plan_slots(connection, plans or (PLAN,), (), (), now)
    return load(database)


def load(database: Database, key: SlotKey = KEY) -> Slot:
    with database.read() as connection:
        found = find_slot(connection, key)
    assert found is not None
    return found


def within(database: Database, act: Callable[[Connection], bool]) -> bool:
    with database.transaction() as connection:
        return act(connection)


def claim(database: Database, owner: str, now: datetime = DUE, is_dead: Callable[[str], bool] = nobody) -> bool:
    return within(database, lambda c: claim_slot(c, load(database), owner, now + LEASE, now, is_dead))


def settle(database: Database, slot: Slot, state: SlotState, why: Why, now: datetime = DUE) -> bool:
    return within(database, lambda c: settle_slot(c, slot, state, why, "because", now))


def test_a_slot_is_kept_as_it_was_planned(database: Database) -> None:
    assert plan(database) == Slot(PLAN, SlotState.DUE)


def test_what_another_process_planned_first_stands(database: Database) -> None:
    plan(database)
    other = replace(PLAN, due_at=DUE + timedelta(hours=1), rule="08:30")
    assert plan(database, other).plan == PLAN


def test_slots_come_in_the_order_of_their_times(database: Database) -> None:
    weekly = Plan(SlotKey(EditionKind.WEEKLY, KEY.day), DUE - timedelta(hours=1), "06:30", "Europe/Berlin")
    plan(database, PLAN, weekly)
    with database.read() as connection:
        assert [slot.plan for slot in list_open_slots(connection)] == [weekly, PLAN]


def test_only_what_is_due_and_to_come_can_be_moved_or_taken_away(database: Database) -> None:
    plan(database)
    moved = replace(PLAN, due_at=DUE + timedelta(hours=2), rule="09:30")
    with database.transaction() as connection:
        plan_slots(connection, (), (moved,), (KEY,), DUE)  # its time has come
    assert load(database).plan == PLAN
    with database.transaction() as connection:
        plan_slots(connection, (), (moved,), (), EVE)
    assert load(database).plan == moved
    with database.transaction() as connection:
        plan_slots(connection, (), (), (KEY,), EVE)
        assert find_slot(connection, KEY) is None


def test_a_slot_is_settled_once(database: Database) -> None:
    slot = plan(database)
    assert settle(database, slot, SlotState.SKIPPED, Why.NO_ISSUE)
    assert not settle(database, slot, SlotState.MISSED, Why.LATE)
    settled = load(database)
    assert (settled.state, settled.why, settled.detail) == (SlotState.SKIPPED, Why.NO_ISSUE, "because")
    assert settled.decided_at == DUE
    assert not claim(database, "one")


def test_of_two_who_claim_one_gets_it_until_he_dies_or_is_too_slow(database: Database) -> None:
    plan(database)
    assert claim(database, "one")
    assert claim(database, "one")
    assert not claim(database, "two")
    assert claim(database, "two", is_dead=lambda owner: owner == "one")
    assert not claim(database, "one", DUE + LEASE - timedelta(seconds=1))
    assert claim(database, "one", DUE + LEASE)


def test_nobody_settles_a_slot_that_is_being_published(database: Database) -> None:
    plan(database)
    claim(database, "one")
    held = load(database)
    assert not settle(database, held, SlotState.HELD, Why.ERRORS)
    assert settle(database, held, SlotState.HELD, Why.ERRORS, DUE + LEASE)


def test_only_who_has_claimed_it_publishes(database: Database, publish: Callable[..., StoredEdition]) -> None:
    edition = publish(2)
    plan(database)
    claim(database, "one")
    assert not within(database, lambda c: publish_slot(c, KEY, edition.id, DUE, "two"))
    assert within(database, lambda c: publish_slot(c, KEY, edition.id, DUE, "one"))
    published = load(database)
    assert (published.state, published.edition_id, published.decided_at) == (SlotState.PUBLISHED, edition.id, DUE)
    assert (published.owner, published.lease_until) == (None, None)
    assert not within(database, lambda c: publish_slot(c, KEY, edition.id, DUE, "one"))


def test_a_published_slot_never_changes_again(database: Database, publish: Callable[..., StoredEdition]) -> None:
    edition = publish(2)
    plan(database)
    claim(database, "one")
    within(database, lambda c: publish_slot(c, KEY, edition.id, DUE, "one"))
    slot = load(database)
    for change in (
        lambda c: settle_slot(c, slot, SlotState.MISSED, Why.LATE, "", DUE),
        lambda c: reopen_slot(c, slot, DUE),
        lambda c: adopt_slot(c, slot, edition.id + 1, DUE),
        lambda c: give_back_slot(c, KEY, "one", SlotState.HELD, Why.TROUBLE, "", DUE),
        lambda c: claim_slot(c, slot, "one", DUE + LEASE, DUE, nobody),
        lambda c: note_warning(c, slot, DUE),
    ):
        assert not within(database, change)
    with database.transaction() as connection:
        plan_slots(connection, (PLAN,), (replace(PLAN, rule="1:00"),), (KEY,), EVE)
    assert load(database) == slot


def test_one_who_could_not_publish_gives_it_back_held(database: Database) -> None:
    plan(database)
    claim(database, "one")
    trouble = (SlotState.HELD, Why.TROUBLE, "no room", DUE)
    assert not within(database, lambda c: give_back_slot(c, KEY, "two", *trouble))
    assert within(database, lambda c: give_back_slot(c, KEY, "one", *trouble))
    slot = load(database)
    assert (slot.state, slot.why, slot.detail, slot.owner) == (SlotState.HELD, Why.TROUBLE, "no room", None)
    assert claim(database, "two")


def test_what_was_published_by_hand_is_adopted(database: Database, publish: Callable[..., StoredEdition]) -> None:
    edition = publish(0)
    slot = plan(database)
    assert within(database, lambda c: adopt_slot(c, slot, edition.id, EVE))
    assert load(database).edition_id == edition.id


def test_what_was_given_up_is_opened_again_as_new(database: Database) -> None:
    slot = plan(database)
    settle(database, slot, SlotState.MISSED, Why.LATE)
    assert not within(database, lambda c: reopen_slot(c, slot, DUE))  # it was read before it was given up
    assert within(database, lambda c: reopen_slot(c, load(database), DUE))
    assert load(database) == slot


def test_the_editor_is_warned_told_and_reported_to_once(
    database: Database, publish: Callable[..., StoredEdition]
) -> None:
    edition = publish(1)
    slot = plan(database)
    assert within(database, lambda c: note_warning(c, slot, EVE))
    assert not within(database, lambda c: note_warning(c, slot, EVE))
    settle(database, load(database), SlotState.HELD, Why.ERRORS)
    held = load(database)
    assert within(database, lambda c: note_telling(c, held, "digest", DUE))
    assert not within(database, lambda c: note_telling(c, held, "digest", DUE))
    assert (load(database).told, load(database).told_at) == ("digest", DUE)
    assert not within(database, lambda c: note_report(c, held, DUE))
    claim(database, "one")
    within(database, lambda c: publish_slot(c, KEY, edition.id, DUE, "one"))
    with database.read() as connection:
        (unreported,) = list_unreported_slots(connection)
    assert within(database, lambda c: note_report(c, unreported, DUE))
    assert not within(database, lambda c: note_report(c, unreported, DUE))
    with database.read() as connection:
        assert list_unreported_slots(connection) == []
        assert list_open_slots(connection) == []
        assert load_slots(connection, DUE) == [load(database)]
        assert load_slots(connection, DUE + timedelta(seconds=1)) == []


def skip(database: Database, now: datetime = DUE, reason: str = "") -> SlotChange:
    with database.transaction() as connection:
        return skip_slot(connection, KEY, now, reason)


@pytest.mark.parametrize("state", [SlotState.DUE, SlotState.HELD, SlotState.MISSED])
def test_an_operator_puts_down_whatever_is_not_published(database: Database, state: SlotState) -> None:
    before = plan(database)
    if state is not SlotState.DUE:
        settle(database, before, state, Why.LATE)
    assert skip(database, reason="a holiday\0").changed
    slot = load(database)
    assert (slot.state, slot.why, slot.detail) == (SlotState.SKIPPED, Why.OPERATOR, "a holiday")
    again = skip(database, DUE + LEASE, "another reason")
    assert (again.changed, load(database)) == (False, slot)


def test_who_is_about_to_publish_what_was_put_down_publishes_nothing(
    database: Database, publish: Callable[..., StoredEdition]
) -> None:
    edition = publish(1)
    plan(database)
    claim(database, "one")
    skip(database)
    assert not within(database, lambda c: publish_slot(c, KEY, edition.id, DUE, "one"))
    assert not within(database, lambda c: give_back_slot(c, KEY, "one", SlotState.HELD, Why.TROUBLE, "", DUE))
    assert load(database).state is SlotState.SKIPPED


def test_what_is_published_or_was_never_planned_can_not_be_put_down(
    database: Database, publish: Callable[..., StoredEdition]
) -> None:
    with pytest.raises(NotFoundError, match="No slot 2024-05-25 is planned"):
        skip(database)
    edition = publish(1)
    plan(database)
    claim(database, "one")
    within(database, lambda c: publish_slot(c, KEY, edition.id, DUE, "one"))
    with pytest.raises(NewsletterError, match=r"To end it .* newsletter cancel 2024-05-25$"):
        skip(database)
    with (
        pytest.raises(NewsletterError, match="is published, and by no operator"),
        database.transaction() as c,
    ):
        unskip_slot(c, KEY, DUE)


def test_of_a_skip_and_a_publish_at_one_moment_the_ledger_takes_one(
    database: Database, publish: Callable[..., StoredEdition]
) -> None:
    """Both hold their transactions open as long as they can; whoever comes second finds what the first has done."""
    edition = publish(1)
    plan(database)
    claim(database, "one")
    both = Barrier(2)

    def publish_it() -> bool:
        both.wait()
        return within(database, lambda c: publish_slot(c, KEY, edition.id, DUE, "one"))

    def skip_it() -> bool:
        both.wait()
        try:
            return skip(database).changed
        except NewsletterError:
            return False

    with ThreadPoolExecutor(2) as pool:
        published, skipped = (task.result() for task in (pool.submit(publish_it), pool.submit(skip_it)))
    assert published != skipped
    assert load(database).state is (SlotState.PUBLISHED if published else SlotState.SKIPPED)


def test_what_an_operator_put_down_can_be_taken_up_again(database: Database) -> None:
    before = plan(database)
    skip(database)
    with database.transaction() as connection:
        assert unskip_slot(connection, KEY, DUE).changed
    assert load(database) == before
    with database.transaction() as connection:
        assert not unskip_slot(connection, KEY, DUE).changed
    settle(database, before, SlotState.SKIPPED, Why.NO_ISSUE)
    with pytest.raises(NewsletterError, match="nothing to undo"), database.transaction() as connection:
        unskip_slot(connection, KEY, DUE)


@pytest.mark.parametrize(
    "values",
    [
        {"state": "lost"},
        {"kind": "daily"},
        {"state": "published", "decided_at": DUE},
        {"state": "skipped", "decided_at": DUE},
        {"state": "skipped", "why": "no issue"},
        {"why": "late"},
        {"why": "whim", "state": "held", "decided_at": DUE},
        {"decided_at": DUE},
        {"owner": "one"},
        {"lease_until": DUE},
        {"owner": "one", "lease_until": DUE, "state": "missed", "why": "late", "decided_at": DUE},
        {"reported_at": DUE},
        {"edition_id": 9},
    ],
)
def test_a_slot_in_a_state_without_sense_is_refused(database: Database, values: dict[str, object]) -> None:
    plan(database)
    with pytest.raises(IntegrityError), database.transaction() as connection:
        connection.execute(update(slots).values(values))


def test_marks_are_kept_by_their_keys(database: Database) -> None:
    with database.transaction() as connection:
        set_mark(connection, "tick:plan", EVE)
        set_mark(connection, "tick:plan", DUE, "07:30")
        set_mark(connection, "tock", EVE)
        mark = load_mark(connection, "tick:plan")
        assert mark is not None
        assert (mark.at, mark.text) == (DUE, "07:30")
        assert load_mark(connection, "tick") is None
        assert list(load_marks(connection, "tick:")) == ["tick:plan"]
