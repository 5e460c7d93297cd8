"""The database engines that every test about stored things runs on: SQLite and a private PostgreSQL.

Every test gets `database_url` and `database` empty. PostgreSQL is started once a worker process, on a free port, in a
temporary folder, and stopped by its process id. Where it isn't installed, its half is skipped, but never under CI.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest

from newsletter.store.database import Database, open_database
from newsletter.store.schema import metadata

# Tests that start the program start it often: without compiled modules that takes most of their time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

_NUMBERS = count(1)
_INITDB = ("-A", "trust", "-E", "UTF8", "--locale=C", "-N")
_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": 40,
    # The cluster lives for one test run: nothing on disk has to survive it.
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
}


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


@pytest.fixture(params=["sqlite", "postgresql"])
def engine_name(request: pytest.FixtureRequest) -> str:
    """Each engine in turn."""
    return str(request.param)


@pytest.fixture
def database_url(engine_name: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, once on each engine."""
    if engine_name == "sqlite":
        return f"sqlite:///{tmp_path / 'newsletter.db'}"
    cluster: _Cluster = request.getfixturevalue("postgres")
    return cluster.make_database()


@pytest.fixture
def database(engine_name: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An open, migrated database without a row, once on each engine."""
    if engine_name == "sqlite":
        url = f"sqlite:///{shutil.copy(request.getfixturevalue('migrated_file'), tmp_path)}"
    else:
        url = request.getfixturevalue("migrated_postgres")
        with psycopg.connect(url) as connection:
            connection.execute(f"TRUNCATE {', '.join(metadata.tables)}, document_words RESTART IDENTITY".encode())
    with open_database(url) as opened:
        yield opened
