"""Times and numbers as the admin pages say them, and how far an edition is, as its bar shows it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from newsletter.model.control import Control, ControlState
from newsletter.model.delivery import Audit

WIDE: Final = 1000
"""Units that a bar is wide."""

PARTS: Final = ("sent", "excluded", "cancelled", "unknown", "failed", "deferred", "queued")
"""In the order in which a bar shows them: what is done stands first, what waits last."""

_LEAST: Final = 4
"""Units of a part that would be too narrow to be seen."""


@dataclass(frozen=True, slots=True)
class Part:
    """One state's share of an audience: how many, and the place in the bar."""

    name: str
    count: int
    start: float
    width: float


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an edition is. `left` is how long it still takes at the present rate, None where that can't be said."""

    audit: Audit
    parts: Sequence[Part]
    rate: float
    left: timedelta | None

    @property
    def done(self) -> int:
        """Return of how many readers it is known what became of their mail."""
        return self.audit.audience - self.audit.open

    @property
    def percent(self) -> int:
        """Return the same in percent, rounded down: 100 means all."""
        return 100 * self.done // self.audit.audience if self.audit.audience else 100


def measure_progress(audit: Audit, rate: float = 0.0) -> Progress:
    """Return how far an edition is, from where its readers stand and how many a second are sent it."""
    parts, at = [], 0.0
    counts = [(name, getattr(audit, name)) for name in PARTS if getattr(audit, name)]
    widths = [max(_LEAST, WIDE * count / audit.audience) if audit.audience else 0.0 for _, count in counts]
    for (name, count), width in zip(counts, widths, strict=True):
        fitted = width * WIDE / sum(widths)
        parts.append(Part(name, count, round(at, 2), round(fitted, 2)))
        at += fitted
    left = timedelta(seconds=audit.queued / rate) if rate >= 0.1 and audit.queued else None
    return Progress(audit, parts, rate, left)


def list_orders(control: Control, audit: Audit) -> list[str]:
    """Return what can be ordered of an edition now: `pause`, `resume`, `cancel`."""
    if control.state is ControlState.CANCELLED or not audit.open:
        return []
    return ["pause" if control.runs else "resume", "cancel"]


def tell_span(span: timedelta) -> str:
    """Return a span as people say it: `3 d 4 h`, `2 h 05 min`, `12 s`."""
    seconds = max(0, round(span.total_seconds()))
    days, hours, minutes = seconds // 86_400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min" if minutes else f"{seconds} s"


def tell_moment(at: datetime, form: str = "%Y-%m-%d %H:%M", *, zone: ZoneInfo) -> str:
    """Return a time where the publication is."""
    return at.astimezone(zone).strftime(form)
