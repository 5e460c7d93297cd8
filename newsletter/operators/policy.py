"""What a password must be, how long a session lasts, and what its browser carries. Pure.

The cookie holds the session's secret and a signed note of when its operator last did something himself. The ledger
holds only the secret's digest: whoever reads a copy of the database can't use a session of it. A form's token is made
from the secret, so another site, which has no way to read it, can make no form that counts.
"""

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from newsletter.mail.token import Purpose, make_token, read_token
from newsletter.model.operator import Session
from newsletter.model.throttle import Limit

SHORTEST: Final = 12
LONGEST: Final = 1024
"""Characters of a password. What is longer would only keep the hash busy."""

IDLE: Final = timedelta(hours=1)
LIFE: Final = timedelta(hours=12)
"""How long a session lasts after the operator's last doing, and at most."""

FORM_LIFE: Final = timedelta(hours=1)
SKEW: Final = timedelta(seconds=5)
"""How far a time of ours may be ahead: of two machines that serve, one may be a little slow."""

PER_CLIENT: Final = Limit(timedelta(minutes=1), 5)
FOR_ALL: Final = Limit(timedelta(seconds=15), 60)
"""How often one client, and all of them together, may try a password."""

_SECRET = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Pass:
    """What a browser carries: which session, its secret, and when its operator last did something."""

    session_id: int
    secret: str
    seen_at: datetime


def check_password(text: str) -> str:
    """Return what is wrong with a password to be; '' for one that will do."""
    if len(text) < SHORTEST:
        return f"The password is too short: it needs at least {SHORTEST} characters. A few words in a row are fine."
    if len(text) > LONGEST:
        return f"The password is too long: at most {LONGEST} characters."
    if len(set(text)) < 5:
        return "The password is too simple: it needs at least five different characters."
    return ""


def normalise_password(text: str) -> str:
    """Return a password in the one form of it: keyboards don't agree on how `é` is written."""
    return unicodedata.normalize("NFKC", text)


def digest_secret(secret: str) -> str:
    """Return what the ledger keeps of a session's secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def compose_pass(key: bytes, session_id: int, secret: str, now: datetime) -> str:
    """Return a cookie's value; `secret` is 64 hexadecimal digits."""
    return secret + make_token(key, Purpose.SESSION, session_id, int(now.timestamp()))


def read_pass(keys: Sequence[bytes], text: str) -> Pass | None:
    """Return what a cookie says, or None unless we made it."""
    secret, token = text[:64], read_token(keys, Purpose.SESSION, text[64:])
    if token is None or not _SECRET.fullmatch(secret):
        return None
    return Pass(token.subscriber_id, secret, datetime.fromtimestamp(token.edition_id, UTC))


def admits(session: Session | None, shown: Pass, now: datetime) -> bool:
    """Return whether a browser with this pass is signed in."""
    digest = session.digest if session else ""
    if not hmac.compare_digest(digest, digest_secret(shown.secret)) or session is None:
        return False
    return -SKEW <= now - shown.seen_at < IDLE and -SKEW <= now - session.opened_at < LIFE


def make_form_token(secret: str) -> str:
    """Return what every form of a session carries."""
    return hmac.new(secret.encode(), b"form", "sha256").hexdigest()


def is_form_token(secret: str, text: str) -> bool:
    """Return whether a form is of this session."""
    return hmac.compare_digest(make_form_token(secret).encode(), text.encode())


def make_sign_in_stamp(key: bytes, now: datetime) -> str:
    """Return what the form to sign in carries: that we gave it out, and when."""
    return make_token(key, Purpose.SIGN_IN, int(now.timestamp()), 0)


def is_sign_in_stamp(keys: Sequence[bytes], text: str, now: datetime) -> bool:
    """Return whether a form to sign in is one of ours, and not too old."""
    token = read_token(keys, Purpose.SIGN_IN, text)
    if token is None:
        return False
    return -SKEW <= now - datetime.fromtimestamp(token.subscriber_id, UTC) < FORM_LIFE


def is_same_site(origin: str, fetch_site: str, scheme_and_host: Sequence[str]) -> bool:
    """Return whether a browser says that a POST comes from a page of ours (`Origin`, else `Sec-Fetch-Site`)."""
    if origin:
        return origin in scheme_and_host
    return fetch_site == "same-origin"
