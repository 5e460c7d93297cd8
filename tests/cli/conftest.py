"""An editor's folder with a published edition, and commands typed in it."""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from newsletter.cli import main
from newsletter.model.delivery import Audit, Delivery, DeliveryState, Reply, Settlement
from newsletter.model.edition import Edition, Sender
from newsletter.model.subscriber import NewSubscriber
from newsletter.store.database import Database, open_database
from newsletter.store.deliveries import claim_deliveries, count_deliveries, settle_deliveries
from newsletter.store.editions import freeze_edition, publish_edition
from newsletter.store.subscribers import add_subscribers

NOW = datetime(2024, 5, 25, 6, 30, tzinfo=UTC)
SENDER = Sender(
    name="Daily",
    address="news@example.org",
    reply_to="news@example.org",
    bounce_domain="example.org",
    unsubscribe_address="unsubscribe@example.org",
    list_id="news.example.org",
    list_name="Daily",
    url="https://news.example.org",
)


class Office:
    """A folder with a database; `sender` stands for another process that is sending from it."""

    def __init__(self, database: Database, capsys: pytest.CaptureFixture[str]) -> None:
        self.database = database
        self.capsys = capsys

    def run(self, *words: str, code: int = 0) -> str:
        """Type a command, and return what it printed, errors too."""
        self.capsys.readouterr()
        assert main(words) == code
        printed = self.capsys.readouterr()
        assert "Traceback" not in printed.err
        return printed.out + printed.err

    def read(self, *words: str, code: int = 0) -> Any:
        """Type a command that prints one JSON document, and return it."""
        return json.loads(self.run(*words, "--json", code=code))

    def publish(self, readers: int, slug: str = "2024-05-25") -> int:
        """Publish an edition to so many readers; return its number."""
        edition = Edition(
            slug, date.fromisoformat("2024-05-25"), "Papers", "Papers", "", "en", "https://x", "", "", SENDER
        )
        with self.database.transaction() as connection:
            add_subscribers(
                connection, [NewSubscriber(f"reader{number}@example.org") for number in range(readers)], NOW
            )
            frozen = freeze_edition(connection, edition, "source", NOW)
            publish_edition(connection, frozen.id, NOW)
        return frozen.id

    def claim(self, limit: int, edition_id: int = 1) -> list[Delivery]:
        """Claim, as a sender does at each page of its books."""
        with self.database.transaction() as connection:
            return claim_deliveries(connection, edition_id, "sender", NOW + timedelta(hours=1), NOW, limit)

    def settle(self, rows: Sequence[Delivery], state: DeliveryState, text: str = "") -> None:
        """Settle, as a sender does."""
        with self.database.transaction() as connection:
            answers = [Settlement(row.id, state, Reply(0, "", text), 1, NOW) for row in rows]
            assert settle_deliveries(connection, "sender", answers) == []

    def audit(self, edition_id: int = 1) -> Audit:
        """Count, and see that nobody is lost."""
        with self.database.read() as connection:
            audit = count_deliveries(connection, edition_id)
        assert audit.holds
        return audit


@pytest.fixture
def office(
    tmp_path: Path, migrated_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Office]:
    monkeypatch.chdir(tmp_path)
    for name in ("NEWSLETTER_CONFIG", "NEWSLETTER_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    with open_database(f"sqlite:///{shutil.copy(migrated_file, tmp_path)}") as database:
        yield Office(database, capsys)


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sit at a terminal and answer the next question."""

    def answer(text: str) -> None:
        class Terminal:
            def isatty(self) -> bool:
                return True

            def readline(self) -> str:
                return f"{text}\n"

        monkeypatch.setattr("sys.stdin", Terminal())

    return answer
