"""How often something may be done: a bucket of tokens, kept as the time at which it is full again.

The generic cell rate algorithm: one number for each bucket, and no clock that ticks.
"""

from datetime import datetime, timedelta
from typing import NamedTuple


class Limit(NamedTuple):
    """At most `burst` at once, and one more each `interval`; both are above zero."""

    interval: timedelta
    burst: int


def spend_token(full_at: datetime | None, now: datetime, limit: Limit) -> datetime | None:
    """Return when a bucket will be full again after taking one token from it, or None if it holds none.

    `full_at` None is a bucket nobody has used. A time further ahead than an empty bucket's comes from a clock that was
    wrong; such a bucket counts as empty.
    """
    empty_until = now + limit.interval * limit.burst
    since = min(max(full_at or now, now), empty_until)
    after = since + limit.interval
    return after if after <= empty_until else None
