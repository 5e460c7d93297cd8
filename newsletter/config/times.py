"""When something is due, as a config says it: a time of day, a cron line, a day of the week or of the month. Pure.

Owns what the words mean. Weekdays of a cron line count as in crontab(5), 0 and 7 being Sunday. Refuses a line that
comes more than once a day: there is one issue.
"""

import re
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Final

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
LAST: Final = 32
"""Stands for a month's last day among the days of a month."""

_ALL_DAYS, _ALL_MONTHS, _ALL_WEEKDAYS = frozenset(range(1, 32)), frozenset(range(1, 13)), frozenset(range(7))
_LONGEST: Final = 100
_EXAMPLE: Final = 'write it like "30 7 * * mon-fri"'


@dataclass(frozen=True, slots=True)
class Timetable:
    """One time of day, where the publication is, and the days it comes on; weekdays count from 0, Monday.

    `either`: a day of the month or a weekday is enough (crontab(5), where a line names both); else both must fit.
    """

    at: time
    weekdays: frozenset[int] = _ALL_WEEKDAYS
    days: frozenset[int] = _ALL_DAYS
    months: frozenset[int] = _ALL_MONTHS
    either: bool = False

    def falls_on(self, day: date) -> bool:
        """Return whether a day is one of its days."""
        last = (day + timedelta(days=1)).day == 1
        by_date = day.day in self.days or (last and LAST in self.days)
        by_weekday = day.weekday() in self.weekdays
        fits = (by_date or by_weekday) if self.either else (by_date and by_weekday)
        return fits and day.month in self.months


def parse_time(text: str) -> time:
    """Return a time of day. Raises ValueError."""
    found = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", text.strip(), re.ASCII)
    if not found:
        raise ValueError('is not a time of day; write it like "07:30"')
    return time(int(found[1]), int(found[2]))


def parse_weekday(text: str) -> int:
    """Return a weekday by its English name or the first three letters of it. Raises ValueError."""
    word = text.strip().lower()
    for number, name in enumerate(WEEKDAYS):
        if word == name or (len(word) > 3 and f"{_FULL[number]}day" == word):
            return number
    raise ValueError(f"holds {text!r}, which is no weekday; write {', '.join(WEEKDAYS)}")


_FULL = ("mon", "tues", "wednes", "thurs", "fri", "satur", "sun")


def parse_weekly(text: str) -> Timetable:
    """Return what `sun 09:00` means. Raises ValueError."""
    day, _, at = text.strip().partition(" ")
    try:
        return Timetable(parse_time(at), weekdays=frozenset({parse_weekday(day)}))
    except ValueError:
        raise ValueError('is not a weekday and a time; write it like "sun 09:00"') from None


def parse_monthly(text: str) -> Timetable:
    """Return what `1 09:00` or `last 09:00` means. Raises ValueError."""
    day, _, at = text.strip().partition(" ")
    wrong = ValueError('is not a day of the month (1 to 28, or last) and a time; write it like "1 09:00"')
    if day.lower() != "last" and not (re.fullmatch(r"\d{1,2}", day, re.ASCII) and 1 <= int(day) <= 28):
        raise wrong
    try:
        return Timetable(parse_time(at), days=frozenset({LAST if day.lower() == "last" else int(day)}))
    except ValueError:
        raise wrong from None


def parse_cron(text: str) -> Timetable:
    """Return what a line of crontab(5) means: minute, hour, day of the month, month, weekday. Raises ValueError."""
    fields = text.lower().split()
    if len(fields) != 5 or len(text) > _LONGEST:
        raise ValueError(f"is not a cron line of five fields (minute hour day month weekday); {_EXAMPLE}")
    minute, hour, day, month, weekday = fields
    if not re.fullmatch(r"\d{1,2} \d{1,2}", f"{minute} {hour}", re.ASCII) or int(minute) > 59 or int(hour) > 23:
        raise ValueError(f"must name one minute and one hour, for there is one issue a day at most; {_EXAMPLE}")
    weekdays = frozenset((number - 1) % 7 for number in _parse_field(weekday, 0, 7, ("sun", *WEEKDAYS)))
    return Timetable(
        time(int(hour), int(minute)),
        weekdays,
        days=frozenset(_parse_field(day, 1, 31)),
        months=frozenset(_parse_field(month, 1, 12, ("", *MONTHS))),
        either=day[0] != "*" and weekday[0] != "*",
    )


def _parse_field(field: str, low: int, high: int, names: tuple[str, ...] = ()) -> set[int]:
    """Return the numbers that a field means: `*`, numbers, names, ranges and steps, with commas between."""
    numbers: set[int] = set()
    for part in field.split(","):
        span, slash, step = part.partition("/")
        if slash and not (re.fullmatch(r"\d{1,2}", step, re.ASCII) and int(step)):
            raise ValueError(f"holds {part!r}, whose step is no number; {_EXAMPLE}")
        first, dash, last = ("", "", "") if span == "*" else span.partition("-")
        start = _parse_number(first, low, high, names) if first else low
        end = _parse_number(last, low, high, names) if dash else high if slash or span == "*" else start
        if last == "sun" and start:  # the week's last day as well as its first
            end = high
        if (span != "*" and not first) or end < start:
            raise ValueError(f"holds {part!r}, which means no day; {_EXAMPLE}")
        numbers.update(range(start, end + 1, int(step or 1)))
    return numbers


def _parse_number(word: str, low: int, high: int, names: tuple[str, ...]) -> int:
    if word and word in names:
        return names.index(word)
    if not re.fullmatch(r"\d{1,2}", word, re.ASCII) or not low <= int(word) <= high:
        raise ValueError(f"holds {word!r}, which is not between {low} and {high}; {_EXAMPLE}")
    return int(word)
