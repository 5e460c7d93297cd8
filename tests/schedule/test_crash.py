"""Schedulers killed between steps of a slot; `benchmarks/crash_slots.py` does it at every one of them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
POINTS = 4


def sweep(*words: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.crash_slots", "--readers", "8", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=600,
    )
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["bad"] == [], done.stderr
    assert done.returncode == 0
    return found


def test_killed_anywhere_with_another_competing_it_is_sent_once(
    engine_name: str, request: pytest.FixtureRequest
) -> None:
    words = ["--points", str(POINTS), "--engine", engine_name]
    if engine_name == "postgresql":
        words += ["--database", request.getfixturevalue("postgres").make_database()]
    found = sweep(*words)
    assert (found["points"], found["competing"]) == (POINTS, POINTS // 2)
    assert found["killed"] >= 2
