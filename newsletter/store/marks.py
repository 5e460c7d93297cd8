"""Marks: when something was last done, shared by all processes on a database."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from newsletter.store.schema import marks


@dataclass(frozen=True, slots=True)
class Mark:
    """What was noted under a key, and when."""

    key: str
    at: datetime
    text: str


def load_mark(connection: Connection, key: str) -> Mark | None:
    """Return what was last noted under a key."""
    row = connection.execute(select(marks).where(marks.c.key == key)).one_or_none()
    return None if row is None else Mark(row.key, row.at, row.text)


def load_marks(connection: Connection, prefix: str = "") -> dict[str, Mark]:
    """Return everything noted under keys that begin like this."""
    rows = connection.execute(select(marks).where(marks.c.key.startswith(prefix, autoescape=True)))
    return {row.key: Mark(row.key, row.at, row.text) for row in rows}


def set_mark(connection: Connection, key: str, at: datetime, text: str = "") -> None:
    """Note something, in place of what was noted before."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(marks).values(key=key, at=at, text=text)
    changes = {"at": statement.excluded.at, "text": statement.excluded.text}
    connection.execute(statement.on_conflict_do_update(index_elements=[marks.c.key], set_=changes))
