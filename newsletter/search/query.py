"""What somebody typed into a search box, understood. Pure.

Owns the language of queries: words, "quoted phrases", -without, begin* (the last word may always be a beginning), and
the id or address of a paper. Refuses nothing: whatever else is typed is either a word or means nothing.
"""

import re
from dataclasses import dataclass

from newsletter.issues.identifiers import parse_identifier
from newsletter.search.words import list_words

MAX_QUERY = 200
"""Characters of a query that are read."""

MAX_TERMS = 16

SHORTEST_BEGINNING = 2
"""Letters that stand for every word beginning so; one letter would stand for half the archive."""

_QUOTES = str.maketrans({**dict.fromkeys("“”„‟«»＂", '"'), "\0": " "})
_TERM = re.compile(r'(?P<without>-?)"(?P<phrase>[^"]*)(?:"|$)(?P<star>\*?)|(?P<bare>[^\s"]+)')


@dataclass(frozen=True, slots=True)
class Term:
    """Words that must follow each other; with `prefix`, the last one may go on."""

    words: tuple[str, ...]
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """All of `terms` and none of `without`; `identifier` is a work's key where that is all that was typed."""

    terms: tuple[Term, ...] = ()
    without: tuple[Term, ...] = ()
    identifier: str = ""


def parse_query(text: str) -> Query:
    """Return what a query asks for; without terms it asks for nothing."""
    # A NUL and half a surrogate pair can be in no database, so they mean nothing.
    text = text[:MAX_QUERY].encode("utf-8", "replace").decode().translate(_QUOTES).strip()
    wanted: dict[Term, None] = {}
    without: dict[Term, None] = {}
    for match in _TERM.finditer(text):
        is_wanted, term = _parse_term(match, is_last=match.end() == len(text))
        if term.words and len(wanted) + len(without) < MAX_TERMS:
            (wanted if is_wanted else without)[term] = None
    identifier = parse_identifier(text)
    return Query(tuple(wanted), tuple(without), identifier.key if identifier else "")


def _parse_term(match: re.Match[str], *, is_last: bool) -> tuple[bool, Term]:
    if match["bare"] is None:
        is_wanted, said, prefix = not match["without"], match["phrase"], bool(match["star"])
    else:
        bare = match["bare"]
        is_wanted = not bare.startswith("-")
        said, prefix = bare, bare.endswith("*") or (is_last and is_wanted)
    words = tuple(list_words(said))
    return is_wanted, Term(words, prefix and bool(words) and len(words[-1]) >= SHORTEST_BEGINNING)
