"""Several relays at once, real ones and fakes, and what is pumped through them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from newsletter.delivery.exchange import Result
from newsletter.delivery.lanes import Lane, Mail
from newsletter.delivery.policy import Fault
from newsletter.delivery.relay import RelayTransport
from newsletter.delivery.relays import Relays
from tests.delivery.conftest import Relay
from tests.delivery.ledgers import FakeTransport
from tests.delivery.paced import Clock

READERS = 60


@asynccontextmanager
async def serve(*relays: Relay) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for relay in relays:
            await stack.enter_async_context(relay.serve())
        yield


def over(*relays: Relay, connections: int = 3, clock: Callable[[], float] | None = None) -> Relays:
    pairs = [(RelayTransport(relay.smtp(connections=connections), ""), 1) for relay in relays]
    return Relays(pairs, clock) if clock else Relays(pairs)


def fakes(*relays: FakeTransport, clock: Callable[[], float] | None = None) -> Relays:
    for number, relay in enumerate(relays):
        relay.name = f"relay{number}.test:587"
    return Relays([(relay, 1) for relay in relays], clock or Clock())


def received(*relays: Relay) -> Counter[str]:
    return Counter(reader for relay in relays for reader in relay.recipients())


def everybody() -> Counter[str]:
    return Counter(f"reader{number}@example.net" for number in range(1, READERS + 1))


async def pump(lane: Lane, *mails: Mail) -> list[Result]:
    waiting, results = list(mails), list[Result]()
    async with asyncio.timeout(5):
        await lane.pump(
            lambda: waiting.pop(0) if waiting else None, lambda _: None, lambda _, result: results.append(result)
        )
    return results


async def open_lane(relays: Relays) -> Lane:
    lane = await relays.open_lane()
    assert not isinstance(lane, Fault), lane
    return lane
