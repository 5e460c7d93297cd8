"""Taking in what comes back: bounces from a Maildir, each read, judged, and written to the ledger. On one core.

    python benchmarks/intake.py                    20,000 bounces; mails a second, by the clock and by processor time

Every bounce names a reader by a return address that we signed; a third are hard, the others soft or about us. The
ledger is SQLite with synchronous=FULL. The target is 500 mails a second.
"""

import argparse
import os
import sys
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path

from newsletter import config
from newsletter.bounces.intake import Desk
from newsletter.bounces.letters import Letters
from newsletter.bounces.mailbox import drain_maildir
from newsletter.mail.reports.read import Ours
from newsletter.mail.verp import make_envelope_sender
from newsletter.model.edition import Edition, Sender
from newsletter.model.notice import Letter, Writing
from newsletter.model.subscriber import NewSubscriber
from newsletter.store.database import Database, open_database
from newsletter.store.editions import freeze_edition, publish_edition
from newsletter.store.subscribers import add_subscribers

KEY = b"k" * 32
DOMAIN = "bounces.example.org"
SAID = (
    "550 5.1.1 <{address}>: Recipient address rejected: User unknown in virtual mailbox table",
    "452 4.2.2 The email account that you tried to reach is over quota",
    "550 5.7.1 Message rejected as spam by content filtering",
)
MAIL = """\
Return-Path: <>
Received: by mx.example.net (Postfix) id 4VgXyz{number}; Sat, 25 May 2024 06:31:00 +0000 (UTC)
Date: Sat, 25 May 2024 06:31:00 +0000 (UTC)
From: MAILER-DAEMON@mx.example.net (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: {to}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="4VgXyz{number}/mx.example.net"
Message-Id: <20240525063100.{number}@mx.example.net>

--4VgXyz{number}/mx.example.net
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mx.example.net. Your message could not be delivered to one or more recipients.

<{address}>: host mx1.example.net said: {said}

--4VgXyz{number}/mx.example.net
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net
Arrival-Date: Sat, 25 May 2024 06:30:00 +0000 (UTC)

Final-Recipient: rfc822; {address}
Original-Recipient: rfc822;{address}
Action: failed
Status: {status}
Remote-MTA: dns; mx1.example.net
Diagnostic-Code: smtp; {said}

--4VgXyz{number}/mx.example.net
Content-Description: Undelivered Message
Content-Type: message/rfc822

Return-Path: <{to}>
From: "News" <news@example.org>
To: {address}
Subject: News
Message-ID: <x{number}@example.org>

{body}
--4VgXyz{number}/mx.example.net--
"""


def make_mail(number: int) -> bytes:
    """Return a bounce as Postfix writes it, with 4 KB of the mail that it returns."""
    said = SAID[number % len(SAID)]
    address = f"reader{number:06}@example.net"
    to = make_envelope_sender(KEY, number, 1, DOMAIN)
    text = MAIL.format(
        number=number,
        to=to,
        address=address,
        said=said.format(address=address),
        status=said.split()[1],
        body="The quick brown fox jumps over the lazy dog.\n" * 90,
    )
    return text.replace("\n", "\r\n").encode()


def prepare(folder: Path, database: Database, count: int) -> Path:
    """Publish an edition to so many readers, and put a bounce for each into a Maildir."""
    now = datetime.now(UTC)
    sender = Sender("News", "news@example.org", "", DOMAIN, f"leave@{DOMAIN}", "n.example.org", "News", "https://x")
    edition = Edition("one", date(2024, 5, 25), "News", "News", "", "en", "https://x/", "", "", sender)
    readers = [NewSubscriber(f"reader{number:06}@example.net") for number in range(1, count + 1)]
    with database.transaction() as connection:
        add_subscribers(connection, readers, now)
        publish_edition(connection, freeze_edition(connection, edition, "source", now).id, now)
    for name in ("tmp", "new", "cur"):
        (folder / name).mkdir()
    for number in range(1, count + 1):
        (folder / "new" / f"{number:08}.x").write_bytes(make_mail(number))
    return folder


def write_letter(letter: Letter) -> Writing:
    """Put a letter into words; none is written for one bounce a reader."""
    return Writing(str(letter.kind), letter.token, "", "en")


def main() -> int:
    """Take them in, and say how fast that was."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000)
    words = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as name, open_database(f"sqlite:///{name}/bench.db") as database:
        maildir = prepare(Path(name), database, words.count)
        letters = Letters(write_letter, KEY, "", "en")
        desk = Desk(database, Ours([KEY], DOMAIN), config.Bounces(), letters, lambda: datetime.now(UTC))
        clock, cpu = time.monotonic(), time.process_time()
        taken = drain_maildir(desk, maildir, words.count)
        clock, cpu = time.monotonic() - clock, time.process_time() - cpu
    judged = sum(1 for one in taken if one.judgement)
    ended = sum(1 for one in taken if one.judgement and one.judgement.verdict.ends)
    print(f"{len(taken):,} taken in, {judged:,} judged, {ended:,} ended a reader's mail")
    rates = f"{len(taken) / clock:,.0f} mails/s by the clock, {len(taken) / cpu:,.0f} by processor time"
    print(f"{rates} (target 500)")
    return 0 if judged == words.count and len(taken) / clock >= 500 else 1


if __name__ == "__main__":
    sys.exit(main())
