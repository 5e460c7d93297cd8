"""Replies on the wire: cut out of the byte stream, and read. Pure.

Owns the framing of replies (RFC 5321 section 4.2). Refuses to guess: bytes that are no reply have the code 0, and so
has a reply whose lines disagree about their code.
"""

import re

from newsletter.delivery.policy import parse_reply
from newsletter.model.delivery import Reply

MAX_REPLY = 16_384
"""A reply that is longer, in bytes, is taken for an attack or a fault; the largest real ones are under 4 KB."""

_PLAIN = re.compile(rb"([2-5]\d\d) ([245]\.\d{1,3}\.\d{1,3}) ([!-~][ -~]{,480}[!-~])\r?")
_CODES = {b"%d" % code: code for code in range(200, 600)}


def split_replies(data: bytes) -> tuple[list[bytes], bytes]:
    """Cut the stream after each reply; return the replies, without their last line end, and the bytes left over.

    A line goes on with the next one if its code is followed by a hyphen. Line ends may be CRLF or LF.
    """
    lines = data.split(b"\n")
    rest = lines.pop()
    for line in lines:
        if line[3:4] == b"-":
            return _split_multiline(lines, rest)
    return lines, rest


def _split_multiline(lines: list[bytes], rest: bytes) -> tuple[list[bytes], bytes]:
    replies: list[bytes] = []
    begun: list[bytes] = []
    for line in lines:
        begun.append(line)
        if line[3:4] != b"-":
            replies.append(b"\n".join(begun))
            begun = []
    return replies, b"\n".join([*begun, rest])


def read_code(reply: bytes) -> int:
    """Return the code of a reply, 200 to 599, or 0 for bytes that are no reply."""
    if b"\n" in reply and len({line[:3] for line in reply.split(b"\n")}) > 1:
        return 0
    return _CODES.get(reply[:3], 0) if reply[3:4] in b" -\r" else 0


def read_reply(reply: bytes) -> Reply:
    """Return what a reply says; its text is one line, bounded and safe to print."""
    plain = _PLAIN.fullmatch(reply)
    if plain and plain[1][0] == plain[2][0]:  # nearly every reply, at a third of the time
        return Reply(_CODES[plain[1]], plain[2].decode(), plain[3].decode())
    words = b"\n".join(line[4:] for line in reply.split(b"\n")).decode("utf-8", "surrogateescape")
    return parse_reply(read_code(reply), words)
