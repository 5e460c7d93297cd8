"""The composers: make the mails of a run in threads, so that the event loop only sends.

Owns the threads and the order of work: first claimed, first made, many at a time. What a mail is made of is
`delivery.compose`; who may go when, `delivery.gate`. A reader who can't be written holds up nobody.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from newsletter.delivery.desk import ComposeAll, Made
from newsletter.model.delivery import Delivery

_CHUNK: Final = 128
"""Mails that a thread makes in one go: few enough for all threads to end together."""

_SPARE: Final = 1
"""Threads besides one for each core: whoever signs needs no lock of the interpreter's, and the others wait for it."""


class Composers:
    """Makes mails until it is closed. `take` gets them, `fail` what went wrong; both are called by the event loop."""

    def __init__(
        self, compose: ComposeAll, take: Callable[[Sequence[Made]], None], fail: Callable[[Exception], None]
    ) -> None:
        self._compose = compose
        self._take = take
        self._fail = fail
        self._pool = ThreadPoolExecutor((os.cpu_count() or 1) + _SPARE, "compose")
        self._making: set[asyncio.Future[Sequence[Made]]] = set()

    @property
    def busy(self) -> bool:
        """Return whether mails are being made."""
        return bool(self._making)

    def make(self, claimed: Sequence[Delivery]) -> None:
        """Make the mails of these readers, behind those that are being made."""
        loop = asyncio.get_running_loop()
        for start in range(0, len(claimed), _CHUNK):
            future = loop.run_in_executor(self._pool, self._compose, claimed[start : start + _CHUNK])
            self._making.add(future)
            future.add_done_callback(self._hand_out)

    def close(self) -> None:
        """Make nothing more; what isn't handed out by now never is. Waits for what the threads have in hand."""
        for future in self._making:
            future.cancel()
        self._pool.shutdown(cancel_futures=True)

    def _hand_out(self, future: "asyncio.Future[Sequence[Made]]") -> None:
        self._making.discard(future)
        if future.cancelled():
            return
        error = future.exception()
        if error is None:
            self._take(future.result())
        elif isinstance(error, Exception):
            self._fail(error)
