"""The whole engine: personalised, RSA-signed, ledger on SQLite FULL, against nodemailer with DKIM and its own parts.

    python benchmarks/engine.py signed              interleaved rounds; ratios as min, median, max
    python benchmarks/engine.py million             one edition to 1,000,000 readers: memory, and a flat rate

Everything is on this machine, on any of its cores: the sink takes what the sender leaves. What a signature costs is the
machine's, so a third contestant does nothing but sign (`rsa_ceiling.py`): nobody who signs each mail can beat it.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
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
    wait_for_quiet,
    write_message,
)

SECONDS = 5.0
READERS = 24_000
MILLION = 1_000_000
LONGEST = 1800.0
LEAST_OF_NODEMAILER, MOST_FOR_LEDGER = 6.5, 0.10
MOST_MEMORY, FLATTEST = 150.0, (0.85, 1.15)


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


def send_nodemailer(port: int, key: Path) -> dict[str, float]:
    """Run nodemailer and return what it measured."""
    script = HERE / "peers" / "nodemailer_dkim.mjs"
    words: list[str | Path] = ["node", script, str(port), str(CONNECTIONS), str(SECONDS), write_message(), key]
    counts: dict[str, float] = json.loads(Place().run(words, install_nodemailer()))
    return counts | {"rate": counts["messages"] / counts["seconds"]}


def sign_only(key: Path) -> dict[str, float]:
    """Run RSA alone on every core and return what it measured."""
    counts: dict[str, float] = json.loads(Place().run([sys.executable, HERE / "rsa_ceiling.py", key, str(SECONDS)]))
    return counts


def write_key(folder: Path) -> Path:
    """Write an RSA key for the peers; ours makes its own."""
    path = folder / "key.pem"
    key = generate_private_key(65537, 2048)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


@dataclass(frozen=True, slots=True)
class Round:
    """What the contestants of one round measured; `cpu` is seconds of processor time."""

    whole: dict[str, float]
    bare: dict[str, float]
    peer: dict[str, float]
    ceiling: dict[str, float]

    @property
    def ledger(self) -> float:
        """Return the share of the whole run's time that the ledger takes."""
        return 1 - self.whole["rate"] / self.bare["rate"]

    @property
    def ledger_cpu(self) -> float:
        """Return the same by processor time, which neighbours on the machine leave alone."""
        return 1 - self.bare["cpu"] / self.whole["cpu"]

    @property
    def beyond_rsa(self) -> float:
        """Return the microseconds of processor time that a mail takes us besides its RSA signature."""
        signing = self.ceiling["cpu"] / self.ceiling["signatures"]
        return 1e6 * (self.whole["cpu"] / self.whole["messages"] - signing)


def take_turns(port: int, key: Path, readers: int) -> Round:
    """Run each contestant once."""
    return Round(
        whole=send_ours(port, readers, "--dkim"),
        bare=send_ours(port, readers, "--dkim", "--no-ledger"),
        peer=send_nodemailer(port, key),
        ceiling=sign_only(key),
    )


def show(name: str, values: Sequence[float], target: str = "") -> None:
    """Print one row."""
    low, middle, high = min(values), statistics.median(values), max(values)
    print(f"{name:<58} {low:8.2f} {middle:8.2f} {high:8.2f}   {target}")


def run_signed(rounds: int, readers: int, patience: float) -> int:
    """Compare, interleaved; return 1 when a median misses its target."""
    done: list[Round] = []
    with tempfile.TemporaryDirectory() as folder, run_fast_sink(Place()) as port:
        key = write_key(Path(folder))
        for number in range(rounds):
            wait_for_quiet(patience)
            one = take_turns(port, key, readers)
            done.append(one)
            rates = (one.whole["rate"], one.bare["rate"], one.peer["rate"], one.ceiling["rate"])
            line = "ours {:,.0f}/s, without ledger {:,.0f}/s, nodemailer {:,.0f}/s, RSA alone {:,.0f}/s".format(*rates)
            print(f"round {number + 1}: {line}", file=sys.stderr, flush=True)
    peers = [one.whole["rate"] / one.peer["rate"] for one in done]
    ledgers = [one.ledger for one in done]
    print(f"{'':<58} {'min':>8} {'median':>8} {'max':>8}   target")
    show("whole, signed / nodemailer with DKIM", peers, ">= 6.5")
    show("RSA alone on every core / nodemailer with DKIM", [one.ceiling["rate"] / one.peer["rate"] for one in done])
    show("whole, signed / RSA alone on every core", [one.whole["rate"] / one.ceiling["rate"] for one in done])
    show("what the ledger costs of the same run", ledgers, "<= 0.10")
    show("the same of its processor time", [one.ledger_cpu for one in done])
    show("microseconds of a core for a mail, besides RSA", [one.beyond_rsa for one in done])
    return int(statistics.median(peers) < LEAST_OF_NODEMAILER or statistics.median(ledgers) > MOST_FOR_LEDGER)


def run_million(readers: int) -> int:
    """Send one edition to a million readers; return 1 when a target is missed."""
    with run_fast_sink(Place()) as port:
        counts = send_ours(port, readers)
    print(f"{readers:,} readers in {counts['seconds']:,.0f} s, {counts['rate']:,.0f}/s, audit holds")
    print(f"peak memory {counts['peak_mb']:.0f} MB (target <= 150)")
    print(f"rate of the last tenth / first tenth {counts['flatness']:.2f} (target 0.85 to 1.15)")
    flat = FLATTEST[0] <= counts["flatness"] <= FLATTEST[1]
    return int(counts["peak_mb"] > MOST_MEMORY or not flat)


def main() -> int:
    """Run what is asked for, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["signed", "million"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--readers", type=int, help=f"default {READERS:,} (signed) or {MILLION:,}")
    parser.add_argument(
        "--patience", type=float, default=5.0, help="seconds to wait for an idle machine, each round (5)"
    )
    words = parser.parse_args()
    if words.what == "signed":
        return run_signed(words.rounds, words.readers or READERS, words.patience)
    return run_million(words.readers or MILLION)


if __name__ == "__main__":
    sys.exit(main())
