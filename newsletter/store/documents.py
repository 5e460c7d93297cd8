"""Documents: what a search can find, made from what was published.

Owns that the index follows the ledger: an edition's documents are replaced as a whole, in the transaction that
publishes or corrects it, and `list_unindexed` knows whose are behind. Both engines are given the same words
(`search.words`). Every function works inside the caller's transaction.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, Select, delete, insert, or_, select, text

from newsletter.errors import NotFoundError
from newsletter.model.document import Document
from newsletter.search.words import list_words
from newsletter.store.schema import documents, editions, indexed, revisions
from newsletter.store.schema.search import WORD_COLUMNS

MAX_DOCUMENTS = 65_536
"""Of one edition; what goes beyond can't be found."""

MAX_WORDS = 10_000
MAX_BYTES = 400_000
"""Words of one document, and their bytes, that can be found; PostgreSQL holds no more than 16,383 and 1 MB."""

_WEIGHTS = {"title": "A", "authors": "B", "identifier": "B", "section": "C", "body": "D"}
_INSERT_WORDS = {
    "sqlite": "INSERT INTO document_words (rowid, title, authors, section, identifier, body) "
    "VALUES (:id, :title, :authors, :section, :identifier, :body)",
    "postgresql": "INSERT INTO document_words (id, words) VALUES (:id, CAST(:words AS tsvector))",
}


@dataclass(frozen=True, slots=True)
class Unindexed:
    """An issue whose documents are missing or behind."""

    id: int
    slug: str
    issue_date: date


def index_edition(connection: Connection, edition_id: int, found: Sequence[Document], version: str) -> None:
    """Replace what can be found of an edition; `version` says what documents are made by, beside the source.

    Raises NotFoundError.
    """
    source_hash = _lock(connection, edition_id)
    _forget(connection, edition_id)
    rows = [
        {**asdict(document), "id": _number(edition_id, at), "edition_id": edition_id, "position": at}
        for at, document in enumerate(found[:MAX_DOCUMENTS])
    ]
    if rows:
        connection.execute(insert(documents), rows)
        words = [
            _render_words(connection.dialect.name, row["id"], document)
            for row, document in zip(rows, found, strict=False)
        ]
        connection.execute(text(_INSERT_WORDS[connection.dialect.name]), words)
    connection.execute(insert(indexed).values(edition_id=edition_id, version=version, source_hash=source_hash))


def is_indexed(connection: Connection, edition_id: int, version: str) -> bool:
    """Return whether an edition's documents are what `version` makes of its latest revision."""
    return connection.execute(_behind(version).where(editions.c.id == edition_id)).one_or_none() is None


def list_unindexed(connection: Connection, version: str) -> list[Unindexed]:
    """Return each issue whose documents are missing or behind, newest first."""
    statement = _behind(version).order_by(editions.c.id.desc())
    return [Unindexed(*row) for row in connection.execute(statement)]


def _behind(version: str) -> Select[Any]:
    latest = (revisions.c.edition_id == editions.c.id) & (revisions.c.number == editions.c.revision)
    source = editions.join(revisions, latest).outerjoin(indexed, indexed.c.edition_id == editions.c.id)
    behind = or_(
        indexed.c.edition_id.is_(None),
        indexed.c.version != version,
        indexed.c.source_hash != revisions.c.source_hash,
    )
    columns = (editions.c.id, editions.c.slug, editions.c.issue_date)
    return select(*columns).select_from(source).where(editions.c.kind == "issue", behind)


def _lock(connection: Connection, edition_id: int) -> str:
    """Keep an edition for this transaction, and return the hash of its latest source."""
    latest = (revisions.c.edition_id == editions.c.id) & (revisions.c.number == editions.c.revision)
    statement = select(revisions.c.source_hash).select_from(editions.join(revisions, latest))
    statement = statement.where(editions.c.id == edition_id).with_for_update(of=editions)
    found = connection.execute(statement).scalar_one_or_none()
    if found is None:
        raise NotFoundError(f"There is no edition with the number {edition_id}.")
    return str(found)


def _forget(connection: Connection, edition_id: int) -> None:
    if connection.dialect.name == "sqlite":
        first = _number(edition_id, 0)
        span = {"first": first, "last": first + MAX_DOCUMENTS - 1}
        connection.execute(text("DELETE FROM document_words WHERE rowid BETWEEN :first AND :last"), span)
    connection.execute(delete(documents).where(documents.c.edition_id == edition_id))
    connection.execute(delete(indexed).where(indexed.c.edition_id == edition_id))


def _number(edition_id: int, position: int) -> int:
    return edition_id * MAX_DOCUMENTS + position


def _render_words(dialect: str, number: int, document: Document) -> dict[str, Any]:
    words = dict(_list_words(document))
    if dialect == "sqlite":
        return {"id": number, **{name: " ".join(found) for name, found in words.items()}}
    return {"id": number, "words": _render_vector(words)}


def _list_words(document: Document) -> Iterator[tuple[str, list[str]]]:
    """Yield each column's words, as many as both engines can hold."""
    texts = {**asdict(document), "authors": "\n".join(document.authors)}
    words_left, bytes_left = MAX_WORDS, MAX_BYTES
    for name in WORD_COLUMNS:
        kept = []
        for word in list_words(texts[name])[:words_left]:
            bytes_left -= len(word.encode())
            if bytes_left < 0:
                break
            kept.append(word)
        words_left -= len(kept)
        yield name, kept


def _render_vector(words: dict[str, list[str]]) -> str:
    """Return a tsvector as PostgreSQL reads it; a gap between columns keeps a phrase from spanning two."""
    places: dict[str, list[str]] = {}
    at = 0
    for name, found in words.items():
        at += 1
        for word in found:
            at += 1
            places.setdefault(word, []).append(f"{at}{_WEIGHTS[name]}")
    return " ".join(f"'{word}':{','.join(found)}" for word, found in places.items())
