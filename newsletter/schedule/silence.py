"""How long a tick may be silent before nobody seems to do it. Pure.

Owns what a tick notes beside the time at which it went well. A daemon notes nothing: it is back within seconds. A run
by cron (`--once`) notes how long ago the one before was, for only cron knows its rhythm: `once`, or `once SECONDS`.
"""

from datetime import datetime, timedelta
from typing import Final

STALE: Final = timedelta(minutes=3)
"""How long a daemon's tick may be silent; and by how much a run by cron may come too late."""

FIRST: Final = timedelta(hours=1)
"""How long it may be silent after a first run by cron."""

LONGEST: Final = timedelta(hours=3)
"""When anybody is missed, whatever his rhythm; an issue isn't published by itself much later, either."""

_ONCE: Final = "once"


def compose_note(before_at: datetime | None, before: str, now: datetime) -> str:
    """Return what a run by cron notes; `before` is what was noted last, at `before_at`.

    A rhythm is never taken for more than twice as quick as it was: somebody may have run it by hand in between.
    """
    if before_at is None or not is_note(before) or before_at >= now:
        return _ONCE
    rhythm = max(now - before_at, (_read_rhythm(before) or timedelta()) / 2)
    return f"{_ONCE} {round(min(rhythm, LONGEST).total_seconds())}"


def is_note(text: str) -> bool:
    """Return whether a run by cron noted this."""
    return text.partition(" ")[0] == _ONCE


def read_patience(text: str) -> timedelta:
    """Return how long a tick that noted this may be silent: twice the rhythm of the runs by cron, and a little."""
    if not is_note(text):
        return STALE
    rhythm = _read_rhythm(text)
    return min(FIRST if rhythm is None else 2 * rhythm, LONGEST) + STALE


def _read_rhythm(text: str) -> timedelta | None:
    seconds = text.partition(" ")[2]
    return timedelta(seconds=int(seconds)) if seconds.isdecimal() and len(seconds) < 9 else None
