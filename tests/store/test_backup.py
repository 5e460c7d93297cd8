"""Copies of the SQLite file: made in use, checked, rotated, put back."""

import sqlite3
import stat
import threading
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import StoreError
from newsletter.store.backup import (
    backup_path,
    carry_suppressions,
    copy_database,
    decide_rotation,
    find_file,
    is_sound,
    list_backups,
    put_back,
    rotate_backups,
)
from newsletter.store.database import Database, open_database
from newsletter.store.fences import load_ledger
from newsletter.store.marks import load_marks, set_mark

NOW = datetime(2024, 5, 25, 3, 0, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "newsletter.db"


def mark(path: Path, key: str) -> None:
    with open_database(f"sqlite:///{path}") as database, database.transaction() as connection:
        set_mark(connection, key, NOW)


def marks(database: Path) -> set[str]:
    with open_database(f"sqlite:///{database}") as opened, opened.read() as connection:
        return set(load_marks(connection))


def test_a_copy_is_whole_private_and_knows_when_it_was_made(path: Path, tmp_path: Path) -> None:
    mark(path, "one")
    target = tmp_path / "backups" / "copy.db"
    copy_database(path, target, NOW)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [file.name for file in target.parent.iterdir()] == ["copy.db"]
    assert marks(target) == {"one"}
    with open_database(f"sqlite:///{target}") as opened, opened.read() as connection:
        copied = load_ledger(connection)
    with open_database(f"sqlite:///{path}") as opened, opened.read() as connection:
        original = load_ledger(connection)
    assert copied is not None
    assert original is not None
    assert (copied.line, copied.copied_at, original.copied_at) == (original.line, NOW, None)


def test_a_copy_made_while_others_write_is_one_moment(path: Path, tmp_path: Path) -> None:
    """Two marks are always written together; no copy may have one of them alone."""
    stop = threading.Event()

    def write(database: Database) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            with database.transaction() as connection:
                set_mark(connection, f"a{number}", NOW)
                set_mark(connection, f"b{number}", NOW)

    with open_database(f"sqlite:///{path}") as database:
        writer = threading.Thread(target=write, args=[database])
        writer.start()
        try:
            for number in range(5):
                copy_database(path, tmp_path / f"{number}.db", NOW)
        finally:
            stop.set()
            writer.join()
    for number in range(5):
        found = marks(tmp_path / f"{number}.db")
        assert {key[1:] for key in found if key[0] == "a"} == {key[1:] for key in found if key[0] == "b"}


def test_without_room_there_is_no_half_copy(path: Path, tmp_path: Path) -> None:
    mark(path, "one")
    (tmp_path / "full").write_text("a file where the folder should be")
    with pytest.raises(StoreError, match=r"can't be made.*\[database\] backups"):
        copy_database(path, tmp_path / "full" / "copy.db", NOW)


def damage(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode=DELETE")
    content = bytearray(path.read_bytes())
    content[5000 : len(content) // 2] = b"\x55" * (len(content) // 2 - 5000)
    path.write_bytes(content)


def test_a_damaged_database_makes_no_copy(path: Path, tmp_path: Path) -> None:
    mark(path, "one")
    assert is_sound(path)
    damage(path)
    assert not is_sound(path)
    with pytest.raises(StoreError, match="can't be made"):
        copy_database(path, tmp_path / "backups" / "copy.db", NOW)
    assert list((tmp_path / "backups").iterdir()) == []


def test_a_copy_put_back_is_what_everybody_sees(path: Path, tmp_path: Path) -> None:
    mark(path, "one")
    copy_database(path, tmp_path / "copy.db", NOW)
    with open_database(f"sqlite:///{path}") as database:
        with database.transaction() as connection:
            set_mark(connection, "two", NOW)
        put_back(tmp_path / "copy.db", path)
        with database.read() as connection:
            assert set(load_marks(connection)) == {"one"}
    assert marks(path) == {"one"}


def test_a_damaged_database_is_replaced(path: Path, tmp_path: Path) -> None:
    mark(path, "one")
    copy_database(path, tmp_path / "copy.db", NOW)
    damage(path)
    put_back(tmp_path / "copy.db", path)
    assert marks(path) == {"one"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_whoever_has_left_since_stays_out(path: Path, tmp_path: Path) -> None:
    mark(path, "one")
    copy_database(path, tmp_path / "copy.db", NOW)
    for target, rows in ((path, ("a", "b")), (tmp_path / "copy.db", ("a",))):
        with closing(sqlite3.connect(target)) as connection, connection:
            for row in rows:
                connection.execute("INSERT INTO suppressions VALUES (?, NULL, 'left', 0)", (row * 64,))
        with closing(sqlite3.connect(target)) as connection, connection:
            reason = "complained" if target == path else "left"
            connection.execute("INSERT INTO suppressions VALUES (?, 'c@x', ?, 1000000)", ("c" * 64, reason))
    carried = carry_suppressions(path, tmp_path / "copy.db")
    assert {one.address_hash[0]: (one.reason, one.hidden, one.at.timestamp()) for one in carried} == {
        "b": ("left", True, 0.0),
        "c": ("complained", False, 1.0),
    }
    with closing(sqlite3.connect(tmp_path / "copy.db")) as connection:
        kept = connection.execute("SELECT reason FROM suppressions ORDER BY address_hash").fetchall()
    assert [row[0] for row in kept] == ["left", "left", "complained"]
    assert carry_suppressions(path, tmp_path / "copy.db") == []


def test_what_is_a_file_and_what_is_not() -> None:
    assert find_file("sqlite:////srv/news.db") == Path("/srv/news.db")
    assert find_file("postgresql://me@example.org/news") is None


def test_rotation_touches_nothing_but_its_own_copies(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    for hours in range(0, 24 * 60, 12):
        backup_path(folder, path, NOW - timedelta(hours=hours)).touch()
    others = [backup_path(folder, path, NOW, "-replaced"), folder / "newsletter-0004-20240101T000000.000000Z.db"]
    others += [folder / "other-20240101T000000Z.db", folder / "newsletter.txt"]
    for other in others:
        other.touch()
    gone = rotate_backups(folder, path, 7, 4, 3)
    left = {time.date() for time, _ in list_backups(folder, path)}
    assert {NOW.date() - timedelta(days=number) for number in range(7)} <= left
    assert {date(2024, 5, 19), date(2024, 5, 12), date(2024, 5, 5)} <= left  # ends of weeks
    assert {date(2024, 4, 30), date(2024, 3, 31)} <= left
    assert len(left) == len(list_backups(folder, path)) == 11
    assert len(gone) == 120 - 11
    assert all(other.exists() for other in others)


_times = st.integers(0, 5 * 366 * 24 * 60).map(lambda minutes: NOW - timedelta(minutes=minutes))


@given(st.sets(_times, max_size=60), st.integers(1, 10), st.integers(0, 5), st.integers(0, 5))
def test_rotation_always_keeps_the_newest_and_no_more_than_asked(
    times: set[datetime], daily: int, weekly: int, monthly: int
) -> None:
    gone = decide_rotation(times, daily, weekly, monthly)
    kept = times - set(gone)
    assert not times or max(times) in kept
    assert len(kept) <= daily + weekly + monthly
    assert decide_rotation(kept, daily, weekly, monthly) == []
