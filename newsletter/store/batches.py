"""Many values in one statement: lists that a statement reads as a table, on both engines.

Owns how a list is handed over: SQLite takes one text of JSON, PostgreSQL an array for each column. A parameter for each
value would cost more time than what the engine does with it.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, String, func, literal, literal_column, select
from sqlalchemy.dialects import postgresql


def is_among(connection: Connection, column: Column[int], numbers: Sequence[int]) -> ColumnElement[bool]:
    """Return the condition that a column holds one of the numbers, however many they are."""
    if connection.dialect.name == "postgresql":
        return column == func.any(literal(list(numbers), postgresql.ARRAY(column.type)))
    listed = func.json_each(literal(json.dumps(list(numbers)), String)).table_valued("value")
    return column.in_(select(listed.c.value))


def tabulate(
    connection: Connection, columns: Sequence[Column[Any]], rows: Sequence[Sequence[Any]]
) -> dict[str, ColumnElement[Any]]:
    """Return the columns, by name, of a table that holds the rows (at least one), typed like those they are for."""
    if connection.dialect.name == "postgresql":
        arrays = [
            literal(list(values), postgresql.ARRAY(column.type))
            for column, values in zip(columns, zip(*rows, strict=True), strict=True)
        ]
        names = [column.name for column in columns]
        return dict(func.unnest(*arrays).table_valued(*names, name="batch").render_derived().c)
    texts = json.dumps(_convert(connection, columns, rows))
    listed = func.json_each(literal(texts, String)).table_valued("value", name="batch")
    return {
        column.name: func.json_extract(listed.c.value, literal_column(f"'$[{place}]'"), type_=column.type)
        for place, column in enumerate(columns)
    }


def _convert(
    connection: Connection, columns: Sequence[Column[Any]], rows: Sequence[Sequence[Any]]
) -> list[tuple[Any, ...]]:
    """Return the rows as SQLite keeps them."""
    converted: list[Iterable[Any]] = []
    for column, values in zip(columns, zip(*rows, strict=True), strict=True):
        process = column.type.dialect_impl(connection.dialect).bind_processor(connection.dialect)
        converted.append(map(process, values) if process else values)
    return list(zip(*converted, strict=True))
