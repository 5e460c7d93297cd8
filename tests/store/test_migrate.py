"""What migrations build, and the copy made before."""

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, Connection, Engine, create_engine, inspect, text
from sqlalchemy.engine.interfaces import ReflectedIndex

from newsletter.errors import StoreError
from newsletter.model.control import Control
from newsletter.model.delivery import Audit
from newsletter.store import migrate as migrations
from newsletter.store.controls import list_unknown, load_control
from newsletter.store.database import HEAD, open_database
from newsletter.store.deliveries import claim_deliveries, count_deliveries
from newsletter.store.dispatch import list_unreported_editions
from newsletter.store.schema import metadata

NOW = datetime(2024, 5, 25, 6, 30, tzinfo=UTC)


@contextmanager
def _engine(url: str) -> Iterator[Engine]:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    yield engine
    engine.dispose()


def _describe(connection: Connection) -> dict[str, Any]:
    """Everything an engine knows of each table, CHECK constraints too, which Alembic doesn't compare."""
    found = inspect(connection)
    described: dict[str, Any] = {}
    for name in (*metadata.tables, "document_words"):
        described[name] = {
            "columns": [{**column, "type": str(column["type"])} for column in found.get_columns(name)],
            "checks": sorted((str(check["name"]), check["sqltext"]) for check in found.get_check_constraints(name)),
            "unique": sorted(str(unique) for unique in found.get_unique_constraints(name)),
            "primary": found.get_pk_constraint(name),
            "foreign": sorted(str(foreign) for foreign in found.get_foreign_keys(name)),
            "indexes": sorted(_describe_index(index) for index in found.get_indexes(name)),
        }
    if connection.dialect.name == "sqlite":
        statement = text("SELECT sql FROM sqlite_master WHERE name = 'document_words'")
        described["document_words"]["made by"] = connection.execute(statement).scalar_one()
    return described


def _is_described(_object: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
    """Leave out the index of words, a table of each engine's own kind that metadata can't hold; `_describe` has it."""
    return not (kind == "table" and str(name).startswith("document_words"))


def _describe_index(index: ReflectedIndex) -> tuple[str, str, str]:
    rows = {key: str(value) for key, value in index.get("dialect_options", {}).items()}
    return str(index["name"]), str(index["column_names"]), str(rows)


def test_migrations_build_the_schema(database_url: str) -> None:
    open_database(database_url).close()
    with _engine(database_url) as engine, engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True, "include_object": _is_described}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []
        migrated = _describe(connection)
        connection.rollback()
        connection.execute(text("DROP TABLE alembic_version"))
        metadata.drop_all(connection)
        metadata.create_all(connection)
        assert _describe(connection) == migrated
    rules = [
        rule for table in metadata.tables.values() for rule in table.constraints if isinstance(rule, CheckConstraint)
    ]
    assert sum(len(table["checks"]) for table in migrated.values()) == len(rules) > 50


FIRST = """
INSERT INTO subscribers (address, address_key, name, state, language, joined_at, source)
    VALUES ('a@example.org', 'a@example.org', '', 'active', '', :now, ''),
           ('b@example.org', 'b@example.org', '', 'active', '', :now, ''),
           ('c@example.org', 'c@example.org', '', 'active', '', :now, '');
INSERT INTO editions (slug, issue_date, state, title, subject, preheader, language, page_url, html, text, sender, hash,
                      published_at, updated_at, revision, audience)
    VALUES ('one', '2024-05-25', 'published', '', '', '', 'en', '', '', '', '{}', :hash, :now, :now, 1, 3),
           ('over', '2024-05-24', 'published', '', '', '', 'en', '', '', '', '{}', :hash, :now, :now, 1, 0);
INSERT INTO deliveries (edition_id, subscriber_id, address, name, state, attempts, queued_at, settled_at)
    VALUES (1, 1, 'a@example.org', '', 'queued', 0, :now, NULL),
           (1, 2, 'b@example.org', '', 'sent', 1, :now, :now),
           (1, 3, 'c@example.org', '', 'unknown', 1, :now, :now)
"""


def test_what_was_published_before_there_was_control_runs_on(database_url: str) -> None:
    with _engine(database_url) as engine, engine.begin() as connection:
        command.upgrade(migrations.make_config(connection), "0001")
        now = NOW if engine.dialect.name == "postgresql" else 0
        for statement in FIRST.split(";"):
            values = {"now": now, "hash": "0" * 64}
            used = {key: value for key, value in values.items() if f":{key}" in statement}
            connection.execute(text(statement), used)
    with open_database(database_url) as database, database.transaction() as connection:
        assert load_control(connection, 1) == Control()
        assert count_deliveries(connection, 1) == Audit(
            3, sent=1, queued=1, deferred=0, failed=0, cancelled=0, unknown=1
        )
        assert [row.address for row in list_unknown(connection, 1)] == ["c@example.org"]
        assert list_unreported_editions(connection) == [1]  # what is over isn't told of any more
        claimed = claim_deliveries(connection, 1, "one", NOW, NOW, 10)
        assert [row.address for row in claimed] == ["a@example.org"]


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database of a schema before this program's, with a reader in it, and a program that is one step newer."""
    path = tmp_path / "readers.db"
    open_database(f"sqlite:///{path}").close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "INSERT INTO subscribers (address, address_key, name, state, language, joined_at, source)"
            " VALUES ('a@example.org', 'a@example.org', '', 'active', '', 0, '')"
        )
        connection.commit()
    folder = tmp_path / "migrations"
    versions = folder / "versions"
    versions.mkdir(parents=True)
    for step in (migrations.MIGRATIONS / "env.py", *(migrations.MIGRATIONS / "versions").glob("*_*.py")):
        (folder / step.relative_to(migrations.MIGRATIONS)).write_text(step.read_text())
    (versions / "next_9999.py").write_text(
        f"from alembic import op\nimport sqlalchemy as sa\nrevision = '9999'\ndown_revision = '{HEAD}'\n"
        "def upgrade():\n    op.add_column('subscribers', sa.Column('shoe_size', sa.Integer()))\n"
    )
    monkeypatch.setattr(migrations, "MIGRATIONS", folder)
    monkeypatch.setattr(migrations, "HEAD", "9999")
    monkeypatch.setattr("newsletter.store.database.HEAD", "9999")
    return path


def _columns(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [row[1] for row in connection.execute("PRAGMA table_info(subscribers)")]


def test_an_older_file_is_copied_whole_before_it_is_migrated(old: Path, tmp_path: Path) -> None:
    open_database(f"sqlite:///{old}", tmp_path / "copies", lambda: NOW).close()
    (copy,) = (tmp_path / "copies").iterdir()
    assert copy.name == f"readers-{HEAD}-20240525T063000.000000Z.db"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert "shoe_size" in _columns(old)
    assert "shoe_size" not in _columns(copy)
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT address FROM subscribers").fetchall() == [("a@example.org",)]


def test_a_migrated_file_is_not_copied_again(old: Path, tmp_path: Path) -> None:
    for _ in range(2):
        open_database(f"sqlite:///{old}").close()
    assert len(list((tmp_path / "backups").iterdir())) == 1


def test_without_room_for_the_copy_nothing_is_migrated(old: Path, tmp_path: Path) -> None:
    (tmp_path / "copies").write_text("a file where the folder should be")
    with pytest.raises(StoreError, match=r"its copy .* can't be written first"):
        open_database(f"sqlite:///{old}", tmp_path / "copies", lambda: NOW)
    assert "shoe_size" not in _columns(old)


def test_a_migration_that_fails_changes_nothing(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = migrations.MIGRATIONS / "versions" / "next_9999.py"
    step.write_text(step.read_text() + "    op.execute('DROP TABLE missing')\n")
    with pytest.raises(StoreError, match="no such table: missing"):
        open_database(f"sqlite:///{old}")
    assert "shoe_size" not in _columns(old)
