"""Kill a scheduler between any two steps of a slot, let another one compete, start again, and hold what came of it
against what readers and the editor got.

Usage: python -m benchmarks.crash_slots [--points 200] [--engine sqlite|postgresql] [--readers 20] [--database URL]

A step is a statement to the database, a commit, a file that takes another's place, a mail on the wire. First one run is
left alone, to count its steps. Then, for each point, a scheduler with its worker is killed with SIGKILL right before
that step: at every other point alone, else while a second one does the same at the same time. A third one runs after
them, at the same hour.

Every time: the slot is published, there is one edition, its audit holds, every reader has the mail or is unknown,
nobody has it twice, at most one is unknown, and the editor is told once. Exits 1 if any of this fails.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

import psycopg
from jinja2 import Environment
from sqlalchemy import Engine, event, select

from benchmarks.cluster import Cluster
from newsletter.app import App
from newsletter.config import Alerts, DatabaseSettings, Delivery, Issues, Outbox, Schedule, Secret, Settings, Site
from newsletter.delivery.brake import Brake
from newsletter.delivery.desk import Tally
from newsletter.delivery.exchange import Result
from newsletter.delivery.lanes import Lane, Mail
from newsletter.delivery.policy import Phase
from newsletter.delivery.publish import send_edition
from newsletter.logs import start_logging
from newsletter.model.delivery import Reply
from newsletter.model.subscriber import NewSubscriber
from newsletter.render.environment import load_environment
from newsletter.schedule.posts import Post
from newsletter.schedule.ticks import TICKS, run_tick
from newsletter.store.deliveries import count_deliveries, list_deliveries
from newsletter.store.editions import StoredEdition, list_editions
from newsletter.store.schema import notices
from newsletter.store.slots import load_slots
from newsletter.store.subscribers import add_subscribers

EVE: Final = datetime(2024, 5, 24, 12, tzinfo=UTC)
DUE: Final = datetime(2024, 5, 25, 7, 30, tzinfo=UTC)
ISSUE: Final = "---\ntitle: Papers\ndate: 2024-05-25\n---\n\n## News\n\n### [A paper](https://example.org/a)\n\nIt.\n"
AT_WORK: Final = ("plan", "decide", "deliver", "report")
ROUNDS: Final = 3

Step = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Stage:
    """A publication with readers, on the eve of an issue."""

    folder: Path
    url: str
    readers: int

    def open(self, now: datetime) -> Post:
        """Return a scheduler and worker whose clock stands still."""
        folder = self.folder
        settings = Settings(
            alerts=Alerts(editor=("editor@example.org",)),
            database=DatabaseSettings(url=self.url, backups=folder / "backups"),
            delivery=Delivery(journal=folder / "journal", claim_ahead=10),
            issues=Issues(folder=folder / "issues"),
            outbox=Outbox(folder=folder / "outbox"),
            schedule=Schedule(at="07:30"),
            secret=Secret(file=folder / "newsletter.secret"),
            site=Site(folder=folder / "public"),
        )
        app = App(settings)
        app.__dict__["environment"] = load_templates()
        return Post(app, Brake(), lambda: now)

    @property
    def wire(self) -> Path:
        """Return where it is written down who got a mail."""
        return self.folder / "wire"


@cache
def load_templates() -> Environment:
    """Return the templates: compiled once for all the processes, who would spend most of their time on that."""
    return load_environment(None)


class Wire:
    """A relay that writes down who got a mail the moment it has it, whatever becomes of the sender."""

    name = "wire"
    width = 1

    def __init__(self, path: Path, step: Step) -> None:
        self._path = path
        self._step = step

    async def open_lane(self) -> Lane:
        """Return a lane."""
        return _WireLane(self._path, self._step)


class _WireLane:
    usable = True

    def __init__(self, path: Path, step: Step) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._step = step

    async def pump(
        self,
        next_mail: Callable[[], Mail | None],
        before_body: Callable[[Mail], None],
        on_result: Callable[[Mail, Result], None],
    ) -> None:
        while (mail := next_mail()) is not None:
            before_body(mail)
            self._step()
            os.write(self._descriptor, f"{mail.key.address}\n".encode())
            self._step()
            on_result(mail, Result(Phase.DOT, Reply(250, "2.0.0", "taken")))

    def stop(self) -> None:
        """Do nothing: there is never much left."""

    async def close(self) -> None:
        os.close(self._descriptor)


def make_stage(folder: Path, url: str, readers: int) -> Stage:
    """Make the publication, with its slot planned."""
    stage = Stage(folder, url or f"sqlite:///{folder / 'newsletter.db'}", readers)
    (folder / "issues").mkdir(parents=True)
    (folder / "issues" / "2024-05-25.md").write_text(ISSUE, encoding="utf-8")
    post = stage.open(EVE)
    with post.app:
        with post.app.database.transaction() as connection:
            add_subscribers(connection, [NewSubscriber(f"r{n}@example.net") for n in range(readers)], EVE)
        run_tick(post, TICKS[0])
    return stage


def work(stage: Stage, step: Step) -> None:
    """Do what a scheduler and a worker do at the hour, a few times."""
    post = stage.open(DUE)
    with post.app:

        def send(stored: StoredEdition) -> Tally:
            wire = Wire(stage.wire, step)
            app = post.app
            return send_edition(
                app.database, stored, wire, app.keys, app.settings, lambda _tally: None, post.clock, None, post.brake
            )

        post.sender.send = send
        for _ in range(ROUNDS):
            for tick in TICKS:
                if tick.name in AT_WORK:
                    run_tick(post, tick)


def listen_for_steps(step: Step) -> None:
    """Call `step` before each statement, each commit, and each file that takes another's place."""
    event.listen(Engine, "before_cursor_execute", lambda *_: step())
    event.listen(Engine, "commit", lambda *_: step())
    sys.addaudithook(lambda name, _: step() if name in ("os.rename", "os.link", "os.remove") else None)


@dataclass(slots=True)
class Steps:
    """Counts steps, and kills the process at one."""

    kill_at: int | None = None
    taken: int = 0
    over: bool = False

    def __call__(self) -> None:
        """Count one."""
        self.taken += not self.over
        if self.taken == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


def fork(stage: Stage, kill_at: int | None) -> int:
    """Work in a process of its own, killed at a step; return its number."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        steps = Steps(kill_at)
        listen_for_steps(steps)
        work(stage, steps)
        code = 0
    except BaseException as error:  # a fork must not go back into the code that made it
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(code)


def wait(child: int) -> int:
    """Wait for a process; return its exit code, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@dataclass(slots=True)
class Verdict:
    """What came of one point."""

    point: int
    competing: bool
    killed: bool = False
    unknown: int = 0
    problems: list[str] = field(default_factory=list)


def try_point(stage: Stage, point: int, competing: bool) -> Verdict:
    """Kill at a point, with or without another at work, run to the end, and judge."""
    verdict = Verdict(point, competing)
    first = fork(stage, point)
    second = fork(stage, None) if competing else None
    verdict.killed = wait(first) == -signal.SIGKILL
    codes = [wait(second)] if second is not None else []
    codes.append(wait(fork(stage, None)))  # after the others: it is what goes on, tick after tick
    verdict.problems += [f"ended with {code}" for code in codes if code]
    judge(stage, verdict)
    return verdict


def judge(stage: Stage, verdict: Verdict) -> None:
    """Hold the ledger against the wire and the editor's mails."""
    got = Counter(stage.wire.read_text().split()) if stage.wire.exists() else Counter[str]()
    post = stage.open(DUE)
    with post.app, post.app.database.read() as connection:
        editions = list_editions(connection)
        slots = [slot for slot in load_slots(connection, DUE) if slot.due_at == DUE]
        told = connection.execute(select(notices.c.subject)).scalars().all()
        audit = count_deliveries(connection, editions[0].id) if editions else None
        rows = list_deliveries(connection, editions[0].id) if editions else []
    states = {row.address: str(row.state) for row in rows}
    unknown = {address for address, state in states.items() if state == "unknown"}
    verdict.unknown = len(unknown)
    for problem, wrong in (
        ("no edition, or several", len(editions) != 1),
        ("the slot is not published", [str(slot.state) for slot in slots] != ["published"]),
        ("the audit doesn't hold", audit is None or not audit.holds or audit.audience != stage.readers),
        ("somebody got it twice", any(number > 1 for number in got.values())),
        ("somebody got none", set(states) - set(got) - unknown),
        ("sent by the ledger, and not", [a for a, state in states.items() if state == "sent" and a not in got]),
        ("too many unknown", len(unknown) > 1),
        ("somebody still waits", [state for state in states.values() if state not in ("sent", "unknown")]),
        ("the editor was told otherwise than once", len(told) != 1 or "sent to" not in told[0]),
    ):
        if wrong:
            verdict.problems.append(f"{problem}: {wrong if wrong is not True else told or states}")


@contextmanager
def copy_stage(stage: Stage, copy_database: Callable[[], str] | None) -> Iterator[Stage]:
    """Give one point a folder and a database of its own."""
    with tempfile.TemporaryDirectory(prefix="slots-", ignore_cleanup_errors=True) as name:
        folder = Path(name) / "stage"
        shutil.copytree(stage.folder, folder)
        url = copy_database() if copy_database else f"sqlite:///{folder / 'newsletter.db'}"
        yield Stage(folder, url, stage.readers)


def count_steps(stage: Stage, copy_database: Callable[[], str] | None) -> int:
    """Return how many steps an undisturbed run has.

    It is done in this process, so that the others, forks of it, find everything loaded and compiled.
    """
    with copy_stage(stage, copy_database) as copy:
        steps = Steps()
        listen_for_steps(steps)
        work(copy, steps)
        steps.over = True
        verdict = Verdict(0, competing=False)
        judge(copy, verdict)
        if verdict.problems:
            raise SystemExit(f"the undisturbed run: {verdict.problems}")
        return steps.taken


def copier(url: str) -> Callable[[], str]:
    """Return what copies a PostgreSQL database and gives the copy's address; a server of somebody else's."""
    base, _, name = url.rpartition("/")

    def copy() -> str:
        fresh = f"{name}_{time.monotonic_ns()}"
        with psycopg.connect(f"{base}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {fresh} TEMPLATE {name}".encode())
        return f"{base}/{fresh}"

    return copy


def run(folder: Path, url: str, copy_database: Callable[[], str] | None, points: int, readers: int) -> list[Verdict]:
    """Try so many points, spread over all steps."""
    stage = make_stage(folder / "stage", url, readers)
    steps = count_steps(stage, copy_database)
    verdicts = []
    for number in range(points):
        point = 1 + (2 * number + 1) * steps // (2 * points)
        with copy_stage(stage, copy_database) as copy:
            verdicts.append(try_point(copy, point, competing=bool(number % 2)))
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{number + 1}/{points} of {steps} steps")
    return verdicts


def main() -> int:
    """Run, and print what came of it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=200)
    parser.add_argument("--engine", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--readers", type=int, default=20)
    parser.add_argument("--database", default="", help="an empty database on a server that is there, to be copied")
    chosen = parser.parse_args()
    start_logging("text", "critical")
    with tempfile.TemporaryDirectory(prefix="slots-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if chosen.engine == "sqlite":
            verdicts = run(folder, "", None, chosen.points, chosen.readers)
        elif chosen.database:
            verdicts = run(folder, chosen.database, copier(chosen.database), chosen.points, chosen.readers)
        else:
            verdicts = run_on_cluster(folder, chosen.points, chosen.readers)
    bad = [verdict for verdict in verdicts if verdict.problems]
    print(json.dumps(summarise(verdicts), indent=2))
    return 1 if bad else 0


def run_on_cluster(folder: Path, points: int, readers: int) -> list[Verdict]:
    """Run on a PostgreSQL of our own."""
    home = Path(tempfile.mkdtemp(prefix="slots-pg-"))
    cluster = Cluster(home)
    try:
        return run(folder, cluster.url, cluster.copy_database, points, readers)
    finally:
        cluster.stop()
        shutil.rmtree(home, ignore_errors=True)


def summarise(verdicts: list[Verdict]) -> dict[str, Any]:
    """Return the numbers, and every point at which a promise was broken."""
    bad = [verdict for verdict in verdicts if verdict.problems]
    return {
        "points": len(verdicts),
        "killed": sum(verdict.killed for verdict in verdicts),
        "competing": sum(verdict.competing for verdict in verdicts),
        "unknown": Counter(verdict.unknown for verdict in verdicts),
        "bad": [{"point": one.point, "competing": one.competing, "problems": one.problems} for one in bad],
    }


if __name__ == "__main__":
    sys.exit(main())
