"""Mutated mails through the intake: no exception, bounded time, and nobody changed but whom our signatures name.

    python benchmarks/mutated.py [--count 20000] [--seed 1]

The tests' samples are cut, repeated, glued together and strewn with bytes, and each is taken in by itself, into SQLite.
A ledger whose reader 7 is named by the samples' signatures holds nine readers: the others must stay as they are.
Prints the slowest by processor time; exits with 1 when one takes more than a second, raises, or changes anybody else.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from newsletter import config
from newsletter.bounces.intake import Desk, Incoming, take_mails
from newsletter.bounces.letters import Letters
from newsletter.mail.reports.read import Ours
from newsletter.model.notice import Letter, Writing
from newsletter.model.subscriber import NewSubscriber, SubscriberState
from newsletter.model.verdict import Way
from newsletter.store.database import Database, open_database
from newsletter.store.subscribers import add_subscribers, walk_subscribers

REPORTS: Final = Path(__file__).parent.parent / "tests" / "mail" / "reports"
KEY: Final = b"k" * 32
DOMAIN: Final = "bounces.example.org"
NAMED: Final = {*range(1, 8)}
"""Whom the samples' signatures name: 7 in those of many systems, 1 to 6 in those of the three servers."""

READERS: Final = 9
SLOWEST: Final = 1.0
PIECES: Final = (
    b"\n\n",
    b"\x00",
    b"\xff\xfe",
    b"\x1b$B",
    b"=?utf-8?b?",
    b"--b1\n",
    b"<",
    b"@",
    b"Final-Recipient: rfc822; ",
    b"Content-Type: multipart/mixed; boundary=b1\n",
    b"Content-Type: message/rfc822\n\n",
    b"Content-Transfer-Encoding: base64\n",
    b"<style",
    b"a" * 3000,
    b"<a@b.example>:\n" * 300,
)


def mutate(chance: random.Random, samples: list[bytes]) -> bytes:
    """Return a sample with up to a dozen cuts, repetitions and foreign pieces."""
    mail = bytearray(chance.choice(samples))
    for _ in range(chance.randint(1, 12)):
        start = chance.randint(0, len(mail))
        end = min(len(mail), start + chance.randint(0, 400))
        kind = chance.randint(0, 4)
        if kind == 0:
            del mail[start:end]
        elif kind == 1:
            mail[start:end] = mail[start:end] * chance.randint(2, 40)
        elif kind == 2:
            mail[start:start] = chance.choice(PIECES)
        elif kind == 3:
            mail[start:end] = chance.randbytes(end - start)
        else:
            other = chance.choice(samples)
            mail[start:start] = other[chance.randint(0, len(other)) :][:2000]
    return bytes(mail)


def make_desk(database: Database) -> Desk:
    """Return an intake over a ledger with readers, whose letters are a word."""
    with database.transaction() as connection:
        new = [NewSubscriber(f"reader{number}@example.net") for number in range(1, READERS + 1)]
        add_subscribers(connection, new, datetime.now(UTC))
    letters = Letters(write_letter, KEY, "editor@example.org", "en")
    ours = Ours([KEY], DOMAIN, f"unsubscribe@{DOMAIN}")
    return Desk(database, ours, config.Bounces(), letters, lambda: datetime.now(UTC))


def write_letter(letter: Letter) -> Writing:
    """Put a letter into a word."""
    return Writing(str(letter.kind), letter.token, "", "en")


def list_changed(database: Database) -> set[int]:
    """Return who is no active reader any more."""
    with database.read() as connection:
        return {reader.id for reader in walk_subscribers(connection) if reader.state is not SubscriberState.ACTIVE}


def main() -> int:
    """Take them in, and say how long the slowest took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    words = parser.parse_args()
    chance = random.Random(words.seed)  # noqa: S311 - to be repeatable
    samples = [path.read_bytes() for path in sorted(REPORTS.rglob("*.eml"))]
    times, broken = [], 0
    with tempfile.TemporaryDirectory() as name, open_database(f"sqlite:///{name}/bench.db") as database:
        desk = make_desk(database)
        for _ in range(words.count):
            mail = Incoming(mutate(chance, samples), Way.PIPE)
            started = time.process_time()
            try:
                take_mails(desk, [mail])
            except Exception as error:  # each is counted, and fails the run
                broken += 1
                print(f"{type(error).__name__}: {error}"[:300])
            times.append(time.process_time() - started)
        changed = list_changed(database)
    print(f"{words.count:,} mails, {broken} exceptions; changed: {sorted(changed)}")
    print(f"median {statistics.median(times) * 1000:.1f} ms, slowest {max(times) * 1000:.0f} ms of processor time")
    return 1 if broken or changed - NAMED or max(times) > SLOWEST else 0


if __name__ == "__main__":
    sys.exit(main())
