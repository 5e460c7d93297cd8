"""Counts of readers, for people who look: how their number came about, and what they want.

Reads only. Each function walks the readers once or twice: for pages that are opened now and then.
"""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, and_, cast, func, or_, select, type_coerce

from newsletter.model.subscriber import Cadence, SubscriberState
from newsletter.store.schema import consents, subscribers

BUCKET = timedelta(minutes=15)
"""Every time zone of today is whole quarters of an hour away from UTC."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def count_comings(connection: Connection, since: datetime) -> dict[datetime, int]:
    """Return by how many readers more or fewer each quarter of an hour brought, by its beginning, where that changed.

    Who reads, or has read, counts from when he joined, until he left or was suspended. Who was away before he came
    (lists from elsewhere bring such) is left out, and so is whoever was suspended when nobody wrote down when.
    """
    suspended = (
        select(consents.c.subscriber_id, func.max(consents.c.at).label("ended_at"))
        .where(consents.c.event == "suspended")
        .group_by(consents.c.subscriber_id)
        .subquery()
    )
    joined, left = subscribers.c.joined_at, subscribers.c.left_at
    reads = subscribers.c.state == SubscriberState.ACTIVE
    has_left = and_(subscribers.c.state == SubscriberState.LEFT, left >= joined)
    changes: Counter[datetime] = Counter()
    changes.update(_count(connection, select(_bucket(connection, joined)).where(joined >= since, or_(reads, has_left))))
    changes.subtract(_count(connection, select(_bucket(connection, left)).where(left >= since, has_left)))
    out = and_(subscribers.c.state == SubscriberState.SUSPENDED, suspended.c.ended_at >= joined)
    both = subscribers.join(suspended, suspended.c.subscriber_id == subscribers.c.id)
    for at, count in ((joined, changes.update), (suspended.c.ended_at, changes.subtract)):
        count(_count(connection, select(_bucket(connection, at)).select_from(both).where(at >= since, out)))
    return dict(changes)


def count_cadences(connection: Connection) -> dict[Cadence, int]:
    """Return how many readers want which cadence; every cadence is there."""
    statement = select(subscribers.c.cadence, func.count()).where(subscribers.c.state == SubscriberState.ACTIVE)
    counts: dict[str, int] = dict(connection.execute(statement.group_by(subscribers.c.cadence)).all())
    return {cadence: counts.get(cadence, 0) for cadence in Cadence}


def _bucket(connection: Connection, at: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return which bucket since 1970 a time is in."""
    seconds = int(BUCKET.total_seconds())
    if connection.dialect.name == "postgresql":
        number: ColumnElement[Any] = cast(func.floor(func.extract("epoch", at) / seconds), BigInteger)
    else:
        number = type_coerce(at, BigInteger) // (seconds * 1_000_000)
    return number.label("bucket")


def _count(connection: Connection, statement: Select[Any]) -> dict[datetime, int]:
    buckets = statement.subquery()
    grouped = select(buckets.c.bucket, func.count()).group_by(buckets.c.bucket)
    return {_EPOCH + number * BUCKET: count for number, count in connection.execute(grouped)}
