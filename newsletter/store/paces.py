"""What is kept of how fast mail went: a row for each limit's key, shared by all senders on this database.

Every function works inside the caller's transaction. Decides nothing about speed.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from newsletter.model.pace import Pace, Period, Slowdown, Spending
from newsletter.store.schema import paces

_CHUNK = 500
_KEPT = [column.name for column in paces.c if column.name != "key"]


def load_paces(connection: Connection, keys: Sequence[str] | None = None) -> list[Pace]:
    """Return what is kept under these keys, or under every key."""
    if keys is None:
        return [_read(row) for row in connection.execute(select(paces))]
    return [
        _read(row) for chunk in _chunks(keys) for row in connection.execute(select(paces).where(paces.c.key.in_(chunk)))
    ]


def save_paces(connection: Connection, spendings: Sequence[Spending]) -> list[Pace]:
    """Add what a sender spent to what is kept; return the sums, in which other senders' shares are.

    Two senders at the same time wait for each other; nothing that either spent is lost.
    """
    summed: list[Pace] = []
    # In one order for everybody: two senders never wait for each other crosswise.
    for chunk in _chunks(sorted(spendings, key=lambda spending: spending.key)):
        kept = _hold(connection, chunk)
        sums = [_add(kept[spending.key], spending) for spending in chunk]
        connection.execute(_upsert(connection), [_values(pace) for pace in sums])
        summed += sums
    return summed


def forget_paces(connection: Connection, before: datetime) -> int:
    """Delete what nobody has used since; return how many keys that were. A day's limit is whole again after a day."""
    return connection.execute(delete(paces).where(paces.c.updated_at < before)).rowcount


def _hold(connection: Connection, spendings: Sequence[Spending]) -> dict[str, Pace]:
    """Return what is kept, locked until the transaction ends; a key that is new is made first, so that it can be."""
    empty = [_values(Pace(spending.key, {}, None, spending.at)) for spending in spendings]
    connection.execute(_dialect(connection).insert(paces).on_conflict_do_nothing(), empty)
    chosen = paces.c.key.in_([spending.key for spending in spendings])
    rows = connection.execute(select(paces).where(chosen).order_by(paces.c.key).with_for_update())
    return {row.key: _read(row) for row in rows}


def _add(kept: Pace, spending: Spending) -> Pace:
    full_at = dict(kept.full_at)
    for period, spent in spending.spent.items():
        full_at[period] = max(full_at.get(period, spending.since), spending.since) + spent
    known = [slowdown for slowdown in (kept.slowdown, spending.slowdown) if slowdown]
    newest = max(known, key=lambda slowdown: (slowdown.cut_at, slowdown.changed_at), default=None)
    return Pace(kept.key, full_at, newest, max(kept.updated_at, spending.at))


def _upsert(connection: Connection) -> Any:
    statement = _dialect(connection).insert(paces)
    return statement.on_conflict_do_update(
        index_elements=[paces.c.key], set_={name: statement.excluded[name] for name in _KEPT}
    )


def _dialect(connection: Connection) -> Any:
    return postgresql if connection.dialect.name == "postgresql" else sqlite


def _values(pace: Pace) -> dict[str, Any]:
    slowdown = pace.slowdown
    return {
        "key": pace.key,
        "updated_at": pace.updated_at,
        **{f"{period}_full_at": pace.full_at.get(period) for period in Period},
        "rate": slowdown and slowdown.rate,
        "ceiling": slowdown and slowdown.ceiling,
        "cut_at": slowdown and slowdown.cut_at,
        "changed_at": slowdown and slowdown.changed_at,
    }


def _read(row: Row[Any]) -> Pace:
    times = {Period.SECOND: row.second_full_at, Period.HOUR: row.hour_full_at, Period.DAY: row.day_full_at}
    full_at = {period: time for period, time in times.items() if time is not None}
    slowdown = None if row.rate is None else Slowdown(row.rate, row.ceiling, row.cut_at, row.changed_at)
    return Pace(row.key, full_at, slowdown, row.updated_at)


def _chunks(items: Iterable[Any]) -> Iterator[list[Any]]:
    rest = iter(items)
    while chunk := list(islice(rest, _CHUNK)):
        yield chunk
