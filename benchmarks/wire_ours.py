"""Our sender in a benchmark: `wire_ours.py PORT CONNECTIONS SECONDS MESSAGE_FILE WINDOW`.

Sends personalised copies of MESSAGE_FILE over `delivery.wire` and prints its counts as one line of JSON. Each QQTOKENQQ
in the file begins a field of 32 bytes that is filled anew for each mail, as in `peers/source.c`.
"""

import argparse
import asyncio
import json
import resource
import time
from collections import Counter
from pathlib import Path

import uvloop

from newsletter.delivery.exchange import Prepared, Result, compose_commands
from newsletter.delivery.policy import Phase
from newsletter.delivery.wire import Wire

FIELD_WIDTH = 32
SENDER = "bounce@news.example.org"


def load_segments(path: Path) -> list[bytes]:
    """Return a message's pieces; a field goes between each two of them."""
    first, *others = path.read_bytes().split(b"QQTOKENQQ")
    return [first, *(piece[FIELD_WIDTH - len(b"QQTOKENQQ") :] for piece in others)]


class Source:
    """Mails without end, until it is time to stop; counts what comes of them."""

    def __init__(self, segments: list[bytes], until: float) -> None:
        self.begun = 0
        self.done = 0
        self.others: Counter[str] = Counter()
        self._body = [b""] * (2 * len(segments) - 1)
        self._body[::2] = segments
        self._until = until

    def next_message(self) -> Prepared[int] | None:
        """Compose the next mail; the time is looked at now and then."""
        number = self.begun
        if number % 64 == 0 and time.monotonic() >= self._until:
            self._until = 0.0
        if not self._until:
            return None
        self.begun = number + 1
        body = self._body.copy()
        body[1::2] = [b"%032d" % number] * (len(body) // 2)
        return Prepared(number, ENVELOPE % number, body)

    def before_body(self, _: Prepared[int]) -> None:
        """Keep no journal: this measures the wire."""

    def on_result(self, _: Prepared[int], result: Result) -> None:
        """Count."""
        if result.phase is Phase.DOT and 200 <= result.reply.code < 300:
            self.done += 1
        else:
            self.others[f"{result.phase}: {result.reply}"] += 1


ENVELOPE = compose_commands(SENDER, "reader%016d@example.net").replace(b"%%", b"%")


async def send(port: int, connections: int, seconds: float, segments: list[bytes], window: int) -> dict[str, object]:
    """Send for so many seconds and return the counts."""
    wires = [
        Wire(hostname="127.0.0.1", port=port, tls="none", local_hostname="source.example.org", window=window)
        for _ in range(connections)
    ]
    await asyncio.gather(*(wire.connect() for wire in wires))
    begin, cpu = time.monotonic(), time.process_time()
    source = Source(segments, begin + seconds)
    await asyncio.gather(*(wire.pump(source.next_message, source.before_body, source.on_result) for wire in wires))
    took, cpu = time.monotonic() - begin, time.process_time() - cpu
    await asyncio.gather(*(wire.quit() for wire in wires))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"messages": source.done, "seconds": took, "cpu": cpu, "peak_mb": peak, "others": dict(source.others)}


def main() -> None:
    """Run one sender."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("connections", type=int)
    parser.add_argument("seconds", type=float)
    parser.add_argument("message", type=Path)
    parser.add_argument("window", type=int)
    words = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        segments = load_segments(words.message)
        print(json.dumps(runner.run(send(words.port, words.connections, words.seconds, segments, words.window))))


if __name__ == "__main__":
    main()
