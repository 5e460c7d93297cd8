"""When slots are due: on clock changes, leap days, days that a zone leaves out; and what planning changes."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.config.times import Timetable, parse_cron, parse_monthly, parse_weekly
from newsletter.model.edition import EditionKind
from newsletter.model.rollup import period_of
from newsletter.model.slot import Plan, Slot, SlotKey, SlotState, Why
from newsletter.schedule.calendar import (
    AHEAD,
    BACKLOG,
    Calendar,
    Changes,
    decide_plan,
    find_instant,
    find_midnight,
    find_opening,
)

BERLIN = ZoneInfo("Europe/Berlin")
DAILY = Calendar(BERLIN, {EditionKind.ISSUE: Timetable(time(7, 30))})
NOON = datetime(2024, 5, 20, 12, tzinfo=UTC)  # a Monday


def due(day: str, at: str, zone: str) -> str:
    instant = find_instant(date.fromisoformat(day), time.fromisoformat(at), ZoneInfo(zone))
    return f"{instant:%Y-%m-%d %H:%M}" if instant else ""


@pytest.mark.parametrize(
    ("day", "at", "zone", "instant"),
    [
        ("2024-05-25", "07:30", "Europe/Berlin", "2024-05-25 05:30"),
        ("2024-02-29", "07:30", "Europe/Berlin", "2024-02-29 06:30"),
        # The hour from 2 to 3 is skipped: the next valid minute is 3:00.
        ("2024-03-31", "02:30", "Europe/Berlin", "2024-03-31 01:00"),
        ("2024-03-31", "01:59", "Europe/Berlin", "2024-03-31 00:59"),
        ("2024-03-31", "03:00", "Europe/Berlin", "2024-03-31 01:00"),
        # The hour from 2 to 3 comes twice: the first of both.
        ("2024-10-27", "02:30", "Europe/Berlin", "2024-10-27 00:30"),
        ("2024-10-27", "03:00", "Europe/Berlin", "2024-10-27 02:00"),
        ("2024-03-10", "02:30", "America/New_York", "2024-03-10 07:00"),
        ("2024-11-03", "01:30", "America/New_York", "2024-11-03 05:30"),
        # Half an hour only.
        ("2024-10-06", "02:15", "Australia/Lord_Howe", "2024-10-05 15:30"),
        ("2024-04-07", "01:45", "Australia/Lord_Howe", "2024-04-06 14:45"),
        # The day begins at 1:00.
        ("2024-04-26", "00:00", "Africa/Cairo", "2024-04-25 22:00"),
        ("2024-09-08", "00:30", "America/Santiago", "2024-09-08 04:00"),
        # The last hour of a day is skipped.
        ("2024-03-30", "23:30", "America/Nuuk", "2024-03-31 01:00"),
        # Quarter of an hour off.
        ("2024-05-25", "07:30", "Asia/Kathmandu", "2024-05-25 01:45"),
        # Samoa went over the date line and had no 30 December.
        ("2011-12-30", "07:30", "Pacific/Apia", ""),
        ("2011-12-29", "23:59", "Pacific/Apia", "2011-12-30 09:59"),
        ("2011-12-31", "00:00", "Pacific/Apia", "2011-12-30 10:00"),
    ],
)
def test_a_time_of_day_is_one_instant(day: str, at: str, zone: str, instant: str) -> None:
    assert due(day, at, zone) == instant


@given(
    st.dates(date(2020, 1, 1), date(2036, 12, 31)),
    st.times(),
    st.sampled_from(sorted(available_timezones())),
)
def test_in_every_zone_an_instant_belongs_to_its_day_or_is_the_end_of_a_gap(day: date, at: time, name: str) -> None:
    at, zone = at.replace(second=0, microsecond=0, fold=0), ZoneInfo(name)
    instant = find_instant(day, at, zone)
    assert instant is not None  # no zone has left out a day since 2011
    local = instant.astimezone(zone).replace(tzinfo=None)
    assert local >= datetime.combine(day, at)
    if local != datetime.combine(day, at):  # then the time is skipped: right before, clocks showed less
        before = (instant - timedelta(microseconds=1)).astimezone(zone).replace(tzinfo=None)
        assert before < datetime.combine(day, at)


@settings(deadline=None)
@given(st.times(), st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]))
def test_the_instants_of_a_year_are_in_order_and_a_day_apart(at: time, name: str) -> None:
    at, zone = at.replace(second=0, microsecond=0, fold=0), ZoneInfo(name)
    days = [date(2024, 1, 1) + timedelta(days=number) for number in range(366)]
    instants = [instant for day in days if (instant := find_instant(day, at, zone))]
    assert len(instants) == 366
    steps = {later - earlier for earlier, later in pairwise(instants)}
    assert all(timedelta(hours=22) < step < timedelta(hours=26) for step in steps)


def plans(changes: Changes) -> list[str]:
    return [str(plan.key) for plan in changes.new]


def slot(plan: Plan, state: SlotState = SlotState.DUE) -> Slot:
    why = Why.NONE if state in (SlotState.DUE, SlotState.PUBLISHED) else Why.LATE
    return Slot(plan, state, why)


def planned(calendar: Calendar, now: datetime = NOON) -> list[Slot]:
    return [slot(plan) for plan in decide_plan(calendar, [], now, None).new]


def test_at_first_only_what_is_still_to_come_is_planned() -> None:
    changes = decide_plan(DAILY, [], NOON, None)
    assert plans(changes) == ["2024-05-21", "2024-05-22", "2024-05-23"]
    assert changes.new[0] == Plan(
        SlotKey(EditionKind.ISSUE, date(2024, 5, 21)),
        datetime(2024, 5, 21, 5, 30, tzinfo=UTC),
        "07:30",
        "Europe/Berlin",
    )


def test_what_is_planned_is_not_planned_again() -> None:
    assert decide_plan(DAILY, planned(DAILY), NOON, NOON) == Changes()
    assert plans(decide_plan(DAILY, planned(DAILY), NOON + timedelta(days=1), NOON)) == ["2024-05-24"]


def test_what_came_due_while_nobody_planned_is_made_up_for() -> None:
    asleep = NOON + timedelta(days=6)
    made = plans(decide_plan(DAILY, planned(DAILY), asleep, NOON))
    assert made == ["2024-05-24", "2024-05-25", "2024-05-26", "2024-05-27", "2024-05-28", "2024-05-29"]


def test_what_came_due_long_ago_is_not() -> None:
    later = NOON + timedelta(days=100)
    made = decide_plan(DAILY, planned(DAILY), later, NOON).new
    assert min(plan.due_at for plan in made) > later - BACKLOG
    assert len(made) == BACKLOG.days + AHEAD.days


def test_a_clock_that_was_a_year_ahead_when_planning_hinders_nothing() -> None:
    wrong = NOON + timedelta(days=365)
    slots = [*planned(DAILY), *planned(DAILY, wrong)]
    assert decide_plan(DAILY, slots, NOON, wrong) == Changes()
    assert plans(decide_plan(DAILY, slots, NOON + timedelta(days=1), wrong)) == ["2024-05-24"]


def test_another_time_moves_what_is_to_come_but_not_into_the_past() -> None:
    morning = datetime(2024, 5, 21, 4, tzinfo=UTC)  # 6:00 in Berlin
    slots = planned(DAILY)
    later = Calendar(BERLIN, {EditionKind.ISSUE: Timetable(time(9))})
    assert [plan.key.day.day for plan in decide_plan(later, slots, morning, NOON).moved] == [21, 22, 23]
    earlier = Calendar(BERLIN, {EditionKind.ISSUE: Timetable(time(5))})
    assert [plan.key.day.day for plan in decide_plan(earlier, slots, morning, NOON).moved] == [22, 23]


def test_only_what_is_due_and_to_come_is_moved_or_taken_away() -> None:
    slots = planned(DAILY)
    now = slots[1].due_at
    slots[2] = slot(slots[2].plan, SlotState.PUBLISHED)
    other = Calendar(BERLIN, {EditionKind.ISSUE: Timetable(time(9))})
    assert decide_plan(other, slots, now, NOON).moved == ()
    assert decide_plan(Calendar(BERLIN, {}), slots, now, NOON) == Changes()


def test_days_that_the_schedule_no_longer_has_are_taken_away() -> None:
    weekend = Calendar(BERLIN, {EditionKind.ISSUE: parse_cron("30 7 * * sat,sun")})
    changes = decide_plan(weekend, planned(DAILY), NOON, NOON)
    assert [key.day.day for key in changes.gone] == [21, 22, 23]
    assert (changes.new, changes.moved) == ((), ())


def test_the_instant_of_a_planned_slot_is_fixed_whatever_becomes_of_its_zone() -> None:
    """A government changes the clocks, and the new zone data come after the slot was planned."""
    first, *rest = planned(DAILY)
    old = slot(replace(first.plan, due_at=first.due_at + timedelta(hours=1)))
    assert decide_plan(DAILY, [old, *rest], NOON, NOON) == Changes()


def test_rollups_have_days_of_their_own() -> None:
    calendar = Calendar(
        BERLIN,
        {
            EditionKind.ISSUE: Timetable(time(7, 30)),
            EditionKind.WEEKLY: Timetable(time(9), weekdays=frozenset({6})),
            EditionKind.MONTHLY: Timetable(time(9), days=frozenset({1})),
        },
    )
    found = [str(plan.key) for plan in calendar.between(date(2024, 5, 31), date(2024, 6, 2))]
    assert found == ["2024-05-31", "2024-06-01", "monthly 2024-06-01", "2024-06-02", "weekly 2024-06-02"]


@pytest.mark.parametrize(
    ("weekly", "instant"),
    [
        ("", "2024-05-26 22:00"),  # Monday, when it begins there
        ("mon 09:00", "2024-05-26 22:00"),  # it is over, whatever its own time is
        ("sun 09:00", "2024-05-26 07:00"),
        ("wed 09:00", "2024-05-22 07:00"),
    ],
)
def test_a_week_goes_out_when_it_is_over_or_at_its_own_time_before(weekly: str, instant: str) -> None:
    calendar = Calendar(BERLIN, {EditionKind.WEEKLY: parse_weekly(weekly)} if weekly else {})
    opening = find_opening(calendar, period_of(EditionKind.WEEKLY, date(2024, 5, 25)))
    assert f"{opening:%Y-%m-%d %H:%M}" == instant


@pytest.mark.parametrize(
    ("monthly", "instant"),
    [("1 09:00", "2024-02-29 23:00"), ("last 09:00", "2024-02-29 08:00"), ("28 09:00", "2024-02-28 08:00")],
)
def test_a_month_does_too(monthly: str, instant: str) -> None:
    calendar = Calendar(BERLIN, {EditionKind.MONTHLY: parse_monthly(monthly)})
    opening = find_opening(calendar, period_of(EditionKind.MONTHLY, date(2024, 2, 5)))
    assert f"{opening:%Y-%m-%d %H:%M}" == instant


def test_a_day_that_a_zone_leaves_out_begins_with_the_next() -> None:
    apia = ZoneInfo("Pacific/Apia")
    assert find_midnight(date(2011, 12, 30), apia) == find_midnight(date(2011, 12, 31), apia)
