"""The search over issues and papers.

Owns how each engine is asked: for the same words (`search.words`, `search.query`), so both find the same documents; in
which order is each engine's own ranking, titles weighing most. Highlighting is ours, and so the same on both. The words
are folded by us because FTS5's own tokenizers and PostgreSQL's dictionaries don't agree on what a word is.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, date
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Row,
    TextClause,
    column,
    func,
    literal,
    select,
    table,
    text,
)

from newsletter.model.document import DocumentKind, Hit, SearchPage
from newsletter.search.marks import make_snippet, mark_text
from newsletter.search.query import Query, Term, parse_query
from newsletter.store.documents import MAX_DOCUMENTS
from newsletter.store.schema import documents, editions
from newsletter.store.schema.search import WORD_COLUMNS

MAX_LIMIT = 100
"""Hits on one page."""

BROAD = 5000
"""Documents among which the best are looked for. What more of them hold says little about any: the newest are first."""

_WEIGHTS = {"title": 8, "authors": 4, "identifier": 4, "section": 2, "body": 1}
_PLAIN = ("slug", "language", "section", "topic", "anchor", "page_slug", "identifier")
_SHOWN = (
    *(documents.c[name] for name in ("id", "kind", "title", "body", "authors", "section", "topic")),
    *(documents.c[name] for name in ("anchor", "page_slug", "identifier")),
    *(editions.c[name] for name in ("slug", "issue_date", "language")),
)


def search_works(
    connection: Connection,
    query: str,
    *,
    limit: int = 20,
    offset: int = 0,
    section: str | None = None,
    year: int | None = None,
) -> SearchPage:
    """Return the issues and entries that a query finds, best first, and newest first where they are as good (or BROAD).

    `query` may be any text (`search.query`); without a word in it, nothing is found. The id or address of a paper
    finds that paper alone, if it is there. `section` is a topic's key and leaves only entries; `year` is the issue's.
    """
    asked = parse_query(query)
    if section is not None and not re.fullmatch(r"[a-z0-9-]+", section):
        return SearchPage(0)
    page = (max(0, offset), min(max(1, limit), MAX_LIMIT))
    if asked.identifier:
        found = _search(connection, asked, _find_identifier(asked.identifier), section, year, page)
        if found.total:
            return found
    if not asked.terms:
        return SearchPage(0)
    find = _find_in_sqlite if connection.dialect.name == "sqlite" else _find_in_postgresql
    return _search(connection, asked, find(asked), section, year, page)


@dataclass(frozen=True, slots=True)
class _Found:
    """What finds documents: their `number` in a `source` where `condition` holds, and their `rank`, best lowest."""

    source: FromClause
    number: ColumnElement[int]
    condition: ColumnElement[bool] | TextClause
    rank: ColumnElement[float] | TextClause


def _find_identifier(key: str) -> _Found:
    return _Found(documents, documents.c.id, documents.c.identifier == key, literal(0.0))


def _find_in_sqlite(query: Query) -> _Found:
    weights = ", ".join(str(_WEIGHTS[name]) for name in WORD_COLUMNS)
    match = text("document_words MATCH :words").bindparams(words=render_fts5(query))
    return _Found(table("document_words"), column("rowid"), match, text(f"bm25(document_words, {weights})"))


def _find_in_postgresql(query: Query) -> _Found:
    asked = render_tsquery(query)
    match = text("words @@ CAST(:words AS tsquery)").bindparams(words=asked)
    # The flag 1 divides by the document's length, as bm25 does.
    rank = text("-ts_rank('{0.1, 0.3, 0.5, 1}', words, CAST(:ranked AS tsquery), 1)").bindparams(ranked=asked)
    return _Found(table("document_words"), column("id"), match, rank)


def _search(
    connection: Connection, query: Query, found: _Found, section: str | None, year: int | None, page: tuple[int, int]
) -> SearchPage:
    conditions = [found.condition, *_narrow(found.number, section, year)]
    total = connection.execute(select(func.count()).select_from(found.source).where(*conditions)).scalar_one()
    offset, limit = page
    numbers = select(found.number).select_from(found.source).where(*conditions)
    # A document's number begins with its edition's: the highest is the newest.
    best = [found.rank] if total <= BROAD else []
    numbers = numbers.order_by(*best, found.number.desc()).offset(offset).limit(limit)
    order = list(connection.execute(numbers).scalars()) if total > offset else []
    return SearchPage(total, tuple(_load(connection, order, query)))


def _narrow(number: ColumnElement[int], section: str | None, year: int | None) -> list[ColumnElement[bool]]:
    """Return what else must hold, by the document's number alone."""
    conditions: list[ColumnElement[bool]] = []
    if section is not None:
        conditions.append(number.in_(select(documents.c.id).where(documents.c.topic == section)))
    if year is not None:
        known = MINYEAR <= year <= MAXYEAR
        days = (date(year, 1, 1), date(year, 12, 31)) if known else (date.max, date.min)
        editions_of = select(editions.c.id).where(editions.c.issue_date.between(*days))
        conditions.append((number // MAX_DOCUMENTS).in_(editions_of))
    return conditions


def _load(connection: Connection, order: Sequence[int], query: Query) -> Iterator[Hit]:
    statement = select(*_SHOWN).select_from(documents.join(editions)).where(documents.c.id.in_(order))
    rows = {row.id: row for row in connection.execute(statement)} if order else {}
    for number in order:
        yield _read(rows[number], query)


def _read(row: Row[Any], query: Query) -> Hit:
    plain = {name: row._mapping[name] for name in _PLAIN}
    return Hit(
        kind=DocumentKind(row.kind),
        title=mark_text(row.title, query),
        snippet=make_snippet(row.body, query),
        date=row.issue_date,
        authors=tuple(row.authors),
        **plain,
    )


def render_fts5(query: Query) -> str:
    """Return a query as FTS5 reads it, every word in quotation marks."""
    wanted = " AND ".join(map(_fts5_term, query.terms))
    without = " OR ".join(map(_fts5_term, query.without))
    return f"({wanted}) NOT ({without})" if without else wanted


def render_tsquery(query: Query) -> str:
    """Return a query as PostgreSQL's tsquery, every word in quotation marks."""
    wanted = [f"({_tsquery_term(term)})" for term in query.terms]
    return " & ".join([*wanted, *(f"!({_tsquery_term(term)})" for term in query.without)])


def _fts5_term(term: Term) -> str:
    return f'"{" ".join(term.words)}"{"*" if term.prefix else ""}'


def _tsquery_term(term: Term) -> str:
    # A word is of letters, digits and marks alone (`search.words`), so there is nothing to escape.
    return " <-> ".join(f"'{word}'" for word in term.words) + (":*" if term.prefix else "")
