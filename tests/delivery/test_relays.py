"""Several relays: shares by weight, and a run that goes on when one of them doesn't."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.delivery.desk import Tally
from newsletter.delivery.exchange import Result
from newsletter.delivery.lanes import Lane, Mail
from newsletter.delivery.policy import Fault, Phase
from newsletter.delivery.relay import RelayTransport
from newsletter.delivery.relays import CROWDED, FIRST_REST, LONGEST_REST, STRIKES, Relays, compute_width
from newsletter.errors import TransportError
from newsletter.model.delivery import DeliveryState, Reply
from newsletter.model.edition import Edition
from newsletter.store.database import Database
from tests.delivery.conftest import DROP, Relay, publish
from tests.delivery.ledgers import BARRED, BUSY, LOST, NOBODY, OK, FakeTransport, Run
from tests.delivery.paced import Clock
from tests.delivery.several import READERS, everybody, fakes, open_lane, over, pump, received, serve

SENDER_REFUSED = Result(Phase.MAIL, Reply(550, "5.1.8", "not you"))
SHUT = Fault(Reply(535, "5.7.8", "wrong password"), Phase.AUTH)


@pytest.fixture
def run(database: Database, edition: Edition, tmp_path: Path) -> Run:
    return Run(database, publish(database, edition, READERS), tmp_path / "journal")


@pytest.fixture
def engine_name() -> str:
    """Relays don't care which database it is."""
    return "sqlite"


@pytest.fixture
def mail(make_mail: Callable[..., Mail]) -> Mail:
    return make_mail("reader1@example.net", 1)


# Over real connections


async def test_each_reader_gets_one_mail_from_one_of_the_relays(run: Run) -> None:
    first, second = Relay(), Relay()
    async with serve(first, second):
        assert await run.deliver(over(first, second)) == Tally(sent=READERS)
    assert received(first, second) == everybody()
    assert first.connections == second.connections == 3
    assert min(len(first.mails), len(second.mails)) >= READERS / 4


@pytest.mark.parametrize(
    "script",
    [
        {"greeting": "554 5.3.2 no"},
        {"greeting": DROP},
        {"ehlo": "421 4.3.2 busy"},
        {"mail": "550 5.1.8 not you"},
        {"mail": ["250 2.1.0 ok"] * 12 + ["550 5.7.1 not any more"]},
        {"rcpt": "554 5.7.1 relay access denied"},
        {"data": "554 5.7.1 barred"},
    ],
)
async def test_a_relay_that_bars_us_is_set_aside_and_nobody_is_blamed(
    run: Run, script: Mapping[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = Relay(script), Relay()
    with caplog.at_level(logging.WARNING):
        async with serve(bad, good):
            transport = over(bad, good)
            tally = await run.deliver(transport)
            while tally.deferred:  # put off for being refused by a relay that had taken nothing yet
                assert tally.failed == 0
                run.now = max(
                    row.next_attempt_at for row in run.rows(DeliveryState.DEFERRED).values() if row.next_attempt_at
                )
                tally = await run.deliver(transport)
    assert received(bad, good) == everybody()
    assert "is set aside for 10 s" in caplog.text
    assert f"127.0.0.1:{bad.port}" in caplog.text


async def test_a_relay_that_is_not_there_costs_nothing_but_its_share(run: Run) -> None:
    gone, good = Relay(), Relay()
    async with gone.serve():
        transport = RelayTransport(gone.smtp(connections=3), "")
    async with good.serve():
        both = Relays([(transport, 1), (RelayTransport(good.smtp(connections=3), ""), 1)])
        assert await run.deliver(both) == Tally(sent=READERS)
    assert received(good) == everybody()


async def test_a_relay_that_breaks_down_in_the_middle_leaves_the_rest_to_the_other(run: Run) -> None:
    bad, good = Relay({"rcpt": ["250 2.1.5 ok"] * 9 + [DROP]}), Relay(delays={"dot": 0.02})
    async with serve(bad, good):
        tally = await run.deliver(over(bad, good))
    assert (tally.failed, tally.unknown) == (0, 0)
    assert tally.sent + tally.deferred == READERS
    assert max(received(bad, good).values()) == 1
    assert len(good.mails) >= READERS - 9 - tally.deferred
    assert tally.deferred <= 2 * STRIKES, "whoever was lost twice waits; the others don't notice"


async def test_the_run_ends_only_when_no_relay_is_left(run: Run) -> None:
    first, second = Relay({"mail": "550 5.1.8 not you"}), Relay({"greeting": "554 5.3.2 no"})
    async with serve(first, second):
        with pytest.raises(TransportError) as caught:
            await run.deliver(over(first, second))
    for told in ("5.1.8 not you", "5.3.2 no", str(first.port), str(second.port)):
        assert told in str(caught.value)
    assert run.audit().failed == 0
    assert run.audit().open == READERS


async def test_a_stop_while_lanes_wait_for_a_relay_is_quick(run: Run) -> None:
    busy, hung = Relay(delays={"dot": 0.05}), Relay(delays={"greeting": 60})
    async with serve(busy, hung):
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(0.3, stop.set)
        begin = asyncio.get_running_loop().time()
        tally = await run.deliver(over(busy, hung), stop)
        assert asyncio.get_running_loop().time() - begin < 1.5
    assert tally.stopped
    assert tally.sent == len(busy.mails)
    assert run.audit().unknown == 0


# Who gets the next lane


async def lanes_of(relays: Relays, *transports: FakeTransport) -> list[int]:
    for _ in range(relays.width):
        await open_lane(relays)
    return [len(transport.lanes) for transport in transports]


@pytest.mark.parametrize(
    ("weights", "connections", "shares"),
    [
        ((1, 1), (10, 10), [10, 10]),
        ((1, 3), (10, 30), [10, 30]),
        ((1, 3), (10, 10), [3, 10]),
        ((2, 1), (3, 10), [3, 1]),
        ((1, 100), (10, 10), [0, 10]),
    ],
)
async def test_lanes_are_shared_out_by_weight(
    weights: tuple[int, int], connections: tuple[int, int], shares: list[int]
) -> None:
    transports = [FakeTransport(width=width) for width in connections]
    relays = Relays(list(zip(transports, weights, strict=True)), Clock())
    assert await lanes_of(relays, *transports) == shares


@given(st.lists(st.tuples(st.integers(1, 200), st.integers(1, 1000)), min_size=1, max_size=6))
def test_the_width_lets_no_relay_have_more_than_its_connections(relays: list[tuple[int, int]]) -> None:
    width, whole = compute_width(relays), sum(weight for _, weight in relays)
    assert width >= len(relays)
    if width > len(relays):
        assert all(width * weight <= connections * whole for connections, weight in relays)


async def test_the_share_of_a_relay_that_is_set_aside_goes_to_the_others_up_to_their_connections() -> None:
    shut, good = FakeTransport(doors=[SHUT] * 9, width=4), FakeTransport(width=6)
    relays = Relays([(shut, 1), (good, 1)], Clock())
    assert relays.width == 8
    assert await lanes_of(relays, shut, good) == [0, 6]
    assert shut.knocks == 1, "the others needn't knock, too"


async def test_a_relay_that_wants_fewer_connections_gets_fewer_and_later_more(mail: Mail) -> None:
    clock = Clock()
    picky, other = FakeTransport(doors=[None, BUSY], width=3), FakeTransport(width=3)
    relays = fakes(picky, other, clock=clock)
    assert await lanes_of(relays, picky, other) == [1, 3]
    waiting = await open_lane(relays)
    clock.now += CROWDED
    assert await pump(waiting, mail) == [OK]
    assert len(picky.lanes) == 2


# Set aside, and back


async def test_a_relay_is_tried_again_by_one_lane_and_gets_its_share_when_it_takes_a_mail(mail: Mail) -> None:
    clock = Clock()
    shut, good = FakeTransport(doors=[SHUT], width=3), FakeTransport(width=3)
    relays = fakes(shut, good, clock=clock)
    assert await lanes_of(relays, shut, good) == [0, 3]
    clock.now += FIRST_REST - 0.1
    waiting = [await open_lane(relays) for _ in range(3)]
    assert shut.knocks == 1
    clock.now += 0.1
    pumps = [asyncio.create_task(pump(lane)) for lane in waiting[1:]]
    await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    assert len(shut.lanes) == 1, "one tries it"
    first = next(lane for lane, task in zip(waiting[1:], pumps, strict=True) if task.done())
    assert await pump(first, mail) == [OK]
    await asyncio.sleep(0.01)
    assert len(shut.lanes) == 2
    for lane in waiting:
        lane.stop()
    await asyncio.gather(*pumps)


async def test_a_relay_that_stays_away_is_tried_more_and_more_rarely() -> None:
    clock = Clock()
    shut, good = FakeTransport(doors=[SHUT] * 100, width=1), FakeTransport(width=1)
    relays = fakes(shut, good, clock=clock)
    knocks = list[float]()
    lane = await open_lane(relays)
    for _ in range(4000):
        await lane.close()
        lane = await open_lane(relays)
        if shut.knocks > len(knocks):
            knocks.append(clock.now)
        clock.now += 1.0
    pauses = [later - earlier for earlier, later in pairwise(knocks)]
    assert pauses[:4] == [FIRST_REST, 2 * FIRST_REST, 4 * FIRST_REST, 8 * FIRST_REST]
    assert max(pauses) == LONGEST_REST


async def test_lanes_of_a_relay_that_is_set_aside_begin_nothing_more(make_mail: Callable[..., Mail]) -> None:
    bad, good = FakeTransport({0: SENDER_REFUSED}, width=2), FakeTransport(width=2)
    relays = fakes(bad, good)
    lanes = [await open_lane(relays) for _ in range(2)]
    (result,) = await pump(lanes[0], make_mail("reader1@example.net"), make_mail("reader2@example.net"))
    assert (result.phase, result.reply.code) == (Phase.MAIL, 0)
    assert "relay0.test:587 doesn't take our mail: 550 5.1.8 not you" in result.reply.text
    assert not lanes[0].usable
    assert lanes[1].usable


async def test_policy_refusals_of_a_relay_that_has_taken_mail_are_the_readers(make_mail: Callable[..., Mail]) -> None:
    picky, other = FakeTransport({2: BARRED, 3: NOBODY}, width=1), FakeTransport(width=1)
    lane = await open_lane(fakes(picky, other))
    mails = [make_mail(f"reader{number}@example.net", number) for number in (1, 2, 3, 4)]
    assert await pump(lane, *mails) == [OK, BARRED, NOBODY, OK]
    assert lane.usable


async def test_policy_refusals_of_a_relay_that_has_taken_nothing_are_its_own(make_mail: Callable[..., Mail]) -> None:
    after_dot = Result(Phase.DOT, Reply(554, "5.7.1", "spam"))
    bad, good = FakeTransport({0: BARRED, 2: after_dot}, width=1), FakeTransport(width=1)
    lane = await open_lane(fakes(bad, good))
    results = await pump(lane, *(make_mail(f"reader{number}@example.net", number) for number in range(1, 9)))
    assert [(result.phase, result.reply.code) for result in results] == [
        (Phase.RCPT, 0),
        (Phase.DOT, 454),
        (Phase.RCPT, 0),
    ]
    assert not lane.usable


async def test_connections_lost_in_a_row_set_a_relay_aside_but_not_the_last_one(mail: Mail) -> None:
    dropping, good = FakeTransport({0: Result(Phase.MAIL, LOST.reply)}, width=1), FakeTransport(width=1)
    relays = fakes(dropping, good)
    for _ in range(STRIKES):
        lane = await open_lane(relays)
        assert (await pump(lane, mail))[0].reply.code == 0
        await lane.close()
    knocks = dropping.knocks
    assert await pump(await open_lane(relays), mail) == [OK]
    assert dropping.knocks == knocks
    alone = fakes(FakeTransport({0: Result(Phase.MAIL, LOST.reply)}, width=1))
    for _ in range(3 * STRIKES):
        lane = await open_lane(alone)
        await pump(lane, mail)
        await lane.close()


async def test_the_last_fault_tells_what_the_others_said() -> None:
    relays = fakes(FakeTransport(doors=[SHUT], width=1), FakeTransport(doors=[BUSY], width=1))
    fault = await relays.open_lane()
    assert isinstance(fault, Fault)
    assert fault.phase is Phase.GREETING
    assert fault.reply.code == 421
    assert "so says relay1.test:587" in fault.reply.text
    assert "relay0.test:587: 535 5.7.8 wrong password" in fault.reply.text
    assert relays.name == "relay0.test:587, relay1.test:587"


async def test_lanes_that_wait_hear_that_no_relay_is_left() -> None:
    bad, other = FakeTransport({0: SENDER_REFUSED}, width=1), FakeTransport({0: SENDER_REFUSED}, width=1)
    relays = fakes(bad, other)
    lanes = [await open_lane(relays) for _ in range(3)]
    waiting = asyncio.create_task(pump(lanes[2]))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    for lane in lanes[:2]:
        lane.retire()  # type: ignore[attr-defined] # as when the relay is set aside
        await lane.close()
    for member in relays._relays:
        relays._set_aside(member, SHUT)
    async with asyncio.timeout(1):
        assert await waiting == []
    assert not lanes[2].usable
    assert isinstance(await relays.open_lane(), Fault)


async def test_a_mail_in_flight_proves_nothing_of_a_relay_that_was_set_aside(run: Run) -> None:
    """Its dots are slow: mails are taken after it has refused to take any more."""
    spent = {"mail": ["250 2.1.0 ok"] * 5 + ["550 5.4.5 daily quota exceeded"]}
    first, second = Relay(dict(spent), delays={"dot": 0.1}), Relay(dict(spent), delays={"dot": 0.1})
    async with serve(first, second):
        with pytest.raises(TransportError, match="daily quota exceeded"):
            await run.deliver(over(first, second))
    assert run.audit().sent == len(first.mails) + len(second.mails)
    assert run.audit().failed == 0


async def test_mails_lost_with_one_connection_are_one_strike(make_mail: Callable[..., Mail]) -> None:
    class Losing(FakeTransport):
        """A connection that carries five mails, and loses all of them."""

        async def open_lane(self) -> Lane | Fault:
            lane = await super().open_lane()
            assert not isinstance(lane, Fault)
            return LosingLane(lane)

    class LosingLane:
        def __init__(self, lane: Lane) -> None:
            self.usable, self.stop, self.close = False, lane.stop, lane.close

        async def pump(
            self,
            next_mail: Callable[[], Mail | None],
            before_body: Callable[[Mail], None],
            on_result: Callable[[Mail, Result], None],
        ) -> None:
            for mail in [mail for mail in (next_mail() for _ in range(5)) if mail]:
                before_body(mail)
                on_result(mail, LOST)

    relays = fakes(Losing(width=1), FakeTransport(width=1))
    mails = [make_mail(f"reader{number}@example.net", number) for number in range(5)]
    for lost in range(STRIKES):
        assert relays._relays[0].strikes == lost
        lane = await open_lane(relays)
        assert await pump(lane, *mails) == [LOST] * 5
        await lane.close()
    assert relays._relays[0].rest_until > 0


async def test_a_reader_whose_address_one_relay_can_t_write_is_left_to_another(make_mail: Callable[..., Mail]) -> None:
    foreign = make_mail("用户@xn--fsqu00a.example")
    plain, able = Relay(), Relay({"ehlo": "250-relay.test\n250-8BITMIME\n250 SMTPUTF8"})
    async with serve(plain, able):
        relays = over(plain, able, connections=1)
        lanes = [await open_lane(relays) for _ in range(2)]
        results = [await pump(lane, foreign) for lane in lanes]
        for lane in lanes:
            await lane.close()
    codes = sorted(result.reply.code for (result,) in results)
    assert codes == [250, 454]
    assert able.recipients() == ["用户@xn--fsqu00a.example"]
    async with serve(plain, also_plain := Relay()):
        relays = over(plain, also_plain, connections=1)
        lanes = [await open_lane(relays) for _ in range(2)]
        results = [await pump(lane, foreign) for lane in lanes]
        for lane in lanes:
            await lane.close()
    assert sorted(result.reply.code for (result,) in results) == [454, 553]
