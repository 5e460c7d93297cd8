import multiprocessing
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from newsletter.errors import StoreError
from newsletter.store.database import HEAD, Database, describe_refusal, open_database
from newsletter.store.migrate import make_config
from newsletter.store.schema import subscribers

NOW = datetime(2024, 5, 25, tzinfo=UTC)


def _row(address: str = "a@example.org") -> dict[str, object]:
    texts = {"name": "0", "state": "active", "language": "", "source": ""}
    return {"address": address, "address_key": address, "joined_at": NOW, **texts}


def test_the_constant_is_the_newest_migration() -> None:
    assert ScriptDirectory.from_config(make_config()).get_heads() == [HEAD]


def test_a_transaction_keeps_everything_or_nothing(database: Database) -> None:
    def fail_halfway() -> None:
        with database.transaction() as connection:
            connection.execute(insert(subscribers), _row())
            raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        fail_halfway()
    with database.transaction() as connection:
        connection.execute(insert(subscribers), _row("b@example.org"))
    with database.read() as connection:
        assert connection.execute(select(subscribers.c.address)).scalars().all() == ["b@example.org"]


def test_concurrent_read_then_write_loses_no_update(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(insert(subscribers), _row())

    def count_up(_: int) -> None:
        with database.transaction() as connection:
            number = int(connection.execute(select(subscribers.c.name).with_for_update()).scalar_one())
            connection.execute(update(subscribers).values(name=str(number + 1)))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(count_up, range(120)))
    with database.read() as connection:
        assert connection.execute(select(subscribers.c.name)).scalar_one() == "120"


def test_a_read_sees_one_moment_while_others_write(database: Database) -> None:
    with database.read() as reading:
        before = reading.execute(select(func.count()).select_from(subscribers)).scalar()
        with database.transaction() as connection:
            connection.execute(insert(subscribers), _row())
        after = reading.execute(select(func.count()).select_from(subscribers)).scalar()
    assert (before, after) == (0, 0)


def test_a_broken_rule_is_our_own_mistake_and_no_store_error(database: Database) -> None:
    with pytest.raises(IntegrityError), database.transaction() as connection:
        connection.execute(insert(subscribers), [_row(), _row()])


def test_times_come_back_as_the_same_instant_in_utc(database: Database) -> None:
    with database.transaction() as connection:
        for number, joined_at in enumerate(
            (
                datetime.fromisoformat("2024-05-25T23:59:59.999999+05:30"),
                datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
                datetime(9999, 12, 30, tzinfo=UTC),
            )
        ):
            row = _row(f"{number}@example.org") | {"joined_at": joined_at}
            connection.execute(insert(subscribers), row)
            found = connection.execute(select(subscribers.c.joined_at).order_by(subscribers.c.id.desc())).scalars()
            first = found.first()
            assert first == joined_at
            assert first is not None
            assert first.tzinfo is UTC


def test_a_time_without_zone_is_refused(database: Database) -> None:
    from sqlalchemy.exc import StatementError

    naive = datetime(2024, 5, 25)  # noqa: DTZ001 - the mistake under test
    with pytest.raises(StatementError, match="has no time zone"), database.transaction() as connection:
        connection.execute(insert(subscribers), _row() | {"joined_at": naive})


def test_the_number_of_a_deleted_reader_is_not_used_again(database: Database) -> None:
    with database.transaction() as connection:
        first = connection.execute(insert(subscribers), _row()).inserted_primary_key
        connection.execute(subscribers.delete())
        second = connection.execute(insert(subscribers), _row()).inserted_primary_key
    assert first is not None
    assert second is not None
    assert second[0] > first[0]


def _open(url: str, start: "multiprocessing.synchronize.Barrier", results: "multiprocessing.Queue[str]") -> None:
    start.wait()
    try:
        open_database(url).close()
        results.put("")
    except BaseException as error:
        results.put(repr(error))


def test_processes_that_open_a_new_database_at_once_all_succeed(database_url: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[str] = spawn.Queue()
    start = spawn.Barrier(3)
    processes = [spawn.Process(target=_open, args=(database_url, start, results)) for _ in range(3)]
    for process in processes:
        process.start()
    assert [results.get(timeout=60) for _ in processes] == [""] * 3
    for process in processes:
        process.join()


def test_an_up_to_date_database_opens_without_alembic(database_url: str) -> None:
    open_database(database_url).close()
    program = (
        "import sys; from newsletter.store.database import open_database; "
        f"open_database({database_url!r}).close(); sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_newer_schema_is_left_alone(database_url: str) -> None:
    with open_database(database_url) as database, database.transaction() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"newer newsletter \(schema 9999.*Upgrade this program"):
        open_database(database_url)


def test_another_programs_tables_are_left_alone(database_url: str) -> None:
    with open_database(database_url) as database, database.transaction() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
    with pytest.raises(StoreError, match="another program made"):
        open_database(database_url)


class TestSqlite:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "readers.db"

    def test_only_its_owner_may_read_the_file_and_its_side_files(self, path: Path) -> None:
        with open_database(f"sqlite:///{path}") as database, database.transaction():
            files = list(path.parent.iterdir())
            assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}

    def test_the_settings_that_keep_data_safe_are_on(self, path: Path) -> None:
        with open_database(f"sqlite:///{path}") as database, database.read() as connection:
            found = [
                connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            ]
        assert found == ["wal", 2, 1, 30000]

    def test_a_file_of_another_kind_is_named(self, path: Path) -> None:
        path.write_bytes(b"# A readme, and not a short one.\n" * 100)
        with pytest.raises(StoreError, match=r"readers\.db: file is not a database\. Another kind of file"):
            open_database(f"sqlite:///{path}")

    def test_a_missing_folder_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match=r"can't be made: No such file or directory\. Its folder must exist"):
            open_database(f"sqlite:///{tmp_path / 'none' / 'readers.db'}")

    def test_a_folder_in_place_of_the_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="is a folder"):
            open_database(f"sqlite:///{tmp_path}")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_a_folder_without_write_permission_is_named(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o500)
        with pytest.raises(StoreError, match=r"Permission denied\. Its folder must exist and be writable"):
            open_database(f"sqlite:///{tmp_path / 'readers.db'}")
        tmp_path.chmod(0o700)

    def test_a_full_disk_is_said_and_keeps_nothing(self, path: Path) -> None:
        def fill() -> None:
            with database.transaction() as connection:
                connection.exec_driver_sql("PRAGMA max_page_count=1")  # which means no page more than now
                for number in range(2000):
                    connection.execute(insert(subscribers), _row(f"{number}@example.org") | {"name": "x" * 500})

        with open_database(f"sqlite:///{path}") as database:
            with pytest.raises(StoreError, match=r"disk is full\. Free some space"):
                fill()
            with database.read() as connection:
                assert connection.execute(select(func.count()).select_from(subscribers)).scalar() == 0

    def test_a_read_only_database_is_said(self, path: Path) -> None:
        def write() -> None:
            with database.transaction() as connection:
                connection.exec_driver_sql("PRAGMA query_only=ON")
                connection.execute(insert(subscribers), _row())

        with (
            open_database(f"sqlite:///{path}") as database,
            pytest.raises(StoreError, match="give this user the right to write there"),
        ):
            write()

    def test_a_lock_that_is_never_given_back_is_said(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("newsletter.store.database.BUSY_SECONDS", 0.1)
        with open_database(f"sqlite:///{path}") as database, closing(sqlite3.connect(path)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match=r"database is locked\. Another process"), database.transaction():
                pass

    def test_a_writer_waits_for_another_process(self, path: Path) -> None:
        with (
            open_database(f"sqlite:///{path}") as database,
            closing(sqlite3.connect(path, check_same_thread=False)) as other,
        ):
            other.execute("BEGIN IMMEDIATE")
            given_back = threading.Event()

            def give_back() -> None:
                given_back.set()
                other.commit()

            timer = threading.Timer(0.3, give_back)
            timer.start()
            with database.transaction() as connection:
                assert given_back.is_set(), "it wrote while another had the lock"
                connection.execute(insert(subscribers), _row())
            timer.join()
            with database.read() as connection:
                assert connection.execute(select(func.count()).select_from(subscribers)).scalar() == 1

    def test_a_new_database_needs_no_backup(self, path: Path, tmp_path: Path) -> None:
        open_database(f"sqlite:///{path}", tmp_path / "backups").close()
        assert not (tmp_path / "backups").exists()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://user@host/name", "mysql is not a database"),
        ("newsletter.db", "can't be understood"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
    ],
)
def test_an_url_that_means_nothing_here_is_refused(url: str, message: str) -> None:
    with pytest.raises(StoreError, match=message) as caught:
        open_database(url)
    assert caught.value.exit_code == 2, "the config is wrong"


def test_an_unreachable_postgresql_is_said_without_its_password() -> None:
    with pytest.raises(StoreError, match="Is PostgreSQL running") as caught:
        open_database("postgres://me:secret@127.0.0.1:1/readers")
    assert str(caught.value).startswith("postgresql://me:***@127.0.0.1:1/readers: ")
    assert "secret" not in str(caught.value)


def test_a_missing_postgresql_database_is_said(request: pytest.FixtureRequest) -> None:
    url: str = request.getfixturevalue("postgres").make_database()
    with pytest.raises(StoreError, match=r"does not exist\. Create it first"):
        open_database(url + "_none")


def test_a_refusal_without_advice_still_says_what_to_do() -> None:
    assert describe_refusal("odd\nmore", "x.db") == "x.db: odd. Nothing of the interrupted step was kept; try again."


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:geheim@127.0.0.1:abc/x",
        "postgresql://u:a@geheim@127.0.0.1/x",
        "postgresql://u:a@b/geheim@127.0.0.1/x",
        "postgresql://u:a@geheim:b@127.0.0.1/x",
        "postgresql://u:a@geheim?b@127.0.0.1/x",
    ],
)
def test_an_address_that_cant_be_read_tells_no_part_of_its_password(url: str) -> None:
    with pytest.raises(StoreError, match="write @ as %40") as caught:
        open_database(url)
    assert "geheim" not in str(caught.value)
