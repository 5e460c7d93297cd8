"""Limits in a whole run: over the real gate, books and ledger."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from newsletter.config import DomainPace, Pace
from newsletter.delivery.desk import Tally
from newsletter.model.delivery import DeliveryState
from newsletter.model.edition import Edition
from newsletter.store.database import Database
from newsletter.store.deliveries import PACED
from newsletter.store.editions import freeze_edition, load_edition, publish_edition
from tests.delivery.conftest import NOW, add_readers
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
