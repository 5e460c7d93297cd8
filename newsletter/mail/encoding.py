"""The 7-bit wire form: quoted-printable bodies, encoded words, and header lines.

Owns every byte-level rule of a message (RFC 2045, 2047, 5322). Refuses CR, LF, NUL and other control characters in a
header. Personal fields pass through untouched and unbroken, since a token in their place needs no encoding either.

Two promises beyond the standards. No line of ours starts with a dot, so that no message needs dot-stuffing
(RFC 5321 section 4.5.2). No body line starts with "From ", so that no mail store alters it.
"""

import re
from base64 import b64encode
from typing import TypeVar

from newsletter.model.edition import PERSONAL_FIELDS

LINE_LENGTH = 76
"""Characters in a body line, and in a header line that holds an encoded word, at most."""

MAX_LINE_LENGTH = 998
"""Octets in any line, at most (RFC 5322 section 2.1.1)."""

_SOFT_LIMIT = LINE_LENGTH - 3  # room for the soft break, and for two characters more at a protected line start
_WORD_LENGTH = 60  # of an encoded word, so that it fits behind any header's name
_UNIT = re.compile("|".join(PERSONAL_FIELDS) + r"|[!-<>-~ \t]|[^!-<>-~ \t]", re.DOTALL)
_LITERAL = re.compile("|".join(PERSONAL_FIELDS) + r"|[!-<>-~ \t]")
_ADDRESS = re.compile(r"[^\x00-\x20\x7f<>\",;:()\[\]\\@]+@[^\x00-\x20\x7f<>\",;:()\[\]\\@]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PLAIN = re.compile(r"[!-~]+(?: [!-~]+)*")
_WORD_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
_Piece = TypeVar("_Piece", str, bytes)


def encode_quoted_printable(text: str) -> bytes:
    """Return text as quoted-printable UTF-8 with CRLF line ends (RFC 2045 section 6.7).

    LF, CR and CRLF are all line ends. Lines are at most 76 characters, and a personal field is never broken.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\r\n".join(soft for line in lines for soft in _wrap(line)).encode("ascii")


def _wrap(line: str) -> list[str]:
    """Encode one line of text into one or more lines joined by soft breaks."""
    done: list[str] = []
    current = ""
    kept = line[:-1] if line.endswith((" ", "\t")) else line
    pieces = [_encode_unit(unit) for unit in _UNIT.findall(kept)]
    pieces += [f"={ord(end):02X}" for end in line[len(kept) :]]  # a blank at a line's end would get lost
    for piece in pieces:
        if len(current) + len(piece) > _SOFT_LIMIT:
            done.append(f"{_protect(current)}=")
            current = ""
        current += piece
    return [*done, _protect(current)]


def _encode_unit(unit: str) -> str:
    if _LITERAL.fullmatch(unit):
        return unit
    return "".join(f"={byte:02X}" for byte in unit.encode())


def _protect(line: str) -> str:
    """Escape a first character that somebody on the way would act on."""
    if line.startswith((".", "From ")):
        return f"={ord(line[0]):02X}{line[1:]}"
    return line


def check_header(value: str) -> str:
    """Return the value; ValueError if it holds a control character, which could start another header."""
    if _CONTROL.search(value):
        raise ValueError(f"A mail header can't hold a line break or control character: {value!r}")
    return value


def encode_text(value: str, indent: int) -> str:
    """Return an unstructured header value (a subject), folded; `indent` is how wide the header's name is.

    Plain ASCII stays readable; anything else becomes encoded words. Raises ValueError as `check_header`.
    """
    check_header(value)
    if _PLAIN.fullmatch(value) and "=?" not in value:
        folded = _fold(value, indent)
        if folded is not None:
            return folded
    return _encode_words(value) if value else ""


def encode_mailbox(name: str, address: str) -> str:
    """Return `"name" <address>`, or the bare address without a name; raise ValueError as `check_header`.

    A name that is long or not ASCII becomes encoded words. The address is taken as it is: a local part that isn't
    ASCII stays so (RFC 6532), and whoever sends it needs SMTPUTF8.
    """
    if not _ADDRESS.fullmatch(address):
        raise ValueError(f"A mail header can't hold this address: {address!r}")
    if not name:
        return address
    phrase = encode_phrase(name)
    gap = " " if len(phrase) + len(address) < LINE_LENGTH - 16 else "\r\n "
    return f"{phrase}{gap}<{address}>"


def encode_phrase(name: str) -> str:
    """Return a display name as a quoted string, or as encoded words when it is long or not ASCII."""
    check_header(name)
    quoted = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    plain = name.isascii() and "=?" not in name
    return quoted if plain and len(quoted) <= _WORD_LENGTH + 2 else _encode_words(name)


def _fold(value: str, indent: int) -> str | None:
    """Fold at blanks into lines of 76; None if a word is too long for that."""
    lines = [""]
    room = LINE_LENGTH - indent
    for word in value.split(" "):
        if len(word) > LINE_LENGTH - 1:
            return None
        if lines[-1] and len(lines[-1]) + 1 + len(word) > room:
            lines.append(word)
            room = LINE_LENGTH - 1
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return "\r\n ".join(lines)


def _encode_words(value: str) -> str:
    """Return encoded words (RFC 2047), one a line, in whichever of Q and B is shorter; no character is split."""
    quoted, size = ["".join(_encode_q(byte) for byte in char.encode()) for char in value], len(value.encode())
    if sum(map(len, quoted)) <= size * 4 / 3:
        return "\r\n ".join(f"=?utf-8?q?{''.join(group)}?=" for group in _group(quoted, _WORD_LENGTH - 12))
    groups = _group([char.encode() for char in value], (_WORD_LENGTH - 12) // 4 * 3)
    return "\r\n ".join(f"=?utf-8?b?{b64encode(b''.join(group)).decode()}?=" for group in groups)


def _encode_q(byte: int) -> str:
    if byte == 0x20:
        return "_"
    return chr(byte) if byte in _WORD_SAFE else f"={byte:02X}"


def _group(pieces: list[_Piece], limit: int) -> list[list[_Piece]]:
    """Gather pieces in order into groups of at most `limit` characters."""
    groups: list[list[_Piece]] = [[]]
    room = limit
    for piece in pieces:
        if len(piece) > room:
            groups.append([])
            room = limit
        groups[-1].append(piece)
        room -= len(piece)
    return groups
