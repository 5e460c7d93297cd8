"""Publish to readers of fifty combinations of sections, against the same readers who all want everything.

Usage: python benchmarks/variants.py [READERS]

Both sides commit one edition after another, taking turns: what is measured is `publish_edition`, which writes a row for
each reader in one statement. Rendering comes before it and is told apart. Then mails of 200 variants are composed, and
their memory is held against what the variants themselves take. Exits 1 when fifty combinations take more than twice the
processor time of one, or when 20,000 mails of 200 variants take more than 3 times the memory of 200 encoded variants.
"""

import itertools
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from newsletter.config import Settings
from newsletter.delivery.compose import make_compose
from newsletter.issues.parse import parse_issue
from newsletter.model.delivery import Delivery, DeliveryState
from newsletter.model.edition import Edition
from newsletter.model.issue import Issue
from newsletter.model.subscriber import NewSubscriber
from newsletter.model.topic import topic_key
from newsletter.model.variant import WHOLE, Allotment
from newsletter.render.edition import render_edition
from newsletter.render.environment import load_environment
from newsletter.render.selection import decide_share, render_variant
from newsletter.store.database import Database, open_database
from newsletter.store.deliveries import count_deliveries
from newsletter.store.editions import freeze_edition, publish_edition
from newsletter.store.subscribers import add_subscribers, join_topics
from newsletter.store.variants import write_variants

READERS = 100_000
COMBINATIONS = 50
ROUNDS = 5
NOW = datetime(2024, 5, 25, tzinfo=UTC)
EXAMPLE = Path(__file__).parent.parent / "issues" / "2024-05-25.md"


def load_example() -> Issue:
    """Return the example issue."""
    issue = parse_issue(EXAMPLE.read_text(encoding="utf-8"), EXAMPLE.name, labels=Settings().issues.labels).issue
    if issue is None:
        raise SystemExit("the example issue can't be read")
    return issue


def choose(issue: Issue, number: int) -> list[frozenset[str]]:
    """Return so many different choices of topics, of sections in the issue and of others."""
    topics = [*(topic_key(section.title) for section in issue.sections), *(f"other-{at}" for at in range(6))]
    every = (frozenset(some) for size in range(1, 5) for some in itertools.combinations(topics, size))
    return list(itertools.islice(every, number))


def fill(database: Database, readers: int, choices: Sequence[frozenset[str]]) -> None:
    """Add readers, each with one of the choices."""
    chance = random.Random(1)  # noqa: S311 - the same readers each time
    with database.transaction() as connection:
        for start in range(0, readers, 10_000):
            numbers = range(start, min(start + 10_000, readers))
            batch = [NewSubscriber(f"r{at}@example.org", topics=chance.choice(choices)) for at in numbers]
            add_subscribers(connection, batch, NOW)


def prepare(database: Database, issue: Issue, slug: str, choices: Sequence[frozenset[str]]) -> Callable[[], int]:
    """Freeze an edition with its variants, and return what commits it."""
    settings, environment = Settings(), load_environment()
    edition = replace(render_edition(issue, settings, environment), slug=slug)
    shares = {join_topics(topics): decide_share(issue, topics, settings) for topics in (frozenset[str](), *choices)}
    keys = {share.key for share in shares.values()} - {WHOLE}
    renderings = [render_variant(issue, key, settings, environment) for key in keys]
    with database.transaction() as connection:
        stored = freeze_edition(connection, edition, issue.source, NOW)
        write_variants(connection, stored.id, edition, renderings)

    def commit() -> int:
        with database.transaction() as connection:
            publish_edition(connection, stored.id, NOW, allotment=Allotment((), shares))
        with database.read() as connection:
            audit = count_deliveries(connection, stored.id)
        if not audit.holds:
            raise SystemExit("the audit does not hold")
        return audit.excluded

    return commit


def race(readers: int) -> float:
    """Commit editions on both sides in turns; print and return the median ratio of their processor time."""
    issue = load_example()
    choices = choose(issue, COMBINATIONS)
    ratios: list[float] = []
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        sides = {"one": [frozenset[str]()], "fifty": choices}
        databases = {side: stack.enter_context(open_database(f"sqlite:///{folder}/{side}.db")) for side in sides}
        for side, chosen in sides.items():
            fill(databases[side], readers, chosen)
        for number in range(ROUNDS):
            taken: dict[str, tuple[float, float]] = {}
            for side, chosen in sides.items():
                commit = prepare(databases[side], issue, f"issue-{number}", chosen)
                wall, processor = time.perf_counter(), time.process_time()
                excluded = commit()
                taken[side] = time.perf_counter() - wall, time.process_time() - processor
            ratios.append(taken["fifty"][1] / taken["one"][1])
            print(
                f"round {number}: one {taken['one'][0]:.2f} s ({taken['one'][1]:.2f} s of processor), "
                f"fifty {taken['fifty'][0]:.2f} s ({taken['fifty'][1]:.2f}), {excluded:,} excluded"
            )
    print(f"publish, fifty combinations / one: {min(ratios):.2f} {statistics.median(ratios):.2f} {max(ratios):.2f}")
    return statistics.median(ratios)


def weigh() -> float:
    """Compose mails of 200 variants; print and return how much memory all take for what the variants themselves do."""
    edition = render_edition(load_example(), Settings(), load_environment())

    def vary(number: int) -> Edition:
        return replace(edition, html=edition.html.replace("<h1", f"<!-- {number} --><h1", 1))

    compose = make_compose(edition, NOW, b"k" * 32, None, vary)
    reader = Delivery(0, 1, 0, "reader@example.org", "Reader", DeliveryState.SENDING, 0, NOW)
    before = read_memory()
    mails = [compose(reader._replace(id=at, subscriber_id=at, variant=1 + at)) for at in range(200)]
    variants = read_memory() - before
    mails += [compose(reader._replace(id=at, subscriber_id=at, variant=1 + at % 200)) for at in range(20_000)]
    everything = read_memory() - before
    size = len(b"".join(mails[0].body))
    print(
        f"memory: 200 variants {variants / 1e6:.0f} MB, 20,000 mails of {size / 1e3:.0f} kB {everything / 1e6:.0f} MB"
    )
    print(f"memory, mails / variants: {everything / variants:.2f}")
    return everything / variants


def read_memory() -> int:
    """Return the bytes of memory that this process has now."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


def main(readers: int) -> int:
    """Run both, and return the exit code."""
    return int((race(readers) > 2) | (weigh() > 3))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else READERS))
