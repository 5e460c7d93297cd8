"""What passes between a sender and the wire: mails that are ready, results, and how a server is spoken to. Pure.

Refuses addresses and options that could end a command early: what is composed here is written as it is.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from newsletter.delivery.policy import Phase
from newsletter.model.delivery import Reply

Key = TypeVar("Key")

_NO_ADDRESS = re.compile(r"[\x00-\x20<>\x7f]")
_NO_OPTIONS = re.compile(r"[^ -~]")
_NO_XCHAR = re.compile(r"[^!-*,-<>-~]")


class Prepared(NamedTuple, Generic[Key]):
    """A mail that is ready for the wire.

    `key` is the caller's. `envelope` is the two command lines of `compose_commands`; `dsn_envelope` the same for a
    server that offers DSN, or empty. `body` is the message in any number of pieces: CRLF only, no line that starts with
    a dot (so that it is the same with DATA and BDAT), the last piece ends with CRLF.
    """

    key: Key
    envelope: bytes
    body: Sequence[bytes]
    dsn_envelope: bytes = b""


class Result(NamedTuple):
    """What came of a mail: the reply that decided, and what it answered. Code 0 means that none came."""

    phase: Phase
    reply: Reply


@dataclass(frozen=True, slots=True)
class Dialect:
    """What may be said to a server; `window` is how many bodies may be unanswered, `dsn`: RFC 3461's parameters."""

    pipelining: bool
    chunking: bool
    window: int
    dsn: bool = False


def decide_dialect(extensions: frozenset[str], window: int) -> Dialect:
    """Return how to speak to a server with these extensions (lower case, from EHLO).

    More than one body at a time needs both PIPELINING and CHUNKING: a body after DATA has to wait for its 354. For one
    at a time DATA in a pipeline costs as many round trips as chunks, and no RSET; without a pipeline chunks save one.
    """
    pipelining, chunking, dsn = (name in extensions for name in ("pipelining", "chunking", "dsn"))
    if pipelining and (window <= 1 or not chunking):
        return Dialect(pipelining=True, chunking=False, window=1, dsn=dsn)
    return Dialect(pipelining, chunking, window if pipelining else 1, dsn)


def compose_dsn_options(token: str, recipient: str) -> tuple[str, str]:
    """Return the options of MAIL and RCPT that have a report name the mail by a token, and the reader as we wrote him.

    ENVID, RET and ORCPT (RFC 3461 sections 4.2 to 4.4). An address that isn't ASCII gets no ORCPT: its form (RFC 6533)
    would need a server that knows SMTPUTF8 and DSN together.
    """
    original = f"ORCPT=rfc822;{_encode_xtext(recipient)}" if recipient.isascii() else ""
    return f"RET=HDRS ENVID={token}", original


def _encode_xtext(text: str) -> str:
    """Return ASCII as xtext (RFC 3461 section 4)."""
    return _NO_XCHAR.sub(lambda found: f"+{ord(found[0]):02X}", text)


def compose_commands(sender: str, recipient: str, mail_options: str = "", rcpt_options: str = "") -> bytes:
    """Return the MAIL and RCPT lines; `mail_options` are such as `SIZE=40960`.

    Raises ValueError for anything that could end an address or a line early.
    """
    for address in (sender, recipient):
        if _NO_ADDRESS.search(address):
            raise ValueError(f"{address!r} can't stand in an SMTP command")
    for options in (mail_options, rcpt_options):
        if _NO_OPTIONS.search(options):
            raise ValueError(f"{options!r} can't be options of an SMTP command")
    mail = f"MAIL FROM:<{sender}> {mail_options}".rstrip(" ")
    rcpt = f"RCPT TO:<{recipient}> {rcpt_options}".rstrip(" ")
    return f"{mail}\r\n{rcpt}\r\n".encode()
