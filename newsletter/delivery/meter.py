"""Meters: what may leave now for everybody, for a domain, for a relay; and how several senders share it.

Owns what has left since it was last written down. The arithmetic is in `delivery.pace`, the table in `store.paces`.

**Guarantee.** Limits hold over restarts, and for all senders on one database together: each adds what it spent to what
is kept there, and goes on from the sum. **Limits.** What a sender spent after its last page of the books is forgotten
when it is killed, and so is what stood on a page that the ledger refused. Senders hear of each other only when they
turn a page: k of them may together exceed a limit by what k - 1 are allowed between two pages, and by as many bursts
(5 % of the limit each); then all wait until it is made up for. Limits per second of domains that no list names are each
sender's own, and so are connections.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf, isinf
from typing import Final

from newsletter.delivery.pace import (
    FORGET_AFTER,
    SECONDS,
    Bearing,
    Limit,
    compute_wait,
    is_heard,
    judge_complaint,
    judge_success,
    make_bearing_limit,
    make_limit,
    start_bearing,
    take,
)
from newsletter.model.pace import Pace, Period, Slowdown, Spending

SHARE_EVERY: Final = 0.25
"""Seconds between two reports at the least."""

SPAN: Final = 10.0
"""Seconds after which older answers count half."""

_SAME: Final = 0.001  # seconds

Limits = Mapping[Period, Limit]


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant on two clocks: seconds on the one that never goes back, and the time of day."""

    now: float
    at: datetime

    def to_time(self, seconds: float) -> datetime:
        """Return the time of day at some seconds on the other clock."""
        return self.at + timedelta(seconds=seconds - self.now)

    def to_seconds(self, time: datetime) -> float:
        """Return the seconds at a time of day."""
        return self.now + (time - self.at).total_seconds()


class Meter:
    """What may leave under one key. `limited` tells whether anything has to be asked at all."""

    __slots__ = (
        "_answers",
        "_complaints",
        "_counted_at",
        "_dirty",
        "_full_at",
        "_limits",
        "_periods",
        "_refused",
        "_spent",
        "_taken",
        "bearing",
        "complained_at",
        "key",
        "limited",
        "shared",
    )

    def __init__(self, key: str, limits: Limits, dirty: set["Meter"], *, shared: bool) -> None:
        self.key = key
        self.shared = shared
        self.bearing: Bearing | None = None
        self.complained_at = -inf
        self._periods = tuple(limits)
        self._limits = list(limits.values())
        self._full_at = [-inf] * len(limits)
        self.limited = bool(limits)
        self._spent = 0
        self._taken = self._refused = 0  # since the bearing was changed
        self._answers = self._complaints = 0.0  # of late
        self._counted_at = -inf
        self._dirty = dirty

    @property
    def rate(self) -> float:
        """Return how many messages a second may leave in the long run; infinite without a limit."""
        return min((limit.rate for limit in self._limits), default=inf)

    def wait(self, now: float) -> float:
        """Return the seconds until a message may leave; 0 is now."""
        longest = 0.0
        for limit, full_at in zip(self._limits, self._full_at, strict=True):
            longest = max(longest, compute_wait(limit, full_at, now))
        return longest

    def take(self, now: float) -> None:
        """Let a message leave."""
        for index, limit in enumerate(self._limits):
            self._full_at[index] = take(limit, self._full_at[index], now)
        self._spent += 1
        if self._spent == 1:
            self._dirty.add(self)

    def is_whole(self, now: float) -> bool:
        """Return whether it is as if no message had left and nobody had complained."""
        return self.bearing is None and now - self.complained_at > SPAN and all(at <= now for at in self._full_at)

    def remember(self, answers: int) -> None:
        """Count answers of before there was a meter."""
        self._answers += answers

    def note(self, now: float, *, accepted: bool) -> None:
        """Note an answer that doesn't ask for less; what was taken for a while earns a little more."""
        self._count(now)
        self._answers += 1
        if self.bearing is not None and accepted:
            self._taken += 1
            self._bear(judge_success(self.bearing, self._taken, now))

    def complain(self, now: float, getting: Callable[[], float]) -> None:
        """Note an answer that asks for less. `getting` tells what it gets in messages a second, if nothing slows it."""
        self._count(now)
        self._complaints += 1
        self._refused += 1
        self.complained_at = now
        if not is_heard(self._complaints, self._answers):
            return
        if self.bearing is None:
            self._bear(start_bearing(getting(), now))
        else:
            self._bear(judge_complaint(self.bearing, self._taken, self._refused, now))

    def report(self, since: Moment, moment: Moment) -> Spending:
        """Say what was spent since the last report."""
        spent = {
            period: timedelta(seconds=limit.spacing * self._spent)
            for period, limit in zip(self._periods, self._limits, strict=False)  # a bearing comes last, and is none
        }
        self._spent = 0
        return Spending(self.key, spent, self._slowdown(moment), since.at, moment.at)

    def adopt(self, pace: Pace, moment: Moment) -> None:
        """Go on from what all senders spent, and from what any of them has heard.

        Never lets go what it hasn't itself. A time that no clock can mean is cut to one period from now.
        """
        for index, period in enumerate(self._periods):
            if period in pace.full_at:
                full_at = min(moment.to_seconds(pace.full_at[period]), moment.now + SECONDS[period])
                self._full_at[index] = max(self._full_at[index], full_at + self._spent * self._limits[index].spacing)
        told = pace.slowdown and _read_bearing(pace.slowdown, moment)
        if told and moment.now - told.cut_at < FORGET_AFTER and (self.bearing is None or _is_news(told, self.bearing)):
            self._bear(told)

    def _count(self, now: float) -> None:
        if now - self._counted_at > SPAN:
            self._counted_at = now
            self._answers, self._complaints = self._answers / 2, self._complaints / 2

    def _bear(self, bearing: Bearing | None) -> None:
        """Keep to a bearing from now on; its limit stands behind those that were configured."""
        if bearing is self.bearing:
            return
        count = len(self._periods)
        self.bearing = bearing
        self._taken = self._refused = 0
        self._limits[count:] = [] if bearing is None else [make_bearing_limit(bearing)]
        self._full_at[count:] = [] if bearing is None else (self._full_at[count:] or [-inf])
        self.limited = bool(self._limits)
        self._dirty.add(self)

    def _slowdown(self, moment: Moment) -> Slowdown | None:
        if self.bearing is None:
            return None
        ceiling = None if isinf(self.bearing.ceiling) else self.bearing.ceiling
        cut_at, changed_at = moment.to_time(self.bearing.cut_at), moment.to_time(self.bearing.changed_at)
        return Slowdown(self.bearing.rate, ceiling, cut_at, changed_at)


class Meters:
    """Every meter of a run; `kept` is what the ledger holds of them at its start (`store.paces`)."""

    def __init__(self, clock: Callable[[], float], wall: Callable[[], datetime], kept: Iterable[Pace] = ()) -> None:
        self.clock = clock
        self._wall = wall
        self._meters: dict[str, Meter] = {}
        self._dirty: set[Meter] = set()
        self._kept = {pace.key: pace for pace in kept}
        self._reported = self.moment()

    def moment(self) -> Moment:
        """Return the time."""
        return Moment(self.clock(), self._wall())

    def find(self, key: str, limits: Limits, *, shared: bool = True) -> Meter:
        """Return the meter of a key, made if there is none. Not `shared`: only what its servers bear is kept."""
        meter = self._meters.get(key)
        if meter is None:
            meter = self._meters[key] = Meter(key, limits, self._dirty, shared=shared)
            if key in self._kept:
                meter.adopt(self._kept.pop(key), self.moment())
        return meter

    def list_slowed(self, prefix: str) -> list[str]:
        """Return the keys, less their prefix, whose servers had asked for less when the run began."""
        slowed = [key for key, pace in self._kept.items() if pace.slowdown]
        return [key.removeprefix(prefix) for key in slowed if key.startswith(prefix)]

    def forget(self, meter: Meter) -> None:
        """Drop a meter that is whole: it can be made again as it was."""
        self._meters.pop(meter.key, None)

    def report(self, *, final: bool = False) -> Sequence[Spending]:
        """Say what was spent since the last report: nothing if that was just now, unless it is the last."""
        moment, since = self.moment(), self._reported
        if not self._dirty or (moment.now - since.now < SHARE_EVERY and not final):
            return ()
        self._reported = moment
        spendings = [(meter, meter.report(since, moment)) for meter in self._dirty]
        self._dirty.clear()
        return [spending for meter, spending in spendings if meter.shared or spending.slowdown]

    def adopt(self, paces: Iterable[Pace]) -> None:
        """Go on from what the ledger holds: all of it when the run begins, and what `save_paces` said after that."""
        moment = self.moment()
        for pace in paces:
            meter = self._meters.get(pace.key)
            if meter is not None:
                meter.adopt(pace, moment)
            else:
                self._kept[pace.key] = pace


def make_limits(per_second: int, per_hour: int, per_day: int) -> Limits:
    """Return the limits that are set; 0 is none."""
    amounts = {Period.SECOND: per_second, Period.HOUR: per_hour, Period.DAY: per_day}
    return {period: make_limit(amount, period) for period, amount in amounts.items() if amount}


def _read_bearing(slowdown: Slowdown, moment: Moment) -> Bearing:
    """Return what is kept as a bearing; a complaint of tomorrow, by a clock that was wrong, is one of now."""
    cut_at, changed_at = moment.to_seconds(slowdown.cut_at), moment.to_seconds(slowdown.changed_at)
    ceiling = inf if slowdown.ceiling is None else slowdown.ceiling
    return Bearing(slowdown.rate, ceiling, min(cut_at, moment.now), min(changed_at, moment.now))


def _is_news(told: Bearing, known: Bearing) -> bool:
    """Compare by milliseconds: what was written down and read again is no news."""
    later = told.cut_at - known.cut_at
    return later > _SAME or (abs(later) <= _SAME and told.changed_at - known.changed_at > _SAME)
