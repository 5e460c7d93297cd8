"""The message on the wire: encoded once for an edition, joined for each reader.

Owns which headers a mail carries and in what order (RFC 5322, 2369, 2919, 8058, 3834). Refuses line breaks in header
values, and an edition whose wire form would break SMTP's rules.

A frame is the whole message in bytes, cut where something personal goes. Every such place holds 32 letters and digits,
or the reader's mailbox in `To`, so that a message is one join: nothing is encoded, wrapped or searched for a reader.

Decided here: `Precedence: bulk` is sent, since old vacation responders heed nothing else. `Date` is when the edition
was published and `Message-ID` is signed for edition and reader, so a resend is the same bytes. A domain goes out as
A-labels; a local part that isn't ASCII stays as it is (RFC 6532), and such a mail needs SMTPUTF8.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import NamedTuple
from urllib.parse import quote, urlsplit, urlunsplit

from newsletter.mail.address import normalise_address
from newsletter.mail.encoding import (
    MAX_LINE_LENGTH,
    check_header,
    encode_mailbox,
    encode_phrase,
    encode_quoted_printable,
    encode_text,
)
from newsletter.mail.token import Purpose, make_tokens
from newsletter.mail.verp import name_envelope_sender
from newsletter.model.edition import PERSONAL_FIELDS, PREFERENCES_FIELD, UNSUBSCRIBE_FIELD, Edition, Sender
from newsletter.urls import archive_url, unsubscribe_url

_TO_FIELD = "\x00to\x00"  # NUL is refused in headers and encoded in bodies: these two can't be in an edition's text
_MESSAGE_FIELD = "\x00message\x00"
_FIELDS = (_TO_FIELD, _MESSAGE_FIELD, UNSUBSCRIBE_FIELD, PREFERENCES_FIELD)  # in the order of Personal
_PURPOSES = (Purpose.MESSAGE, Purpose.UNSUBSCRIBE, Purpose.PREFERENCES, Purpose.BOUNCE)  # in the order of Personal
_CUT = re.compile(b"(" + b"|".join(field.encode() for field in _FIELDS) + b")")
_BAD_WIRE = re.compile(rb"[^\x01-\x7f]|\r(?!\n)|(?<!\r)\n|(?:\A|\n)\.|[^\n]{%d}" % (MAX_LINE_LENGTH + 2))


class Personal(NamedTuple):
    """What differs for each reader: the `To` value, and tokens of 32 characters; `bounce` is the envelope's."""

    to: bytes
    message: bytes
    unsubscribe: bytes
    preferences: bytes
    bounce: bytes = b""


@dataclass(frozen=True, slots=True)
class Frame:
    """An edition encoded: `segments[i]` is followed by the personal value number `fields[i]`, the last by nothing.

    Guaranteed: CRLF only, lines of at most 998 octets, ASCII, and no line that starts with a dot, whatever the tokens
    are. The message can go out after DATA as it is.
    """

    slug: str
    bounce_domain: str
    segments: tuple[bytes, ...]
    fields: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Envelope:
    """One reader's mail, ready to hand over. `name` is unique to edition and reader, and safe as a file's name."""

    slug: str
    name: str
    sender: str
    recipient: str
    message: bytes
    needs_smtputf8: bool


def encode_edition(edition: Edition, published_at: datetime) -> Frame:
    """Encode an edition once; `published_at` is an aware time and becomes `Date`.

    Raises ValueError for a control character in a header value, for an address that is none, and for a naive time.
    """
    boundary = f"=_{edition.hash[:40]}"  # "=_" never occurs in quoted-printable
    lines = [f"{name}: {value}" for name, value in _headers(edition, published_at)]
    lines += ["MIME-Version: 1.0", "Content-Type: multipart/alternative;", f' boundary="{boundary}"', "", ""]
    wire = "\r\n".join(lines).encode()
    wire += encode_part(boundary, "plain", edition.text) + encode_part(boundary, "html", edition.html)
    wire += f"--{boundary}--\r\n".encode()
    pieces = _CUT.split(wire)
    check_wire(pieces)
    return Frame(
        slug=edition.slug,
        bounce_domain=wire_domain(edition.sender.bounce_domain),
        segments=tuple(pieces[::2]),
        fields=tuple(_FIELDS.index(field.decode()) for field in pieces[1::2]),
    )


def compose_message(frame: Frame, personal: Personal) -> bytes:
    """Return one reader's message, from the first header to the last CRLF."""
    return b"".join(compose_pieces(frame, personal))


def compose_pieces(frame: Frame, personal: Personal) -> list[bytes]:
    """Return one reader's message in pieces; all but the personal ones are shared with every other reader's."""
    pieces: list[bytes] = [b""] * (2 * len(frame.segments) - 1)
    pieces[::2] = frame.segments
    pieces[1::2] = [personal[field] for field in frame.fields]
    return pieces


def compose_personal(key: bytes, *, edition_id: int, subscriber_id: int, address: str, name: str) -> Personal:
    """Return what is a reader's own; `address` is in wire form. Raises ValueError for what no header can hold."""
    tokens = make_tokens(key, _PURPOSES, subscriber_id, edition_id)
    return Personal(encode_mailbox(name, address).encode(), *(token.encode() for token in tokens))


def compose_envelope(
    frame: Frame, key: bytes, *, edition_id: int, subscriber_id: int, address: str, name: str
) -> Envelope:
    """Return a reader's mail with its envelope; `address` is in wire form (`mail.address`).

    Raises ValueError for a name or address that no header can hold.
    """
    personal = compose_personal(key, edition_id=edition_id, subscriber_id=subscriber_id, address=address, name=name)
    return Envelope(
        slug=frame.slug,
        name=personal.message.decode(),
        sender=name_envelope_sender(personal.bounce.decode(), frame.bounce_domain),
        recipient=address,
        message=compose_message(frame, personal),
        needs_smtputf8=not address.isascii(),
    )


def _headers(edition: Edition, published_at: datetime) -> Iterator[tuple[str, str]]:
    """Yield the edition's headers, checked, encoded and folded."""
    sender = edition.sender
    address = wire_address(sender.address)
    if published_at.tzinfo is None:
        raise ValueError(f"{published_at!r} has no time zone, so it is no Date")
    yield "From", encode_mailbox(sender.name, address)
    yield "To", _TO_FIELD
    if sender.reply_to:
        yield "Reply-To", encode_mailbox("", wire_address(sender.reply_to))
    yield "Subject", encode_text(edition.subject, len("Subject: "))
    yield "Date", format_datetime(published_at.astimezone(UTC))
    yield "Message-ID", f"<{_MESSAGE_FIELD}@{address.rpartition('@')[2]}>"
    yield from _list_headers(edition, sender, address)
    yield "Auto-Submitted", "auto-generated"
    yield "Precedence", "bulk"
    yield "Content-Language", check_header(edition.language)


def _list_headers(edition: Edition, sender: Sender, address: str) -> Iterator[tuple[str, str]]:
    """Yield what mail programs show their own buttons for (RFC 2369, 2919, 8058) and Gmail's Feedback-ID."""
    list_id = wire_domain(sender.list_id)
    leave = _mailto(sender.unsubscribe_address, f"unsubscribe-{UNSUBSCRIBE_FIELD}")
    yield "List-Id", f"{encode_phrase(sender.list_name)}\r\n <{list_id}>"
    # Folded between the two addresses only: some mail programs read nothing else.
    yield "List-Unsubscribe", f"<{_wire_url(unsubscribe_url(sender.url))}>,\r\n <{leave}>"
    yield "List-Unsubscribe-Post", "List-Unsubscribe=One-Click"
    yield "List-Archive", f"<{_wire_url(archive_url(sender.url))}>"
    yield "List-Help", f"<{_mailto(sender.reply_to or address, 'help')}>"
    yield "List-Post", "NO"
    yield "Feedback-ID", f"{quote(edition.slug, safe='')}:newsletter:{_sender_id(list_id)}"


def encode_part(boundary: str, subtype: str, text: str) -> bytes:
    """Return one text of a `multipart/alternative`, from its boundary to its last line end."""
    head = (
        f"--{boundary}\r\nContent-Type: text/{subtype}; charset=utf-8\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    )
    return head.encode() + encode_quoted_printable(text) + b"\r\n"


def check_wire(pieces: list[bytes]) -> None:
    """Hold the whole message to what SMTP asks, so that no message has to be looked at again (see Frame)."""
    token = b"x" * len(UNSUBSCRIBE_FIELD)
    message = b"".join(token if number % 2 else piece for number, piece in enumerate(pieces))
    found = _BAD_WIRE.search(message)
    if found:
        near = message[max(0, found.start() - 20) : found.end() + 20][:80]
        raise ValueError(f"The message would break SMTP's rules for lines near {near!r}.")


def wire_address(address: str) -> str:
    """Return an address of ours for a header; only its domain may be other than ASCII."""
    wire = normalise_address(address).wire
    if not wire.isascii():
        raise ValueError(f"{address!r}: an address that mail comes from must be ASCII before the @.")
    return wire


def wire_domain(domain: str) -> str:
    """Return a domain in A-labels and lower case."""
    if re.fullmatch(r"[A-Za-z0-9.-]+", domain):
        return domain.lower()
    return normalise_address(f"list@{domain}").domain


def _wire_url(url: str) -> str:
    """Return a URL in ASCII (RFC 3987 section 3.1): host as A-labels, the rest percent-encoded."""
    parts = urlsplit(check_header(url))
    host, colon, port = parts.netloc.partition(":")
    netloc = f"{wire_domain(host)}{colon}{port}"
    safe = "/%:@!$&'()*+,;=~-._"
    return urlunsplit((parts.scheme, netloc, quote(parts.path, safe=safe), quote(parts.query, safe=safe + "?"), ""))


def _mailto(address: str, subject: str) -> str:
    return f"mailto:{quote(wire_address(address), safe='@+-._')}?subject={subject}"


def _sender_id(list_id: str) -> str:
    """Return the list's stable name for Gmail's Feedback-ID, which wants 5 to 15 characters."""
    return "n" + hashlib.sha256(list_id.encode()).hexdigest()[:12]


assert set(PERSONAL_FIELDS) < set(_FIELDS)  # noqa: S101 - a field nobody fills in would reach readers
