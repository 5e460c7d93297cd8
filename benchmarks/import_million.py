"""Import a million readers from CSV, and compare with the least that Python can do.

Usage: python benchmarks/import_million.py [ROWS]

The peer reads the same file with `csv.reader` and stores it with `sqlite3.executemany` into a table of the same shape,
in transactions of the same size with the same care for the disk, but checks nothing: no address, no date, no state, no
suppression. Both run in a process of their own, so that each has its own peak memory. Exits 1 when an import takes more
than 200 MB, or more than four times the peer's processor time.
"""

import csv
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from newsletter.audience.service import BATCH, import_subscribers
from newsletter.store.database import open_database

ROWS = 1_000_000
MEMORY_LIMIT_MB = 200
RATIO_LIMIT = 4.0
NOW = datetime(2024, 5, 25, tzinfo=UTC)


def write_list(path: Path, rows: int) -> None:
    """Write readers in no order, as real lists have none."""
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["Email Address", "Name", "Status", "Joined"])
        for number in range(rows):
            reader = number * 7919 % rows
            writer.writerow(
                [f"reader{reader}@mail{reader % 997}.example.org", f"Reader, {reader}", "subscribed", "2021-03-04"]
            )


def run_ours(source: Path, database: Path) -> int:
    """Import as `newsletter subscribers import` does."""
    with open_database(f"sqlite:///{database}") as opened, source.open("rb") as stream:
        return import_subscribers(opened, stream, NOW, lambda _lines: None).added


def run_peer(source: Path, database: Path) -> int:
    """Read and store without a check."""
    open_database(f"sqlite:///{database}").close()
    insert = (
        "INSERT INTO subscribers (address, address_key, name, state, language, joined_at, source) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
    )
    with closing(sqlite3.connect(database, isolation_level=None)) as connection, source.open(newline="") as stream:
        for pragma in ("synchronous=FULL", "cache_size=-65536", "wal_autocheckpoint=16384"):
            connection.execute(f"PRAGMA {pragma}")
        rows = _bare_rows(stream)
        while batch := list(islice(rows, BATCH)):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(insert, batch)
            connection.execute("COMMIT")
        return int(connection.execute("SELECT count(*) FROM subscribers").fetchone()[0])


def _bare_rows(stream: Iterator[str]) -> Iterator[tuple[str, str, str, str, str, int, str]]:
    reader = csv.reader(stream)
    next(reader)
    for address, name, _state, _joined in reader:
        yield (address, address, name, "active", "", 1_614_816_000_000_000, "import")


def measure(which: str, source: Path, database: Path) -> tuple[float, float, float]:
    """Run one side in a process of its own; return its seconds, its processor seconds, and its peak memory in MB."""
    words = [sys.executable, __file__, which, str(source), str(database)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    elapsed, processor, memory = map(float, done.stdout.split())
    return elapsed, processor, memory


def run_child(which: str, source: Path, database: Path) -> None:
    """Run one side here and print what `measure` reads."""
    start, start_processor = time.perf_counter(), time.process_time()
    (run_ours if which == "ours" else run_peer)(source, database)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(time.perf_counter() - start, time.process_time() - start_processor, memory)


def main(rows: int) -> int:
    """Measure both sides, print the comparison, and return the exit code."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_list(folder / "readers.csv", rows)
        results = {side: measure(side, folder / "readers.csv", folder / f"{side}.db") for side in ("peer", "ours")}
    for side, (elapsed, processor, memory) in results.items():
        print(
            f"{side}: {rows / elapsed:9,.0f} rows/s, {processor / rows * 1e6:5.1f} µs of processor a row, "
            f"peak memory {memory:4.0f} MB"
        )
    ratio = results["ours"][1] / results["peer"][1]
    print(f"ratio: {ratio:.2f} of the peer's processor time, {results['ours'][0] / results['peer'][0]:.2f} of its time")
    return int(ratio > RATIO_LIMIT or results["ours"][2] > MEMORY_LIMIT_MB)


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in ("ours", "peer"):
        run_child(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS))
