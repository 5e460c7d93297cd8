"""One run of the engine in a benchmark: `engine_ours.py PORT READERS BYTES [--dkim] [--no-ledger] [--folder F]`.

Publishes an edition of about BYTES to READERS in a fresh SQLite file (synchronous=FULL), sends it over 10 connections
to the sink at PORT, and prints one line of JSON: rates, processor time, memory, and how flat the rate was.
With --no-ledger the same readers come from memory and nothing is written down: what is left is composing and the wire.
"""

import argparse
import json
import os
import resource
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from newsletter.config import Dkim, Settings
from newsletter.delivery import books
from newsletter.delivery.desk import Tally
from newsletter.delivery.publish import Keys, send_edition
from newsletter.delivery.relay import RelayTransport
from newsletter.mail.dkim import SigningKeys
from newsletter.model.delivery import Delivery, DeliveryState
from newsletter.model.edition import PREFERENCES_FIELD, UNSUBSCRIBE_FIELD, Edition, Sender
from newsletter.signing import make_signing_keys
from newsletter.store.database import Database, open_database
from newsletter.store.deliveries import count_deliveries
from newsletter.store.editions import StoredEdition, freeze_edition, publish_edition
from newsletter.store.schema import subscribers

BATCH = 5_000
LINKS = f"https://news.example.org/u/{UNSUBSCRIBE_FIELD} https://news.example.org/p/{PREFERENCES_FIELD}"
SENDER = Sender(
    name="Example News",
    address="news@example.org",
    reply_to="",
    bounce_domain="example.org",
    unsubscribe_address="unsubscribe@example.org",
    list_id="news.example.org",
    list_name="Example News",
    url="https://news.example.org",
)


def make_edition(size: int) -> Edition:
    """Return an edition whose mail has about so many bytes, personal at the end, as a newsletter is."""
    words = "The quick brown fox jumps over the lazy dog, and reads a paper about it. "
    text = words * (size // 8 // len(words)) + LINKS
    html = f"<p>{words * (size * 7 // 8 // len(words))}</p><p>{LINKS}</p>"
    url = "https://news.example.org/issues/2024-05-25/"
    return Edition("2024-05-25", date(2024, 5, 25), "News", "News", "", "en", url, html, text, SENDER)


def fill(database: Database, readers: int) -> None:
    """Add readers, in batches."""
    now = datetime.now(UTC)
    for start in range(0, readers, BATCH):
        rows: list[dict[str, Any]] = [
            {
                "address": f"reader{number:07}@example{number % 50}.net",
                "address_key": f"reader{number:07}@example{number % 50}.net",
                "name": "",
                "state": "active",
                "language": "",
                "joined_at": now,
                "source": "benchmark",
            }
            for number in range(start, min(start + BATCH, readers))
        ]
        with database.transaction() as connection:
            connection.execute(insert(subscribers), rows)


def publish(database: Database, edition: Edition) -> StoredEdition:
    """Write the ledger's rows."""
    now = datetime.now(UTC)
    with database.transaction() as connection:
        stored = freeze_edition(connection, edition, "source", now)
        publish_edition(connection, stored.id, now)
    return stored


def forget_ledger(readers: int) -> None:
    """Put a ledger that costs nothing in place of the real one."""
    left = iter(range(1, readers + 1))
    now = datetime.now(UTC)

    def claim(
        _connection: Any, edition_id: int, _owner: str, _lease: Any, _now: Any, limit: int, *_: Any
    ) -> list[Delivery]:
        return [
            Delivery(n, edition_id, n, f"reader{n:07}@example{n % 50}.net", "", DeliveryState.SENDING, 0, now)
            for _, n in zip(range(limit), left, strict=False)
        ]

    # A benchmark's stand-ins, in a process of its own.
    vars(books)["claim_deliveries"] = claim
    vars(books)["settle_deliveries"] = lambda *_: []
    vars(books)["release_deliveries"] = lambda *_: 0
    vars(books)["list_departed"] = lambda *_: []


class Meter:
    """Remembers when each tenth of the readers was done."""

    def __init__(self, readers: int) -> None:
        self.readers = readers
        self.times = [time.monotonic()]

    def look(self, tally: Tally) -> None:
        """Note the time when another tenth is done."""
        while len(self.times) <= 10 and tally.done >= self.readers * len(self.times) // 10:
            self.times.append(time.monotonic())

    @property
    def flatness(self) -> float:
        """Return the last tenth's rate over the first's."""
        first, last = self.times[1] - self.times[0], self.times[-1] - self.times[-2]
        return first / last if last else 0.0


def read_cpu() -> float:
    """Return the processor seconds of this process, and of those it started that have ended."""
    return sum(os.times()[:4])


def load_keys(folder: Path, dkim: bool) -> SigningKeys | None:
    """Make keys when they are wanted."""
    if not dkim:
        return None
    settings = Dkim(domain="example.org", selector="news", key_file=folder / "news.pem")
    return make_signing_keys(settings)


def run(port: int, readers: int, size: int, *, dkim: bool, ledger: bool, folder: Path) -> dict[str, object]:
    """Publish, send, and measure."""
    settings = Settings.model_validate(
        {
            "smtp": {"host": "127.0.0.1", "port": port, "tls": "none", "local_name": "news.example.org"},
            "delivery": {"journal": folder / "journal"},
        }
    )
    with open_database(f"sqlite:///{folder}/bench.db") as database:
        fill(database, readers if ledger else 1)
        stored = publish(database, make_edition(size))
        if not ledger:
            forget_ledger(readers)
        keys = Keys(b"k" * 32, load_keys(folder, dkim))  # making one takes as long as signing a few hundred mails
        meter, cpu = Meter(readers), read_cpu()
        tally = send_edition(database, stored, RelayTransport(settings.smtp, ""), keys, settings, meter.look)
        took = time.monotonic() - meter.times[0]
        with database.read() as connection:
            holds = count_deliveries(connection, stored.id).holds
    return {
        "messages": tally.sent,
        "seconds": took,
        "rate": tally.sent / took,
        "cpu": read_cpu() - cpu,
        "flatness": meter.flatness,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "holds": holds,
    }


def main() -> None:
    """Run once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("readers", type=int)
    parser.add_argument("size", type=int)
    parser.add_argument("--dkim", action="store_true")
    parser.add_argument("--no-ledger", dest="ledger", action="store_false")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(run(**vars(words), folder=Path(folder))))


if __name__ == "__main__":
    main()
