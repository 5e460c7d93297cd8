"""Kill the real sender at many points of a send, start it again, and hold what readers got against the ledger.

Usage: python benchmarks/crash.py [--points 100] [--readers 2000] [--connections 10] [--engine sqlite|postgresql]
                                  [--window 1] [--seed 1] [--dkim]

Each point is a `newsletter publish` of its own, killed with SIGKILL: swept over all mails, when the server has a mail's
MAIL, the first bytes of its body, all of it unanswered, or all of it answered; and at random moments from the start of
the process on. At every third point the next run is killed, too, while it cleans up. Then it is run to its end.

Every time: the audit of `newsletter status --json` holds, also right after the kill; every reader has the mail or is
unknown; nobody has it twice; and `unknown` is at most what was on the wire: connections times window, for each kill.
With --dkim mails are signed, from the 500th on in processes of their own: none of them may outlive its sender.
Exits 1 if any of this fails.
"""

import argparse
import asyncio
import json
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.cluster import Cluster
from benchmarks.crash_sink import STEPS, CountingSink
from benchmarks.crash_stage import ISSUE, Stage, call, command, copy_stage, environ, make_stage, write_config
from newsletter.model.delivery import DeliveryState
from newsletter.store.database import open_database
from newsletter.store.deliveries import list_deliveries
from newsletter.store.editions import load_edition

MOST_RUNS: Final = 5


@dataclass(frozen=True, slots=True)
class Point:
    """When to kill: at the `number`th time a step is reached, or, with the step `time`, after so many seconds."""

    step: str
    number: float


@dataclass(slots=True)
class Verdict:
    """What came of one point; `problems` is empty when every promise was kept."""

    point: Point
    kills: int = 0
    sent: int = 0
    unknown: int = 0
    problems: list[str] = field(default_factory=list)


def plan_points(count: int, readers: int, duration: float, chance: random.Random) -> list[Point]:
    """Return so many points: swept over mails and steps, every fifth at a random moment."""
    kinds = (*STEPS, "time")
    points = []
    for number in range(count):
        kind = kinds[number % len(kinds)]
        swept = 1 + number * (readers - 1) // max(1, count - 1)
        points.append(Point(kind, chance.uniform(0.05, duration) if kind == "time" else swept))
    return points


def load_audit(stage: Stage) -> Mapping[str, Any]:
    """Return what `newsletter status --json` says of the edition; zeroes as long as there is none."""
    editions = json.loads(call(stage, "status", "--json"))["editions"]
    return editions[0]["audit"] if editions else {"holds": True, "audience": 0, "queued": 0, "deferred": 0}


async def start(stage: Stage) -> asyncio.subprocess.Process:
    """Start a publish."""
    return await asyncio.create_subprocess_exec(
        *command("publish", ISSUE, "--json"),
        cwd=stage.folder,
        env=environ(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


def kill(process: asyncio.subprocess.Process) -> None:
    """End a process at once, if it hasn't ended."""
    if process.returncode is None:
        process.kill()


async def run_until(
    stage: Stage,
    sink: CountingSink,
    point: Point | None,
    act: Callable[[asyncio.subprocess.Process], None] = kill,
) -> tuple[int, str]:
    """Publish, and act at the point; return the exit code, and what was said."""
    process = await start(stage)
    if point and point.step == "time":
        asyncio.get_running_loop().call_later(point.number, act, process)
    elif point:
        sink.set_alarm(point.step, int(point.number), lambda: act(process))
    output, errors = await process.communicate()
    await sink.settle()
    return await process.wait(), (output + errors).decode()


async def find_signers(folder: Path) -> list[int]:
    """Return which processes still sign a while after the sender that was started in a folder has ended."""
    for _ in range(200):
        found = [
            int(path.parent.name) for path in Path("/proc").glob("[0-9]*/cmdline") if is_signer(path.parent, folder)
        ]
        if not found:
            break
        await asyncio.sleep(0.02)
    return found


def is_signer(process: Path, folder: Path) -> bool:
    """Return whether a process signs, and was started there; one that has ended has neither name nor place."""
    try:
        named = (process / "cmdline").read_bytes().endswith(b"delivery/signer.py\0")
        return named and (process / "cwd").readlink() == folder
    except OSError:
        return False


def ended_well(code: int, said: str) -> bool:
    """Return whether a publish came to its end and said what it did; 1 tells that somebody is left or unknown."""
    return code in (0, 1) and '"audit"' in said


async def try_point(stage: Stage, point: Point, second: float | None = None) -> Verdict:
    """Send, kill, send again to the end, and look; with `second` the next run is killed after so many seconds."""
    verdict = Verdict(point)
    async with CountingSink(chunking=stage.window > 1).serve() as sink:
        write_config(stage, sink.port)
        plans = [point] if second is None else [point, Point("time", second)]
        for _ in range(MOST_RUNS):
            code, said = await run_until(stage, sink, plans.pop(0) if plans else None)
            audit = load_audit(stage)
            verdict.kills += code == -signal.SIGKILL
            if stage.signed and (left := await find_signers(stage.folder)):
                verdict.problems.append(f"processes that sign have outlived their sender: {left}")
            if not audit["holds"]:
                verdict.problems.append(f"the audit doesn't hold after exit code {code}: {dict(audit)}")
            if code != -signal.SIGKILL and not ended_well(code, said):
                verdict.problems.append(f"exit code {code}: {said}")
            if code != -signal.SIGKILL and not plans and audit["queued"] + audit["deferred"] == 0:
                break
        else:
            verdict.problems.append(f"not done after {MOST_RUNS} runs")
    judge(stage, sink, verdict)
    return verdict


def judge(stage: Stage, sink: CountingSink, verdict: Verdict) -> None:
    """Hold what the server counted against what the ledger says of each reader."""
    with open_database(stage.url) as database, database.read() as connection:
        stored = load_edition(connection, ISSUE)  # not number 1, where a publish that was undone took that
        found = list_deliveries(connection, stored.id, limit=stage.readers + 1) if stored else []
    rows = {row.address: row.state for row in found}
    sent = {address for address, state in rows.items() if state is DeliveryState.SENT}
    unknown = {address for address, state in rows.items() if state is DeliveryState.UNKNOWN}
    got = set(sink.delivered)
    verdict.sent, verdict.unknown = len(sent), len(unknown)
    most = verdict.kills * stage.connections * stage.window
    for problem, wrong in (
        ("lost", set(rows) - got - unknown),
        ("sent twice", {address for address, count in sink.delivered.items() if count > 1}),
        ("sent by the ledger, and never delivered", sent - got),
        ("delivered, and not so in the ledger", got - sent - unknown),
        ("neither sent nor unknown", set(rows) - sent - unknown),
    ):
        if wrong:
            verdict.problems.append(f"{problem}: {len(wrong)}, such as {min(wrong)}")
    if len(rows) != stage.readers:
        verdict.problems.append(f"{len(rows)} rows for {stage.readers} readers")
    if len(unknown) > most:
        verdict.problems.append(f"{len(unknown)} unknown after {verdict.kills} kills: at most {most} were on the wire")


def report(verdicts: Sequence[Verdict], took: float) -> None:
    """Print the figures."""
    for verdict in verdicts:
        for problem in verdict.problems:
            print(f"{verdict.point}: {problem}")
    unknown = [verdict.unknown for verdict in verdicts]
    kills = sum(verdict.kills for verdict in verdicts)
    figures = {
        "points": {step: sum(verdict.point.step == step for verdict in verdicts) for step in (*STEPS, "time")},
        "kills": kills,
        "failed": sum(bool(verdict.problems) for verdict in verdicts),
        "unknown": {"min": min(unknown), "median": statistics.median(unknown), "max": max(unknown)},
        "unknown a kill": round(sum(unknown) / max(1, kills), 2),
        "seconds": round(took),
    }
    print(json.dumps(figures))


async def run_points(stage: Stage, count: int, seed: int, cluster: Cluster | None) -> list[Verdict]:
    """Measure an undisturbed run, then try every point."""
    chance, verdicts = random.Random(seed), list[Verdict]()  # noqa: S311 - chooses moments, protects nothing
    began = time.monotonic()
    with copy_stage(stage, cluster) as copy:
        undisturbed = await try_point(copy, Point("time", 3600.0))
    if undisturbed.problems:
        return [undisturbed]
    duration = time.monotonic() - began
    for number, point in enumerate(plan_points(count, stage.readers, duration, chance)):
        with copy_stage(stage, cluster) as copy:
            verdicts.append(await try_point(copy, point, chance.uniform(0.3, 1.2) if number % 3 == 2 else None))
        print(f"\r{number + 1}/{count}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return verdicts


def main() -> int:
    """Try every point; return 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=100)
    parser.add_argument("--readers", type=int, default=2000)
    parser.add_argument("--connections", type=int, default=10)
    parser.add_argument("--engine", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--window", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dkim", action="store_true")
    words = parser.parse_args()
    began = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crash-stage-")))
        cluster = None
        if words.engine == "postgresql":
            cluster = Cluster(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crash-pg-"))))
            stack.callback(cluster.stop)
        url = cluster.url if cluster else ""
        how = {"connections": words.connections, "window": words.window, "postgres": url, "signed": words.dkim}
        stage = make_stage(folder / "stage", words.readers, **how)
        verdicts = asyncio.run(run_points(stage, words.points, words.seed, cluster))
    report(verdicts, time.monotonic() - began)
    return int(any(verdict.problems for verdict in verdicts))


if __name__ == "__main__":
    sys.exit(main())
