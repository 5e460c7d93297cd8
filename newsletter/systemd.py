"""Talks to systemd: ready, still alive, stopping (sd_notify(3)). Outside of systemd every word goes nowhere."""

import os
import socket
from collections.abc import Mapping
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
