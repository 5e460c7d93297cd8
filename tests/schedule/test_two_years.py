"""Two years of mornings in five zones, with clocks that change, machines that sleep, and a leap day."""

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest

from newsletter.config import Schedule
from newsletter.config.times import Timetable
from newsletter.model.edition import EditionKind
from newsletter.model.slot import Slot, SlotKey, SlotState, Why
from newsletter.schedule.calendar import BACKLOG, Calendar, decide_plan
from newsletter.schedule.planning import plan
from newsletter.schedule.policy import Publish, Ready, Reopen, Settle, decide_slot, needs_findings
from newsletter.store.database import Database
from tests.schedule.desks import Office, live_through

FIRST, LAST = date(2023, 7, 1), date(2025, 6, 30)
ZONES = [
    ("Europe/Berlin", time(2, 30)),  # in the hour that is skipped in spring and comes twice in autumn
    ("America/New_York", time(1, 30)),
    ("Australia/Lord_Howe", time(2, 15)),  # half an hour
    ("America/Santiago", time(0, 30)),  # the day begins at one
    ("Asia/Kathmandu", time(7, 30)),  # none
]
HOUR = timedelta(hours=1)
RULES = Schedule(at="07:30")


@dataclass
class Diary:
    """The ledger's slots in memory, decided by the real policy; every due day has an issue."""

    calendar: Calendar
    slots: dict[SlotKey, Slot] = field(default_factory=dict)
    planned_until: datetime | None = None
    sent: list[tuple[SlotKey, datetime]] = field(default_factory=list)

    def tick(self, now: datetime) -> None:
        newest_first = takewhile(lambda slot: slot.due_at >= now - BACKLOG, reversed(self.slots.values()))
        recent = {slot.key: slot for slot in newest_first}
        changes = decide_plan(self.calendar, recent.values(), now, self.planned_until)
        self.planned_until = now
        for new in (*changes.new, *changes.moved):
            self.slots[new.key] = recent[new.key] = Slot(new, SlotState.DUE)
        if changes.new or changes.moved:
            self.slots = dict(sorted(self.slots.items(), key=lambda item: item[1].due_at))
        for slot in recent.values():
            self.decide(slot, now)

    def decide(self, slot: Slot, now: datetime) -> None:
        found = Ready() if needs_findings(slot, now) else None
        decision = decide_slot(slot, found, RULES, now, planned=True)
        if isinstance(decision, Publish):
            self.sent.append((slot.key, now))
            slot = replace(slot, state=SlotState.PUBLISHED)
        elif isinstance(decision, Settle):
            slot = replace(slot, state=decision.state, why=decision.why)
        elif isinstance(decision, Reopen):
            slot = replace(slot, state=SlotState.DUE, why=Why.NONE)
        self.slots[slot.key] = slot


def days() -> list[date]:
    return [FIRST + timedelta(days=number) for number in range((LAST - FIRST).days + 1)]


@pytest.mark.parametrize(("name", "at"), ZONES, ids=[name for name, _ in ZONES])
def test_there_is_exactly_one_send_for_each_due_day(name: str, at: time) -> None:
    zone, chance = ZoneInfo(name), random.Random(name)  # noqa: S311 - a simulation
    diary = Diary(Calendar(zone, {EditionKind.ISSUE: Timetable(at)}))
    now = datetime.combine(FIRST, time(), UTC) - timedelta(days=1)
    end = datetime.combine(LAST, time(), UTC) + timedelta(days=2)
    while now < end:
        diary.tick(now)
        slip = chance.random()
        if slip < 0.01:  # the clock was wrong for a moment, by up to a day in either direction
            diary.tick(now + timedelta(minutes=chance.randint(-1440, 0)))
        now += timedelta(minutes=chance.randint(60, 170))  # less than the grace
    due = [key for key in diary.slots if FIRST <= key.day <= LAST]
    assert [key.day for key in due] == days()
    counts = Counter(key.day for key, _ in diary.sent)
    assert all(counts[day] == 1 for day in days())
    assert max(counts.values()) == 1
    assert date(2024, 2, 29) in counts
    for key, sent_at in diary.sent:
        due_at = diary.slots[key].due_at
        assert due_at <= sent_at <= due_at + timedelta(hours=3)
        assert timedelta() <= due_at.astimezone(zone).replace(tzinfo=None) - datetime.combine(key.day, at) < HOUR


@pytest.mark.parametrize(("name", "at"), ZONES, ids=[name for name, _ in ZONES])
def test_looking_every_minute_it_is_sent_at_the_minute(name: str, at: time) -> None:
    """On the days around each clock change of two years."""
    zone = ZoneInfo(name)
    changes = list_clock_changes(zone)
    assert len(changes) == (0 if name == "Asia/Kathmandu" else 4)
    for change in changes:
        diary = Diary(Calendar(zone, {EditionKind.ISSUE: Timetable(at)}))
        now = datetime.combine(change, time(), UTC) - timedelta(days=1)
        for _ in range(3 * 24 * 60):
            diary.tick(now) if now.minute % 5 == 0 or _is_due(diary, now) else None
            now += timedelta(minutes=1)
        sent = {key.day: sent_at for key, sent_at in diary.sent}
        assert len(diary.sent) == len(sent) >= 3
        for day, sent_at in sent.items():
            assert sent_at == diary.slots[SlotKey(EditionKind.ISSUE, day)].due_at


def list_clock_changes(zone: ZoneInfo) -> list[date]:
    """Return the days of these two years on which clocks change."""
    return [day for day in days() if _offset(day, zone) != _offset(day + timedelta(days=1), zone)]


def _offset(day: date, zone: ZoneInfo) -> timedelta | None:
    return datetime.combine(day, time(), zone).utcoffset()


def _is_due(diary: Diary, now: datetime) -> bool:
    return any(slot.open and slot.due_at <= now for slot in diary.slots.values())


def test_with_clocks_that_jump_for_two_years_nothing_is_ever_sent_twice() -> None:
    chance = random.Random(1)  # noqa: S311 - a simulation
    diary = Diary(Calendar(ZoneInfo("Europe/Berlin"), {EditionKind.ISSUE: Timetable(time(7, 30))}))
    now = datetime.combine(FIRST, time(), UTC)
    for _ in range(4000):
        diary.tick(now)
        now += timedelta(minutes=chance.randint(-4000, 4600))
    counts = Counter(key for key, _ in diary.sent)
    assert len(counts) > 30
    assert set(counts.values()) == {1}


@pytest.mark.parametrize(("name", "at"), ZONES, ids=[name for name, _ in ZONES])
def test_on_a_real_ledger_with_two_schedulers(database: Database, name: str, at: time) -> None:
    """On the days around each clock change, the leap day, and the turns of the years; `benchmarks/two_years.py`
    goes through all of them."""
    zone, office = ZoneInfo(name), Office(database, name, at)
    expected: list[date] = []
    for change in [*list_clock_changes(zone), date(2024, 2, 29), date(2023, 12, 31)]:
        window = [change + timedelta(days=number) for number in (-1, 0, 1)]
        live_through(office, window)
        expected += window
        plan(database, Calendar(zone, {}), office.now)  # nobody has missed what is between
    assert [key.day for key in office.sent] == expected
    assert set(office.sent.values()) == {1}
    assert office.mails() == []
