"""How fast mail may go: token buckets, and what a domain bears as far as its servers have told. Pure.

Owns the arithmetic only. Times are seconds on one clock, given by the caller; everything is a plain value, so that it
can be kept over a restart.

A bucket is kept as one time: when it will be full again (virtual scheduling, as in ITU-T I.371). A message moves that
time on by the limit's `spacing`, and it may leave while the time is no more than `slack` ahead.

**Guarantee.** A limit of N messages in a period: in no window as long as the period, wherever it begins, do more than
N leave. **Price.** The steady rate is 5 % below N; 5 % of N may leave at once, which is the room for being woken late.
"""

from dataclasses import dataclass, replace
from math import inf, isinf
from typing import Final

from newsletter.model.delivery import Reply
from newsletter.model.pace import Period

SECONDS: Final = {Period.SECOND: 1.0, Period.HOUR: 3600.0, Period.DAY: 86400.0}

BURST: Final = 0.05
"""The share of a limit that may leave at once; the steady rate is as much lower."""

HALVING_PAUSE: Final = 10.0
"""Seconds in which several complaints of one domain count as one: its answers come in herds."""

FLOOD_PAUSE: Final = 1.0
"""The same where most of what it got since was put off: then half was not nearly enough."""

DEEPEST: Final = 1 / 8
"""The share of its rate that a domain keeps at the least when it is slowed once."""

RISE_AFTER: Final = 30.0
"""Seconds without a complaint before a domain gets more, and between two rises."""

PROBE_AFTER: Final = 120.0
"""The same where it last complained: there it is tried more rarely, and in smaller steps."""

RISE: Final = 1.25
RETURN: Final = 2.0
"""The rise of a domain that has less than half of what it once bore."""

PROBE: Final = 1.05
NEAR: Final = 0.9
"""From this share of the rate at which it last complained a domain is near that rate."""

LEAST: Final = 1 / 60
"""A domain is never slowed below one message a minute."""

FORGET_AFTER: Final = 3600.0
"""Seconds without a complaint after which it is as if there had been none."""

NOISE: Final = 0.02
"""The share of complaints among a domain's answers that means nothing: somebody is always put off."""

_MEASURED: Final = 20  # messages whose rate says something
_LATE: Final = 0.05  # seconds; a domain that is slowed loses nothing when its turn is noticed so much later
_EXACTLY: Final = 1 - 1e-9  # so that no rounding lets one more into a period
_SLOW_DOWN: Final = frozenset({421, 450, 451})


@dataclass(frozen=True, slots=True)
class Limit:
    """Seconds between two messages at the steady rate, and seconds by which the next may be early."""

    spacing: float
    slack: float

    @property
    def rate(self) -> float:
        """Return the steady rate in messages a second."""
        return 1 / self.spacing


@dataclass(frozen=True, slots=True)
class Bearing:
    """What a domain, or a relay, bears: messages a second.

    `ceiling` is the rate at which it last complained, infinite when it bears that by now. `changed_at` is when `rate`
    was last changed, `cut_at` when it was last lowered.
    """

    rate: float
    ceiling: float
    cut_at: float
    changed_at: float


def make_limit(amount: int, period: Period) -> Limit:
    """Return the limit of `amount` messages, at least 1, in a period."""
    seconds = SECONDS[period]
    spacing = seconds / (amount * (1 - BURST))
    return Limit(spacing, (amount * spacing - seconds) * _EXACTLY)


def make_bearing_limit(bearing: Bearing) -> Limit:
    """Return the limit that keeps to what a domain bears, evenly."""
    return Limit(1 / bearing.rate, _LATE)


def compute_wait(limit: Limit, full_at: float, now: float) -> float:
    """Return the seconds until a message may leave; 0 is now."""
    return max(0.0, full_at - now - limit.slack)


def take(limit: Limit, full_at: float, now: float, count: int = 1) -> float:
    """Return when the bucket is full again after so many messages left."""
    return max(full_at, now) + count * limit.spacing


def is_complaint(reply: Reply) -> bool:
    """Return whether a server asks for less: 421, 450, 451, or 4.7.x (RFC 3463: policy, such as a rate).

    One reader's address or mailbox (4.1.x, 4.2.x) says nothing about its domain.
    """
    if not 400 <= reply.code < 500 or reply.enhanced.startswith(("4.1.", "4.2.")):
        return False
    return reply.code in _SLOW_DOWN or reply.enhanced.startswith("4.7.")


def is_heard(complaints: float, others: float) -> bool:
    """Return whether there are more complaints among a domain's answers than mere noise."""
    return complaints > NOISE * (complaints + others)


def start_bearing(getting: float, now: float) -> Bearing:
    """Halve what a domain gets at its first complaint; `getting` is in messages a second."""
    return Bearing(max(LEAST, getting / 2), max(LEAST, getting), now, now)


def judge_complaint(bearing: Bearing, taken: int, refused: int, now: float) -> Bearing:
    """Halve what a domain gets, once for a herd of complaints; or cut it to what it took, if that is even less.

    `taken` and `refused` are how many messages it took and put off since `changed_at`.
    """
    flooded = refused >= max(taken, _MEASURED)
    if now - bearing.cut_at < (FLOOD_PAUSE if flooded else HALVING_PAUSE):
        return bearing
    rate = bearing.rate / 2
    if taken + refused >= _MEASURED:
        rate = min(rate, max(bearing.rate * DEEPEST, taken / max(FLOOD_PAUSE, now - bearing.changed_at)))
    # Who takes nothing at all is away; what he bears when he is back isn't known by that.
    ceiling = bearing.rate if taken else bearing.ceiling
    return Bearing(max(LEAST, rate), ceiling, now, now)


def judge_success(bearing: Bearing, taken: int, now: float) -> Bearing | None:
    """Give a domain a little more when it took what it got for a while; None when its complaint is long ago.

    Whoever needs less than half of what he may have is given no more: nobody would know whether he bears it.
    """
    if now - bearing.cut_at >= FORGET_AFTER:
        return None
    quiet = now - bearing.changed_at
    near = bearing.rate >= NEAR * bearing.ceiling
    if quiet < (PROBE_AFTER if near else RISE_AFTER) or taken < bearing.rate * quiet / 2:
        return bearing
    rate = _raise(bearing.rate, bearing.ceiling)
    return replace(bearing, rate=rate, ceiling=bearing.ceiling if rate <= bearing.ceiling else inf, changed_at=now)


def _raise(rate: float, ceiling: float) -> float:
    """Return the next higher rate: fast from far below the ceiling, then in steps, then with care."""
    if isinf(ceiling):
        return rate * RISE
    if rate >= NEAR * ceiling:
        return rate * PROBE
    return min(rate * (RETURN if rate < ceiling / 2 else RISE), NEAR * ceiling)
