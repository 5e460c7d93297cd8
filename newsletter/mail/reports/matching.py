"""Phrases that servers use, looked for in what a report says.

Owns the form of a phrase table and how text is made comparable. A phrase is plain text; ` … ` in it stands for up to
sixty characters, `*` for a mail address. It has to start with a word's start; it may end within a word.

There are more than a thousand phrases, so a book of them is indexed by their first words, and a text is only searched
for those whose first word it has. All searches are for plain substrings: no text makes one slow.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from newsletter.model.bounce import Reason

_ADDRESS = re.compile(r"[<(\[\"']*[^\s<>()\[\]\"',;:@]{1,64}@[^\s<>()\[\]\"',;:@]{1,255}[>)\]\"']*")
_REPEATED_CODE = re.compile(r"\s[245]\d\d(?:-|[ ](?=[245]\.))(?:#?[245]\.\d{1,3}\.\d{1,3}[ :-]?)?")
_TOKEN = re.compile(r"[a-z0-9]+")
_QUOTES = {"’": "'", "‘": "'", "´": "'", "`": "'", "“": '"', "”": '"', "–": "-", "—": "-"}
_LETTERS = str.maketrans({"ı": "i", "ł": "l", "ø": "o", "đ": "d"})
"""Letters that no normalisation takes the stroke from, or the missing dot."""

_QUOTE = re.compile("[" + "".join(_QUOTES) + "]")
_ACCENTS = re.compile("[\u0300-\u036f\u3099\u309a]+")
_GAP = " … "
_SEPARATOR = " | "
_WIDEST_GAP = 60
_WORD = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")

Phrase = tuple[str, ...]
"""The pieces between a phrase's gaps."""


@dataclass(frozen=True, slots=True)
class Said:
    """A text made comparable, with the words in it, which the text determines."""

    text: str
    words: frozenset[str] = field(compare=False)


@dataclass(frozen=True, slots=True)
class Rule:
    """A reason and the phrases that tell it."""

    reason: Reason
    phrases: tuple[Phrase, ...]


@dataclass(frozen=True, slots=True)
class Book:
    """Phrases with their places in an order, found by first word (`whole`), or to be tried on every text.

    `stems` are phrases that may go on within their first word, `foreign` those that don't start in ASCII.
    """

    whole: dict[str, tuple[tuple[int, Phrase], ...]]
    stems: tuple[tuple[int, Phrase], ...]
    foreign: tuple[tuple[int, Phrase], ...]


def make_rule(reason: Reason, phrases: str) -> Rule:
    """Return a rule; ` | ` or a line's end separates its phrases."""
    return Rule(reason, _split(phrases))


def make_book(rules: Sequence[Rule]) -> Book:
    """Return the book of some rules; a phrase's place is its rule's number."""
    return _index([(number, phrase) for number, rule in enumerate(rules) for phrase in rule.phrases])


def make_phrases(phrases: str) -> Book:
    """Return a book of phrases that all mean the same."""
    return _index([(0, phrase) for phrase in _split(phrases)])


def make_beginnings(phrases: str) -> tuple[str, ...]:
    """Return phrases that a normalised text is to start with."""
    return tuple(pieces[0] for pieces in _split(phrases))


def _split(phrases: str) -> tuple[Phrase, ...]:
    texts = (text.strip() for text in phrases.replace("\n", _SEPARATOR).split(_SEPARATOR))
    return tuple(tuple(fold(piece) for piece in text.split(_GAP)) for text in texts if text)


def _index(placed: list[tuple[int, Phrase]]) -> Book:
    whole: dict[str, list[tuple[int, Phrase]]] = {}
    stems: list[tuple[int, Phrase]] = []
    foreign: list[tuple[int, Phrase]] = []
    for place, phrase in placed:
        word = _TOKEN.match(phrase[0])
        if word is None:
            (stems if phrase[0][0].isascii() else foreign).append((place, phrase))
        elif word.end() == len(phrase[0]):
            stems.append((place, phrase))
        else:
            whole.setdefault(word[0], []).append((place, phrase))
    return Book({word: tuple(found) for word, found in whole.items()}, tuple(stems), tuple(foreign))


def fold(text: str) -> str:
    """Return text in lower case, without accents and with plain quotes."""
    lower = text.lower()
    if lower.isascii():
        return lower.replace("`", "'")
    plain = _QUOTE.sub(lambda quote: _QUOTES[quote[0]], lower).translate(_LETTERS)
    return _ACCENTS.sub("", unicodedata.normalize("NFKD", plain))


def normalise(text: str) -> Said:
    """Return what a server said as the phrases expect it: folded, on one line, addresses as `*`."""
    joined = _REPEATED_CODE.sub(" ", text.replace("\n", " \n"))
    if "@" in joined:
        joined = _ADDRESS.sub(" * ", joined)
    folded = " ".join(fold(joined).split())
    return Said(folded, frozenset(_TOKEN.findall(folded)))


def find_reason(said: Said, rules: Sequence[Rule], book: Book) -> Reason | None:
    """Return the reason of the first rule with a phrase in a text; `book` is that of the rules."""
    found = min(_find_places(said, book), default=None)
    return None if found is None else rules[found].reason


def has_phrase(said: Said, book: Book) -> bool:
    """Return whether one of the phrases is in a text."""
    return next(_find_places(said, book), None) is not None


def _find_places(said: Said, book: Book) -> Iterator[int]:
    text = said.text
    for word in book.whole.keys() & said.words:
        yield from (place for place, phrase in book.whole[word] if phrase[0] in text and _aligned(text, phrase))
    tried = book.stems if text.isascii() else book.stems + book.foreign
    yield from (place for place, phrase in tried if phrase[0] in text and _aligned(text, phrase))


def _aligned(text: str, pieces: Phrase) -> bool:
    """Return whether the pieces follow each other, each within reach of the one before."""
    first, rest = pieces[0], pieces[1:]
    start = _find_word(text, first, 0, len(text))
    while start >= 0:
        position = start + len(first)
        for piece in rest:
            found = _find_word(text, piece, position, position + _WIDEST_GAP + len(piece))
            if found < 0:
                break
            position = found + len(piece)
        else:
            return True
        start = _find_word(text, first, start + 1, len(text))
    return False


def _find_word(text: str, piece: str, start: int, end: int) -> int:
    """Return where a piece stands and isn't the end of a longer word: `ip` is not in `recipient`; -1 for nowhere."""
    found = text.find(piece, start, end)
    while found > 0 and piece[0] in _WORD and text[found - 1] in _WORD:
        found = text.find(piece, found + 1, end)
    return found
