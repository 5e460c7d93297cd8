"""Let a publication live for simulated days, with everything under way, and hold its ledger against what arrived.

Usage: python -m benchmarks.soak [--days 30] [--readers 1000] [--engine sqlite|postgresql] [--seed 1]

The real scheduler and worker run on a simulated clock, over a clock change and the end of a month; the relay is one of
our own. Readers have sections and cadences; some are put off, some refused, some bounce later. While mail goes out,
readers join, confirm, leave and change what they chose. Days take turns: as planned; an issue with an error that is
mended after an hour; a day without an issue; a machine asleep over the slot, and an operator who publishes late.

At the end of each day, for every edition: the audit holds, each reader has one row, whoever the ledger calls sent was
sent to, once, and nobody gets what was published after he had left. Readers who never change have what they chose. The
day's slot has the state, and the editor the mails, that such a day should give. Exits 1 if any of this fails.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import func, select

from benchmarks.cluster import Cluster
from benchmarks.soak_town import FIRST, ZONE, Town, compose_issue
from newsletter.logs import start_logging
from newsletter.model.delivery import DeliveryState
from newsletter.model.edition import EditionKind
from newsletter.model.subscriber import SubscriberState
from newsletter.publishing import publish_issue
from newsletter.store.database import Connection
from newsletter.store.deliveries import count_deliveries
from newsletter.store.editions import list_editions
from newsletter.store.schema import deliveries, editions, notices, subscribers
from newsletter.store.slots import load_slots

KINDS: Final = ("planned", "broken", "absent", "planned", "planned", "asleep", "planned")
LOOKS: Final = ("01:00", "05:45", "07:30", "07:31", "07:50", "08:30", "09:00", "09:01", "11:00", "13:00", "20:00")
MENDED: Final = "08:30"
WOKEN: Final = "11:00"
STATES: Final = {"planned": "published", "broken": "published", "absent": "skipped", "asleep": "published"}
TOLD: Final = {
    "planned": ["sent to"],
    "broken": ["the issue has errors, due at", "held, the issue has errors", "sent to"],
    "absent": ["no issue yet"],
    "asleep": ["held, it is too late", "sent to"],
}


def live(town: Town, days: int) -> None:
    """Live so many days, and look at the end of each whether all is true."""
    for number in range(days):
        day, kind = FIRST + timedelta(days=number), KINDS[number % len(KINDS)]
        path = town.folder / "issues" / f"{day}.md"
        if kind != "absent":
            path.write_text(compose_issue(day, number, broken=kind == "broken"), encoding="utf-8")
        for look in LOOKS:
            if kind == "asleep" and look < WOKEN:
                continue
            town.now = datetime.combine(day, time.fromisoformat(look), ZONE).astimezone(UTC)
            if look == MENDED:
                path.write_text(compose_issue(day, number), encoding="utf-8") if kind == "broken" else None
            town.look()
            if look == WOKEN and kind == "asleep":
                _publish_late(town, day)
        if kind != "absent":
            town.issues.append((str(day), number % 3 == 0))
        judge(town, day, kind)
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{day} {kind:8} {town.numbers.accepted:,} mails, {len(town.problems)} problems ")


def _publish_late(town: Town, day: date) -> None:
    town.now += timedelta(minutes=5)
    app, clock = town.post.app, town.post.clock
    quiet = lambda _done, _total: None  # noqa: E731
    publish_issue(app, str(day), correct=False, another=False, progress=quiet, send=False, clock=clock)
    town.look()
    town.now += timedelta(minutes=5)
    town.look()


def judge(town: Town, day: date, kind: str) -> None:
    """Hold the ledger, the slot, and what the editor was told, against what there was."""
    town.numbers.days += 1
    with town.post.app.database.read() as connection:
        found = [f"{day} ({kind}): {problem}" for problem in _judge(connection, town, day, kind)]
        gone = select(func.count()).where(subscribers.c.state == SubscriberState.SUSPENDED)
        town.numbers.suspended = connection.execute(gone).scalar_one()
    town.problems += found
    town.numbers.copies = len(list((town.folder / "backups").glob("*.db")))


def _judge(connection: Connection, town: Town, day: date, kind: str) -> Iterator[str]:
    lines = list_editions(connection, 1000)
    town.numbers.editions = len(lines)
    for line in lines:
        yield from _judge_edition(connection, town, line.id)
    slot = next(slot for slot in load_slots(connection, town.now - timedelta(days=1)) if str(slot.key) == str(day))
    if slot.state != STATES[kind]:
        yield f"the slot is {slot.state}"
    told = select(notices.c.subject).where(notices.c.kind == "editor", notices.c.subject.contains(str(day)))
    subjects = [text for text in connection.execute(told.order_by(notices.c.id)).scalars() if "weekly" not in text]
    subjects = [text for text in subjects if "monthly" not in text]
    if len(subjects) != len(TOLD[kind]) or any(a not in b for a, b in zip(TOLD[kind], subjects, strict=False)):
        yield f"the editor was told {subjects}"
    yield from _judge_steady(connection, town)


def _judge_edition(connection: Connection, town: Town, edition_id: int) -> Iterator[str]:
    audit = count_deliveries(connection, edition_id)
    if not audit.holds or audit.open - audit.deferred:
        yield f"edition {edition_id}: {audit}"
    where = deliveries.c.edition_id == edition_id
    rows = connection.execute(
        select(subscribers.c.address, deliveries.c.subscriber_id, deliveries.c.state)
        .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        .where(where)
    ).all()
    if len({row.subscriber_id for row in rows}) != len(rows):
        yield f"edition {edition_id}: somebody has two rows"
    sent = {row.address for row in rows if row.state == DeliveryState.SENT}
    maybe = {row.address for row in rows if row.state == DeliveryState.UNKNOWN}
    taken = {address: number for (number_of, address), number in town.taken.items() if number_of == edition_id}
    if any(number > 1 for number in taken.values()):
        yield f"edition {edition_id}: somebody got it twice"
    if sent | maybe != set(taken):
        yield f"edition {edition_id}: the ledger and the mailboxes differ in {(sent | maybe) ^ set(taken)}"
    at = connection.execute(select(editions.c.published_at).where(editions.c.id == edition_id)).scalar_one()
    if late := [address for address in taken if address in town.left and town.left[address] < at]:
        yield f"edition {edition_id}: {len(late)} got it who had left before"


def _judge_steady(connection: Connection, town: Town) -> Iterator[str]:
    """Hold readers who never change to what they chose."""
    kinds = connection.execute(select(editions.c.id, editions.c.slug, editions.c.kind)).all()
    slugs = {row.id: row.slug for row in kinds}
    of_kind = {kind: {row.slug for row in kinds if row.kind == kind} for kind in EditionKind}
    due = {
        "steady-each-all": {slug for slug, _ in town.issues},
        "steady-each-safety": {slug for slug, has_safety in town.issues if has_safety},
        "steady-weekly-all": of_kind[EditionKind.WEEKLY],
        "steady-monthly-all": of_kind[EditionKind.MONTHLY],
    }
    steady = select(subscribers.c.address).where(subscribers.c.address.startswith("steady-"))
    for address in connection.execute(steady).scalars():
        got = {slugs[edition] for edition, reader in town.taken if reader == address}
        if got != due[address.rpartition("@")[0].rpartition("-")[0]]:
            yield f"{address} got {sorted(got)}"


def run(folder: Path, url: str, days: int, readers: int, seed: int = 1) -> Town:
    """Found a town in a folder, and let it live."""
    folder.mkdir(exist_ok=True)
    town = Town(folder, url or f"sqlite:///{folder / 'newsletter.db'}", random.Random(seed))  # noqa: S311 - a simulation
    if readers < 500:  # so that everything comes about in a small town, too
        town.calm, town.put_off = 3, 0.15
    with town.post.app:
        town.settle_in(readers)
        live(town, days)
    return town


@contextmanager
def _database(engine: str) -> Iterator[str]:
    """Yield the address of an empty PostgreSQL database, or nothing for SQLite."""
    if engine == "sqlite":
        yield ""
        return
    home = Path(tempfile.mkdtemp(prefix="soak-pg-"))
    cluster = Cluster(home)
    try:
        yield cluster.url
    finally:
        cluster.stop()
        shutil.rmtree(home, ignore_errors=True)


def main() -> int:
    """Run, and print what came of it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--readers", type=int, default=1000)
    parser.add_argument("--engine", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    start_logging("text", "error")
    with tempfile.TemporaryDirectory(prefix="soak-") as name, _database(chosen.engine) as url:
        town = run(Path(name), url, chosen.days, chosen.readers, chosen.seed)
    print(json.dumps({**asdict(town.numbers), "problems": town.problems}, indent=2))
    return 1 if town.problems else 0


if __name__ == "__main__":
    sys.exit(main())
