"""A notice on the wire: mail to one person that belongs to no edition.

Owns its headers (RFC 5322, 3834) and its return address. Refuses line breaks in header values, names that aren't
header names, and headers that say something twice.

Decided here: `Message-ID` is signed for the notice, so that one which is sent again is the same mail. Nothing says
`Precedence: bulk`, since it is no bulk; `Auto-Submitted` keeps vacation responders quiet, and
`X-Auto-Response-Suppress` does so for Exchange.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import UTC
from email.utils import format_datetime

from newsletter.mail.encoding import check_header, encode_mailbox, encode_quoted_printable, encode_text
from newsletter.mail.message import Frame, Personal, check_wire, encode_part, wire_address, wire_domain
from newsletter.mail.token import Purpose, make_token
from newsletter.mail.verp import make_envelope_sender, make_notice_sender
from newsletter.model.edition import Sender
from newsletter.model.notice import Notice

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,75}")
_OURS = frozenset(
    ("from", "to", "reply-to", "subject", "date", "message-id", "auto-submitted", "mime-version", "content-language")
)


def encode_notice(notice: Notice, sender: Sender, key: bytes) -> tuple[Frame, Personal]:
    """Return a notice as a frame and what it is filled in with: `mail.dkim` signs it as it does an edition's mail.

    Only `To` is filled in, since an address alone may be other than ASCII. Raises ValueError for what no header can
    hold.
    """
    new = notice.notice
    lines = [f"{name}: {value}" for name, value in _headers(notice, sender, key)]
    lines += [f"{name}: {value}" for name, value in _extra_headers(new.headers)]
    rest = "\r\n".join(["", *lines, "MIME-Version: 1.0", ""]).encode() + _encode_body(new.text, new.html)
    to = encode_mailbox("", new.address).encode()
    check_wire([b"To: ", to, rest])
    frame = Frame(f"notice-{notice.id}", wire_domain(sender.bounce_domain), (b"To: ", rest), (0,))
    return frame, Personal(to, b"", b"", b"", b"")


def compose_return_address(notice: Notice, sender: Sender, key: bytes) -> str:
    """Return the envelope sender: it names the notice, or the reader where what comes back is to count against him."""
    new, domain = notice.notice, wire_domain(sender.bounce_domain)
    if new.subscriber_id is None or new.return_number is None:
        return make_notice_sender(key, notice.id, domain)
    return make_envelope_sender(key, new.subscriber_id, new.return_number, domain)


def _headers(notice: Notice, sender: Sender, key: bytes) -> Iterator[tuple[str, str]]:
    new, address = notice.notice, wire_address(sender.address)
    yield "From", encode_mailbox(sender.name, address)
    if sender.reply_to:
        yield "Reply-To", encode_mailbox("", wire_address(sender.reply_to))
    yield "Subject", encode_text(new.subject, len("Subject: "))
    yield "Date", format_datetime(notice.created_at.astimezone(UTC))
    yield "Message-ID", f"<{make_token(key, Purpose.NOTICE, notice.id, 0)}@{address.rpartition('@')[2]}>"
    yield "Auto-Submitted", "auto-generated"
    yield "X-Auto-Response-Suppress", "All"
    yield "Content-Language", check_header(new.language)


def _extra_headers(headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or name.lower() in _OURS or name.lower().startswith("content-"):
            raise ValueError(f"A notice can't have the header {name!r}")
        # Structured values (addresses, URLs) stand as they are: some mail programs read nothing else.
        yield name, check_header(value) if value.isascii() else encode_text(value, len(name) + 2)


def _encode_body(text: str, html: str) -> bytes:
    if not html:
        head = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        return head.encode() + encode_quoted_printable(text).removesuffix(b"\r\n") + b"\r\n"
    boundary = f"=_{hashlib.sha256((text + html).encode()).hexdigest()[:40]}"  # "=_" never occurs in quoted-printable
    head = f'Content-Type: multipart/alternative;\r\n boundary="{boundary}"\r\n\r\n'
    parts = encode_part(boundary, "plain", text) + encode_part(boundary, "html", html)
    return head.encode() + parts + f"--{boundary}--\r\n".encode()
