"""The words of a text, as a search compares them. Pure.

Owns what a word is and when two are the same, in every language and for both database engines: they are given folded
words and only look them up. What changes a word's form needs a new VERSION, so that the index is made anew.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

VERSION = 1
"""Of the words; an index of another version is made anew."""

LONGEST_WORD = 40
"""Characters of a word that count."""

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
"""Scripts that put no space between words: each of their letters is a word, and a run of them is a phrase."""

_INSIDE = "\u00ad\u200c\u200d\u2060"
"""Marks that neither end a word nor count: soft hyphens and joiners."""

_CODES = (*range(0x300, 0x1E950), *range(0xE0100, 0xE01F0))
"""Where Unicode keeps marks."""

_PROGRAMMING = {"c++": "cplusplus", "c#": "csharp"}
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h"})
_NAMES = r"[Cc](?:\+\+|#)(?![^\W\d_])"
_ASCII = re.compile(rf"{_NAMES}|[^\W_]+")


class Word(NamedTuple):
    """A folded word, and where in the text it stands: from `start` up to `end`."""

    text: str
    start: int
    end: int


def find_words(text: str) -> Iterator[Word]:
    """Yield a text's words in order. Two may share a place: of `½` these are `1` and `2`."""
    for match in (_ASCII if text.isascii() else _pattern()).finditer(text):
        for word in fold_word(match[0]):
            yield Word(word, match.start(), match.end())


def list_words(text: str) -> list[str]:
    """Return a text's folded words in order."""
    return [word for match in (_ASCII if text.isascii() else _pattern()).findall(text) for word in fold_word(match)]


@lru_cache(maxsize=65_536)
def fold_word(text: str) -> tuple[str, ...]:
    """Return what a word is compared by: lower case without accents and compatibility forms; mostly one word."""
    if text.isascii():
        word = text.lower()
        return (_PROGRAMMING.get(word, word)[:LONGEST_WORD],)
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    bare = "".join(character for character in folded if not _is_accent(character)).translate(_LETTERS)
    return tuple(word[:LONGEST_WORD] for word in _pattern().findall(bare) if any(map(str.isalnum, word)))


def _is_accent(character: str) -> bool:
    """Return whether a mark only changes a letter's look; vowel signs and the like are letters of their own."""
    order = unicodedata.combining(character)
    return order == 1 or 10 <= order <= 36 or order >= 200 or character in _INSIDE or "\ufe00" <= character <= "\ufe0f"


@lru_cache(maxsize=1)
def _pattern() -> re.Pattern[str]:
    """Return what finds words in any text; it takes a moment to make, and most English never needs it."""
    inside = "".join(f"{chr(first)}-{chr(last)}" for first, last in _mark_runs()) + _INSIDE
    return re.compile(rf"{_NAMES}|[{_UNSPACED}](?<=[^\W_])[{inside}]*|(?:[^\W_{_UNSPACED}]+[{inside}]*)+")


def _mark_runs() -> Iterator[tuple[int, int]]:
    """Yield the first and last of every run of marks in Unicode."""
    for is_mark, run in groupby(_CODES, lambda code: unicodedata.category(chr(code))[0] == "M"):
        if is_mark:
            codes = list(run)
            yield codes[0], codes[-1]
