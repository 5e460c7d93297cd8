"""How long the site takes to build: a whole archive at once, then one issue more.

    python benchmarks/site_build.py --issues 4000

Writes synthetic issues, the same every time, into a temporary folder; now and then a paper comes up again a year later.
Exits 1 when adding an issue takes more than 2 % of the whole build's time (the median of several added issues).
"""

import argparse
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from itertools import cycle, islice
from multiprocessing import get_context
from pathlib import Path

from newsletter.config import Settings, Site
from newsletter.model.edition import PublishedIssue
from newsletter.render.environment import load_environment
from newsletter.site import write_site

START = date(2014, 1, 1)
TEXT = (
    "sparse models learn *faster* when weights stay small and the **gradient** is kept in memory while agents plan "
    "ahead of every tool call and a benchmark leaks into training so that scores at $O(n \\log n)$ mean less than they "
    "seem to [in practice](https://example.org/study) across seven languages with little data of their own"
)
WORDS = TEXT.split(" ")
LIMIT_PERCENT = 2.0


@dataclass(frozen=True, slots=True)
class Run:
    """One build: its time in seconds, its files, and the process's peak memory."""

    seconds: float
    written: int
    unchanged: int
    peak_mib: float


def sentences(seed: int, words: int) -> str:
    """Return a paragraph; another seed gives another one."""
    step = 1 + seed % 7
    text = " ".join(islice(cycle(WORDS), seed % len(WORDS), seed % len(WORDS) + words * step, step))
    return f"{text[:1].upper()}{text[1:]}."


def paper(day: int, number: int) -> str:
    """Return an entry; every hundredth is one of the year before."""
    seed = day * 31 + number
    shown = day - 365 if seed % 100 == 0 and day >= 365 else day
    month = START + timedelta(days=shown)
    identifier = f"{month:%y%m}.{(shown % 31) * 100 + number + 10000:05}"
    return (
        f"### [Paper {identifier}: {sentences(seed, 5)[:-1]}](https://arxiv.org/abs/{identifier}v1)\n\n"
        f"**Authors** Ada Lovelace, Grace Hopper, Author {seed % 977}\n\n"
        f"**Why?** {sentences(seed, 35)}\n\n"
        f"**How?** {sentences(seed + 1, 45)}\n\n- {sentences(seed + 2, 8)}\n- {sentences(seed + 3, 8)}\n\n"
        f"**Results** {sentences(seed + 4, 30)}\n"
    )


def source(day: int, papers: int) -> str:
    """Return a whole issue file."""
    when = START + timedelta(days=day)
    half = papers // 2
    first = "\n".join(paper(day, number) for number in range(half))
    second = "\n".join(paper(day, number) for number in range(half, papers))
    head = f"---\ntitle: Papers of {when:%d %B %Y}\nsubtitle: {sentences(day, 9)[:-1]!r}\ndate: {when}\n---\n"
    return f"{head}\n{sentences(day, 40)}\n\n## Core research\n\n{first}\n## Applications\n\n{second}\n## Surveys\n"


def ledger(issues: int) -> list[PublishedIssue]:
    """Return the ledger's lines about the first issues."""
    lines = []
    for day in range(issues):
        when = START + timedelta(days=day)
        at = datetime.combine(when, clock(9), UTC)
        lines.append(PublishedIssue(str(when), when, f"{day:064x}", at, at))
    return lines


def build(folder: Path, issues: int, papers: int) -> Run:
    """Build the site and return what it took; runs in a process of its own, as every publish does."""
    published = ledger(issues)
    settings = Settings(site=Site(folder=folder))
    start = time.perf_counter()
    report = write_site(
        settings,
        load_environment(),
        published,
        lambda slug: source((date.fromisoformat(slug) - START).days, papers),
    )
    seconds = time.perf_counter() - start
    return Run(seconds, report.written, report.unchanged, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def measure(issues: int, papers: int, rounds: int) -> Iterator[Run]:
    """Yield the whole build, then each added issue."""
    with tempfile.TemporaryDirectory() as folder:
        for added in range(1 + rounds):
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                yield process.submit(build, Path(folder) / "public", issues + added, papers).result()


def main() -> int:
    """Run and print; return the exit code."""
    parser = argparse.ArgumentParser(description="How long the site takes to build, and to take one issue more.")
    parser.add_argument("--issues", type=int, default=4000)
    parser.add_argument("--papers", type=int, default=6, help="papers in each issue")
    parser.add_argument("--rounds", type=int, default=5, help="issues added one by one afterwards")
    options = parser.parse_args()
    whole, *added = watched(measure(options.issues, options.papers, options.rounds))
    shares = sorted(100 * run.seconds / whole.seconds for run in added)
    median = statistics.median(shares)
    print(f"share of the whole build: min {shares[0]:.2f} %, median {median:.2f} %, max {shares[-1]:.2f} %")
    return 0 if median <= LIMIT_PERCENT else 1


def watched(runs: Iterator[Run]) -> Iterator[Run]:
    """Print each run as it ends."""
    for number, run in enumerate(runs):
        what = "one issue more" if number else "whole build"
        files = f"{run.written} files written, {run.unchanged} left alone"
        print(f"{what}: {run.seconds:.3f} s, {files}, peak memory {run.peak_mib:.0f} MiB", flush=True)
        yield run


if __name__ == "__main__":
    sys.exit(main())
