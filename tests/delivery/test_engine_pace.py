"""Limits in a whole run: over the real gate, books and ledger."""

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import case, update

from newsletter.config import Delivery as Rules
from newsletter.config import DomainPace, Pace
from newsletter.delivery.compose import make_compose
from newsletter.delivery.desk import Tally
from newsletter.delivery.engine import Engine
from newsletter.delivery.lanes import Mail
from newsletter.delivery.owner import load_owner
from newsletter.model.control import ControlState, Stage
from newsletter.model.delivery import PACED, Audit, Delivery, DeliveryState
from newsletter.model.edition import Edition
from newsletter.store.controls import cancel_edition
from newsletter.store.database import Database
from newsletter.store.editions import freeze_edition, load_edition, publish_edition
from newsletter.store.schema import deliveries
from tests.delivery.conftest import KEY, NOW, add_readers
from tests.delivery.ledgers import FakeTransport, Run

FAST, SLOW = 30, 60


@pytest.fixture
def run(database: Database, edition: Edition, tmp_path: Path) -> Run:
    """Two of three readers in a domain that gets one mail an hour; at most 40 are claimed at a time."""
    slow = [f"reader{number}@slow.example" for number in range(SLOW)]
    fast = [f"reader{number}@fast.example" for number in range(FAST)]
    add_readers(database, slow + fast)
    with database.transaction() as connection:
        frozen = freeze_edition(connection, edition, "source", NOW)
        publish_edition(connection, frozen.id, NOW)
        stored = load_edition(connection, edition.slug)
    assert stored
    pace = Pace(domains=(DomainPace(name="slow.example", per_hour=1),))
    return Run(database, stored, tmp_path / "journal", ahead=40, pace=pace)


def domains(transport: FakeTransport) -> Counter[str]:
    return Counter(address.partition("@")[2] for address in transport.sent)


async def send_until(run: Run, transport: FakeTransport, count: int) -> Tally:
    stop = asyncio.Event()
    return await run.deliver(transport, stop, progress=lambda tally: stop.set() if tally.sent >= count else None)


async def test_a_slow_domain_that_fills_the_claims_holds_up_nobody(run: Run) -> None:
    transport = FakeTransport()
    await send_until(run, transport, FAST + 1)
    assert domains(transport) == {"fast.example": FAST, "slow.example": 1}
    waiting = run.rows(DeliveryState.DEFERRED)
    assert len(waiting) + len(run.rows(DeliveryState.QUEUED)) == SLOW - 1
    assert {row.reply.text for row in waiting.values() if row.reply} == {PACED}
    assert all(row.attempts == 0 for row in waiting.values())
    assert run.audit().sent == FAST + 1


async def test_what_has_left_counts_after_a_restart(run: Run) -> None:
    await send_until(run, FakeTransport(), FAST + 1)
    again, stop = FakeTransport(), asyncio.Event()
    asyncio.get_running_loop().call_later(0.6, stop.set)
    await run.deliver(again, stop)
    assert again.sent == []


async def test_a_new_run_judges_anew_who_has_to_wait_for_his_turn(run: Run) -> None:
    await send_until(run, FakeTransport(), FAST + 1)
    assert run.rows(DeliveryState.DEFERRED)
    run.pace = Pace()
    again = FakeTransport()
    assert await run.deliver(again) == Tally(sent=SLOW - 1)
    assert domains(again) == {"slow.example": SLOW - 1}
    assert run.audit().sent == FAST + SLOW


def put_in_stages(run: Run) -> None:
    """Put every tenth reader of either domain into the first share."""
    with run.database.transaction() as connection:
        first = deliveries.c.subscriber_id % 10 == 0
        connection.execute(update(deliveries).values(stage=case((first, Stage.FIRST_SHARE), else_=Stage.REST)))


async def test_a_slow_domain_in_the_first_share_holds_up_nobody(run: Run) -> None:
    put_in_stages(run)
    run.rules = Rules(first_share=0.1)
    transport = FakeTransport()
    await send_until(run, transport, FAST + 1)
    assert domains(transport) == {"fast.example": FAST, "slow.example": 1}


async def test_a_newer_edition_need_not_wait_for_the_turns_of_a_slow_domain(run: Run) -> None:
    transport = FakeTransport()
    desk = replace(run.desk(transport, lambda _: None, load_owner("run")), is_overtaken=lambda: True)
    engine = Engine(desk)
    try:
        async with asyncio.timeout(10):
            tally = await engine.run(asyncio.Event())
    finally:
        desk.ledger.journal.close(keep=not engine.settled)
        desk.ledger.fence.close()
    assert tally == Tally(sent=FAST + 1)
    assert run.audit() == Audit(FAST + SLOW, FAST + 1, 0, SLOW - 1, 0, 0, 0)
    again = FakeTransport()
    run.pace = Pace()
    assert (await run.deliver(again)).sent == SLOW - 1


async def test_a_cancelled_edition_keeps_nobody_waiting_for_his_turn(run: Run) -> None:
    def cancel(mail: Mail) -> None:
        if len(transport.sent) == FAST - 5:
            with run.database.transaction() as connection:
                cancel_edition(connection, run.stored.id, NOW)

    transport = FakeTransport(on_wire=cancel)
    tally = await run.deliver(transport)
    assert tally.control.state is ControlState.CANCELLED
    audit = run.audit()
    assert (audit.queued, audit.deferred) == (0, 0)
    assert audit.holds


async def test_who_can_t_be_written_to_takes_no_turn_of_his_domain(run: Run) -> None:
    """At most so many of a slow domain are let in; these come first and get no mail."""
    compose = make_compose(run.stored.edition, run.stored.published_at, KEY, None)

    def refuse_the_first(delivery: Delivery) -> Mail:
        if delivery.address.endswith("@slow.example") and number_in(delivery) < 5:
            raise ValueError("no header can hold the name")
        return compose(delivery)

    run.compose = refuse_the_first
    transport = FakeTransport()
    await send_until(run, transport, FAST + 1)
    assert domains(transport) == {"fast.example": FAST, "slow.example": 1}


def number_in(delivery: Delivery) -> int:
    return int(delivery.address.removeprefix("reader").partition("@")[0])
