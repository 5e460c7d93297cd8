"""How long `newsletter --help` takes, against a bare Python that imports argparse. Interleaved; wall time.

python benchmarks/startup.py
"""

import statistics
import subprocess
import sys
import time

ROUNDS = 21
OURS = [sys.executable, "-m", "newsletter", "--help"]
PEER = [sys.executable, "-c", "import argparse"]
TARGET = 2.5


def clock(command: list[str]) -> float:
    """Return the seconds that a command takes from start to end."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    """Print the ratio, pair by pair."""
    clock(OURS)
    clock(PEER)
    ratios = sorted(clock(OURS) / clock(PEER) for _ in range(ROUNDS))
    middle = statistics.median(ratios)
    print(f"newsletter --help / python -c 'import argparse': min {ratios[0]:.2f}, median {middle:.2f}, ", end="")
    print(f"max {ratios[-1]:.2f} (target: at most {TARGET})")


if __name__ == "__main__":
    main()
