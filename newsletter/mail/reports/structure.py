"""The parts of a mail (RFC 2045, 2046), read so that broken MIME still gives its parts.

Owns the walk and its limits. A multipart without a usable boundary is read as if the first line that looks like one
were it; without such a line, as one text. Nothing is decoded here that isn't looked into.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from newsletter.mail.reports.charset import decode_bytes
from newsletter.mail.reports.fields import Fields, parse_head, read_content_type
from newsletter.mail.reports.limits import Limits

_GUESSED = re.compile(rb"(?:\A|\n)--([^\n]{1,70}?)[ \t]*\n(?:[Cc]ontent-|\n)")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=\s]")
_MESSAGES = frozenset({"message/rfc822", "message/global", "message/news"})
_SEVERAL_BLANKS = re.compile(rb"\A\s*?\n")


@dataclass(frozen=True, slots=True)
class Part:
    """A MIME part. `body` is as it stands in the mail; `parts` are what it holds, a message's being the message."""

    kind: str
    fields: Fields
    parameters: dict[str, str]
    body: bytes
    parts: tuple["Part", ...] = ()

    @property
    def is_message(self) -> bool:
        """Return whether this is a whole message within the mail."""
        return self.kind in _MESSAGES


@dataclass(slots=True)
class _Walk:
    """What is left of the limits."""

    limits: Limits
    parts: int = field(default=0)
    cut: bool = False

    def enter(self, depth: int) -> bool:
        self.parts += 1
        fits = self.parts <= self.limits.parts and depth <= self.limits.depth
        self.cut |= not fits
        return fits


def parse_mail(raw: bytes, limits: Limits) -> tuple[Part, bool]:
    """Return a mail as a part, and whether limits cut something off."""
    walk = _Walk(limits, cut=len(raw) > limits.size)
    data = raw[: limits.size]
    if data.startswith((b"From ", b">From ")):  # an mbox's separator
        data = data.partition(b"\n")[2]
    data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").lstrip(b"\n")
    return _parse_part(data, walk, 0, "text/plain"), walk.cut


def _parse_part(data: bytes, walk: _Walk, depth: int, default: str) -> Part:
    fields, body = parse_head(data, walk.limits.headers)
    kind, parameters = read_content_type(fields.get("content-type") or default)
    if kind.startswith("multipart/"):
        parts = _parse_multipart(body, kind, parameters.get("boundary", ""), walk, depth)
        if parts:
            return Part(kind, fields, parameters, body, parts)
        return Part("text/plain", fields, parameters, body)
    if kind in _MESSAGES and walk.enter(depth + 1):
        whole = _undo_encoding(body, fields.get("content-transfer-encoding"))
        inner = _parse_part(_SEVERAL_BLANKS.sub(b"", whole), walk, depth + 1, "text/plain")
        return Part(kind, fields, parameters, body, (inner,))
    return Part(kind, fields, parameters, body)


def _parse_multipart(body: bytes, kind: str, boundary: str, walk: _Walk, depth: int) -> tuple[Part, ...]:
    default = "message/rfc822" if kind == "multipart/digest" else "text/plain"
    pieces = _split_parts(body, boundary.rstrip().encode("utf-8", "replace"), walk.limits.parts)
    if not pieces and (found := _GUESSED.search(body)):
        pieces = _split_parts(body, found[1], walk.limits.parts)
    parts: list[Part] = []
    for piece in pieces:
        if not walk.enter(depth + 1):
            break
        parts.append(_parse_part(piece, walk, depth + 1, default))
    return tuple(parts)


def _split_parts(body: bytes, boundary: bytes, limit: int) -> list[bytes]:
    """Return what stands between the delimiter lines; a missing last delimiter is the mail's end."""
    if not boundary:
        return []
    text, delimiter = b"\n" + body, b"\n--" + boundary  # no pattern: compiling one a mail costs more than this
    pieces: list[bytes] = []
    start, at = -1, text.find(delimiter)
    while at >= 0 and len(pieces) <= limit:
        end = text.find(b"\n", at + 1)
        end = len(text) if end < 0 else end
        rest = text[at + len(delimiter) : end].rstrip(b" \t")
        if rest in (b"", b"--"):
            if start >= 0:
                pieces.append(text[start:at])
            start = -1 if rest else end + 1
        at = text.find(delimiter, end)
    if start >= 0 and len(pieces) <= limit:
        pieces.append(text[start:])
    return pieces


def _undo_encoding(body: bytes, encoding: str) -> bytes:
    """Return the octets that a transfer encoding stands for; what isn't really encoded stays as it is."""
    name = encoding.strip().lower()
    if name == "base64" and not _NOT_BASE64.search(body[:200]):
        digits = re.sub(rb"[^A-Za-z0-9+/]", b"", body)
        try:
            return binascii.a2b_base64(digits[: len(digits) - len(digits) % 4] + _pad(digits))
        except binascii.Error:
            return body
    if name == "quoted-printable":
        return binascii.a2b_qp(body)
    return body


def _pad(digits: bytes) -> bytes:
    rest = digits[len(digits) - len(digits) % 4 :]
    return rest + b"=" * (4 - len(rest)) if len(rest) > 1 else b""


def decode_part(part: Part, limit: int) -> str:
    """Return a part's text, at most `limit` characters, with LF line ends."""
    encoding = part.fields.get("content-transfer-encoding")
    data = _undo_encoding(part.body[: limit * 8], encoding)[: limit * 4]
    text = decode_bytes(data, part.parameters.get("charset", ""))[:limit]
    return text.replace("\r\n", "\n").replace("\r", "\n")


def walk_parts(part: Part, *, into_messages: bool = False) -> Iterator[Part]:
    """Yield the leaves in order; of a message within the mail the message itself, and its leaves if asked."""
    if part.is_message and not into_messages:
        yield part
    elif part.parts:
        for inner in part.parts:
            yield from walk_parts(inner, into_messages=into_messages)
    else:
        yield part
