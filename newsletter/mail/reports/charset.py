"""Bytes as text, in whichever charset a mail says or seems to be in.

Owns which codecs strangers may choose: character sets alone, no transformations. Never fails; what can't be read
becomes U+FFFD.
"""

import codecs
import re
from functools import lru_cache

_CHARSET = re.compile(
    r"(?:us-?ascii|ascii|utf-?(?:7|8|16|16le|16be)|iso-?8859-?\d{1,2}(?:-[ie])?|latin-?[1-9]|windows-?\d{3,4}|cp-?\d{3,4}"
    r"|koi8-[rut]|iso-?2022-(?:jp(?:-\w{1,4})?|kr)|(?:x-)?sjis|shift[_-]?jis(?:-?\w{1,6})?|euc-?(?:jp|kr)|gb-?2312|gbk|gb18030|big5"
    r"(?:-?hkscs)?|ks_c_5601-1987|tis-620|macintosh|mac-\w{3,12})"
)
_ALIASES = {"x-sjis": "cp932", "sjis": "cp932", "shift_jis": "cp932", "shift-jis": "cp932", "macintosh": "mac-roman"}
_JAPANESE = re.compile(rb"\x1b\$[@B]")
_CYRILLIC_LETTERS = re.compile(rb"[\xc0-\xff]{4}")


@lru_cache(maxsize=256)
def is_known_charset(name: str) -> bool:
    """Return whether this is a character set that Python can read, and nothing else (such as a compression)."""
    if len(name) > 40 or not _CHARSET.fullmatch(name.lower()):
        return False
    try:
        codecs.lookup(_ALIASES.get(name.lower(), name))
    except LookupError:
        return False
    return True


def decode_bytes(data: bytes, charset: str = "") -> str:
    """Return text; an unknown or missing `charset` is guessed: ASCII, UTF-8, ISO-2022-JP, Windows."""
    name = charset.strip().lower().strip("\"'")
    if data.isascii() and b"\x1b" not in data and not name.startswith(("utf-16", "utf-7", "utf16", "utf7")):
        return data.decode("ascii")
    if name in ("", "us-ascii", "ascii", "utf-8", "utf8", "unknown-8bit") or not is_known_charset(name):
        return _guess(data)
    # UTF-7 can spell halves of a pair, which no database takes.
    return data.decode(_ALIASES.get(name, name), "replace").encode("utf-8", "replace").decode()


def _guess(data: bytes) -> str:
    if _JAPANESE.search(data):
        return data.decode("iso2022_jp_ext", "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        # Four letters in a row beyond ASCII: no Western word has them, every Russian one does.
        return data.decode("cp1251" if _CYRILLIC_LETTERS.search(data) else "cp1252", "replace")
