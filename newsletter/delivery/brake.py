"""Ends runs from another thread: a daemon sends in threads, and signals come to its main thread alone."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Brake:
    """Pulled once, it ends every run under way gracefully, and every run that begins later at once."""

    def __init__(self) -> None:
        self._pulled = threading.Event()
        self._lock = threading.Lock()
        self._runs: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    @property
    def pulled(self) -> bool:
        """Return whether everything is to end."""
        return self._pulled.is_set()

    def pull(self) -> None:
        """End all runs; what is on the wire is waited for by each of them."""
        with self._lock:
            self._pulled.set()
            for loop, stop in self._runs:
                loop.call_soon_threadsafe(stop.set)

    @contextmanager
    def on(self, stop: asyncio.Event) -> Iterator[None]:
        """Let a run in this thread's event loop be ended by `stop`."""
        run = (asyncio.get_running_loop(), stop)
        with self._lock:
            self._runs.add(run)
            if self.pulled:
                stop.set()
        try:
            yield
        finally:
            with self._lock:
                self._runs.discard(run)
