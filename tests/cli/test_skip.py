"""A day is put down on the command line, and taken up again."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from newsletter.model.edition import EditionKind
from newsletter.model.slot import Plan, Slot, SlotKey, SlotState, Why
from newsletter.store.database import read_clock
from newsletter.store.editions import freeze_edition
from newsletter.store.slots import adopt_slot, find_slot, plan_slots, settle_slot
from tests.cli.conftest import Office
from tests.schedule.desks import an_edition

DAY = date(2024, 5, 25)
KEY = SlotKey(EditionKind.ISSUE, DAY)
DUE = datetime(2024, 5, 25, 5, 30, tzinfo=UTC)


@pytest.fixture
def held(office: Office) -> Office:
    """A publication whose day is held as too late."""
    plan(office, KEY, DUE)
    with office.database.transaction() as connection:
        settle_slot(connection, load(office), SlotState.HELD, Why.LATE, "", DUE + timedelta(hours=4))
    return office


def plan(office: Office, key: SlotKey, due_at: datetime) -> None:
    with office.database.transaction() as connection:
        plan_slots(connection, [Plan(key, due_at, "07:30", "Europe/Berlin")], (), (), due_at - timedelta(days=1))


def load(office: Office, key: SlotKey = KEY) -> Slot:
    with office.database.read() as connection:
        slot = find_slot(connection, key)
    assert slot is not None
    return slot


def test_a_held_day_is_put_down_and_needs_nobody_any_more(held: Office) -> None:
    way_out = "→ newsletter publish 2024-05-25, or let it be: newsletter skip 2024-05-25"
    assert way_out in held.run("status")
    said = held.run("skip", "2024-05-25", "--reason", "a holiday")
    assert said == "2024-05-25 is skipped: nobody is mailed. To send it after all: newsletter publish 2024-05-25\n"
    assert (load(held).state, load(held).detail) == (SlotState.SKIPPED, "a holiday")
    assert "needs you" not in held.run("status")
    assert held.run("skip", "2024-05-25") == "2024-05-25 was skipped already: an operator said so.\n"


def test_it_is_taken_up_again(held: Office) -> None:
    assert held.run("skip", "2024-05-25", "--undo") == "2024-05-25 wasn't skipped: it is held.\n"
    held.run("skip", "2024-05-25")
    Path("config.toml").write_text('[publication]\ntime_zone = "Europe/Berlin"\n')
    assert held.run("skip", "2024-05-25", "--undo") == "2024-05-25 is due again, at 2024-05-25 07:30 CEST.\n"
    assert load(held).state is SlotState.DUE


def test_machines_are_told_what_changed(held: Office) -> None:
    told = held.read("skip", "2024-05-25")
    assert (told["day"], told["before"], told["state"], told["changed"]) == ("2024-05-25", "held", "skipped", True)
    assert held.read("skip", "2024-05-25")["changed"] is False


def test_a_page_that_is_there_already_is_said(held: Office) -> None:
    with held.database.transaction() as connection:
        freeze_edition(connection, an_edition("2024-05-25", DAY), "source", DUE)
    assert "Its page is on the site already" in held.run("skip", "2024-05-25")


def test_a_roll_up_is_put_down_by_its_kind(office: Office) -> None:
    key = SlotKey(EditionKind.WEEKLY, date(2024, 5, 26))
    plan(office, key, DUE + timedelta(days=1))
    assert "No slot 2024-05-26 is planned." in office.run("skip", "2024-05-26", code=1)
    said = office.run("skip", "2024-05-26", "--kind", "weekly")
    assert said.endswith("To send it after all: newsletter rollup weekly 2024-05-25\n")
    assert load(office, key).state is SlotState.SKIPPED


def test_a_day_to_come_is_put_down_before_its_time(office: Office) -> None:
    (Path() / "config.toml").write_text('[schedule]\nat = "07:30"\n')
    now = read_clock()
    day = (now + timedelta(days=1)).date()
    plan(office, SlotKey(EditionKind.ISSUE, day), now + timedelta(hours=20))
    office.run("skip", "tomorrow")
    assert f"slot       {day}  skipped, operator" in office.run("status")


def test_what_is_published_and_what_is_no_date_can_not_be_put_down(office: Office) -> None:
    plan(office, KEY, DUE)
    number = office.publish(2)
    with office.database.transaction() as connection:
        adopt_slot(connection, load(office), number, DUE)
    assert "is published. To end it for whoever still waits: newsletter cancel" in office.run(
        "skip", "2024-05-25", code=1
    )
    assert "is not a date" in office.run("skip", "25.5.", code=2)
