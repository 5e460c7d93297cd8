"""Talks to systemd: ready, still alive, stopping (sd_notify(3)). Outside of systemd every word goes nowhere."""

import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress

READY, STOPPING, ALIVE = "READY=1", "STOPPING=1", "WATCHDOG=1"


def notify(state: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Tell systemd something; return whether anybody was told. Never raises: nothing depends on it."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
        link.connect(f"\0{address[1:]}" if address.startswith("@") else address)
        link.sendall(state.encode())
        return True
    return False


def load_watchdog(environ: Mapping[str, str] = os.environ) -> float | None:
    """Return how often systemd wants to hear that all is well, in seconds: half of what it bears. None: it doesn't."""
    word = environ.get("WATCHDOG_USEC", "")
    meant_for = environ.get("WATCHDOG_PID", str(os.getpid()))
    if not word.isdecimal() or meant_for != str(os.getpid()):
        return None
    return int(word) / 2_000_000 or None


class Pulse:
    """Called every second, it tells systemd every so many seconds that all is well; never, where nobody wants it."""

    def __init__(self, every: float | None, tell: Callable[[str], object] = notify) -> None:
        self._every = every
        self._calls = 0
        self._tell = tell

    def __call__(self) -> None:
        """Count a second."""
        self._calls += 1
        if self._every and self._calls >= self._every:
            self._calls = 0
            self._tell(ALIVE)
