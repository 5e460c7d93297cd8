"""Writes slots down ahead of their time, by the timetables in the config.

The commit instant of a plan is its one transaction. Two processes that plan at once make each slot once.
"""

from datetime import datetime
from importlib import resources
from zoneinfo import ZoneInfo

from newsletter.config import Settings
from newsletter.config.times import Timetable
from newsletter.model.edition import EditionKind
from newsletter.schedule.calendar import BACKLOG, Calendar, Changes, decide_plan
from newsletter.store.database import Database
from newsletter.store.marks import load_mark, set_mark
from newsletter.store.slots import load_slots, plan_slots

PLANNED = "planned"
"""The mark under which it is kept how far slots were planned last, and by which timetables."""


def load_calendar(settings: Settings) -> Calendar:
    """Return a publication's calendar."""
    timetables: dict[EditionKind, Timetable | None] = {
        EditionKind.ISSUE: settings.schedule.timetable,
        EditionKind.WEEKLY: settings.rollups.weekly_timetable,
        EditionKind.MONTHLY: settings.rollups.monthly_timetable,
    }
    zone = load_zone(settings.publication.time_zone)
    return Calendar(zone, {kind: timetable for kind, timetable in timetables.items() if timetable})


def load_zone(name: str) -> ZoneInfo:
    """Return a zone from the data that this program is installed with, the same on every machine; else the system's."""
    path = resources.files("tzdata").joinpath("zoneinfo", *name.split("/"))
    if not path.is_file():
        return ZoneInfo(name)
    with path.open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def plan(database: Database, calendar: Calendar, now: datetime) -> Changes:
    """Make the slots of the coming days, and bring those that are still to come in line with the config."""
    rules = describe_calendar(calendar)
    with database.transaction() as connection:
        mark = load_mark(connection, PLANNED)
        # What other timetables would have had, nobody has missed.
        since = mark.at if mark and mark.text == rules else None
        changes = decide_plan(calendar, load_slots(connection, now - BACKLOG), now, since)
        plan_slots(connection, changes.new, changes.moved, changes.gone, now)
        set_mark(connection, PLANNED, now, rules)
    return changes


def describe_calendar(calendar: Calendar) -> str:
    """Return text that is another one whenever the timetables are."""
    parts = [calendar.zone.key]
    for kind, table in sorted(calendar.timetables.items()):
        days = (sorted(table.weekdays), sorted(table.days), sorted(table.months), table.either)
        parts.append(f"{kind} {table.at:%H:%M} {days}")
    return "; ".join(parts)
