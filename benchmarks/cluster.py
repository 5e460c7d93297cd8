"""A private PostgreSQL for a benchmark, with one database that can be copied."""

import os
import shutil
import subprocess
from pathlib import Path


class Cluster:
    """A private PostgreSQL, for as long as it is needed."""

    def __init__(self, folder: Path) -> None:
        self._binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
        self._user = "postgres" if os.geteuid() == 0 else None
        self._folder = folder
        self._count = 0
        if self._user:
            shutil.chown(folder, self._user)
        self._call("initdb", "-D", folder / "data", "-U", "tester", "-A", "trust", "-E", "UTF8", "-N")
        options = f"-c listen_addresses='' -k {folder} -c fsync=off"
        self._call("pg_ctl", "-D", folder / "data", "-w", "-l", folder / "log", "-o", options, "start")
        self._call("createdb", "-h", folder, "-U", "tester", "stage")

    @property
    def url(self) -> str:
        """Return the address of the database that is copied."""
        return self._url("stage")

    def copy_database(self) -> str:
        """Copy it and return the copy's address."""
        self._count += 1
        name = f"point{self._count}"
        self._call("createdb", "-h", self._folder, "-U", "tester", "-T", "stage", name)
        return self._url(name)

    def stop(self) -> None:
        """End the server."""
        self._call("pg_ctl", "-D", self._folder / "data", "-m", "immediate", "stop")

    def _url(self, name: str) -> str:
        return f"postgresql://tester@/{name}?host={self._folder}"

    def _call(self, program: str, *words: str | Path) -> None:
        with (self._folder / "calls").open("ab") as log:
            subprocess.run(
                [self._binaries / program, *words], user=self._user, cwd=self._folder, check=True, stdout=log
            )
