"""Calls other programs: posts the webhook, signed, and fetches the heartbeat.

Owns the signature (standardwebhooks.com: `webhook-id`, `webhook-timestamp`, `webhook-signature`) and when a call is
tried again. Follows no redirect, reads no more of an answer than its status, and never logs the address, which may hold
a secret.

**Limit.** At least once: a call whose caller died before he could write down the answer is made again, with the same
`webhook-id`.
"""

import base64
import hashlib
import hmac
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.client import HTTPException
from typing import Any, Final

from newsletter import __version__
from newsletter.config import Alerts
from newsletter.secret import load_secret
from newsletter.store.calls import Call, claim_call, settle_call
from newsletter.store.database import Database

TIMEOUT: Final = 15.0
PATIENCE: Final = timedelta(days=3)
_LEASE: Final = timedelta(minutes=2)
LONGEST_WAIT: Final = timedelta(hours=4)
_FIRST_WAIT: Final = timedelta(seconds=20)
_PREFIX: Final = b"whsec_"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a call: an HTTP status, or 0 and what went wrong."""

    status: int
    text: str

    @property
    def good(self) -> bool:
        """Return whether the other side took it."""
        return 200 <= self.status < 300

    @property
    def final(self) -> bool:
        """Return whether trying again is useless: what is called isn't there any more (410)."""
        return self.status == 410


Fetch = Callable[[str, bytes | None, dict[str, str]], Answer]
"""Takes an address, a body to post or None to fetch, and headers."""


def make_calls(
    database: Database,
    alerts: Alerts,
    owner: str,
    clock: Callable[[], datetime],
    fetch: Fetch,
    is_dead: Callable[[str], bool],
    should_stop: Callable[[], bool] = lambda: False,
    *,
    site: str,
) -> int:
    """Make every call that is due now, one after the other; return how many were heard.

    `site` is the publication's address: several may call one webhook.
    """
    heard = 0
    while not should_stop():
        now = clock()
        with database.transaction() as connection:
            call = claim_call(connection, owner, now + _LEASE, now, is_dead)
        if call is None:
            break
        answer = _make(call, alerts, clock(), fetch, site)
        now = clock()
        again = None if answer.final else decide_again(call, now)
        with database.transaction() as connection:
            settle_call(connection, owner, call, answer.text, now, done=answer.good, again_at=again)
        heard += answer.good
    return heard


def _make(call: Call, alerts: Alerts, now: datetime, fetch: Fetch, site: str) -> Answer:
    url = alerts.webhook if call.kind == "webhook" else alerts.heartbeat
    if not url:
        return Answer(410, "nothing is configured to be called any more")
    if call.kind == "heartbeat":
        return fetch(url, None, {})
    body = call.body.encode()
    headers = sign_call(name_call(site, call.key), now, body, parse_key(load_secret(alerts.webhook_secret)))
    return fetch(url, body, {**headers, "content-type": "application/json"})


def decide_again(call: Call, now: datetime) -> datetime | None:
    """Return when a call that wasn't taken is made again, None when it isn't worth it any more. Waits double."""
    wait = min(_FIRST_WAIT * 2.0 ** min(call.attempts, 20), LONGEST_WAIT)
    return now + wait if now + wait < call.expires_at else None


def parse_key(secret: bytes) -> bytes:
    """Return the key that a secret file holds: its bytes, or what follows `whsec_` in base64."""
    if secret.startswith(_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except ValueError:
            return secret
    return secret


def name_call(site: str, key: str) -> str:
    """Return a call's id, the same at every attempt, and another one for each publication."""
    return f"{hashlib.sha256(site.encode()).hexdigest()[:12]}:{key}"


def sign_call(key: str, now: datetime, body: bytes, secret: bytes) -> dict[str, str]:
    """Return the headers that prove a call is ours and fresh: HMAC-SHA256 over its id, its time and its body."""
    timestamp = str(int(now.timestamp()))
    signed = b".".join((key.encode(), timestamp.encode(), body))
    signature = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    return {"webhook-id": key, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{signature}"}


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Follow nothing: a signed message is meant for one address."""


_OPENER: Final = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler())


def fetch_url(url: str, body: bytes | None, headers: dict[str, str]) -> Answer:
    """Make one HTTP request and return its status. What goes wrong is an answer, too."""
    everything = {"user-agent": f"newsletter/{__version__}", **headers}
    request = urllib.request.Request(url, data=body, headers=everything)  # noqa: S310 - the config takes http(s) only
    try:
        with _OPENER.open(request, timeout=TIMEOUT) as response:
            return Answer(response.status, f"HTTP {response.status}")
    except urllib.error.HTTPError as error:
        error.close()
        return Answer(error.code, f"HTTP {error.code}")
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None)
        return Answer(0, f"{type(error).__name__}: {reason or error}"[:200])
