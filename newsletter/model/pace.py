"""What is kept of a pace: how far each limit is used up, and what servers bear."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Period(StrEnum):
    """The periods that a limit can have."""

    SECOND = "second"
    HOUR = "hour"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Slowdown:
    """A server asked for less: it gets `rate` messages a second, and complained at `ceiling`, None if it bears that.

    `cut_at` is when the rate was last lowered, `changed_at` when it was last lowered or raised.
    """

    rate: float
    ceiling: float | None
    cut_at: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Pace:
    """What is kept under a key: `all`, `domain:example.com`, `relay:mail.example.org:587`.

    `full_at` is when each limit will be as if no message had left.
    """

    key: str
    full_at: Mapping[Period, datetime]
    slowdown: Slowdown | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Spending:
    """What one sender used up under a key after `since` and until `at`.

    `spent` is how much later each limit is full again. `slowdown` is what the sender knows of the key's servers.
    """

    key: str
    spent: Mapping[Period, timedelta]
    slowdown: Slowdown | None
    since: datetime
    at: datetime
