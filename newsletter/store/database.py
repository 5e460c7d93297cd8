"""The database: opened once, migrated when it must be, used in short transactions.

Owns the connection pool, the way transactions begin and end, and the sentences for what an engine refuses. SQLite (3.35
or newer) is the default, PostgreSQL is chosen by URL. Refuses every other engine, a database in memory (it would forget
its readers), and a schema newer than this program.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from sqlalchemy import URL, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy import Connection as Connection
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    NotSupportedError,
    ProgrammingError,
)

from newsletter.errors import StoreAddressError, StoreError
from newsletter.store.suppression import hash_key

HEAD = "0008"
"""The newest migration; a test holds it against the migrations themselves."""

VERSION_TABLE = "alembic_version"
BUSY_SECONDS = 30
"""How long a transaction waits for another process's before it gives up."""

_BEGIN = "newsletter_begin"


def read_clock() -> datetime:
    """Return the current time, in UTC."""
    return datetime.now(UTC)


class Database:
    """An open database; close it, or use it as a context manager. Safe to share between threads."""

    def __init__(self, engine: Engine, name: str) -> None:
        self.dialect = engine.dialect.name
        self.name = name
        self._engine = engine
        snapshot: dict[str, Any] = {_BEGIN: "BEGIN"}
        if self.dialect == "postgresql":
            snapshot = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        self._snapshots = engine.execution_options(**snapshot)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Run a block as one transaction: all of it is kept, or nothing when it raises.

        On SQLite it holds the write lock from the start, so nothing that was read can change before it is written.
        Raises StoreError when the engine refuses.
        """
        with explain_refusals(self.name), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Run a block that only reads, and sees one moment throughout; nothing waits for it.

        Raises StoreError when the engine refuses.
        """
        with explain_refusals(self.name), self._snapshots.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_database(url: str, backups: Path | None = None, clock: Callable[[], datetime] = read_clock) -> Database:
    """Open the database at `url`, making or migrating it first when it must be.

    `backups` is where an existing SQLite file is copied before it is migrated; by default the folder `backups` beside
    it. Raises StoreError.
    """
    parsed = _parse_url(url)
    name = _name(parsed)
    with explain_refusals(name):
        engine = _make_engine(parsed, name)
        try:
            if _read_version(engine) != HEAD:
                from newsletter.store.migrate import migrate  # Alembic takes long to import and is rarely needed

                migrate(engine, name, backups, clock)
        except BaseException:
            engine.dispose()
            raise
    return Database(engine, name)


def open_as_it_is(url: str) -> Database:
    """Open a database that is there to look into it: nothing is made or migrated, and every change is refused.

    Raises StoreError, also for one that this program would have to migrate first.
    """
    parsed = _parse_url(url)
    name = _name(parsed)
    with explain_refusals(name):
        engine = _make_engine(parsed, name, looking=True)
        try:
            version = _read_version(engine)
            if version != HEAD:
                raise StoreError(
                    f"{name} has the tables of another version ({version or 'none yet'}, this program knows {HEAD}). "
                    "`newsletter status` brings it up to date; nothing was changed here."
                )
        except BaseException:
            engine.dispose()
            raise
    return Database(engine, name)


@contextmanager
def explain_refusals(name: str) -> Iterator[None]:
    """Turn an engine's refusal into a StoreError; a broken rule or bad SQL is our own mistake and passes through."""
    try:
        yield
    except DBAPIError as error:
        reason = str(error.orig)
        if isinstance(error, _OUR_MISTAKES) and "permission denied" not in reason:
            raise
        raise StoreError(describe_refusal(reason, name)) from error


def describe_refusal(reason: str, name: str) -> str:
    """Say what an engine's own message means and what to do about it."""
    first = reason.strip().splitlines()[0] if reason.strip() else "the connection broke"
    advice = _advise(reason) or "Nothing of the interrupted step was kept; try again."
    return f"{name}: {first}. {advice}"


_OUR_MISTAKES = (DataError, IntegrityError, NotSupportedError, ProgrammingError)
_ADVICE = (
    ("not a database", "Another kind of file is in its place: move it away, or correct [database] url."),
    ("malformed", "The file is damaged: restore the newest copy from the backups folder."),
    ("locked", f"Another process has been writing for over {BUSY_SECONDS} seconds: wait for it to end, or end it."),
    ("readonly database", "The file or its folder can't be written: give this user the right to write there."),
    ("unable to open", "Its folder must exist and this user must be able to write there."),
    ("disk is full", "Free some space; nothing of the interrupted step was kept."),
    ("No space left", "Free some space on the server; nothing of the interrupted step was kept."),
    ("password authentication", "Correct the user or password in [database] url or NEWSLETTER_DATABASE_URL."),
    ("no password supplied", "Put the password into NEWSLETTER_DATABASE_URL, or a pgpass file."),
    ("does not exist", "Create it first, or correct [database] url."),
    ("permission denied", "Give the database user the right to it."),
    ("no such module", "This Python's SQLite was built without FTS5: use another build, or PostgreSQL."),
    ("onnection", "Is PostgreSQL running, and does [database] url name the right host and port?"),
)


def _advise(reason: str) -> str | None:
    return next((advice for sign, advice in _ADVICE if sign in reason), None)


_ENCODED = "In a password, write @ as %40, / as %2F and : as %3A; a port is a number."


def _parse_url(url: str) -> URL:
    wanted = "Write sqlite:///FILE or postgresql://USER@HOST/NAME in [database] url."
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # a port that is no number is a ValueError
        raise StoreAddressError(f"The database's address can't be understood. {wanted} {_ENCODED}") from None
    kind = parsed.drivername
    if kind == "sqlite":
        if parsed.database in (None, "", ":memory:"):
            raise StoreAddressError(f"A database in memory would forget its readers. {wanted}")
        return parsed
    if kind in ("postgresql", "postgres", "postgresql+psycopg"):
        if url.count("@") > 1:  # what is read as the host may be the rest of a password, and messages name hosts
            raise StoreAddressError(f"The database's address has more than one @. {_ENCODED}")
        return parsed.set(drivername="postgresql+psycopg")
    raise StoreAddressError(f"{kind} is not a database this program works with. {wanted}")


def _name(url: URL) -> str:
    """Say which database is meant, without a password."""
    if url.drivername == "sqlite":
        return str(url.database)
    bare = url.set(drivername="postgresql", password=None, query={})
    return bare.render_as_string()


def _make_engine(url: URL, name: str, *, looking: bool = False) -> Engine:
    if url.drivername == "sqlite":
        path = Path(str(url.database))
        if not looking:
            _make_private_file(path, name)
        arguments: dict[str, object] = {"timeout": BUSY_SECONDS, "check_same_thread": False}
        engine = create_engine(url, connect_args=arguments, hide_parameters=True)
        event.listen(engine, "connect", _prepare_looking if looking else _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    options: dict[str, object] = {"connect_timeout": 10, "application_name": "newsletter"}
    if looking:
        options["options"] = "-c default_transaction_read_only=on"
    # A statement's parameters are readers: they belong in no error message.
    return create_engine(url, pool_pre_ping=True, connect_args=options, hide_parameters=True)


def _make_private_file(path: Path, name: str) -> None:
    """Make a new file that only its owner can read; SQLite gives its side files the same rights."""
    if path.is_dir():
        raise StoreError(f"{name} is a folder. Name a file in [database] url.")
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreError(
            f"{name} can't be made: {reason}. Its folder must exist and be writable; or correct [database] url."
        ) from None


def _prepare_looking(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    connection.create_function("sha256_hex", 1, hash_key, deterministic=True)
    connection.execute("PRAGMA query_only=ON")


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver's own transactions begin too late and lose updates; see _begin_sqlite.
    connection.isolation_level = None
    connection.create_function("sha256_hex", 1, hash_key, deterministic=True)
    for pragma in (
        "foreign_keys=ON",
        "synchronous=FULL",
        "cache_size=-8192",
        "temp_store=MEMORY",
        "wal_autocheckpoint=16384",
    ):
        connection.execute(f"PRAGMA {pragma}")
    _write_ahead(connection, time.monotonic() + BUSY_SECONDS)


def _write_ahead(connection: sqlite3.Connection, deadline: float) -> None:
    """Switch the file to a write-ahead log, once in its life.

    SQLite doesn't wait when two processes switch a new file at once: one is told at once that it is locked. Where a
    file system can't keep such a log, the file stays as it is, which is slower and as safe.
    """
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN IMMEDIATE"))


def _read_version(engine: Engine) -> str | None:
    with engine.execution_options(**{_BEGIN: "BEGIN"}).begin() as connection:
        return read_version(connection)


def read_version(connection: Connection) -> str | None:
    """Return the schema's version, or None where there is none yet."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608 - a constant
