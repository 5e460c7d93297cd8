"""How much a relay gets: its limits over all its connections, and less when it asks for less."""

import asyncio
from collections.abc import Callable
from time import monotonic

import pytest

from newsletter.delivery.exchange import Result
from newsletter.delivery.lanes import Lane, Mail
from newsletter.delivery.meter import make_limits
from newsletter.delivery.policy import Fault, Phase
from newsletter.delivery.relay import RelayPace, RelayTransport
from newsletter.model.delivery import Reply
from tests.delivery.conftest import Relay
from tests.delivery.paced import SLOWER, TAKEN, Clock, count_in_worst_window

MakeMail = Callable[..., Mail]
BUSY = Result(Phase.MAIL, Reply(451, "4.3.2", "busy"))
CLOSING = Result(Phase.MAIL, Reply(421, "4.7.0", "enough on this connection"))


def make_pace(per_second: int = 0, per_hour: int = 0, clock: Callable[[], float] = monotonic) -> RelayPace:
    meters = Clock().meters()
    return RelayPace(meters.find("relay:x:25", make_limits(per_second, per_hour, 0)), clock=clock)


async def open_lane(transport: RelayTransport) -> Lane:
    lane = await transport.open_lane()
    assert not isinstance(lane, Fault), lane
    return lane


async def pump(lane: Lane, waiting: list[Mail], times: list[float]) -> None:
    async with asyncio.timeout(10):
        await lane.pump(
            lambda: waiting.pop(0) if waiting else None,
            lambda _: times.append(asyncio.get_running_loop().time()),
            lambda _, result: None,
        )


async def test_all_connections_of_a_relay_share_its_limit(make_mail: MakeMail) -> None:
    waiting, times = [make_mail(f"r{n}@example.net", n) for n in range(60)], list[float]()
    async with Relay({"ehlo": "250-relay.test\n250 PIPELINING"}).serve() as relay:
        transport = RelayTransport(relay.smtp(connections=4), "", make_pace(per_second=40))
        lanes = [await open_lane(transport) for _ in range(4)]
        await asyncio.gather(*(pump(lane, waiting, times) for lane in lanes))
        await asyncio.gather(*(lane.close() for lane in lanes))
    assert len(relay.mails) == 60
    assert relay.connections == 4
    assert count_in_worst_window(sorted(times), 0.99) <= 40
    assert 58 / 40 <= times[-1] - times[0] <= 60 / 38 * 1.3


async def test_a_lane_that_waits_for_its_relay_wakes_to_stop(make_mail: MakeMail) -> None:
    waiting = [make_mail(f"r{n}@example.net", n) for n in range(5)]
    async with Relay().serve() as relay:
        lane = await open_lane(RelayTransport(relay.smtp(), "", make_pace(per_hour=1)))
        pumping = asyncio.create_task(pump(lane, waiting, []))
        await asyncio.sleep(0.1)
        assert not pumping.done()
        lane.stop()
        async with asyncio.timeout(1):
            await pumping
        await lane.close()
    assert len(relay.mails) == 1
    assert len(waiting) == 4, "what it can't send, it doesn't take"


async def test_looking_for_mail_in_vain_costs_no_token() -> None:
    pace = make_pace(per_hour=1)
    async with Relay().serve() as relay:
        lane = await open_lane(RelayTransport(relay.smtp(), "", pace))
        for _ in range(3):
            await pump(lane, [], [])
        await lane.close()
    assert pace.open


def test_a_relay_that_puts_our_mail_off_gets_half() -> None:
    clock = Clock()
    meter = clock.meters().find("relay:x:25", {})
    pace = RelayPace(meter, clock=clock)
    for _ in range(200):
        pace.note(TAKEN)
        clock.now += 0.05
    pace.note(BUSY)
    assert not meter.limited, "one of 200 is noise"
    for _ in range(8):
        pace.note(BUSY)
    assert meter.rate == pytest.approx(10, rel=0.1)
    pace.take()
    assert meter.wait(clock.now) > 0
    while clock.now < 1050:
        clock.now += meter.wait(clock.now) + 1e-6
        pace.take()
        pace.note(TAKEN)
    assert meter.rate == pytest.approx(12.5, rel=0.1)


def test_what_is_about_a_reader_or_one_connection_slows_no_relay() -> None:
    clock = Clock()
    meter = clock.meters().find("relay:x:25", {})
    pace = RelayPace(meter, clock=clock)
    for result in [SLOWER, CLOSING, Result(Phase.MAIL, Reply(0, "", "lost"))] * 10:
        pace.note(result)
    assert not meter.limited


def test_who_wants_no_adaptation_gets_none() -> None:
    clock = Clock()
    meter = clock.meters().find("relay:x:25", {})
    pace = RelayPace(meter, adapt=False, clock=clock)
    for _ in range(30):
        pace.note(BUSY)
    assert not meter.limited
