"""What a week or a month brought: a Period, and the Rollup of the issues in it."""

from dataclasses import dataclass
from datetime import date, timedelta

from newsletter.model.edition import EditionKind
from newsletter.model.issue import Entry, Issue

_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Period:
    """An ISO week or a calendar month, by its first and last day."""

    kind: EditionKind
    first: date
    last: date

    @property
    def slug(self) -> str:
        """Return the permanent name of its roll-up: `weekly-2024-W21`, `monthly-2024-05`."""
        if self.kind is EditionKind.MONTHLY:
            return f"{self.kind}-{self.first:%Y-%m}"
        year, week, _ = self.first.isocalendar()
        return f"{self.kind}-{year}-W{week:02}"

    @property
    def previous(self) -> "Period":
        """Return the one before."""
        return period_of(self.kind, self.first - _DAY)

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last


def period_of(kind: EditionKind, day: date) -> Period:
    """Return the week (Monday to Sunday) or the month that holds a day. Raises ValueError for an issue's kind."""
    if kind is EditionKind.WEEKLY:
        first = day - timedelta(days=day.weekday())
        return Period(kind, first, first + _WEEK - _DAY)
    if kind is EditionKind.MONTHLY:
        first = day.replace(day=1)
        following = (first + timedelta(days=31)).replace(day=1)
        return Period(kind, first, following - _DAY)
    raise ValueError(f"{kind} is no period")


@dataclass(frozen=True, slots=True)
class Item:
    """An entry, and the issue that it is from."""

    entry: Entry
    issue: Issue


@dataclass(frozen=True, slots=True)
class Chapter:
    """What the issues have in one section; `topic` is its key. `more` items are left out because there is no room."""

    title: str
    topic: str
    items: tuple[Item, ...]
    more: int = 0


@dataclass(frozen=True, slots=True)
class Rollup:
    """What issues brought, by section; a work is in it once. `issues` are the oldest first."""

    period: Period
    issues: tuple[Issue, ...]
    chapters: tuple[Chapter, ...]

    @property
    def items(self) -> tuple[Item, ...]:
        """Return all that is in it, in reading order."""
        return tuple(item for chapter in self.chapters for item in chapter.items)
