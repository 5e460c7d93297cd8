"""Tells WebSub hubs that feeds changed, so that they tell feed readers at once (W3C Recommendation of 2018).

Owns one round of telling: how often it is tried, and when it ends. Refuses to wait longer than its deadline, whatever a
hub does. What is still to be told is remembered by `site.pings`.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from itertools import groupby
from urllib.parse import quote, urlencode, urlsplit

from newsletter import __version__
from newsletter.model.ping import Ping

ATTEMPTS = 3
"""How often a hub is asked in one round."""

PAUSE_SECONDS = 1.0
"""The pause before the second attempt; it is three times as long before the third."""

TIMEOUT_SECONDS = 5.0
"""For each step of a conversation."""

DEADLINE_SECONDS = 20.0
"""For a round. A hub that isn't done by then is tried again in the next one."""

_ANSWER_BYTES = 65_536
_FOR_NOW = frozenset((408, 425, 429))


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a round: the pings that were taken, and by hub why it didn't take the others."""

    done: tuple[Ping, ...]
    failed: Mapping[str, str]


@dataclass(slots=True)
class _Telling:
    """One hub's part of a round, while it runs."""

    hub: str
    pings: Sequence[Ping]
    done: list[Ping] = field(default_factory=list)
    reason: str = "it took too long"


def compose_ping(topic: str) -> bytes:
    """Return the form that tells a hub of a changed feed."""
    return urlencode({"hub.mode": "publish", "hub.url": topic}).encode("ascii")


def ping_hubs(
    pings: Sequence[Ping], *, pause: float = PAUSE_SECONDS, deadline: float = DEADLINE_SECONDS
) -> Callable[[], Told]:
    """Begin to tell hubs, each in a thread of its own; return what waits for the end and says what came of it.

    `pause` and `deadline` are seconds. Never raises for what a hub or the network does.
    """
    ends_at = time.monotonic() + deadline
    tellings = [_Telling(hub, list(group)) for hub, group in groupby(sorted(pings), key=lambda ping: ping.hub)]
    # A hub that drips its answer must not keep the program from ending.
    threads = [threading.Thread(target=_tell, args=(one, pause, ends_at), daemon=True) for one in tellings]
    for thread in threads:
        thread.start()

    def finish() -> Told:
        for thread in threads:
            thread.join(max(0.0, ends_at - time.monotonic()))
        done = tuple(ping for one in tellings for ping in tuple(one.done))
        return Told(done, {one.hub: one.reason for one in tellings if not set(one.pings) <= set(done)})

    return finish


def _tell(telling: _Telling, pause: float, ends_at: float) -> None:
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(pause * 3 ** (attempt - 1))
        if time.monotonic() >= ends_at or not _try(telling):
            return


def _try(telling: _Telling) -> bool:
    """Tell a hub what it hasn't taken yet; return whether another attempt may help."""
    again = False
    try:
        with closing(_connect(telling.hub)) as connection:
            for ping in [ping for ping in telling.pings if ping not in telling.done]:
                status = _post(connection, ping)
                if 200 <= status < 300:
                    telling.done.append(ping)
                else:
                    telling.reason = f"it answered {status}"
                    again = again or status >= 500 or status in _FOR_NOW
    except (OSError, HTTPException) as error:
        telling.reason = f"{str(error) or type(error).__name__}"
        return True
    except ValueError as error:
        telling.reason = f"its address can't be used: {error}"
        return False
    return again


def _connect(hub: str) -> HTTPConnection:
    parts = urlsplit(hub)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    return kind(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)


def _post(connection: HTTPConnection, ping: Ping) -> int:
    """Send one form and return the answer's status; the connection is kept if the hub keeps it."""
    parts = urlsplit(ping.hub)
    target = quote(parts.path or "/", safe="/%:=&~+!$,;@()*") + (f"?{parts.query}" if parts.query else "")
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "User-Agent": f"newsletter/{__version__}",
    }
    connection.request("POST", target, compose_ping(ping.topic), headers)
    with connection.getresponse() as answer:
        answer.read(_ANSWER_BYTES)
        if not answer.isclosed():
            connection.close()
        return answer.status
