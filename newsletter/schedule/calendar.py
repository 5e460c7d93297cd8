"""Which slots there are, and when each is due. Pure.

Owns what a time of day means on the days when clocks change: a time that is skipped is the first minute after the gap,
one that comes twice is the first of both. So a day has one instant for it, and only a day that a zone leaves out
altogether (Samoa's 30 December 2011) has none.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from newsletter.config.times import Timetable
from newsletter.model.edition import EditionKind
from newsletter.model.rollup import Period
from newsletter.model.slot import Plan, Slot, SlotKey, SlotState

AHEAD = timedelta(days=3)
"""How far ahead slots are planned, and their instants fixed."""

BACKLOG = timedelta(days=14)
"""How far back slots are made up for, that came due while nobody was there to plan them."""

_LONGEST_GAP = 2 * 24 * 60
"""Minutes; the longest that clocks were ever put forward at once is a day."""

_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """A publication's timetables, by what is due; what isn't in it never is."""

    zone: ZoneInfo
    timetables: Mapping[EditionKind, Timetable]

    def plan(self, key: SlotKey) -> Plan | None:
        """Return a slot's plan, or None where there is none."""
        timetable = self.timetables.get(key.kind)
        if timetable is None or not timetable.falls_on(key.day):
            return None
        due_at = find_instant(key.day, timetable.at, self.zone)
        return None if due_at is None else Plan(key, due_at, f"{timetable.at:%H:%M}", self.zone.key)

    def between(self, first: date, last: date) -> Iterator[Plan]:
        """Yield the plans of these days, both included, in the order of their instants."""
        keys = [SlotKey(kind, day) for day in _days(first, last) for kind in self.timetables]
        plans = [plan for plan in map(self.plan, keys) if plan]
        yield from sorted(plans, key=lambda plan: (plan.due_at, plan.key.kind))


@dataclass(frozen=True, slots=True)
class Changes:
    """What planning comes to: slots to make, to move to another instant, and to take away."""

    new: tuple[Plan, ...] = ()
    moved: tuple[Plan, ...] = ()
    gone: tuple[SlotKey, ...] = ()


def find_opening(calendar: Calendar, period: Period) -> datetime:
    """Return from when on a week's or a month's roll-up goes out: when it is over, or when its own slot comes before.

    A slot is about the day before it, so one on a Sunday comes before its week is over.
    """
    days = _days(period.first + _DAY, period.last)
    slots = [plan.due_at for day in days if (plan := calendar.plan(SlotKey(period.kind, day)))]
    return slots[0] if slots else find_midnight(period.last + _DAY, calendar.zone)


def find_midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return when a day begins in a zone; for a day that the zone leaves out, when the next one does."""
    return find_instant(day, time.min, zone) or find_midnight(day + _DAY, zone)


@lru_cache(maxsize=4096)
def find_instant(day: date, at: time, zone: ZoneInfo) -> datetime | None:
    """Return when a time of day comes on a day in a zone, in UTC; None for a day that the zone leaves out."""
    start = datetime.combine(day, at)
    locals_ = (start + number * _MINUTE for number in range(_LONGEST_GAP))
    found = next((instant for local in locals_ if (instant := _read_instant(local, zone))), None)
    if found is None:
        return None
    # A gap may reach midnight, and the day has begun before it; or the gap is the whole day.
    around = (found, found - timedelta(microseconds=1))
    return found if day in [instant.astimezone(zone).date() for instant in around] else None


def _read_instant(local: datetime, zone: ZoneInfo) -> datetime | None:
    """Return the first instant at which clocks in a zone show a time, or None if they skip it."""
    instant = local.replace(tzinfo=zone).astimezone(UTC)
    return instant if instant.astimezone(zone).replace(tzinfo=None) == local else None


def decide_plan(calendar: Calendar, known: Iterable[Slot], now: datetime, planned_until: datetime | None) -> Changes:
    """Decide which slots to make, move and take away.

    `known` are the slots from `BACKLOG` before now on. `planned_until` is how far slots were planned last, None before
    the first time: what came due after it, and nobody has planned, is made up for; what came due before was nobody's
    wish then. Only slots that are due and still to come are moved or taken away, and none is moved into the past.
    """
    slots = {slot.key: slot for slot in known}
    since = now if planned_until is None else max(min(planned_until, now), now - BACKLOG)
    first, last = (at.astimezone(calendar.zone).date() for at in (since - _DAY, now + AHEAD + _DAY))
    wanted = [plan for plan in calendar.between(first, last) if since < plan.due_at <= now + AHEAD]
    coming = [slot for slot in slots.values() if slot.state is SlotState.DUE and slot.due_at > now]
    plans = {slot.key: calendar.plan(slot.key) for slot in coming}
    moved = [plan for slot in coming if (plan := plans[slot.key]) and _differs(plan, slot) and plan.due_at > now]
    return Changes(
        new=tuple(plan for plan in wanted if plan.key not in slots),
        moved=tuple(moved),
        gone=tuple(key for key, plan in plans.items() if plan is None),
    )


def _differs(plan: Plan, slot: Slot) -> bool:
    """Return whether a slot was planned by another rule; by the same it keeps its instant, whatever zones become."""
    return (plan.rule, plan.time_zone) != (slot.plan.rule, slot.plan.time_zone)


def _days(first: date, last: date) -> Iterator[date]:
    for number in range((last - first).days + 1):
        yield first + number * _DAY
