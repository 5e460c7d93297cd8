"""How fast the wire is, against others: `python benchmarks/wire.py fsink|smtp-sink|latency [--rounds 7] [--json]`.

Each peer takes turns with us, A B A B, on the same sink within the same seconds, and what counts is the ratio of the
two. Exits with 1 if the median of a ratio misses its target. On a machine with other work to do the same ratio per
second of the sender's processor time is the steadier one; it stands beside it.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from functools import partial

from benchmarks import wire_peers as peers
from benchmarks.wire_peers import MissingError, Place, Sender


@dataclass(frozen=True, slots=True)
class Rival:
    """Someone to be measured against; our rate over theirs has to reach `target`."""

    name: str
    send: Sender
    target: float


@dataclass(frozen=True, slots=True)
class Scenario:
    """A sink, where both ends run, and who takes turns with us."""

    title: str
    open_sink: Callable[[], AbstractContextManager[int]]
    sender: Place
    rivals: tuple[Rival, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Our rate over a rival's, in every round; `per_cpu` counts the sender's processor seconds instead."""

    name: str
    target: float
    ratios: list[float]
    per_cpu: list[float]

    @property
    def median(self) -> float:
        """Return what is held against the target."""
        return statistics.median(self.ratios)

    @property
    def holds(self) -> bool:
        """Return whether the target is reached."""
        return self.median >= self.target


def make_scenarios() -> dict[str, Callable[[], Scenario]]:
    """Return what can be measured, by name."""
    return {"fsink": _fast_sink, "smtp-sink": _postfix_sink, "latency": _latency}


def _fast_sink() -> Scenario:
    core, other = peers.find_two_cores()
    return Scenario(
        "40 KB mails, 10 connections, our own fast sink, one core for the sender",
        partial(peers.run_fast_sink, Place(other)),
        Place(core),
        (
            Rival("smtp-source, 50 sessions", peers.run_smtp_source, 2.0),
            Rival("C ceiling (source.c)", peers.run_ceiling, 0.75),
            Rival("nodemailer pool, raw", peers.run_nodemailer, 15.0),
            Rival("stock aiosmtplib sendmail", peers.run_stock, 25.0),
        ),
    )


def _postfix_sink() -> Scenario:
    return Scenario(
        "40 KB mails, 10 connections, Postfix's smtp-sink, two cores for both",
        partial(peers.run_postfix_sink, Place()),
        Place(),
        (Rival("smtp-source, 50 sessions", peers.run_smtp_source, 1.1),),
    )


def _latency() -> Scenario:
    core, other = peers.find_two_cores()
    return Scenario(
        "40 KB mails, 10 connections, a round trip of 50 ms",
        partial(peers.run_far_sink, Place(other), 50.0),
        Place(core),
        (
            Rival("stock aiosmtplib sendmail", peers.run_stock, 3.9),
            Rival("nodemailer pool, raw", peers.run_nodemailer, 2.0),
        ),
    )


def compare(scenario: Scenario, rival: Rival, rounds: int, seconds: float, patience: float) -> Comparison:
    """Take turns with one rival; each turn has a fresh sink."""
    ratios, per_cpu = [], []
    for number in range(1, rounds + 1):
        peers.wait_for_quiet(patience)
        with scenario.open_sink() as port:
            ours = peers.run_ours(scenario.sender, port, seconds)
        with scenario.open_sink() as port:
            theirs = rival.send(scenario.sender, port, seconds)
        ratios.append(ours.per_second / theirs.per_second)
        per_cpu.append(ours.per_cpu_second / theirs.per_cpu_second)
        rates = f"{ours.per_second:.0f} to {theirs.per_second:.0f} messages/s"
        print(f"{rival.name}, round {number} of {rounds}: {rates}", file=sys.stderr, flush=True)
    return Comparison(rival.name, rival.target, ratios, per_cpu)


def print_table(title: str, comparisons: list[Comparison]) -> None:
    """Print ratios for people."""
    print(f"\n{title}\nours ÷ theirs, messages per second\n")
    print(f"{'':28}{'min':>8}{'median':>8}{'max':>8}{'target':>9}           {'median per CPU second':>24}")
    for one in comparisons:
        numbers = f"{min(one.ratios):8.2f}{one.median:8.2f}{max(one.ratios):8.2f}{one.target:9.2f}"
        verdict = "reached" if one.holds else "MISSED"
        print(f"{one.name:28}{numbers}  {verdict:9}{statistics.median(one.per_cpu):24.2f}")


def main() -> int:
    """Run one scenario and return the exit code."""
    scenarios = make_scenarios()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario", choices=scenarios)
    parser.add_argument("--rounds", type=int, default=7, help="turns with each peer (default 7)")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a turn (default 3)")
    parser.add_argument(
        "--patience", type=float, default=5.0, help="how many seconds to wait for an idle machine before a round (5)"
    )
    parser.add_argument("--json", action="store_true", help="print the ratios of every round as JSON")
    words = parser.parse_args()
    comparisons = []
    missed = False
    try:
        scenario = scenarios[words.scenario]()
        for rival in scenario.rivals:
            try:
                comparisons.append(compare(scenario, rival, words.rounds, words.seconds, words.patience))
            except MissingError as missing:
                missed = True
                print(f"{rival.name} is left out: {missing}", file=sys.stderr)
    except MissingError as missing:
        print(missing, file=sys.stderr)
        return 2
    if words.json:
        print(json.dumps({"title": scenario.title, "comparisons": [asdict(one) for one in comparisons]}, indent=2))
    else:
        print_table(scenario.title, comparisons)
    return 0 if not missed and all(one.holds for one in comparisons) else 1


if __name__ == "__main__":
    sys.exit(main())
