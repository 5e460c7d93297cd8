"""Header fields, as leniently as mail that comes back needs it (RFC 5322 section 2.2, 2047).

Owns splitting a head from a body and looking fields up. Refuses nothing: what isn't a field ends the head.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.errors import MessageError
from email.header import decode_header

from newsletter.mail.reports.charset import decode_bytes, is_known_charset
from newsletter.mail.reports.limits import VALUE_LENGTH

_FIELD = re.compile(r"([!-9;-~]{1,76})[ \t]*:[ \t]*([^\n]*(?:\n[ \t][^\n]*)*)(?:\n|\Z)")
_FOLD = re.compile(r"[ \t]*\n[ \t]+")
_WORD = re.compile(r"=\?[^?\s]{1,40}\?[bBqQ]\?[^?\n]*\?=")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_HEAD_SIZE = 1 << 17
_PARAMETER = re.compile(r";\s*([A-Za-z][A-Za-z0-9-]*)(?:\*0?\*?)?\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s;\"]+))")


@dataclass(frozen=True, slots=True)
class Fields:
    """A head's fields in order: lower-case names, unfolded values that are not decoded (RFC 2047) yet."""

    pairs: tuple[tuple[str, str], ...] = ()

    def get(self, name: str) -> str:
        """Return the first field of that lower-case name, or ''."""
        return next((value for key, value in self.pairs if key == name), "")

    def all(self, *names: str) -> Iterator[str]:
        """Yield every field of these lower-case names, in the head's order."""
        return (value for key, value in self.pairs if key in names)

    def has(self, *names: str) -> bool:
        """Return whether there is a field of one of these lower-case names."""
        return any(key in names for key, _ in self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)


NO_FIELDS = Fields()


def parse_head(data: bytes, limit: int) -> tuple[Fields, bytes]:
    """Return a message's fields, at most `limit`, and its body; `data` has LF line ends.

    A head ends at an empty line, or before the first line that can't be in one.
    """
    if data.startswith(b"\n"):
        return Fields(), data[1:]
    end = data.find(b"\n\n", 0, _HEAD_SIZE)
    head, body = (data[:end], data[end + 2 :]) if end >= 0 else (data[:_HEAD_SIZE], data[_HEAD_SIZE:])
    text = head.decode("latin-1")  # a letter for each byte: positions are the same
    pairs: list[tuple[str, str]] = []
    position = 0
    while position < len(text):
        found = _FIELD.match(text, position)
        if found is None:
            return Fields(tuple(pairs)), data[position:]
        position = found.end()
        if len(pairs) < limit:
            pairs.append((found[1].lower(), _unfold(found[2][:VALUE_LENGTH])))
    return Fields(tuple(pairs)), body


def _unfold(value: str) -> str:
    """Return a value on one line, its letters read: until here each stands for a byte."""
    if not value.isascii() or "\x1b" in value:
        value = decode_bytes(value.encode("latin-1"))
    return (_FOLD.sub(" ", value) if "\n" in value else value).strip()


def decode_words(value: str) -> str:
    """Return an unstructured value with its encoded words read (RFC 2047), printable and on one line."""
    if "=?" in value:
        value = re.sub(r"\?=\s+=\?", "?==?", value)
        value = _WORD.sub(lambda found: _decode_word(found[0]), value)
    return clean(value)


def _decode_word(word: str) -> str:
    try:
        raw, charset = decode_header(word)[0]
    except (MessageError, ValueError):
        return word
    if isinstance(raw, str):
        return raw
    return decode_bytes(raw, charset if charset and is_known_charset(charset) else "")


def clean(text: str) -> str:
    """Return text on one line without control characters."""
    return _CONTROL.sub(" ", text).strip()


def read_content_type(value: str) -> tuple[str, dict[str, str]]:
    """Return a Content-Type's lower-case type, and its parameters by lower-case name; text/plain for none."""
    kind = value.partition(";")[0].strip().lower()
    parameters = {
        found[1].lower(): (found[2].replace("\\", "") if found[2] is not None else found[3])
        for found in _PARAMETER.finditer(value[:VALUE_LENGTH])
    }
    return (kind if "/" in kind else "text/plain"), parameters
