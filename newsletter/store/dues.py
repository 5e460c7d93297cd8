"""Who is due an edition, and what of it: worked out where the readers are, in a statement for very many at a time.

Owns that every reader due gets exactly one row, and that none is given what was never made: a choice of topics that
nobody planned for leaves its row without a variant, which the ledger refuses, and the whole publish with it.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Insert,
    Integer,
    Label,
    String,
    Text,
    Update,
    and_,
    case,
    cast,
    func,
    insert,
    literal,
    null,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from newsletter.model.delivery import DeliveryState
from newsletter.model.subscriber import Cadence
from newsletter.store.schema import deliveries, subscribers
from newsletter.store.suppression import is_suppressed

Numbers = Mapping[str, tuple[int, str]]
"""By a choice of topics as the column holds it: the number of its variant, and why it gets nothing, if it doesn't."""

PAUSED = "paused until "

AT_ONCE = 50_000
"""Readers that one statement looks at: SQLite sorts them in memory."""


class _Minute(FunctionElement[str]):
    """A time in SQL as people read it, in UTC."""

    type = String()
    inherit_cache = True


@compiles(_Minute, "sqlite")
def _compile_for_sqlite(element: _Minute, compiler: SQLCompiler, **options: Any) -> str:
    seconds = f"{compiler.process(element.clauses, **options)} / 1000000"
    return f"strftime('%Y-%m-%d %H:%M UTC', {seconds}, 'unixepoch')"


@compiles(_Minute, "postgresql")
def _compile_for_postgresql(element: _Minute, compiler: SQLCompiler, **options: Any) -> str:
    moment = compiler.process(element.clauses, **options)
    return f"to_char({moment} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI \"UTC\"')"


def is_due(cadence: Cadence) -> ColumnElement[bool]:
    """Return the SQL of who is due: active, not kept out, and reading at this cadence."""
    out = is_suppressed(subscribers.c.address_key)
    return and_(subscribers.c.state == "active", subscribers.c.cadence == cadence, ~out)


def is_paused(now: datetime) -> ColumnElement[bool]:
    """Return the SQL of who wants nothing for now."""
    return func.coalesce(subscribers.c.paused_until > now, False)


def count_due(connection: Connection, cadence: Cadence) -> int:
    """Return how many readers are due what comes at a cadence; those who are paused count."""
    return connection.execute(select(func.count()).select_from(subscribers).where(is_due(cadence))).scalar_one()


def list_choices(connection: Connection, cadence: Cadence, now: datetime) -> list[str]:
    """Return each choice of topics, as the column holds it, of readers who are due and not paused.

    A choice of somebody who is kept out may be among them: to look that up for each reader takes longer.
    """
    due = and_(subscribers.c.state == "active", subscribers.c.cadence == cadence, ~is_paused(now))
    return list(connection.execute(select(subscribers.c.topics).where(due).distinct()).scalars())


def count_choices(connection: Connection, cadence: Cadence, now: datetime) -> list[tuple[str, bool, int]]:
    """Return how many readers are due by choice of topics, as the column holds it, and whether they are paused."""
    paused = is_paused(now).label("paused")
    counted = select(subscribers.c.topics, paused, func.count()).where(is_due(cadence))
    grouped = counted.group_by(subscribers.c.topics, paused).order_by(subscribers.c.topics, paused)
    return [(topics, bool(out), count) for topics, out, count in connection.execute(grouped)]


def list_choices_of(connection: Connection, edition_id: int, now: datetime) -> list[str]:
    """Return each choice of topics of readers whose row of an edition may still change (`renew_dues`)."""
    statement = select(subscribers.c.topics).join(deliveries, deliveries.c.subscriber_id == subscribers.c.id)
    rows = statement.where(deliveries.c.edition_id == edition_id, _can_change(), ~is_paused(now))
    return list(connection.execute(rows.distinct()).scalars())


def insert_dues(
    connection: Connection,
    edition_id: int,
    cadence: Cadence,
    now: datetime,
    stage: ColumnElement[int],
    numbers: Numbers,
    at_once: int = AT_ONCE,
) -> Iterator[Insert]:
    """Yield the statements that write a row for each reader due; each reader there is now belongs to one of them.

    Of those whom one statement looks at, rows of one variant stand together, so that a sender, who goes by their order,
    needs few variants at a time. Sorting all readers at once would take memory for all of them.
    """
    shares = _shares(connection, numbers)
    given = _give(shares, now)
    columns = {
        "edition_id": literal(edition_id),
        "subscriber_id": subscribers.c.id,
        "address": subscribers.c.address,
        "name": subscribers.c.name,
        "attempts": literal(0),
        "queued_at": literal(now, deliveries.c.queued_at.type),
        "stage": stage,
        **given,
    }
    rows = (
        select(*columns.values())
        .select_from(subscribers.outerjoin(shares, shares.c.topics == subscribers.c.topics))
        .where(is_due(cadence))
        .order_by(given["variant"], subscribers.c.id)
    )
    last = connection.execute(select(func.coalesce(func.max(subscribers.c.id), 0))).scalar_one()
    for start in range(0, last, at_once):
        among = subscribers.c.id.between(start + 1, min(start + at_once, last))
        yield insert(deliveries).from_select(list(columns), rows.where(among))


def renew_dues(connection: Connection, edition_id: int, now: datetime, numbers: Numbers) -> Update:
    """Return the statement that gives readers their share of an edition anew, as long as none of it was begun."""
    shares = _shares(connection, numbers)
    given = (
        select(deliveries.c.id, *(value.label(name) for name, value in _give(shares, now).items()))
        .select_from(
            deliveries.join(subscribers, subscribers.c.id == deliveries.c.subscriber_id).outerjoin(
                shares, shares.c.topics == subscribers.c.topics
            )
        )
        .where(deliveries.c.edition_id == edition_id, _can_change())
        .subquery("given")
    )
    values = {name: given.c[name] for name in _GIVEN}
    return update(deliveries).where(deliveries.c.id == given.c.id).values(values)


_GIVEN = ("variant", "state", "reply_text", "settled_at")


def _give(shares: CTE, now: datetime) -> dict[str, ColumnElement[Any]]:
    """Return what a row says of a reader's share: a variant, or why he gets nothing; NULL for an unknown choice."""
    paused = is_paused(now)
    out = (paused, True), (shares.c.reason != "", True)
    nothing, said = case(*out, else_=False), func.coalesce(shares.c.reason, "")
    return {
        "variant": case((paused, literal(0)), else_=shares.c.number),
        "state": case((nothing, DeliveryState.EXCLUDED), else_=DeliveryState.QUEUED),
        "reply_text": case((paused, literal(PAUSED) + _Minute(subscribers.c.paused_until)), else_=said),
        "settled_at": case((nothing, literal(now, deliveries.c.settled_at.type)), else_=null()),
    }


def _can_change() -> ColumnElement[bool]:
    return deliveries.c.state.in_([DeliveryState.QUEUED, DeliveryState.EXCLUDED])


def _shares(connection: Connection, numbers: Numbers) -> CTE:
    """Return the shares as a table, in one parameter however many they are."""
    rows = json.dumps([[topics, number, reason] for topics, (number, reason) in numbers.items()])
    if connection.dialect.name == "postgresql":
        value = func.jsonb_array_elements(cast(literal(rows, Text), JSONB)).table_valued("value").c.value
        parts: list[ColumnElement[Any]] = [value.op("->>")(place) for place in range(3)]
    else:
        value = func.json_each(literal(rows, Text)).table_valued("value").c.value
        parts = [func.json_extract(value, f"$[{place}]") for place in range(3)]
    topics, number, reason = parts
    columns: list[Label[Any]] = [
        cast(topics, Text).label("topics"),
        cast(number, Integer).label("number"),
        cast(reason, Text).label("reason"),
    ]
    # Not worked out again for each reader.
    return select(*columns).cte("shares").prefix_with("MATERIALIZED")
