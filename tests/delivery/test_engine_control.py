"""The engine stops when it is told to, and by itself when the answers look wrong."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import update

from newsletter.config import Delivery as Rules
from newsletter.delivery.lanes import Mail
from newsletter.model.control import Control, ControlChange, ControlState, Stage
from newsletter.model.delivery import Audit
from newsletter.model.edition import Edition
from newsletter.store.controls import cancel_edition, load_control, pause_edition, resume_edition
from newsletter.store.database import Database
from newsletter.store.schema import deliveries
from tests.delivery.conftest import NOW, publish
from tests.delivery.ledgers import LATER, LOST, NOBODY, Answer, FakeTransport, Run, number_of, readers

HALTED = ControlState.HALTED


@pytest.fixture
def run(database: Database, edition: Edition, tmp_path: Path) -> Run:
    return Run(database, publish(database, edition, 40), tmp_path / "journal", ahead=8)


def control_of(run: Run) -> Control:
    with run.database.read() as connection:
        return load_control(connection, run.stored.id)


def order(run: Run, what: Callable[..., ControlChange]) -> None:
    with run.database.transaction() as connection:
        what(connection, run.stored.id, NOW)


def order_at(run: Run, number: int, what: Callable[..., ControlChange]) -> Callable[[Mail], None]:
    """Give an order while a reader's mail is on the wire."""
    return lambda mail: order(run, what) if number_of(mail) == number else None


def put(run: Run, stage: Stage, *numbers: int) -> None:
    with run.database.transaction() as connection:
        connection.execute(update(deliveries).where(deliveries.c.subscriber_id.in_(numbers)).values(stage=stage))


async def test_a_pause_ends_the_run_at_its_next_page_and_resume_goes_on_with_who_is_left(run: Run) -> None:
    first = FakeTransport(on_wire=order_at(run, 5, pause_edition), width=1)
    tally = await run.deliver(first)
    assert 5 <= tally.sent < 20
    assert run.audit() == Audit(40, tally.sent, 40 - tally.sent, 0, 0, 0, 0)
    stopped = await run.deliver(FakeTransport())
    assert (stopped.done, stopped.control.state) == (0, ControlState.PAUSED)
    order(run, resume_edition)
    second = FakeTransport()
    await run.deliver(second)
    assert sorted(first.sent + second.sent) == sorted(readers(*range(1, 41)))


async def test_a_cancellation_leaves_nobody_waiting(run: Run) -> None:
    transport = FakeTransport(on_wire=order_at(run, 5, cancel_edition), width=1)
    tally = await run.deliver(transport)
    assert 5 <= tally.sent == len(transport.sent) < 20
    assert run.audit() == Audit(40, tally.sent, 0, 0, 0, 40 - tally.sent, 0)


async def test_seeds_are_answered_before_anybody_else_is_sent_to(run: Run) -> None:
    run.rules = Rules(seeds=("reader30@example.net",), first_share=0.1)
    put(run, Stage.SEEDS, 30, 31)
    put(run, Stage.FIRST_SHARE, 20, 21, 22)
    transport = FakeTransport()
    assert (await run.deliver(transport)).sent == 40
    assert set(transport.sent[:2]) == set(readers(30, 31))
    assert set(transport.sent[2:5]) == set(readers(20, 21, 22))


async def test_stages_without_anybody_are_passed(run: Run) -> None:
    run.rules = Rules(seeds=("nobody@example.net",), first_share=0.1)
    assert (await run.deliver(FakeTransport())).sent == 40


@pytest.mark.parametrize("answer", [NOBODY, LATER, LOST])
async def test_a_seed_that_is_not_taken_halts_and_resume_goes_past_it(run: Run, answer: Answer) -> None:
    run.rules = Rules(seeds=("reader30@example.net",))
    put(run, Stage.SEEDS, 30, 31)
    first = FakeTransport({30: answer})
    await run.deliver(first)
    assert first.sent == readers(31)
    assert control_of(run).state is HALTED
    assert "1 seed was not taken" in control_of(run).reason
    assert (await run.deliver(FakeTransport())).done == 0
    order(run, resume_edition)
    assert (await run.deliver(FakeTransport())).sent == 38
    assert control_of(run).runs


async def test_a_jump_of_refusals_halts_before_much_more_is_sent(run: Run) -> None:
    run.ahead = 100
    run.rules = Rules(halt_after=10, halt_share=0.3)
    transport = FakeTransport(dict.fromkeys(range(11, 41), NOBODY), width=1)
    tally = await run.deliver(transport)
    assert (tally.sent, tally.failed) == (10, 5)
    assert run.audit() == Audit(40, sent=10, queued=25, deferred=0, failed=5, cancelled=0, unknown=0)
    assert control_of(run).reason == (
        "5 of the last 15 readers (33 %) were refused (5) or put off (0), most often: 550 5.1.1 nobody (5 of 5)."
    )


async def test_an_edition_that_everybody_has_had_an_answer_to_is_not_halted(run: Run) -> None:
    run.ahead = 100
    run.rules = Rules(halt_after=40, halt_share=0.3)
    tally = await run.deliver(FakeTransport(dict.fromkeys(range(21, 41), NOBODY)))
    assert (tally.sent, tally.failed) == (20, 20)
    assert control_of(run).runs
