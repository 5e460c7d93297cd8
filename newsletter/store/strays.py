"""Times that only a clock which was wrong can have written: they are brought back, or rows would wait for years.

Owns that nothing waits longer than what its back-off could have chosen. Whoever calls says how far ahead that is.
Every function works inside the caller's transaction.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, Connection, Table, and_, literal_column, update

from newsletter.model.pace import Period
from newsletter.store.schema import calls, deliveries, notices, paces, slots


@dataclass(frozen=True, slots=True)
class Reach:
    """How far ahead a time may lie: the next try of a delivery, a notice, a call; the end of a claim; a full limit.

    `skew` is by how much the clocks of two machines may differ.
    """

    delivery: timedelta
    notice: timedelta
    call: timedelta
    claim: timedelta
    limits: dict[Period, timedelta]
    skew: timedelta


def recall_strays(connection: Connection, now: datetime, reach: Reach) -> int:
    """Bring back what lies further ahead than it can; return how many rows that were.

    A next try is due now. A claim ends when a whole one would: whoever lives renews it. Patience begins now with who
    was queued in the future, and a limit is as if nothing had left.
    """
    tries = ((deliveries, "deferred", reach.delivery), (notices, "queued", reach.notice), (calls, "queued", reach.call))
    claims = ((deliveries, "sending"), (notices, "sending"), (calls, "calling"))
    found = sum(_recall(connection, table.c.next_attempt_at, now + ahead, now, state) for table, state, ahead in tries)
    until = now + reach.claim
    found += sum(_recall(connection, table.c.lease_until, until, until, state) for table, state in claims)
    found += _recall(connection, slots.c.lease_until, until, until)
    found += _recall(connection, deliveries.c.queued_at, now + reach.skew, now, "deferred")
    for period, ahead in reach.limits.items():
        found += _recall(connection, paces.c[f"{period}_full_at"], now + ahead, now)
    return found


def _recall(connection: Connection, column: Column[Any], furthest: datetime, to: datetime, state: str = "") -> int:
    table = column.table
    assert isinstance(table, Table)  # noqa: S101 - a column of the schema has one
    # A literal: only then are the indexes of rows that wait used.
    chosen = and_(table.c.state == literal_column(f"'{state}'"), column > furthest) if state else column > furthest
    return connection.execute(update(table).where(chosen).values({column: to})).rowcount
