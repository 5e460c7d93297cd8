"""What a search finds: documents made of issues and entries, and the hits that are shown of them."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import NamedTuple


class DocumentKind(StrEnum):
    """A whole issue (its title, subtitle and introductions), or one entry of it, such as a paper."""

    ISSUE = "issue"
    ENTRY = "entry"


@dataclass(frozen=True, slots=True)
class Document:
    """One thing that can be found, as plain text.

    `anchor` is an entry's place in its issue's page, `page_slug` its own page, if it has one; `topic` is its section's
    key (`model.topic`), `identifier` its work's (`arxiv:2405.16325`). All of them are empty for an issue.
    """

    kind: DocumentKind
    title: str
    body: str
    authors: tuple[str, ...] = ()
    section: str = ""
    topic: str = ""
    anchor: str = ""
    page_slug: str = ""
    identifier: str = ""


class Piece(NamedTuple):
    """A run of text, and whether it is what was searched for. Plain text: whoever shows it escapes it."""

    text: str
    highlighted: bool


@dataclass(frozen=True, slots=True)
class Hit:
    """One document that was found; `slug`, `date` and `language` are its issue's.

    `title` and `snippet` are pieces to be shown in a row; together their texts are the title, and a part of the body
    (never longer than about 240 characters) with an ellipsis where it was cut.
    """

    kind: DocumentKind
    title: tuple[Piece, ...]
    snippet: tuple[Piece, ...]
    slug: str
    date: date
    language: str
    authors: tuple[str, ...] = ()
    section: str = ""
    topic: str = ""
    anchor: str = ""
    page_slug: str = ""
    identifier: str = ""

    @property
    def plain_title(self) -> str:
        """Return the title as one text."""
        return "".join(piece.text for piece in self.title)


@dataclass(frozen=True, slots=True)
class SearchPage:
    """A page of hits, best first, out of `total`."""

    total: int
    hits: tuple[Hit, ...] = ()
