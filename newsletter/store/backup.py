"""Copies of the SQLite file, made while it is in use, and put back.

Owns how a copy is made, named, checked and rotated. A copy appears under its name only when it is whole and sound.
Refuses to know PostgreSQL, which has `pg_dump` and better. What a copy that is put back must not send again is
`store.fences` and `delivery.fence`.
"""

import contextlib
import os
import re
import shutil
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import make_url

from newsletter.errors import StoreError
from newsletter.model.ledger import KeptOut
from newsletter.model.subscriber import SuppressionReason

_NAME: Final = re.compile(r"(?P<stem>.+)-(?P<time>\d{8}T\d{6}Z)\.db")
_TIME: Final = "%Y%m%dT%H%M%SZ"
_ORDINARY: Final = frozenset({"ok"})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNKNOWN: Final = """
SELECT address_hash, theirs.address, theirs.reason, theirs.created_at
FROM other.suppressions AS theirs LEFT JOIN main.suppressions AS ours USING (address_hash)
WHERE ours.reason IS NULL OR ours.reason <> theirs.reason OR (theirs.address IS NULL AND ours.address IS NOT NULL)
"""


def find_file(url: str) -> Path | None:
    """Return the file that a database's address means; None for PostgreSQL."""
    parsed = make_url(url)
    return Path(str(parsed.database)) if parsed.get_backend_name() == "sqlite" else None


def backup_path(folder: Path, database: Path, now: datetime, mark: str = "") -> Path:
    """Return what a copy made now is called: `newsletter-20240525T030000Z.db`, with a mark before the time if any."""
    return folder / f"{database.stem}{mark}-{now.astimezone(UTC):{_TIME}}.db"


def free_path(folder: Path, database: Path, now: datetime, mark: str) -> Path:
    """Return the name of a copy with a mark that no copy has yet."""
    first = path = backup_path(folder, database, now, mark)
    number = 1
    while path.exists():
        number += 1
        path = first.with_stem(f"{first.stem}-{number}")
    return path


def list_backups(folder: Path, database: Path) -> list[tuple[datetime, Path]]:
    """Return when each copy of a database was made, oldest first; copies with a mark are none of the rotation's."""
    found = []
    for path in folder.glob("*.db") if folder.is_dir() else ():
        name = _NAME.fullmatch(path.name)
        if name and name["stem"] == database.stem:
            found.append((datetime.strptime(name["time"], _TIME).replace(tzinfo=UTC), path))
    return sorted(found)


def decide_rotation(times: Collection[datetime], daily: int, weekly: int, monthly: int) -> list[datetime]:
    """Return which copies may go: the newest of each of the last days, weeks and months that have one stay. Pure."""
    kept: set[datetime] = set()
    newest_first = sorted(times, reverse=True)
    for count, period in ((daily, "%Y-%m-%d"), (weekly, "%G-%V"), (monthly, "%Y-%m")):
        newest: dict[str, datetime] = {}
        for time in newest_first:
            newest.setdefault(f"{time:{period}}", time)
        kept.update(list(newest.values())[:count])
    return [time for time in sorted(times) if time not in kept]


def rotate_backups(folder: Path, database: Path, daily: int, weekly: int, monthly: int) -> list[Path]:
    """Delete the copies that the rotation lets go; return them."""
    copies = dict(list_backups(folder, database))
    gone = [copies[time] for time in decide_rotation(copies.keys(), daily, weekly, monthly)]
    for path in gone:
        path.unlink(missing_ok=True)
    return gone


def copy_database(database: Path, target: Path, copied_at: datetime | None) -> None:
    """Copy a SQLite file while it is in use, check the copy, and note in it when it was made. Raises StoreError."""
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(partial, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600))
        with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(partial)) as copy:
            source.backup(copy)
            _finish_copy(copy, copied_at)
        _keep_on_disk(partial)
        partial.replace(target)
    except (OSError, sqlite3.Error) as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise StoreError(
            f"{target}: the copy of {database} can't be made: {error}. Make room there, or set [database] backups."
        ) from None


def put_back(copy: Path, database: Path) -> None:
    """Put a copy in the database's place in one step; whoever has the database open sees the copy from then on.

    A damaged file is replaced under its name. Raises StoreError.
    """
    try:
        if is_sound(database):
            with closing(sqlite3.connect(copy)) as source, closing(sqlite3.connect(database, timeout=30)) as target:
                source.backup(target)
            return
        for side in ("-wal", "-shm", "-journal"):
            database.with_name(f"{database.name}{side}").unlink(missing_ok=True)
        scratch = database.with_name(f".{database.name}.restored")
        shutil.copyfile(copy, scratch)
        scratch.chmod(0o600)
        _keep_on_disk(scratch)
        scratch.replace(database)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{database}: the copy can't be put back: {error}. Nothing was changed.") from None


def is_sound(path: Path) -> bool:
    """Return whether a file is a SQLite database without damage."""
    if not path.is_file() or path.stat().st_size == 0:
        return False
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            return _check(connection)
    except sqlite3.Error:
        return False


def carry_suppressions(source: Path, target: Path) -> list[KeptOut]:
    """Let a database keep out whoever another one does, for the same reason; return what it didn't know.

    Readers who are suppressed are due nothing, whatever state the copy has them in (`store.departures`).
    """
    with _attached(target, source) as connection:
        rows = connection.execute(_UNKNOWN).fetchall()
        connection.executemany("INSERT OR REPLACE INTO suppressions VALUES (?, ?, ?, ?)", rows)
    return [
        KeptOut(address_hash, SuppressionReason(reason), address is None, _EPOCH + timedelta(microseconds=at))
        for address_hash, address, reason, at in rows
    ]


def list_columns(path: Path, table: str) -> Sequence[str]:
    """Return a table's columns in a SQLite file; none, where there is no such table."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return [str(row[1]) for row in connection.execute(f"PRAGMA table_info({table})")]


def _finish_copy(copy: sqlite3.Connection, copied_at: datetime | None) -> None:
    copy.execute("PRAGMA journal_mode=DELETE")  # one file, with nothing beside it
    if copied_at and copy.execute("SELECT 1 FROM sqlite_master WHERE name = 'ledgers'").fetchone():
        microseconds = int(copied_at.timestamp() * 1_000_000)
        copy.execute("UPDATE ledgers SET copied_at = ?", (microseconds,))
        copy.commit()
    if not _check(copy):
        raise sqlite3.DatabaseError("the copy is damaged, and so is what it was made from")


def _check(connection: sqlite3.Connection) -> bool:
    return {str(row[0]) for row in connection.execute("PRAGMA quick_check(1)")} == _ORDINARY


@contextlib.contextmanager
def _attached(target: Path, source: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(target)) as connection:
        connection.execute("ATTACH ? AS other", (str(source),))
        with connection:
            yield connection


def _keep_on_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
