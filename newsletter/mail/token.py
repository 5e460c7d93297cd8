"""Personal tokens: who and which edition, signed, in 32 letters and digits.

Owns the layout of a token and its signature. Refuses whatever wasn't signed with one of our keys for the very purpose
it is shown for: a token from an unsubscribe link opens nothing else. A token holds no address and nothing secret.

Layout of the 20 bytes, in lower-case base32 (RFC 4648 section 6, never padded):
1 version, 5 subscriber id, 4 edition id, 10 the head of an HMAC-SHA256 over purpose and the ten bytes before it.
Eighty bits can't be guessed over the network, and each guess costs the one who guesses a request.
"""

import hmac
from base64 import b32decode, b32encode
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from newsletter.model.edition import TOKEN_WIDTH

VERSION = 1
MAX_SUBSCRIBER_ID = 2**40 - 1
MAX_EDITION_ID = 2**32 - 1

_PAYLOAD_SIZE = 10


class Purpose(StrEnum):
    """What a token opens; part of what is signed."""

    UNSUBSCRIBE = "unsubscribe"
    PREFERENCES = "preferences"
    BOUNCE = "bounce"
    MESSAGE = "message"
    CONFIRM = "confirm"
    NOTICE = "notice"
    FORM = "form"


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says once its signature is checked. Ids of 0 name nobody: a test mail's.

    For CONFIRM `subscriber_id` is a request's number, for NOTICE a notice's, and for FORM the seconds since 1970.
    """

    subscriber_id: int
    edition_id: int


def make_token(key: bytes, purpose: Purpose, subscriber_id: int, edition_id: int) -> str:
    """Return the token, 32 characters of [a-z2-7]; ValueError for an id that doesn't fit."""
    if not (0 <= subscriber_id <= MAX_SUBSCRIBER_ID and 0 <= edition_id <= MAX_EDITION_ID):
        raise ValueError(f"No token has room for subscriber {subscriber_id} and edition {edition_id}.")
    payload = (VERSION << 72 | subscriber_id << 32 | edition_id).to_bytes(_PAYLOAD_SIZE, "big")
    return b32encode(payload + _sign(key, purpose, payload)).decode().lower()


def read_token(keys: Iterable[bytes], purpose: Purpose, text: str) -> Token | None:
    """Return what a token says, or None unless one of `keys` signed it for `purpose`; upper case is fine."""
    if len(text) != TOKEN_WIDTH:
        return None
    try:
        raw = b32decode(text, casefold=True)
    except ValueError:  # not base32, or not even ASCII
        return None
    payload, signature = raw[:_PAYLOAD_SIZE], raw[_PAYLOAD_SIZE:]
    fits = False
    for key in keys:  # all of them, so that the time taken doesn't tell which one fits
        fits |= hmac.compare_digest(_sign(key, purpose, payload), signature)
    if not fits or payload[0] != VERSION:
        return None
    return Token(int.from_bytes(payload[1:6], "big"), int.from_bytes(payload[6:], "big"))


def _sign(key: bytes, purpose: Purpose, payload: bytes) -> bytes:
    signer = _prepare_signer(key, purpose).copy()
    signer.update(payload)
    return signer.digest()[:10]


@lru_cache(maxsize=32)
def _prepare_signer(key: bytes, purpose: Purpose) -> hmac.HMAC:
    """Prepare the part every signature shares; a copy of it costs a third of starting over."""
    return hmac.new(key, purpose.encode() + b"\0", "sha256")
