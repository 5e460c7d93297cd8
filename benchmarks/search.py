"""How long a search takes in an archive of 4,000 issues of 21 entries, and what the index weighs, on both engines.

    python -m benchmarks.search [--issues 4000] [--engine sqlite|postgresql]

The archive is synthetic and the same every time: 20,000 words, as often as words are in English (the n-th one 1/n
times as often as the first). Every kind of query is asked many times, each time with other words; its peer is the
query that needs no index, `LIKE '%word%'` over titles and texts: how many there are, and the newest 20. Both
alternate. Exits 1 when the slowest kind's median is over half of the peer's.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from pathlib import Path

from sqlalchemy import Connection, func, or_, select, text

from benchmarks.cluster import Cluster
from newsletter.model.document import Document, DocumentKind
from newsletter.model.edition import Edition, Sender
from newsletter.store.database import Database, open_database
from newsletter.store.documents import index_edition
from newsletter.store.editions import freeze_edition
from newsletter.store.schema import documents
from newsletter.store.search import search_works

ENTRIES = 21
VOCABULARY = 20_000
ROUNDS = 40
BATCH = 50
START = date(2014, 1, 1)
SENDER = Sender(
    "", "n@example.org", "n@example.org", "example.org", "u@example.org", "n.example.org", "", "https://n.example.org"
)
LIMIT = 0.5

Asking = Callable[[random.Random], str]


def name_word(number: int) -> str:
    """Return the n-th word of the vocabulary; no word holds another one by chance alone."""
    letters = ""
    number += 400
    while number:
        number, rest = divmod(number, 20)
        letters += "bcdfghjklmnprstvwxyz"[rest] + "aeiou"[(rest + number) % 5]
    return letters


WORDS = [name_word(number) for number in range(VOCABULARY)]
WEIGHTS = list(accumulate(1 / (rank + 1) for rank in range(VOCABULARY)))

KINDS: dict[str, Asking] = {
    "a rare word": lambda chance: chance.choice(WORDS[5000:]),
    "a common word": lambda chance: f'"{chance.choice(WORDS[:10])}"',
    "two words": lambda chance: " ".join(chance.sample(WORDS[50:1000], 2)),
    "a phrase": lambda chance: f'"{" ".join(chance.sample(WORDS[:50], 2))}"',
    "a beginning": lambda chance: chance.choice(WORDS[100:])[:3],
    "a word without another": lambda chance: f"{chance.choice(WORDS[50:1000])} -{chance.choice(WORDS[:50])}",
    "a year's word": lambda chance: chance.choice(WORDS[50:1000]),
    "a paper's id": lambda chance: f"arXiv:{chance.randint(1401, 2412)}.{chance.randint(10000, 10999)}",
    "nothing there": lambda chance: f"qq{chance.randint(1000, 9999)}",
}


def make_text(chance: random.Random, words: int) -> str:
    """Return sentences of so many words."""
    return " ".join(chance.choices(WORDS, cum_weights=WEIGHTS, k=words)).capitalize() + "."


def make_issue(day: int) -> Iterator[Document]:
    """Yield an issue's documents, as long as those of the example issue."""
    chance = random.Random(day)  # noqa: S311 - the same every time
    yield Document(DocumentKind.ISSUE, f"Papers of {START + timedelta(days=day)}", make_text(chance, 60))
    for number in range(ENTRIES):
        month = START + timedelta(days=day)
        name = f"{month:%y%m}.{10000 + month.day * 30 + number}"
        yield Document(
            DocumentKind.ENTRY,
            title=make_text(chance, 11),
            body=make_text(chance, 110),
            authors=tuple(f"{chance.choice(WORDS)} {chance.choice(WORDS)}".title() for _ in range(5)),
            section=f"Section {number % 5}",
            topic=f"section-{number % 5}",
            anchor=f"arxiv-{name}",
            page_slug=f"arxiv-{name}",
            identifier=f"arxiv:{name}",
        )


def fill(database: Database, issues: int) -> float:
    """Publish and index the archive; return the seconds that indexing took."""
    spent = 0.0
    for start in range(0, issues, BATCH):
        with database.transaction() as connection:
            for day in range(start, min(start + BATCH, issues)):
                when = START + timedelta(days=day)
                edition = Edition(str(when), when, "", "", "", "en", "https://n.example.org", "", "", SENDER)
                stored = freeze_edition(connection, edition, "source", datetime(2024, 1, 1, tzinfo=UTC))
                found = list(make_issue(day))
                begun = time.perf_counter()
                index_edition(connection, stored.id, found, "1")
                spent += time.perf_counter() - begun
    return spent


def scan(connection: Connection, query: str) -> int:
    """Search as one does without an index: count what holds every word, and fetch the newest 20."""
    words = [word.strip('"').removeprefix("arXiv:") for word in query.split() if not word.startswith("-")]
    columns = (documents.c.title, documents.c.body, documents.c.identifier)
    conditions = [or_(*(column.ilike(f"%{word}%") for column in columns)) for word in words]
    total = connection.execute(select(func.count()).select_from(documents).where(*conditions)).scalar_one()
    page = select(documents).where(*conditions).order_by(documents.c.id.desc()).limit(20)
    return total + len(connection.execute(page).all())


def time_of(ask: Callable[[], object]) -> float:
    """Return the milliseconds that something takes."""
    begun = time.perf_counter()
    ask()
    return (time.perf_counter() - begun) * 1000


def measure(database: Database, ask: Asking, kind: str) -> tuple[list[float], list[float], list[int]]:
    """Ask one kind of query and its peer in turns; return both times and how many documents were found."""
    chance = random.Random(kind)  # noqa: S311 - the same every time
    ours, peers, found = [], [], []
    year = 2015 if "year" in kind else None
    for number in range(ROUNDS):
        query = ask(chance)
        with database.read() as connection:
            found.append(search_works(connection, query, year=year).total)
            ours.append(time_of(lambda query=query, connection=connection: search_works(connection, query, year=year)))  # type: ignore[misc]
            if number % 4 == 0:
                peers.append(time_of(lambda query=query, connection=connection: scan(connection, query)))  # type: ignore[misc]
    return ours, peers, found


def weigh(database: Database) -> tuple[float, float]:
    """Return what documents and their words weigh, in MB."""
    with database.read() as connection:
        if database.dialect == "postgresql":
            sizes = "SELECT pg_total_relation_size('documents'), pg_total_relation_size('document_words')"
            return tuple(size / 1e6 for size in connection.execute(text(sizes)).one())
        pages = "SELECT sum(pgsize) FROM dbstat WHERE name LIKE :name"
        weights = []
        for name in ("documents", "document\\_words%"):
            statement = text(pages + " ESCAPE '\\'")
            weights.append(float(connection.execute(statement, {"name": name}).scalar() or 0) / 1e6)
        return weights[0], weights[1]


def report(database: Database, issues: int) -> float:
    """Fill and measure one engine; return the worst ratio of medians."""
    spent = fill(database, issues)
    print(f"{database.dialect}: {issues:,} issues indexed, {spent / issues * 1000:.1f} ms each")
    try:
        print("documents {:,.0f} MB, their words {:,.0f} MB".format(*weigh(database)))
    except Exception as error:
        print(f"sizes not known: {error}")
    worst = 0.0
    for kind, ask in KINDS.items():
        ours, peers, found = measure(database, ask, kind)
        p95 = statistics.quantiles(ours, n=20)[-1]
        ratio = statistics.median(ours) / statistics.median(peers)
        worst = max(worst, ratio)
        print(
            f"{kind:24} p50 {statistics.median(ours):7.2f} ms  p95 {p95:7.2f} ms  "
            f"{ratio:6.1%} of LIKE's {statistics.median(peers):6.0f} ms  finds {statistics.median(found):8,.0f}"
        )
    return worst


def main(words: Sequence[str]) -> int:
    """Measure and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--issues", type=int, default=4000)
    parser.add_argument("--engine", choices=["sqlite", "postgresql"])
    options = parser.parse_args(words)
    worst = 0.0
    for engine in [options.engine] if options.engine else ["sqlite", "postgresql"]:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            url = f"sqlite:///{folder / 'archive.db'}"
            if engine == "postgresql":
                cluster = Cluster(folder)
                stack.callback(cluster.stop)
                url = cluster.url
            worst = max(worst, report(stack.enter_context(open_database(url)), options.issues))
    print(f"worst ratio {worst:.1%}, limit {LIMIT:.0%}")
    return int(worst > LIMIT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
