"""A publication in a folder of its own: issues are written, readers join, mail lands in the outbox."""

import email
import email.policy
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from email.message import EmailMessage
from pathlib import Path

from sqlalchemy import update

from newsletter.app import App
from newsletter.committing import commit_edition, freeze_issue, make_menu
from newsletter.config import Settings
from newsletter.model.delivery import Audit, Delivery, DeliveryState
from newsletter.model.edition import EditionKind
from newsletter.model.subscriber import Cadence, NewSubscriber
from newsletter.publishing import Published, load_publishable, publish_issue
from newsletter.rollups import RolledUp, publish_rollup
from newsletter.store.database import Database
from newsletter.store.deliveries import count_deliveries, list_deliveries
from newsletter.store.editions import load_edition
from newsletter.store.schema import subscribers
from newsletter.store.subscribers import add_subscriber, join_topics
from newsletter.store.variants import load_variant
from tests.compiled import load_templates

SECTIONS = ("Agents", "Evaluations", "Safety")
REASON = "This is why one may want to read number"
NOW = datetime(2024, 5, 1, tzinfo=UTC)

Papers = Mapping[str, Sequence[int]]
"""By section: the numbers of the papers in it."""


def compose_issue(day: date, papers: Papers, intro: str = "") -> str:
    """Return an issue file; paper 7 is arXiv's 2405.00007."""
    paper = "### [Paper {0}](https://arxiv.org/abs/2405.{0:05})\n\n**Why?** {1} {0}. And more.\n\n**How?** So."
    sections = [
        f"## {title}\n\n" + "\n\n".join(paper.format(number, REASON) for number in numbers)
        for title, numbers in papers.items()
    ]
    return f"---\ntitle: Papers of {day}\ndate: {day}\n---\n\n{intro}\n\n" + "\n\n".join(sections) + "\n"


class Press:
    """A publication; `app` is what commands work with."""

    def __init__(self, folder: Path, database: Database, **settings: object) -> None:
        self.folder = folder
        self.app = App(Settings.model_validate({**self._settings(), **settings}))
        self.app.__dict__["database"] = database
        if self.app.settings.templates.folder is None:
            self.app.__dict__["environment"] = load_templates()

    def _settings(self) -> dict[str, object]:
        names = {"issues": "issues", "site": "public", "outbox": "outbox"}
        tables: dict[str, dict[str, object]] = {name: {"folder": self.folder / path} for name, path in names.items()}
        tables["issues"]["sections"] = SECTIONS
        tables["delivery"] = {"journal": self.folder / "journal"}
        tables["secret"] = {"file": self.folder / "secret"}
        return {**tables, "publication": {"url": "https://news.example.org"}}

    def write(self, day: date, papers: Papers, intro: str = "", name: str = "") -> Path:
        path = self.folder / "issues" / f"{name or day}.md"
        path.parent.mkdir(exist_ok=True)
        path.write_text(compose_issue(day, papers, intro), encoding="utf-8")
        return path

    def join(self, name: str, *topics: str, cadence: Cadence = Cadence.EACH) -> None:
        new = NewSubscriber(f"{name}@example.org", topics=frozenset(topics), cadence=cadence)
        with self.app.database.transaction() as connection:
            add_subscriber(connection, new, NOW)

    def change(self, name: str, *, topics: Sequence[str] | None = None, **values: object) -> None:
        if topics is not None:
            values["topics"] = join_topics(topics)
        with self.app.database.transaction() as connection:
            found = subscribers.c.address == f"{name}@example.org"
            connection.execute(update(subscribers).where(found).values(values))

    def publish(self, day: date | str, *, correct: bool = False) -> Published:
        return publish_issue(self.app, str(day), correct=correct, another=False, progress=lambda done, total: None)

    def roll_up(self, kind: EditionKind, day: date) -> RolledUp:
        return publish_rollup(self.app, kind, day, progress=lambda done, total: None)

    def rows(self, slug: str) -> dict[str, Delivery]:
        """Return an edition's rows by the reader's name; it is held that each has one."""
        with self.app.database.read() as connection:
            stored = load_edition(connection, slug)
            assert stored
            found = list_deliveries(connection, stored.id)
            assert self._audit(stored.id).holds
        assert len({row.subscriber_id for row in found}) == len(found)
        return {row.address.partition("@")[0]: row for row in found}

    def _audit(self, edition_id: int) -> Audit:
        with self.app.database.read() as connection:
            return count_deliveries(connection, edition_id)

    def commit(self, day: date) -> str:
        """Give every reader his row of an issue, without site and mail; return its slug."""
        issue, edition, _ = load_publishable(self.app, str(day))
        menu, now = make_menu(self.app, issue, edition), datetime.now(UTC)
        commit_edition(self.app, freeze_issue(self.app, issue, menu, now), menu, now)
        return edition.slug

    def given(self, slug: str) -> dict[str, list[int]]:
        """Return the papers that each reader's row gives him, excluded ones aside."""
        with self.app.database.read() as connection:
            stored = load_edition(connection, slug)
            assert stored
            found: dict[str, list[int]] = {}
            for name, row in self.rows(slug).items():
                if row.state is not DeliveryState.EXCLUDED:
                    edition = stored.edition
                    if row.variant:
                        edition = load_variant(connection, stored.id, edition, row.variant)
                    found[name] = _list_papers(edition.text)
                    assert found[name] == _list_papers(edition.html)
        return found

    def mails(self, slug: str) -> dict[str, EmailMessage]:
        """Return the mails of an edition by the reader's name."""
        found: dict[str, EmailMessage] = {}
        for path in (self.folder / "outbox" / slug).glob("*.eml"):
            message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            assert isinstance(message, EmailMessage)
            name = str(message["To"]).partition("@")[0]
            assert name not in found
            found[name] = message
        return found


def text_of(message: EmailMessage, subtype: str = "plain") -> str:
    """Return the text of a mail."""
    part = message.get_body((subtype,))
    assert part is not None
    return str(part.get_content())


def papers_in(message: EmailMessage) -> list[int]:
    """Return the papers that a mail brings, the same in both of its parts."""
    found = _list_papers(text_of(message))
    assert found == _list_papers(text_of(message, "html"))
    return found


def _list_papers(text: str) -> list[int]:
    shown = re.sub(r"<div class=\"hidden\".*?</div>", "", text, flags=re.DOTALL)
    return [int(number) for number in re.findall(r"\bPaper (\d+)\b", shown)]
