"""Mail addresses: one spelling for each, for the ledger and for the wire.

Owns what counts as a mail address here (RFC 5321, 6531) and when two are the same. Refuses quoted local parts, display
names, address literals and single-label domains: no reader's mailbox needs them, and each is a way to hide something.
Special-use domains (RFC 2606) are accepted, for trials and examples.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from email_validator import EmailNotValidError, EmailSyntaxError, validate_email

MAX_LENGTH = 254
"""Octets in a whole address (RFC 5321 section 4.5.3.1.3, less the angle brackets)."""

MAX_LOCAL_LENGTH = 64
"""Octets before the @ (RFC 5321 section 4.5.3.1.1)."""

_PLAIN_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_SHOWN = 80


class AddressError(ValueError):
    """A text that is no mail address; the message is a sentence that says why."""


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox.

    `address` is the ledger's unique key: two spellings of one mailbox share it. `wire` is what is stored with a reader
    and put on the wire: the local part as it was typed, the domain as A-labels. `domain` is the domain alone.
    """

    address: str
    wire: str
    domain: str


def normalise_address(text: str) -> Address:
    """Return the address in `text`; raise AddressError if it isn't one.

    The domain is lower-cased and turned into A-labels (IDNA 2008). The case of the local part is kept for the wire,
    since only its own server may fold it (RFC 5321 section 2.4), and folded in the key, since every server that has
    readers does.
    """
    bare = text.strip()
    if not 0 < len(bare) <= MAX_LENGTH:
        raise AddressError(_complain(bare, f"it is longer than {MAX_LENGTH} characters." if bare else "it is empty."))
    try:
        wire = _spell(bare)
    except EmailNotValidError as error:
        raise AddressError(_complain(bare, _sentence(error))) from None
    if len(wire.encode()) > MAX_LENGTH:
        raise AddressError(_complain(bare, f"it is longer than {MAX_LENGTH} octets on the wire."))
    return Address(fold_address(wire), wire, wire.rpartition("@")[2])


def fold_address(wire: str) -> str:
    """Return the unique key of an address in wire form.

    Lower case, not Unicode's case folding: that would make one mailbox of `straße` and `strasse`.
    """
    return wire.lower() if wire.isascii() else unicodedata.normalize("NFC", wire.lower())


def _spell(bare: str) -> str:
    """Return the wire form; email-validator judges every domain once and every local part out of the ordinary."""
    local, at, domain = bare.rpartition("@")
    if at and len(local) <= MAX_LOCAL_LENGTH and _PLAIN_LOCAL.fullmatch(local):
        return f"{local}@{_spell_domain(domain)}"
    checked = _validate(bare)
    if len(checked[0].encode()) > MAX_LOCAL_LENGTH:
        raise EmailSyntaxError(f"The part before the @-sign is longer than {MAX_LOCAL_LENGTH} octets.")
    return "@".join(checked)


@lru_cache(maxsize=4096)
def _spell_domain(domain: str) -> str:
    return _validate(f"reader@{domain}")[1]


def _validate(text: str) -> tuple[str, str]:
    # "test_environment" only lets the domain .test through; nothing is looked up in either case.
    checked = validate_email(text, check_deliverability=False, test_environment=True)
    return checked.local_part, checked.ascii_domain


def _sentence(error: EmailNotValidError) -> str:
    reason = str(error)
    return reason[0].lower() + reason[1:]


def _complain(text: str, reason: str) -> str:
    shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    return f"{shown!r} is not a mail address: {reason}"
