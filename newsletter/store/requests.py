"""What people asked for and haven't confirmed: one row for each link in a mail.

Owns that a request which nobody confirms in time leaves nothing behind. Every function works inside the caller's
transaction.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, exists, insert, or_, select, update

from newsletter.mail.address import fold_address
from newsletter.model.consent import NewRequest, Origin, Request, RequestKind
from newsletter.model.subscriber import Cadence
from newsletter.store.schema import consents, deliveries, join_topics, requests, subscribers

_CHUNK = 500


def write_request(connection: Connection, new: NewRequest, now: datetime) -> int:
    """Write a request down; return its number, which the link in the mail holds."""
    statement = insert(requests).values(_values(new, now)).returning(requests.c.id)
    number: int = connection.execute(statement).scalar_one()
    return number


def load_request(connection: Connection, request_id: int) -> Request | None:
    """Return a request, or None if there is none."""
    row = connection.execute(select(requests).where(requests.c.id == request_id)).one_or_none()
    return None if row is None else _read(row)


def lock_request(connection: Connection, request_id: int) -> Request | None:
    """Return a request that nobody else confirms before this transaction ends, or None."""
    row = connection.execute(select(requests).where(requests.c.id == request_id).with_for_update()).one_or_none()
    return None if row is None else _read(row)


def mark_confirmed(connection: Connection, request_id: int, now: datetime) -> None:
    """Write down that the link was used."""
    connection.execute(update(requests).where(requests.c.id == request_id).values(confirmed_at=now))


def find_move(connection: Connection, subscriber_id: int, now: datetime) -> Request | None:
    """Return the latest move that a reader asked for and can still confirm."""
    statement = select(requests).where(requests.c.subscriber_id == subscriber_id, _is_open(now))
    row = connection.execute(statement.order_by(requests.c.id.desc()).limit(1)).one_or_none()
    return None if row is None else _read(row)


def list_requests(connection: Connection, subscriber_id: int, address: str) -> list[Request]:
    """Return what is kept of a reader's requests, oldest first."""
    statement = select(requests).where(_of(subscriber_id, address)).order_by(requests.c.id)
    return [_read(row) for row in connection.execute(statement)]


def drop_requests(connection: Connection, subscriber_id: int, address: str, *, confirmed: bool = False) -> int:
    """Delete a reader's requests that wait, so that their links open nothing; return how many.

    `confirmed`: those that are done, too.
    """
    statement = delete(requests).where(_of(subscriber_id, address))
    if not confirmed:
        statement = statement.where(requests.c.confirmed_at.is_(None))
    return connection.execute(statement).rowcount


def expire_requests(connection: Connection, now: datetime, limit: int = 1000) -> int:
    """Delete up to `limit` requests whose time is over, and the pending readers that nothing else knows.

    Returns how many requests that were; fewer than `limit` mean that none is left.
    """
    over = select(requests.c.id).where(requests.c.expires_at <= now).order_by(requests.c.expires_at).limit(limit)
    statement = delete(requests).where(requests.c.id.in_(over)).returning(requests.c.address_key)
    keys = list(connection.execute(statement).scalars())
    for start in range(0, len(keys), _CHUNK):
        _forget_pending(connection, keys[start : start + _CHUNK])
    return len(keys)


def _forget_pending(connection: Connection, address_keys: Sequence[str]) -> None:
    """Delete pending readers who only ever asked: nothing is kept of who never confirmed."""
    known = or_(
        exists().where(requests.c.address_key == subscribers.c.address_key),
        exists().where(requests.c.subscriber_id == subscribers.c.id),
        exists().where(consents.c.subscriber_id == subscribers.c.id),
        exists().where(deliveries.c.subscriber_id == subscribers.c.id),
    )
    mine = and_(subscribers.c.address_key.in_(address_keys), subscribers.c.state == "pending")
    connection.execute(delete(subscribers).where(mine, ~known))


def _of(subscriber_id: int, address: str) -> ColumnElement[bool]:
    return or_(requests.c.subscriber_id == subscriber_id, requests.c.address_key == fold_address(address))


def _is_open(now: datetime) -> ColumnElement[bool]:
    return and_(requests.c.confirmed_at.is_(None), requests.c.expires_at > now)


def _values(new: NewRequest, now: datetime) -> dict[str, Any]:
    return {
        "kind": new.kind,
        "subscriber_id": new.subscriber_id,
        "address": new.address,
        "address_key": fold_address(new.address),
        "name": new.name,
        "topics": join_topics(new.topics),
        "cadence": new.cadence,
        "language": new.language,
        "source": new.origin.source,
        "client": new.origin.client,
        "wording": new.origin.wording,
        "created_at": now,
        "expires_at": new.expires_at,
    }


def _read(row: Row[Any]) -> Request:
    new = NewRequest(
        kind=RequestKind(row.kind),
        address=row.address,
        origin=Origin(row.source, row.client, row.wording),
        expires_at=row.expires_at,
        name=row.name,
        topics=frozenset(row.topics.split()),
        cadence=Cadence(row.cadence),
        language=row.language,
        subscriber_id=row.subscriber_id,
    )
    return Request(row.id, new, row.created_at, row.confirmed_at)
