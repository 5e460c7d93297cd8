"""What can be searched: documents as they are shown, and, in `document_words`, their words as each engine keeps them.

`document_words` is a virtual table in SQLite (FTS5) and a table with a tsvector in PostgreSQL, so it is no part of the
metadata; it comes and goes with `documents`. `store.search` alone writes and reads it.
"""

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
    text,
)

from newsletter.store.schema.base import Id, metadata

documents = Table(
    "documents",
    metadata,
    # Made from edition and position, so that a document that is replaced keeps its number.
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("edition_id", Id, ForeignKey("editions.id"), nullable=False),
    Column("position", Integer, nullable=False),  # 0 is the issue itself, its entries count from 1
    Column("kind", String(8), nullable=False),
    Column("topic", String(64), nullable=False),
    Column("identifier", Text, nullable=False),
    Column("anchor", Text, nullable=False),
    Column("page_slug", Text, nullable=False),
    Column("section", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("authors", JSON, nullable=False),
    Column("body", Text, nullable=False),
    UniqueConstraint("edition_id", "position"),
    CheckConstraint("kind IN ('issue', 'entry')", name="kind"),
    CheckConstraint("(kind = 'issue') = (position = 0)", name="position"),
    CheckConstraint("position BETWEEN 0 AND 65535", name="positions"),
    CheckConstraint("id = edition_id * 65536 + position", name="id"),
)
Index("ix_documents_identifier", documents.c.identifier)
Index("ix_documents_topic", documents.c.topic)

# What an edition's documents were made from; where it isn't what they would be made from now, they are behind.
indexed = Table(
    "indexed",
    metadata,
    Column("edition_id", Id, ForeignKey("editions.id"), primary_key=True, autoincrement=False),
    Column("version", Text, nullable=False),
    Column("source_hash", String(64), nullable=False),
    CheckConstraint("length(source_hash) = 64", name="source_hash"),
)

WORD_COLUMNS = ("title", "authors", "section", "identifier", "body")

_SQLITE = (f"CREATE VIRTUAL TABLE document_words USING fts5({', '.join(WORD_COLUMNS)}, tokenize='ascii')",)
_POSTGRESQL = (
    "CREATE TABLE document_words (id bigint CONSTRAINT pk_document_words PRIMARY KEY"
    " CONSTRAINT fk_document_words_id REFERENCES documents (id) ON DELETE CASCADE, words tsvector NOT NULL)",
    "CREATE INDEX ix_document_words_words ON document_words USING gin (words) WITH (fastupdate = off)",
)


@event.listens_for(documents, "after_create")
def _create_words(_table: Table, connection: Connection, **_: object) -> None:
    for statement in _SQLITE if connection.dialect.name == "sqlite" else _POSTGRESQL:
        connection.execute(text(statement))


@event.listens_for(documents, "before_drop")
def _drop_words(_table: Table, connection: Connection, **_: object) -> None:
    connection.execute(text("DROP TABLE document_words"))
