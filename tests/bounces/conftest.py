"""An intake over a database with readers and a published edition, and mails that come back to it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from newsletter import config
from newsletter.bounces.intake import Desk, Incoming
from newsletter.bounces.letters import Letters
from newsletter.mail.reports.read import Ours
from newsletter.mail.verp import make_envelope_sender
from newsletter.model.delivery import DeliveryState, Reply, Settlement
from newsletter.model.edition import Edition, Sender
from newsletter.model.notice import Letter, Writing
from newsletter.model.subscriber import NewSubscriber, Subscriber
from newsletter.model.verdict import Way
from newsletter.store.database import Database
from newsletter.store.deliveries import claim_deliveries, settle_deliveries
from newsletter.store.editions import freeze_edition, publish_edition
from newsletter.store.notices import list_notices
from newsletter.store.subscribers import add_subscribers, load_subscriber

NOW = datetime(2024, 5, 25, 6, 30, tzinfo=UTC)
KEY = b"k" * 32
DOMAIN = "bounces.example.org"
SENDER = Sender(
    name="Daily",
    address="news@example.org",
    reply_to="editor@example.org",
    bounce_domain=DOMAIN,
    unsubscribe_address=f"unsubscribe@{DOMAIN}",
    list_id="news.example.org",
    list_name="Daily",
    url="https://news.example.org",
)

FULL = "452 4.2.2 mailbox is full"
GONE = "550 5.1.1 no such user here"
SPAM = "550 5.7.1 rejected: this message looks like spam"


def write_letter(letter: Letter) -> Writing:
    """Put a letter into fewest words."""
    missed = " ".join(title for title, _ in letter.missed)
    return Writing(str(letter.kind), f"{letter.token} {missed}", "", letter.language or "en")


class Office:
    """A service with readers, at a time that moves on."""

    def __init__(self, database: Database, readers: int = 3) -> None:
        self.database = database
        self.now = NOW
        self.desk = Desk(
            database,
            Ours([KEY], DOMAIN, f"unsubscribe@{DOMAIN}"),
            config.Bounces(soft_issues=3, soft_days=3, quiet_days=5),
            Letters(write_letter, KEY, "editor@example.org", "en"),
            lambda: self.now,
        )
        with database.transaction() as connection:
            new = [NewSubscriber(f"reader{number}@example.net") for number in range(1, readers + 1)]
            add_subscribers(connection, new, NOW)
        self.editions = 0

    def publish(self, refused: str = "") -> int:
        """Send an issue to everybody; with `refused` the first reader's server says that."""
        self.editions += 1
        day = date(2024, 5, 25) + timedelta(days=self.editions)
        edition = Edition(str(day), day, f"Issue {self.editions}", "", "", "en", f"https://x/{day}/", "", "", SENDER)
        with self.database.transaction() as connection:
            stored = freeze_edition(connection, edition, "source", self.now)
            publish_edition(connection, stored.id, self.now)
            rows = claim_deliveries(connection, stored.id, "me", self.now + timedelta(hours=1), self.now, 1000)
            code, _, text = refused.partition(" ")
            answers = [
                Settlement(
                    row.id,
                    DeliveryState.FAILED if refused and row.subscriber_id == 1 else DeliveryState.SENT,
                    Reply(int(code or 250), "", text),
                    1,
                    self.now,
                )
                for row in rows
            ]
            settle_deliveries(connection, "me", answers)
        return stored.id

    def reader(self, number: int = 1) -> Subscriber:
        """Return a reader as he is now."""
        with self.database.read() as connection:
            found = load_subscriber(connection, number)
        assert found is not None
        return found

    def notices(self) -> list[tuple[str, str]]:
        """Return kind and address of what was written, oldest first."""
        with self.database.read() as connection:
            return [(line.kind, line.address) for line in list_notices(connection)][::-1]


def bounce(said: str, edition: int, reader: int = 1, *, key: bytes = KEY, action: str = "failed") -> Incoming:
    """Return a delivery report (RFC 3464) as an MTA writes it."""
    to = make_envelope_sender(key, reader, edition, DOMAIN)
    status = said.split()[1]
    raw = f"""\
From: MAILER-DAEMON@mx.example.net (Mail Delivery System)
To: {to}
Subject: Undelivered Mail Returned to Sender
Date: Sat, 25 May 2024 06:31:00 +0000
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b1"

--b1
Content-Type: text/plain

The mail could not be delivered.

--b1
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; reader{reader}@example.net
Action: {action}
Status: {status}
Diagnostic-Code: smtp; {said}

--b1--
"""
    return Incoming(raw.replace("\n", "\r\n").encode(), Way.PIPE)


@pytest.fixture
def office(database: Database) -> Office:
    return Office(database)


Change = Callable[[Incoming], Incoming]


def vary(mail: Incoming, number: int) -> Incoming:
    """Return the same mail with another Date: no mail comes twice by chance."""
    return replace(mail, raw=mail.raw.replace(b"06:31:00", b"06:%02d:%02d" % divmod(number, 60)))
