"""Migrations: from any older schema, or none, to the newest, with a copy of the SQLite file made first.

Owns the lock that keeps two starting processes apart. Refuses a schema it doesn't know and tables that aren't ours.
Imported only when there is something to do.
"""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, inspect, text

from newsletter.errors import StoreError
from newsletter.store.database import HEAD, read_version
from newsletter.store.schema import metadata

MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x6E6577736C657474
"""PostgreSQL's advisory lock for migrating: "newslett" in ASCII."""


def migrate(engine: Engine, name: str, backups: Path | None, clock: Callable[[], datetime]) -> None:
    """Bring the schema to the newest version, in one transaction; a second process waits and finds it done.

    Raises StoreError.
    """
    with engine.begin() as connection:  # on SQLite this takes the write lock
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        version = read_version(connection)
        if version == HEAD:
            return
        config = make_config(connection)
        _check_version(version, connection, config, name)
        if version is not None and engine.dialect.name == "sqlite":
            _back_up(Path(name), backups or Path(name).parent / "backups", version, clock())
        command.upgrade(config, HEAD)


def make_config(connection: Connection | None = None) -> Config:
    """Return Alembic's settings; no file is needed."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _check_version(version: str | None, connection: Connection, config: Config, name: str) -> None:
    if version is None:
        strangers = sorted(set(inspect(connection).get_table_names()) & set(metadata.tables))
        if strangers:
            raise StoreError(
                f"{name} already has a table {strangers[0]} that another program made. "
                "Give the newsletter a database of its own in [database] url."
            )
        return
    try:
        ScriptDirectory.from_config(config).get_revision(version)
    except CommandError:
        raise StoreError(
            f"{name} was written by a newer newsletter (schema {version}, this one knows {HEAD}). "
            "Upgrade this program; it has changed nothing."
        ) from None


def _back_up(path: Path, folder: Path, version: str, now: datetime) -> Path:
    """Copy a SQLite file while it is in use; the copy appears under its name only when it is whole."""
    target = folder / f"{path.stem}-{version}-{now.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}.db"
    partial = target.with_suffix(".partial")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(partial, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600))
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(partial)) as copy:
            source.backup(copy)
        partial.replace(target)
    except (OSError, sqlite3.Error) as error:
        with suppress(OSError):
            partial.unlink()
        raise StoreError(
            f"{path} must be migrated, and its copy {target} can't be written first: {error}. "
            "Make room there, or set [database] backups. Nothing was changed."
        ) from None
    return target
