"""The real program, killed at exact points of a send and run again; `benchmarks/crash.py` does it at many more."""

import asyncio
import resource
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks.crash import Point, Verdict, ended_well, judge, load_audit, run_until, try_point
from benchmarks.crash_sink import CountingSink
from benchmarks.crash_stage import Stage, copy_stage, make_stage, write_config

READERS = 150


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return make_stage(tmp_path_factory.mktemp("crash") / "stage", READERS, connections=4, ahead=60, drain=10.0)


@pytest.mark.parametrize(("point", "second"), [(Point("dot", 70), None), (Point("ok", 149), 0.7)], ids=str)
async def test_killed_at_any_point_nobody_is_lost_and_nobody_gets_it_twice(
    stage: Stage, point: Point, second: float | None
) -> None:
    with copy_stage(stage) as copy:
        verdict = await try_point(copy, point, second)
    assert verdict.problems == []
    assert verdict.kills >= 1
    assert verdict.sent + verdict.unknown == READERS


async def test_the_same_on_postgresql_with_several_mails_in_flight(postgres: Any, tmp_path: Path) -> None:
    stage = make_stage(tmp_path / "stage", 60, connections=3, window=4, postgres=postgres.make_database())
    verdict = await try_point(stage, Point("body", 25))
    assert verdict.problems == []
    assert verdict.kills == 1


async def test_after_a_power_failure_what_was_claimed_is_unknown_and_no_more(stage: Stage) -> None:
    """The journal of another boot is older than what was sent, for all anybody knows."""
    with copy_stage(stage) as copy:
        async with CountingSink().serve() as sink:
            write_config(copy, sink.port)
            await run_until(copy, sink, Point("dot", 30))
            (journal,) = (copy.folder / "journal").glob("*.journal")
            magic, owner, _, rest = journal.read_bytes().split(b"\n", 3)
            journal.write_bytes(b"\n".join([magic, owner, b"the boot before", rest]))
            code, said = await run_until(copy, sink, None)
            assert ended_well(code, said), said
        audit = load_audit(copy)
    assert audit["holds"]
    assert 1 <= audit["unknown"] <= copy.ahead
    assert audit["sent"] + audit["unknown"] == READERS
    assert set(sink.delivered.values()) == {1}


def fill_disk(process: asyncio.subprocess.Process) -> None:
    """Let no file of the process grow any more."""
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4096, 4096))


async def test_a_full_disk_stops_it_and_nothing_that_was_sent_is_forgotten(stage: Stage) -> None:
    with copy_stage(stage) as copy:
        async with CountingSink(delay=0.01).serve() as sink:
            write_config(copy, sink.port)
            code, said = await run_until(copy, sink, Point("dot", 20), fill_disk)
            assert code == 1
            assert "newsletter.db: " in said
            assert "Traceback" not in said
            assert 20 <= sum(sink.delivered.values()) < READERS
            assert load_audit(copy)["holds"]
            code, said = await run_until(copy, sink, None)
            assert ended_well(code, said), said
        verdict = Verdict(Point("dot", 20))
        judge(copy, sink, verdict)
    assert verdict.problems == []
    assert verdict.sent == READERS


async def test_sigterm_finishes_what_is_on_the_wire_and_leaves_in_time(stage: Stage) -> None:
    with copy_stage(stage) as copy:
        async with CountingSink(delay=0.02).serve() as sink:
            write_config(copy, sink.port)
            began = time.monotonic()
            code, said = await run_until(copy, sink, Point("dot", 50), lambda process: process.terminate())
            assert ended_well(code, said), said
            assert time.monotonic() - began < 60
            audit = load_audit(copy)
            assert 50 <= audit["sent"] <= 50 + 2 * copy.connections
            assert audit["sent"] == sum(sink.delivered.values())
            assert (audit["queued"], audit["unknown"]) == (READERS - audit["sent"], 0)
