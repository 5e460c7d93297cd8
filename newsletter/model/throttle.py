"""How often something may be done: a bucket of tokens, kept as the time at which it is full again.

The generic cell rate algorithm: one number for each bucket, and no clock that ticks.
"""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

SLIP: Final = timedelta(minutes=10)
"""How far the clocks of machines that share a bucket may differ."""


class Limit(NamedTuple):
    """At most `burst` at once, and one more each `interval`; both are above zero."""

    interval: timedelta
    burst: int


def spend_token(full_at: datetime | None, now: datetime, limit: Limit) -> datetime | None:
    """Return when a bucket will be full again after taking one token from it, or None if it holds none.

    `full_at` None is a bucket nobody has used. A time further ahead than an empty bucket's comes from a clock that was
    wrong: a little (`SLIP`), and the bucket counts as empty; more, and it tells nothing and counts as full, or it would
    stay shut until that time comes.
    """
    empty_until = now + limit.interval * limit.burst
    if full_at is not None and full_at > empty_until + SLIP:
        full_at = None
    since = min(max(full_at or now, now), empty_until)
    after = since + limit.interval
    return after if after <= empty_until else None
