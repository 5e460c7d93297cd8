"""How fast mail may go: token buckets, and how a domain's allowance follows what its servers say. Pure.

Owns the arithmetic only; times are seconds on one clock, given by the caller, and everything is a plain value, so that
it can be kept over a restart.

A limit of N messages in a period is a bucket of capacity c and rate (N - c) / period: in no window as long as the
period do more than N leave, at the price of a steady rate a little below N. c is a tenth of N, at least one.
"""

from dataclasses import dataclass, replace
from typing import Final

HALVING_PAUSE: Final = 10.0
"""Seconds in which several complaints of one domain count as one: its answers come in herds."""

RISE_AFTER: Final = 30.0
"""Seconds without a complaint before a domain's allowance rises, and between two rises."""

RISE: Final = 1.25
LEAST: Final = 1 / 60
"""A domain is never slowed below one message a minute."""

SPAN: Final = 10.0
"""Seconds over which a domain's recent rate is measured."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """`tokens` at the time `at`; a message takes one. `rate` is in tokens a second."""

    capacity: float
    rate: float
    tokens: float
    at: float


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a domain bears, as far as its servers have told.

    `limit` is in messages a second, None while nobody complained. `recent` messages left since `since`.
    """

    limit: float | None = None
    complained_at: float = float("-inf")
    raised_at: float = float("-inf")
    peak: float = 0.0
    recent: int = 0
    since: float = 0.0


def make_bucket(amount: float, period: float, now: float) -> Bucket:
    """Return a full bucket for `amount` messages in `period` seconds."""
    capacity = max(1.0, amount / 10)
    rate = max(amount - capacity, amount / 2) / period
    return Bucket(capacity, rate, capacity, now)


def refill(bucket: Bucket, now: float) -> Bucket:
    """Return the bucket at a later time; a clock that went back gives nothing and takes nothing."""
    gained = max(0.0, now - bucket.at) * bucket.rate
    return replace(bucket, tokens=min(bucket.capacity, bucket.tokens + gained), at=now)


def compute_wait(bucket: Bucket, now: float) -> float:
    """Return the seconds until a message may leave; 0 is now."""
    tokens = refill(bucket, now).tokens
    return 0.0 if tokens >= 1.0 else (1.0 - tokens) / bucket.rate


def take(bucket: Bucket, now: float) -> Bucket:
    """Return the bucket after one message left."""
    filled = refill(bucket, now)
    return replace(filled, tokens=filled.tokens - 1.0)


def change_rate(bucket: Bucket, rate: float, now: float) -> Bucket:
    """Return the bucket with another rate from now on."""
    return replace(refill(bucket, now), rate=rate)


def count_sent(allowance: Allowance, now: float) -> Allowance:
    """Note that a message to the domain left."""
    if now - allowance.since > SPAN:
        rate = allowance.recent / (now - allowance.since) if allowance.since else 0.0
        return replace(allowance, recent=1, since=now, peak=rate)
    return replace(allowance, recent=allowance.recent + 1)


def judge_complaint(allowance: Allowance, now: float) -> Allowance:
    """Halve what the domain gets, once for a herd of complaints; the first time, half of what it was getting."""
    if now - allowance.complained_at < HALVING_PAUSE:
        return replace(allowance, complained_at=allowance.complained_at)
    span = max(1.0, now - allowance.since)
    getting = max(allowance.peak, allowance.recent / span) if allowance.limit is None else allowance.limit
    return replace(allowance, limit=max(LEAST, getting / 2), complained_at=now, raised_at=now)


def judge_success(allowance: Allowance, now: float) -> Allowance:
    """Give a domain a little more, when it has not complained for a while."""
    quiet = now - max(allowance.complained_at, allowance.raised_at)
    if allowance.limit is None or quiet < RISE_AFTER:
        return allowance
    return replace(allowance, limit=allowance.limit * RISE, raised_at=now)
