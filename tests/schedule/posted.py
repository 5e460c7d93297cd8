"""A publication at its post: an editor's folder, his readers, and a daemon whose clock is ours."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from newsletter.app import App
from newsletter.config import (
    Alerts,
    DatabaseSettings,
    Delivery,
    Issues,
    Outbox,
    Publication,
    Rollups,
    Schedule,
    Secret,
    Settings,
    Site,
)
from newsletter.delivery.brake import Brake
from newsletter.model.slot import Slot
from newsletter.model.subscriber import Cadence, NewSubscriber
from newsletter.publishing import publish_issue
from newsletter.schedule.posts import Post
from newsletter.schedule.ticks import TICKS, run_tick
from newsletter.store.schema import notices
from newsletter.store.slots import load_slots
from newsletter.store.subscribers import add_subscribers
from tests.compiled import load_templates

EVE = datetime(2024, 5, 24, 12, tzinfo=UTC)  # a Friday
DUE = datetime(2024, 5, 25, 5, 30, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
ISSUE = "---\ntitle: Papers of {day}\ndate: {day}\n---\n\n## News\n\n### [A paper of {day}](https://example.org/{day})\n\nIt.\n"


class Desk:
    """An editor's folder, his readers, and a daemon whose clock is ours."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.now = EVE
        (folder / "issues").mkdir()
        settings = Settings(
            alerts=Alerts(
                editor=("editor@example.org",),
                webhook="https://example.org/hook",
                heartbeat="https://example.org/beat",
                webhook_secret=folder / "webhook.secret",
            ),
            database=DatabaseSettings(url=url, backups=folder / "backups"),
            delivery=Delivery(journal=folder / "journal"),
            issues=Issues(folder=folder / "issues"),
            outbox=Outbox(folder=folder / "outbox"),
            publication=Publication(title="Daily", time_zone="Europe/Berlin"),
            rollups=Rollups(weekly="sun 09:00"),
            schedule=Schedule(at="07:30"),
            secret=Secret(file=folder / "newsletter.secret"),
            site=Site(folder=folder / "public"),
        )
        self.app = App(settings)
        self.app.__dict__["environment"] = load_templates()
        self.post = Post(self.app, Brake(), lambda: self.now)

    def write(self, day: str, text: str = ISSUE, name: str = "") -> Path:
        path = self.folder / "issues" / f"{name or day}.md"
        path.write_text(text.format(day=day))
        return path

    def add(self, *addresses: str, cadence: Cadence = Cadence.EACH) -> None:
        new = [NewSubscriber(address, cadence=cadence, joined_at=EVE) for address in addresses]
        with self.app.database.transaction() as connection:
            add_subscribers(connection, new, EVE)

    def at(self, moment: datetime) -> None:
        """Do what a daemon does at a moment: every tick but those that talk to the world outside."""
        self.now = moment
        for tick in TICKS:
            if tick.name not in ("notices", "calls", "bounces"):
                assert run_tick(self.post, tick), tick.name

    def publish_by_hand(self, name: str) -> None:
        publish_issue(self.app, name, correct=False, another=False, progress=lambda done, total: None)

    def slots(self) -> dict[str, Slot]:
        with self.app.database.read() as connection:
            return {str(slot.key): slot for slot in load_slots(connection, EVE)}

    def state(self, key: str = "2024-05-25") -> str:
        slot = self.slots()[key]
        return f"{slot.state}: {slot.why}" if slot.why else str(slot.state)

    def mails(self) -> dict[str, int]:
        """Return how many mails each edition's folder of the outbox has."""
        found: dict[str, int] = {}
        for path in (self.folder / "outbox").glob("*/*.eml"):
            found[path.parent.name] = found.get(path.parent.name, 0) + 1
        return found

    def told(self) -> list[tuple[str, str]]:
        """Return subject and text of every mail to the editor."""
        with self.app.database.read() as connection:
            rows = connection.execute(select(notices).where(notices.c.kind == "editor").order_by(notices.c.id))
            return [(row.subject, row.text) for row in rows]
