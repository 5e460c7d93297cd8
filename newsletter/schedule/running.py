"""Runs publications' ticks until it is told to stop, and watches the clock meanwhile.

Owns who runs them: on one machine, one process a role and publication, the one that has the lock; another stands by and
takes over when that one ends, however it ends. Over several machines nobody has a lock, and the ledger decides.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from typing import Final

from newsletter.delivery.presence import lock_role
from newsletter.logs import get_logger
from newsletter.schedule.clock import Clockwork, Wake
from newsletter.schedule.posts import Post
from newsletter.schedule.ticks import TICKS, Role, Tick, run_tick

BEAT: Final = 1.0
"""Seconds between two looks at the clock."""

SLIP: Final = 3.0
"""Seconds by which the wall clock may drift between two looks before it was set."""

_ANOTHER: Final = "another process of this machine does it"
_MARGIN: Final = timedelta(seconds=30)

_log = get_logger(__name__)

Alive = Callable[[], None]
"""Called every second or so while all is well."""


def run_posts(
    posts: Sequence[Post],
    roles: Collection[Role],
    stop: threading.Event,
    alive: Alive = lambda: None,
    without: Collection[str] = (),
) -> bool:
    """Run the ticks of these roles until `stop`; return whether everything ended in good order.

    `without` names ticks that somebody else does. What is being sent is finished gracefully.
    """
    clockwork = Clockwork(len(posts) * len(TICKS))
    with contextlib.ExitStack() as locks:
        crew = _Crew(clockwork, locks, [(post, role) for post in posts for role in roles], without)
        try:
            crew.take_posts()
            _watch(clockwork, crew, stop, alive)
        finally:
            left = _end(clockwork, posts)
    return not left


class _Crew:
    """What this process is to do, and does as soon as nobody else on this machine does it."""

    def __init__(
        self,
        clockwork: Clockwork,
        locks: contextlib.ExitStack,
        wanted: list[tuple[Post, Role]],
        without: Collection[str],
    ) -> None:
        self._clockwork = clockwork
        self._locks = locks
        self._waiting = wanted
        self._posts = {id(post): post for post, _ in wanted}.values()
        self._without = without
        self._told = False

    def take_posts(self) -> None:
        """Take what is free, and begin to do it."""
        waiting = []
        for post, role in self._waiting:
            if not _lock(self._locks, post, role):
                waiting.append((post, role))
                continue
            for tick in TICKS:
                if tick.role is role and tick.name not in self._without:
                    self._clockwork.add(Wake(f"{post.owner} {tick.name}", tick.every, _bind(post, tick), tick.prompt))
            _log.info("at work", publication=post.name, role=str(role))
        if waiting and not self._told:
            names = sorted({f"{post.name}: {role}" for post, role in waiting})
            _log.info("standing by", posts=names, reason=_ANOTHER)
            self._told = True
        self._waiting = waiting

    def take_progress(self) -> bool:
        """Return whether some tick has got somewhere since this was asked last."""
        moved = [post for post in self._posts if post.progress.is_set()]
        for post in moved:
            post.progress.clear()
        return bool(moved)


def run_once(posts: Sequence[Post], roles: Collection[Role]) -> bool:
    """Do every tick of these roles once, in their order; return whether all went well.

    What another process of this machine does is left to it: a daemon all of a role, another run by cron the tick that
    it is still at work with. So runs that take longer than cron waits don't pile up.
    """
    went_well = True
    for post in posts:
        for role in roles:
            with contextlib.ExitStack() as locks:
                if _lock(locks, post, role, shared=True):
                    went_well &= _run_role_once(post, role)
                else:
                    _log.info("standing by", posts=[f"{post.name}: {role}"], reason=_ANOTHER)
    return went_well


def _run_role_once(post: Post, role: Role) -> bool:
    results = []
    for tick in [tick for tick in TICKS if tick.role is role]:
        with contextlib.ExitStack() as locks:
            if _lock(locks, post, f"once.{tick.name}"):
                results.append(run_tick(post, tick, once=True))
            else:
                _log.info("tick left out", tick=tick.name, publication=post.name, reason=_ANOTHER)
    return all(results)


def _bind(post: Post, tick: Tick) -> Callable[[], bool]:
    return lambda: run_tick(post, tick)


def _watch(clockwork: Clockwork, crew: _Crew, stop: threading.Event, alive: Alive) -> None:
    """Wait for the end; wake everything when the wall clock is set, and take over what others leave."""
    offset = _read_offset()
    while not stop.wait(BEAT):
        now = _read_offset()
        if abs(now - offset) > SLIP:
            _log.warning("clock set", seconds=round(now - offset, 1))
            clockwork.nudge()
        offset = now
        if crew.take_progress():
            clockwork.nudge(prompt=True)
        crew.take_posts()
        alive()


def _read_offset() -> float:
    """Return how far the wall clock is ahead of the time since the machine started, sleep included."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.time() - (time.monotonic() if boot is None else time.clock_gettime(boot))


def _end(clockwork: Clockwork, posts: Sequence[Post]) -> frozenset[str]:
    for post in posts:
        post.brake.pull()
    patience = max(post.app.settings.delivery.drain_seconds for post in posts)
    left = clockwork.stop(timedelta(seconds=patience) + _MARGIN)
    for name in sorted(left):
        _log.error("tick doesn't end", tick=name)
    return left


def _lock(locks: contextlib.ExitStack, post: Post, role: str, *, shared: bool = False) -> bool:
    return lock_role(locks, post.app.settings.delivery.journal, post.ledger, role, shared=shared)
