"""Bounces that Debian's Postfix, Exim and OpenSMTPD really write, taken in: reader, reason and severity of each.

    python benchmarks/mta_bounces.py                     each server against a sink with faults; takes about a minute
    python benchmarks/mta_bounces.py --keep FOLDER       the same, and the bounces are kept as FOLDER/SERVER-FAULT.eml

Each server is given one mail for each fault, relays it to a sink on 127.0.0.1, and gives up after a few seconds in
place of days. The packages of Exim and OpenSMTPD are fetched with apt-get and unpacked into a cache; they aren't
installed. Takes root. Exits with 1 when a bounce is missing, or read otherwise than it must be.
"""

import argparse
import smtplib
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from benchmarks.mta_servers import Routes, make_folder, run_exim, run_opensmtpd, run_postfix, unpack, wait_until
from benchmarks.mta_sink import Sink
from newsletter.mail.reports.read import Ours, read_report
from newsletter.mail.verp import make_envelope_sender
from newsletter.model.bounce import Reason, ReportKind, Severity

KEY: Final = b"k" * 32
DOMAIN: Final = "bounces.example.org"
OURS: Final = Ours([KEY], DOMAIN)
EDITION: Final = 3
PATIENCE: Final = 60.0
CACHE: Final = Path("~/.cache/newsletter-benchmarks/mtas").expanduser()


@dataclass(frozen=True, slots=True)
class Fault:
    """What the sink does to a mail, and how the bounce is to be read."""

    address: str
    reason: Reason
    severity: Severity

    @property
    def name(self) -> str:
        """Return what the fault is called."""
        return self.address.partition("@")[0]


FAULTS: Final = (
    Fault("unknown@example.com", Reason.USER_UNKNOWN, Severity.HARD),
    Fault("full@example.com", Reason.MAILBOX_FULL, Severity.SOFT),
    Fault("greylisted@example.com", Reason.GREYLISTED, Severity.SOFT),
    Fault("dropped@dropping.example", Reason.NETWORK, Severity.SOFT),
    Fault("size@small.example", Reason.TOO_LARGE, Severity.SOFT),
    Fault("content@example.com", Reason.CONTENT, Severity.SOFT),
)
VAGUE: Final = frozenset({("exim", "dropped"), ("opensmtpd", "greylisted"), ("opensmtpd", "dropped")})
"""Of these their bounces say no more than that time was over."""

MAIL: Final = """\
From: "Daily" <news@example.org>
To: {address}
Subject: Twenty papers
Message-ID: <{number}@example.org>
List-Unsubscribe: <https://news.example.org/u/x>

{body}
"""


def list_faults(server: str) -> list[Fault]:
    """Return the faults, each with what a server's bounce can tell of it."""
    return [replace(fault, reason=Reason.EXPIRED) if (server, fault.name) in VAGUE else fault for fault in FAULTS]


def send(port: int, faults: Sequence[Fault]) -> None:
    """Hand a server one mail for each fault; the reader's number is the fault's place, from 1."""
    with smtplib.SMTP("127.0.0.1", port, "client.example.org", timeout=30) as server:
        for number, fault in enumerate(faults, 1):
            text = MAIL.format(address=fault.address, number=number, body="A line of the letter.\n" * 50)
            sender = make_envelope_sender(KEY, number, EDITION, DOMAIN)
            server.sendmail(sender, [fault.address], text.replace("\n", "\r\n").encode())


def list_wrong(kept: Sequence[tuple[str, bytes]], faults: Sequence[Fault]) -> list[str]:
    """Return what is wrong with the bounces that came back: one for each fault must be there, and read rightly."""
    wrong = []
    for number, fault in enumerate(faults, 1):
        mails = find_bounces(kept, number)
        if len(mails) != 1:
            wrong.append(f"{fault.name}: {len(mails)} bounces came back")
        wrong += [f"{fault.name}: {said}" for raw in mails if (said := judge(raw, number, fault))]
    return wrong


def find_bounces(kept: Sequence[tuple[str, bytes]], number: int) -> list[bytes]:
    """Return the mails that came back to the address of one reader."""
    address = make_envelope_sender(KEY, number, EDITION, DOMAIN)
    return [raw for recipient, raw in kept if recipient == address]


def judge(raw: bytes, number: int, fault: Fault) -> str:
    """Return how a bounce was read, if that is wrong."""
    sender = make_envelope_sender(KEY, number, EDITION, DOMAIN)
    report = read_report(raw, OURS, envelope_to=sender)
    finding, named = report.finding, report.named
    if report.kind is not ReportKind.BOUNCE or finding is None or named is None:
        return f"{report.kind}, named {named}"
    found = (finding.recipient, finding.reason, finding.severity, named.subscriber_id, named.edition_id)
    wanted = (fault.address, fault.reason, fault.severity, number, EDITION)
    return "" if found == wanted else f"read as {found}: {finding.diagnostic}"


Run = Callable[[Path, Routes], AbstractContextManager[int]]


def try_server(name: str, run: Run, keep: Path | None) -> list[str]:
    """Let a server meet every fault; print what came back and return what is wrong with it."""
    faults = list_faults(name)
    with make_folder() as folder, Sink() as sink, run(folder, Routes(sink.port, sink.ports)) as port:
        send(port, faults)
        wait_until(lambda: len(sink.kept) >= len(faults), PATIENCE)
    for number, fault in enumerate(faults, 1):
        for raw in find_bounces(sink.kept, number):
            finding = read_report(raw).finding
            said = f"{finding.reason}, {finding.severity}: {finding.diagnostic[:90]}" if finding else "nothing"
            print(f"{name:<10} {fault.name:<11} {said}")
            if keep:
                (keep / f"{name}-{fault.name}.eml").write_bytes(raw.replace(b"\r\n", b"\n"))
    return [f"{name} {said}" for said in list_wrong(sink.kept, faults)]


def main() -> int:
    """Try all three, and say what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, metavar="FOLDER")
    parser.add_argument("--cache", type=Path, default=CACHE, metavar="FOLDER")
    words = parser.parse_args()
    unpack(words.cache)
    servers: dict[str, Run] = {
        "postfix": run_postfix,
        "exim": lambda folder, routes: run_exim(folder, routes, words.cache),
        "opensmtpd": lambda folder, routes: run_opensmtpd(folder, routes, words.cache),
    }
    wrong = [said for name, run in servers.items() for said in try_server(name, run, words.keep)]
    print(*wrong or ["every bounce came back and was read rightly"], sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
