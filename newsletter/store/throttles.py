"""Who may do something again, and when: one bucket for each key, shared by all processes on this database.

Rows survive a restart, and mean nothing any more once their buckets are full. Every function but `forget_throttles`
works on one key, inside the caller's transaction.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from newsletter.model.throttle import Limit, spend_token
from newsletter.store.schema import throttles


def take_token(connection: Connection, key: str, now: datetime, limit: Limit) -> bool:
    """Take a token from the key's bucket; return False, and change nothing, if it holds none.

    Atomic: two transactions that take from one bucket wait for each other. One that rolls back puts its token back.
    """
    full_at = _hold(connection, key, now)
    after = spend_token(full_at, now, limit)
    if after is None:
        return False
    connection.execute(update(throttles).where(throttles.c.key == key).values(full_at=after))
    return True


def has_token(connection: Connection, key: str, now: datetime, limit: Limit) -> bool:
    """Return whether the key's bucket holds a token now; takes none, and waits for nobody."""
    full_at = connection.execute(select(throttles.c.full_at).where(throttles.c.key == key)).scalar_one_or_none()
    return spend_token(full_at, now, limit) is not None


def forget_throttles(connection: Connection, now: datetime) -> int:
    """Delete the buckets that are full again; return how many. A bucket that isn't there is a full one."""
    return connection.execute(delete(throttles).where(throttles.c.full_at <= now)).rowcount


def _hold(connection: Connection, key: str, now: datetime) -> datetime:
    """Return when the bucket is full, locked until the transaction ends; one that is new is made first."""
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(dialect.insert(throttles).values(key=key, full_at=now).on_conflict_do_nothing())
    held = select(throttles.c.full_at).where(throttles.c.key == key).with_for_update()
    full_at: datetime = connection.execute(held).scalar_one()
    return full_at
