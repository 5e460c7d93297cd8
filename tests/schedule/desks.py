"""A publication's slots under simulated clocks, with a press that prints nothing and counts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from newsletter.config import Alerts, Schedule
from newsletter.config.times import Timetable
from newsletter.errors import NewsletterError
from newsletter.model.edition import Edition, EditionKind, Sender
from newsletter.model.slot import Slot, SlotKey, SlotState
from newsletter.schedule.calendar import BACKLOG, Calendar
from newsletter.schedule.deciding import SlotDesk, Witness, decide_due, warn_ahead
from newsletter.schedule.planning import plan
from newsletter.schedule.policy import Absent, Faulty, Findings, Out, Ready
from newsletter.schedule.telling import Teller
from newsletter.store.database import Database
from newsletter.store.editions import EditionState, freeze_edition, list_editions_of, publish_edition
from newsletter.store.notices import list_notices
from newsletter.store.slots import load_slots

SENDER = Sender(
    "D", "n@example.org", "n@example.org", "example.org", "u@example.org", "l.example.org", "D", "https://x"
)
EDITOR = "editor@example.org"


def an_edition(slug: str, day: date) -> Edition:
    return Edition(slug, day, f"Papers of {slug}", "Papers", "", "en", f"https://x/{slug}/", "<p>", "t", SENDER)


@dataclass
class Office:
    """One publication. `now` is the clock of everybody; `files` says what there is for a day, by default an issue.

    `sent` counts for each slot how often readers were committed.
    """

    database: Database
    zone: str = "Europe/Berlin"
    at: time = time(7, 30)
    now: datetime = datetime(2024, 5, 20, 12, tzinfo=UTC)
    files: dict[date, Findings] = field(default_factory=dict)
    absent: bool = False
    sent: dict[SlotKey, int] = field(default_factory=dict)
    trouble: list[Exception] = field(default_factory=list)
    on_step: Callable[[str], None] = lambda step: None
    tables: Mapping[EditionKind, Timetable] | None = None
    alerts: Alerts = field(default_factory=lambda: Alerts(editor=(EDITOR,)))
    rules: dict[str, Any] = field(default_factory=dict)

    @property
    def calendar(self) -> Calendar:
        tables = self.tables if self.tables is not None else {EditionKind.ISSUE: Timetable(self.at)}
        return Calendar(ZoneInfo(self.zone), tables)

    def desk(self, owner: str = "one", is_dead: Callable[[str], bool] = lambda owner: False) -> SlotDesk:
        return SlotDesk(
            database=self.database,
            calendar=self.calendar,
            rules=Schedule(at=f"{self.at:%H:%M}", **self.rules),
            look=self.look,
            publish=self.publish,
            teller=Teller(self.alerts, "Daily", "https://news.example.org"),
            owner=owner,
            is_dead=is_dead,
            clock=lambda: self.now,
        )

    def look(self, slot: Slot) -> Findings:
        with self.database.read() as connection:
            lines = list_editions_of(connection, slot.key.kind, slot.key.day)
        for line in lines:
            if line.state is EditionState.PUBLISHED:
                return Out(line.id)
        return self.files.get(slot.key.day, Absent() if self.absent else Ready())

    def publish(self, key: SlotKey, witness: Witness) -> None:
        """Do what the real press does: freeze, write the site, then commit edition and slot together."""
        self.on_step("begin")
        if self.trouble:
            raise self.trouble.pop(0)
        slug = str(key).replace(" ", "-")
        with self.database.transaction() as connection:
            frozen = freeze_edition(connection, an_edition(slug, key.day), "source", self.now)
        self.on_step("frozen")
        with self.database.transaction() as connection:
            publish_edition(connection, frozen.id, self.now)
            self.on_step("before the witness")
            witness(connection, frozen.id)
            self.on_step("before the commit")
        self.sent[key] = self.sent.get(key, 0) + 1
        self.on_step("committed")

    def tick(self, owner: str = "one") -> None:
        """Do what a scheduler does every few seconds."""
        desk = self.desk(owner)
        plan(self.database, desk.calendar, self.now)
        warn_ahead(desk)
        decide_due(desk)

    def run(self, until: datetime, step: timedelta) -> None:
        while self.now < until:
            self.now = min(self.now + step, until)
            self.tick()

    def slots(self) -> dict[str, Slot]:
        with self.database.read() as connection:
            return {str(slot.key): slot for slot in load_slots(connection, self.now - 10 * BACKLOG)}

    def state(self, key: str) -> str:
        """Return a slot's state, and why, if there is a reason."""
        slot = self.slots()[key]
        return f"{slot.state}: {slot.why}" if slot.why else str(slot.state)

    def mails(self) -> list[str]:
        """Return the subjects of what the editor was told, oldest first."""
        with self.database.read() as connection:
            return [line.subject for line in reversed(list_notices(connection))]


def live_through(office: Office, days: Sequence[date]) -> None:
    """Let two schedulers look shortly before each day's time and some time after, the one or the other first."""
    for number, day in enumerate(days):
        found = office.calendar.plan(SlotKey(EditionKind.ISSUE, day))
        assert found is not None
        for minutes in (-40, (number * 37) % 170):
            office.now = found.due_at + timedelta(minutes=minutes)
            for owner in ("one", "two") if number % 2 else ("two", "one"):
                office.tick(owner)


def broken(line: int = 3) -> Faulty:
    from newsletter.model.slot import Why

    return Faulty(Why.ERRORS, f"issues/2024-05-21.md:{line}:1: error: It has no title. [no-title]")


def oops(message: str = "no room on the disk") -> Exception:
    return NewsletterError(message)


def due_days(slots: Mapping[str, Slot]) -> set[date]:
    return {slot.key.day for slot in slots.values() if slot.state is SlotState.PUBLISHED}


__all__ = ["EDITOR", "Office", "an_edition", "broken", "due_days", "live_through", "oops"]
