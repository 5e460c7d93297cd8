"""Envelope senders: each mail's own return address (VERP), so that a bounce names its reader.

Owns the form `b+TOKEN@DOMAIN`. Refuses return addresses that we didn't sign: a forged bounce changes nobody.
"""

from collections.abc import Iterable

from newsletter.mail.token import Purpose, Token, make_token, read_token

_PREFIX = "b+"


def make_envelope_sender(key: bytes, subscriber_id: int, edition_id: int, bounce_domain: str) -> str:
    """Return the return address of one edition to one reader; `bounce_domain` is ASCII."""
    return f"{_PREFIX}{make_token(key, Purpose.BOUNCE, subscriber_id, edition_id)}@{bounce_domain}"


def read_envelope_sender(keys: Iterable[bytes], address: str, bounce_domain: str) -> Token | None:
    """Return whom a bounced mail was for, or None unless the return address is ours; case doesn't matter."""
    local, at, domain = address.strip().removeprefix("<").removesuffix(">").rpartition("@")
    if not at or domain.lower() != bounce_domain.lower() or not local.lower().startswith(_PREFIX):
        return None
    return read_token(keys, Purpose.BOUNCE, local[len(_PREFIX) :])
