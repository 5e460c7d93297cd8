"""How `newsletter serve` ends when a task of its schedule doesn't."""

import asyncio
import subprocess
import sys

import pytest

from newsletter.serving import HangingError, make_schedule_job

PROGRAM = """
import threading
from newsletter.cli.serve import _end_anyway
from newsletter.serving import HANGS, HangingError

def work():
    threading.Thread(target=threading.Event().wait).start()
    raise HangingError(HANGS)

_end_anyway(work)
"""


def run_job(*, in_order: bool) -> None:
    """Run the schedule beside a server that has been told to stop."""

    async def run() -> None:
        stopping = asyncio.Event()
        stopping.set()
        await make_schedule_job([], lambda *_: in_order)(stopping)

    asyncio.run(run())


def test_a_task_that_hangs_is_no_good_end() -> None:
    run_job(in_order=True)
    with pytest.raises(HangingError, match="hangs"):
        run_job(in_order=False)


def test_a_thread_that_hangs_does_not_keep_the_server_from_ending() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stderr.count("newsletter: Not everything ended in good order")) == (1, 1)
