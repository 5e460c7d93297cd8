"""The whole engine: personalised, RSA-signed, ledger on SQLite FULL, against nodemailer with DKIM and its own parts.

    python benchmarks/engine.py signed              interleaved rounds; ratios as min, median, max
    python benchmarks/engine.py million             one edition to 1,000,000 readers: memory, and a flat rate

Everything is on this machine, on any of its cores: the sink takes what the sender leaves.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

sys.path.insert(0, str(Path(__file__).parent.parent))  # run as a file, it must find its neighbours
from benchmarks.wire_peers import (
    CONNECTIONS,
    HERE,
    MESSAGE_SIZE,
    Place,
    install_nodemailer,
    run_fast_sink,
    write_message,
)

SECONDS = 5.0
READERS = 24_000
MILLION = 1_000_000
LONGEST = 1800.0


def send_ours(port: int, readers: int, *flags: str) -> dict[str, float]:
    """Run our engine in a process of its own and return what it measured."""
    words: list[str | Path] = [
        sys.executable,
        HERE / "engine_ours.py",
        str(port),
        str(readers),
        str(MESSAGE_SIZE),
        *flags,
    ]
    done = subprocess.run(words, check=True, capture_output=True, text=True, timeout=LONGEST)
    counts: dict[str, float] = json.loads(done.stdout)
    if counts["messages"] != readers or not counts["holds"]:
        raise RuntimeError(f"not everybody was sent the mail: {counts}")
    return counts


def send_nodemailer(port: int, key: Path) -> float:
    """Run nodemailer and return its rate."""
    script = HERE / "peers" / "nodemailer_dkim.mjs"
    words: list[str | Path] = ["node", script, str(port), str(CONNECTIONS), str(SECONDS), write_message(), key]
    counts = json.loads(Place().run(words, install_nodemailer()))
    return float(counts["messages"] / counts["seconds"])


def write_key(folder: Path) -> Path:
    """Write an RSA key for nodemailer; ours makes its own."""
    path = folder / "key.pem"
    key = generate_private_key(65537, 2048)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


def show(name: str, ratios: Sequence[float], target: str) -> None:
    """Print one row."""
    low, middle, high = min(ratios), statistics.median(ratios), max(ratios)
    print(f"{name:<52} {low:8.2f} {middle:8.2f} {high:8.2f}   {target}")


def run_signed(rounds: int) -> None:
    """Compare, interleaved."""
    peers, ledgers, rates = [], [], []
    with tempfile.TemporaryDirectory() as folder, run_fast_sink(Place()) as port:
        key = write_key(Path(folder))
        for number in range(rounds):
            whole = send_ours(port, READERS, "--dkim")
            bare = send_ours(port, READERS, "--dkim", "--no-ledger")
            peer = send_nodemailer(port, key)
            rates.append(whole["rate"])
            peers.append(whole["rate"] / peer)
            ledgers.append(1 - whole["rate"] / bare["rate"])
            line = f"round {number + 1}: ours {whole['rate']:,.0f}/s, no ledger {bare['rate']:,.0f}/s, "
            print(f"{line}nodemailer {peer:,.0f}/s", file=sys.stderr)
    print(f"{'':<52} {'min':>8} {'median':>8} {'max':>8}   target")
    show("whole, signed / nodemailer with DKIM", peers, ">= 6.5")
    show("what the ledger costs of the same run", ledgers, "<= 0.10")


def run_million(readers: int) -> None:
    """Send one edition to a million readers."""
    with run_fast_sink(Place()) as port:
        counts = send_ours(port, readers)
    print(f"{readers:,} readers in {counts['seconds']:,.0f} s, {counts['rate']:,.0f}/s, audit holds")
    print(f"peak memory {counts['peak_mb']:.0f} MB (target <= 150)")
    print(f"rate of the last tenth / first tenth {counts['flatness']:.2f} (target 0.85 to 1.15)")


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["signed", "million"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--readers", type=int, default=MILLION)
    words = parser.parse_args()
    if words.what == "signed":
        run_signed(words.rounds)
    else:
        run_million(words.readers)


if __name__ == "__main__":
    main()
