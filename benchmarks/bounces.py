"""How many bounces are read a second on one core, and how that compares with flufl.bounce on the same mails.

    python benchmarks/bounces.py [FOLDER]

Without a folder the mails are the tests' samples that return a mail, which is blown up to 8 KB. Rounds are interleaved,
processor time counts. flufl.bounce only looks for recipients; ours also finds codes, reasons, severity
and signed names. Exits with 1 when the target is missed.
"""

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from email import message_from_bytes
from pathlib import Path

from flufl.bounce import all_failures

from newsletter.mail.reports.read import Ours, read_report

ROUNDS = 7
TARGET = 500
SAMPLES = Path(__file__).parent.parent / "tests" / "mail" / "reports" / "samples"
OURS = Ours([b"k" * 32], "bounces.example.org", "unsubscribe@bounces.example.org")
RETURNED = b"The mail itself.\n"
FILLER = b"Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt.\n" * 85


def load(folder: Path) -> list[bytes]:
    """Return the mails of a folder, in the order of their names; of our samples those that return a mail."""
    mails = [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()]
    if folder != SAMPLES:
        return mails
    return [mail.replace(RETURNED, RETURNED + FILLER) for mail in mails if RETURNED in mail]


def read_ours(mail: bytes) -> None:
    """Read a mail as the intake does."""
    read_report(mail, OURS)


def read_theirs(mail: bytes) -> None:
    """Look for a mail's recipients with flufl.bounce."""
    all_failures(message_from_bytes(mail))


def clock(read: Callable[[bytes], None], mails: Sequence[bytes]) -> float:
    """Return how many mails a second of processor time are read."""
    started = time.process_time()
    for mail in mails:
        read(mail)
    return len(mails) / (time.process_time() - started)


def main() -> int:
    """Print both rates, and the ratio round by round."""
    mails = load(Path(sys.argv[1]) if len(sys.argv) > 1 else SAMPLES)
    size = statistics.mean(map(len, mails)) / 1024
    print(f"{len(mails)} mails, {size:.1f} KB on average, {max(map(len, mails)) / 1024:.0f} KB the largest")
    rounds = [(clock(read_ours, mails), clock(read_theirs, mails)) for _ in range(ROUNDS)]
    for name, rates in (("ours", [ours for ours, _ in rounds]), ("flufl.bounce", [theirs for _, theirs in rounds])):
        low, middle, high = min(rates), statistics.median(rates), max(rates)
        print(f"{name}: min {low:.0f}, median {middle:.0f}, max {high:.0f} mails a second")
    ratios = sorted(ours / theirs for ours, theirs in rounds)
    print(f"ours / flufl.bounce: min {ratios[0]:.2f}, median {statistics.median(ratios):.2f}, max {ratios[-1]:.2f}")
    reached = statistics.median(ours for ours, _ in rounds) >= TARGET
    print(f"target: at least {TARGET} a second{'' if reached else ', missed'}")
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
