"""Stock aiosmtplib as a benchmark peer: `wire_stock.py PORT CONNECTIONS SECONDS MESSAGE_FILE`.

One client a connection, `sendmail` after `sendmail` with bytes that need no building, on the default event loop: what a
program does that follows its manual. Prints its counts as one line of JSON.
"""

import argparse
import asyncio
import json
import time
from itertools import count
from pathlib import Path

import aiosmtplib


async def send(port: int, connections: int, seconds: float, message: bytes) -> dict[str, float]:
    """Send for so many seconds and return the counts."""
    numbers, done = count(), 0

    async def send_on(client: aiosmtplib.SMTP, end: float) -> None:
        nonlocal done
        while time.monotonic() < end:
            await client.sendmail("bounce@news.example.org", [f"reader{next(numbers)}@example.net"], message)
            done += 1

    clients = [
        aiosmtplib.SMTP(hostname="127.0.0.1", port=port, local_hostname="source.example.org", start_tls=False)
        for _ in range(connections)
    ]
    await asyncio.gather(*(client.connect() for client in clients))
    begin, cpu = time.monotonic(), time.process_time()
    await asyncio.gather(*(send_on(client, begin + seconds) for client in clients))
    took, cpu = time.monotonic() - begin, time.process_time() - cpu
    await asyncio.gather(*(client.quit() for client in clients))
    return {"messages": done, "seconds": took, "cpu": cpu}


def main() -> None:
    """Run one sender."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("connections", type=int)
    parser.add_argument("seconds", type=float)
    parser.add_argument("message", type=Path)
    words = parser.parse_args()
    print(json.dumps(asyncio.run(send(words.port, words.connections, words.seconds, words.message.read_bytes()))))


if __name__ == "__main__":
    main()
