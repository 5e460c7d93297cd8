"""Envelope senders: each mail's own return address (VERP), so that a bounce names its reader.

Owns the forms `b+TOKEN@DOMAIN`, and `n+TOKEN@DOMAIN` for mail that belongs to no edition. Refuses return addresses
that we didn't sign: a forged bounce changes nobody.
"""

from collections.abc import Iterable

from newsletter.mail.token import Purpose, Token, make_token, read_token

_PREFIX = "b+"
_NOTICE_PREFIX = "n+"
PREFIXES = (_PREFIX, _NOTICE_PREFIX)
"""How the local parts of our return addresses begin."""


def make_envelope_sender(key: bytes, subscriber_id: int, edition_id: int, bounce_domain: str) -> str:
    """Return the return address of one edition to one reader; `bounce_domain` is ASCII."""
    return name_envelope_sender(make_token(key, Purpose.BOUNCE, subscriber_id, edition_id), bounce_domain)


def name_envelope_sender(token: str, bounce_domain: str) -> str:
    """Return the return address that carries a token made for BOUNCE."""
    return f"{_PREFIX}{token}@{bounce_domain}"


def make_notice_sender(key: bytes, notice_id: int, bounce_domain: str) -> str:
    """Return the return address of a notice; `bounce_domain` is ASCII."""
    return f"{_NOTICE_PREFIX}{make_token(key, Purpose.NOTICE, notice_id, 0)}@{bounce_domain}"


def read_envelope_sender(keys: Iterable[bytes], address: str, bounce_domain: str) -> Token | None:
    """Return whom a bounced mail was for, or None unless the return address is ours; case doesn't matter."""
    text = _read_local(address, bounce_domain, _PREFIX)
    return None if text is None else read_token(keys, Purpose.BOUNCE, text)


def read_notice_sender(keys: Iterable[bytes], address: str, bounce_domain: str) -> int | None:
    """Return the number of the notice that came back, or None unless the return address is a notice's of ours."""
    text = _read_local(address, bounce_domain, _NOTICE_PREFIX)
    token = None if text is None else read_token(keys, Purpose.NOTICE, text)
    return None if token is None else token.subscriber_id


def _read_local(address: str, bounce_domain: str, prefix: str) -> str | None:
    """Return what stands behind a prefix before the @, or None for an address of another form or domain."""
    local, at, domain = address.strip().removeprefix("<").removesuffix(">").rpartition("@")
    if not at or domain.lower() != bounce_domain.lower() or not local.lower().startswith(prefix):
        return None
    return local[len(prefix) :]
