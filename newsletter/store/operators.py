"""The operator's password, as a hash, and the sessions that it opened.

Owns that a session belongs to the password it was opened with: another password ends every one of them, and none is
opened with a password that was changed meanwhile. Every function works inside the caller's transaction.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from newsletter.model.operator import Session
from newsletter.store.schema import operators, sessions

_ROW = 1


def load_password_hash(connection: Connection) -> str | None:
    """Return the hash of the password, or None where none is set."""
    return connection.execute(select(operators.c.password_hash)).scalar_one_or_none()


def save_password_hash(connection: Connection, password_hash: str, now: datetime) -> int:
    """Set another password; end all sessions, and return how many those were."""
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    values = {"password_hash": password_hash, "changed_at": now}
    statement = dialect.insert(operators).values(id=_ROW, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=[operators.c.id], set_=values))
    return close_sessions(connection)


def renew_password_hash(connection: Connection, before: str, after: str) -> None:
    """Keep the same password under a stronger hash, unless it was changed since."""
    connection.execute(update(operators).where(operators.c.password_hash == before).values(password_hash=after))


def drop_password(connection: Connection) -> bool:
    """Forget the password and end all sessions: there are no admin pages any more. Return whether there were."""
    close_sessions(connection)
    return connection.execute(delete(operators)).rowcount > 0


def open_session(connection: Connection, digest: str, password_hash: str, now: datetime) -> Session | None:
    """Open a session for a password that was checked against this hash; None if another was set since."""
    held = select(operators.c.password_hash).with_for_update()
    if connection.execute(held).scalar_one_or_none() != password_hash:
        return None
    values = {"digest": digest, "opened_at": now}
    number = connection.execute(insert(sessions).values(values).returning(sessions.c.id)).scalar_one()
    return Session(number, digest, now)


def load_session(connection: Connection, session_id: int) -> Session | None:
    """Return a session that nobody has ended, or None."""
    row = connection.execute(select(sessions).where(sessions.c.id == session_id)).one_or_none()
    return None if row is None else Session(row.id, row.digest, row.opened_at)


def close_session(connection: Connection, session_id: int) -> None:
    """End a session."""
    connection.execute(delete(sessions).where(sessions.c.id == session_id))


def close_sessions(connection: Connection, opened_before: datetime | None = None) -> int:
    """End all sessions, or those that were opened before; return how many."""
    statement = delete(sessions)
    if opened_before is not None:
        statement = statement.where(sessions.c.opened_at < opened_before)
    return connection.execute(statement).rowcount
