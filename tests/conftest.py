"""What all tests share: database engines, SQLite and a private PostgreSQL, and a browser.

Every test gets `database_url` and `database` empty. PostgreSQL is started once a worker process, on a free port, in a
temporary folder, and stopped by its process id. Where it isn't installed, its half is skipped, but never under CI.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
import pytest_asyncio

from newsletter.store.database import Database, open_database
from tests.looking import ARGUMENTS, CHROMIUM, find_chromium

if TYPE_CHECKING:
    from playwright.async_api import Browser

# Tests that start the program start it often: without compiled modules that takes most of their time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

_NUMBERS = count(1)
_MEMORY = Path("/dev/shm")  # noqa: S108 - the folder that pytest makes there is the user's alone
_ROOM = 4 * 2**30


def _write_to_memory() -> None:
    """Have all that tests write kept in memory, where no commit waits for a disk: nothing has to survive a run.

    Not where TMPDIR says another place, nor where there is little room.
    """
    if "TMPDIR" not in os.environ and _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM:
        os.environ["TMPDIR"] = str(_MEMORY)
        tempfile.tempdir = None  # pytest has looked by now


_write_to_memory()


def _find_binaries() -> Path | None:
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).parent
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    return found[-1].parent if found else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class _Cluster:
    """A PostgreSQL server of our own, with a database for each test."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self.folder = folder
        self.port = _free_port()
        # PostgreSQL refuses to run as root.
        self.user = "postgres" if os.geteuid() == 0 else None
        if self.user:
            shutil.chown(folder, self.user)
        data = folder / "data"
        initdb: list[str | Path] = [
            binaries / "initdb",
            "-D",
            data,
            "-U",
            "tester",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "-N",
        ]
        self._call(initdb)
        options: dict[str, object] = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": folder,
        }
        options |= {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "max_connections": 40}
        words = [word for key, value in options.items() for word in ("-c", f"{key}={value}")]
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [binaries / "postgres", "-D", data, *words], stdout=log, stderr=log, user=self.user, cwd=folder
            )
        self._wait()

    def _call(self, words: list[str | Path]) -> None:
        done = subprocess.run(words, user=self.user, cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{words[0]}: {done.stderr}"

    def _wait(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                self.execute("SELECT 1")
                return
            except psycopg.OperationalError:
                log = (self.folder / "log").read_text()
                assert self.process.poll() is None, log
                assert time.monotonic() < deadline, log
                time.sleep(0.05)

    def execute(self, statement: str) -> None:
        address = f"host=127.0.0.1 port={self.port} user=tester dbname=postgres"
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(statement.encode())

    def make_database(self) -> str:
        """Make an empty database."""
        name = f"test_{next(_NUMBERS)}"
        self.execute(f"CREATE DATABASE {name}")
        return f"postgresql://tester@127.0.0.1:{self.port}/{name}"

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope="session")
def postgres() -> Iterator[_Cluster]:
    """A running PostgreSQL."""
    binaries = _find_binaries()
    if binaries is None:
        reason = "PostgreSQL isn't installed (no initdb on PATH or in /usr/lib/postgresql)"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason}, and CI must test it")
        pytest.skip(reason)
    # Not tmp_path: its parents are closed to the user that PostgreSQL runs as.
    folder = Path(tempfile.mkdtemp(prefix="newsletter-pg-"))
    try:
        cluster = _Cluster(binaries, folder)
        try:
            yield cluster
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database with every table and no row, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "newsletter.db"
    open_database(f"sqlite:///{path}").close()
    return path


@pytest.fixture(scope="session")
def migrated_postgres(postgres: _Cluster) -> str:
    """The URL of a database with every table, which tests empty and share: making one takes PostgreSQL long."""
    url = postgres.make_database()
    open_database(url).close()
    return url


# Emptying a table takes PostgreSQL 2 ms whatever is in it, and most tests write into few.
_EMPTY_WHAT_IS_FULL = b"""
DO $$
DECLARE
    name text;
    has_rows boolean;
    full_ones text[];
BEGIN
    FOR name IN SELECT oid::regclass FROM pg_class
                WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version' LOOP
        EXECUTE 'SELECT EXISTS (SELECT FROM ' || name || ')' INTO has_rows;
        IF has_rows THEN
            full_ones := full_ones || name;
        END IF;
    END LOOP;
    IF full_ones IS NOT NULL THEN
        EXECUTE 'TRUNCATE ' || array_to_string(full_ones, ', ') || ' CASCADE';
    END IF;
    PERFORM setval(seqrelid, 1, false) FROM pg_sequence;
END $$
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def engine_name(request: pytest.FixtureRequest) -> str:
    """Each engine in turn."""
    return str(request.param)


@pytest.fixture
def database_url(engine_name: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, without tables, once on each engine."""
    if engine_name == "sqlite":
        return f"sqlite:///{tmp_path / 'newsletter.db'}"
    cluster: _Cluster = request.getfixturevalue("postgres")
    return cluster.make_database()


@pytest.fixture
def ledger_url(engine_name: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database with every table and no row, once on each engine."""
    if engine_name == "sqlite":
        return f"sqlite:///{shutil.copy(request.getfixturevalue('migrated_file'), tmp_path)}"
    url: str = request.getfixturevalue("migrated_postgres")
    with psycopg.connect(url) as connection:
        connection.execute(_EMPTY_WHAT_IS_FULL)
    return url


@pytest.fixture
def database(ledger_url: str) -> Iterator[Database]:
    """An open, migrated database without a row, once on each engine."""
    with open_database(ledger_url) as opened:
        yield opened


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> "AsyncIterator[Browser]":
    """Debian's Chromium, started once: tests open a context of their own in it, which shares nothing with others.

    Whoever takes it runs in the session's event loop (`pytest.mark.asyncio(loop_scope="session")`).
    """
    from playwright.async_api import async_playwright  # takes long to import, for most tests in vain

    find_chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()
