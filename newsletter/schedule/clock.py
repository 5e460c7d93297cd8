"""The clockwork: wakes each tick in its rhythm (only importer of apscheduler). It decides nothing.

Owns that a tick which is still running isn't begun again, that one which was missed is made up for once, and an orderly
end. Times of day are no business of its: slots have those, in the ledger.

APScheduler sleeps until an hour on the wall clock. Put back, that clock would have it sleep on; so `nudge` wakes
everything, and whoever watches the clock (`running`) calls it.
"""

import contextlib
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger


@dataclass(frozen=True, slots=True)
class Wake:
    """What to call, and how often."""

    name: str
    every: timedelta
    work: Callable[[], object]
    prompt: bool = False


class Clockwork:
    """Calls every wake's work in threads, `most` of them, until `stop`."""

    def __init__(self, most: int) -> None:
        self._wakes: list[Wake] = []
        self._running: set[str] = set()
        self._stopping = False
        self._changed = threading.Condition()
        rules = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        pool = ThreadPoolExecutor(max(1, most))
        self._scheduler = BackgroundScheduler(executors={"default": pool}, job_defaults=rules, timezone=UTC)
        # It warns whenever a tick still runs at its next turn, which is how a long send looks.
        logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
        self._scheduler.start()

    @property
    def running(self) -> frozenset[str]:
        """Return the names of what is at work."""
        with self._changed:
            return frozenset(self._running)

    def add(self, wake: Wake) -> None:
        """Wake something now, and then in its rhythm."""
        self._wakes.append(wake)
        trigger = IntervalTrigger(seconds=wake.every.total_seconds(), timezone=UTC)
        self._scheduler.add_job(self._call, trigger, args=[wake], id=wake.name, next_run_time=datetime.now(UTC))

    def nudge(self, *, prompt: bool = False) -> None:
        """Wake everything that isn't at work, now: the wall clock was set. `prompt`: only what is to be prompt."""
        now = datetime.now(UTC)
        for wake in [wake for wake in self._wakes if wake.prompt or not prompt]:
            with contextlib.suppress(JobLookupError):
                self._scheduler.modify_job(wake.name, next_run_time=now)

    def stop(self, patience: timedelta) -> frozenset[str]:
        """Begin nothing more, wait for what is at work, and return what still is when the patience is over."""
        # `shutdown(wait=True)` would wait without end, and cancel what it can't wait for.
        if self._scheduler.running:
            self._scheduler.pause()
        with self._changed:
            self._stopping = True
            self._changed.wait_for(lambda: not self._running, patience.total_seconds())
            left = frozenset(self._running)
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        return left

    def _call(self, wake: Wake) -> None:
        with self._changed:
            if self._stopping:
                return
            self._running.add(wake.name)
        try:
            wake.work()
        finally:
            with self._changed:
                self._running.discard(wake.name)
                self._changed.notify_all()
