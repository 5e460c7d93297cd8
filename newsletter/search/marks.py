"""Which parts of a text are what was searched for, and which part of a long text to show. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from newsletter.model.document import Piece
from newsletter.search.query import Query, Term
from newsletter.search.words import find_words

SNIPPET_LENGTH = 240
"""Characters of a text that are shown, give or take a word and its ellipses."""

_LEAD = 60
"""Characters shown before the first match."""

_MOST_MATCHES = 1000


@dataclass(frozen=True, slots=True)
class _Match:
    start: int
    end: int
    term: int


def mark_text(text: str, query: Query) -> tuple[Piece, ...]:
    """Return a whole text in pieces, with every place where a term of the query stands highlighted."""
    return _cut(text, 0, len(text), _find(text, query.terms))


def make_snippet(text: str, query: Query) -> tuple[Piece, ...]:
    """Return the part of a text that holds most of the query's terms, in pieces; else its beginning."""
    text = " ".join(text.split())
    matches = _find(text, query.terms)
    start, end = _widen(text, _choose(matches))
    pieces = _cut(text, start, end, matches)
    before = (Piece("… ", False),) if start else ()
    after = (Piece(" …", False),) if end < len(text) else ()
    return _join((*before, *pieces, *after))


def _find(text: str, terms: Sequence[Term]) -> list[_Match]:
    """Return the first places where a term stands, in the text's order."""
    words = list(find_words(text))
    texts = [word.text for word in words]
    found = [
        _Match(words[at].start, words[at + len(term.words) - 1].end, number)
        for number, term in enumerate(terms)
        for at in _places(texts, term)
    ]
    return sorted(found, key=lambda match: (match.start, match.end))[:_MOST_MATCHES]


def _places(words: Sequence[str], term: Term) -> list[int]:
    """Return at which word each occurrence of a term begins."""
    *first, last = term.words
    skipped = len(first)
    if term.prefix:
        ends = [at for at, word in enumerate(words) if word.startswith(last)]
    else:
        ends = [at for at, word in enumerate(words) if word == last]
    return [at - skipped for at in ends if at >= skipped and list(words[at - skipped : at]) == first]


def _choose(matches: Sequence[_Match]) -> int:
    """Return where the first of the best matches begins: as many different terms as possible close together."""
    best, most = 0, 0
    for number, match in enumerate(matches):
        near = set()
        for other in matches[number : number + 50]:
            if other.end > match.start + SNIPPET_LENGTH - _LEAD:
                break
            near.add(other.term)
        if len(near) > most:
            best, most = match.start, len(near)
    return best


def _widen(text: str, first: int) -> tuple[int, int]:
    """Return the part to show around a place, which begins and ends between words."""
    start = max(0, min(first - _LEAD, len(text) - SNIPPET_LENGTH))
    if start:
        start = text.rfind(" ", 0, start + 1) + 1 if " " in text[max(0, start - 40) : start + 1] else start
    end = start + SNIPPET_LENGTH
    if end >= len(text):
        return start, len(text)
    space = text.rfind(" ", max(start + 1, end - 40), end + 1)
    return start, space if space > first else end


def _cut(text: str, start: int, end: int, matches: Sequence[_Match]) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    at = start
    for match in matches:
        if match.start < at or match.end > end:
            # What overlaps the match before only makes it longer; what is cut off isn't shown as a match.
            if pieces and pieces[-1].highlighted and at < match.end <= end and match.start < at:
                pieces[-1] = Piece(pieces[-1].text + text[at : match.end], True)
                at = match.end
            continue
        pieces += [Piece(text[at : match.start], False), Piece(text[match.start : match.end], True)]
        at = match.end
    pieces.append(Piece(text[at:end], False))
    return tuple(piece for piece in pieces if piece.text)


def _join(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """Join neighbours that are shown alike, other than matches, which stay apart."""
    joined: list[Piece] = []
    for piece in pieces:
        if joined and not piece.highlighted and not joined[-1].highlighted:
            joined[-1] = Piece(joined[-1].text + piece.text, False)
        else:
            joined.append(piece)
    return tuple(joined)
