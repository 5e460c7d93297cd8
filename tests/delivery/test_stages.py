"""When a run goes on to the next stage, and when it halts."""

from collections.abc import Iterable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter import config
from newsletter.delivery.stages import LEAST, WINDOW, GoOn, Halt, NextStage, Stages, decide_first_stage
from newsletter.model.control import Stage
from newsletter.model.delivery import DeliveryState, Reply, Settlement

NOW = datetime(2024, 5, 25, tzinfo=UTC)
OK = Reply(250, "2.0.0", "taken")
BLOCKED = Reply(550, "5.7.1", "blocked")
LATER = Reply(451, "4.7.1", "try later")
SENT, FAILED = DeliveryState.SENT, DeliveryState.FAILED
DEFERRED, UNKNOWN = DeliveryState.DEFERRED, DeliveryState.UNKNOWN


def make(*, seeds: Iterable[str] = (), share: float = 0.0, halt_share: float = 0.3, halt_after: int = 50) -> Stages:
    rules = config.Delivery(seeds=tuple(seeds), first_share=share, halt_share=halt_share, halt_after=halt_after)
    return Stages(rules)


def answer(stages: Stages, number: int, state: DeliveryState = SENT, reply: Reply = OK, attempts: int = 1) -> None:
    for _ in range(number):
        stages.count(Settlement(1, state, reply, attempts, NOW, NOW if state is DEFERRED else None))


def alarmed(stages: Stages) -> bool:
    return stages.alarm


def stage_of(stages: Stages) -> Stage:
    return stages.stage


@pytest.mark.parametrize(
    ("seeds", "share", "stage"),
    [(("a@example.org",), 0.1, Stage.SEEDS), ((), 0.1, Stage.FIRST_SHARE), ((), 0.0, Stage.REST)],
)
def test_a_run_begins_at_the_first_stage_there_is(seeds: tuple[str, ...], share: float, stage: Stage) -> None:
    assert decide_first_stage(config.Delivery(seeds=seeds, first_share=share)) is stage
    assert make(seeds=seeds, share=share).stage is stage


def test_seeds_come_first_then_a_first_share_then_the_rest() -> None:
    stages = make(seeds=["a@example.org"], share=0.1)
    answer(stages, 2)
    assert stages.decide(1, claimed_none=True) == GoOn(), "one seed has not been answered"
    assert stages.decide(0, claimed_none=False) == GoOn(), "more seeds may wait"
    assert stages.decide(0, claimed_none=True) == NextStage()
    stages.advance()
    assert stage_of(stages) is Stage.FIRST_SHARE
    assert stages.decide(0, claimed_none=True) == NextStage()
    stages.advance()
    assert stage_of(stages) is Stage.REST
    assert stages.decide(0, claimed_none=True) == GoOn(), "there is no stage after the rest"


def test_seeds_are_followed_by_the_rest_where_no_first_share_is_asked_for() -> None:
    stages = make(seeds=["a@example.org"])
    stages.advance()
    assert stage_of(stages) is Stage.REST


@pytest.mark.parametrize(
    ("state", "reply", "reason"),
    [
        (FAILED, BLOCKED, "1 seed was not taken (1 refused): 550 5.7.1 blocked (1 of 1)."),
        (DEFERRED, LATER, "1 seed was not taken (1 put off): 451 4.7.1 try later (1 of 1)."),
        (UNKNOWN, Reply(0, "", "timed out."), "1 seed was not taken (1 unknown): timed out (1 of 1)."),
    ],
)
def test_any_seed_that_is_not_taken_halts_at_once(state: DeliveryState, reply: Reply, reason: str) -> None:
    stages = make(seeds=["a@example.org"], halt_share=0)
    answer(stages, 9)
    assert not alarmed(stages)
    answer(stages, 1, state, reply)
    assert alarmed(stages)
    assert stages.decide(5, claimed_none=False) == Halt(reason)
    assert stages.decide(0, claimed_none=True) == Halt(reason)


def test_several_seeds_are_told_together() -> None:
    stages = make(seeds=["a@example.org"])
    answer(stages, 1, DEFERRED, LATER)
    answer(stages, 2, FAILED, BLOCKED)
    reason = "3 seeds were not taken (2 refused and 1 put off): 550 5.7.1 blocked (2 of 3)."
    assert stages.decide(0, claimed_none=True) == Halt(reason)


def test_a_jump_of_refusals_halts_with_numbers_and_the_most_frequent_reply() -> None:
    stages = make()
    answer(stages, 35)
    answer(stages, 4, DEFERRED, LATER)
    answer(stages, 10, FAILED, BLOCKED)
    assert not alarmed(stages), "49 are not enough"
    answer(stages, 1, FAILED, Reply(550, "5.1.1", "no such user"))
    assert alarmed(stages)
    assert stages.decide(7, claimed_none=False) == Halt(
        "15 of the last 50 readers (30 %) were refused (11) or put off (4), most often: 550 5.7.1 blocked (10 of 15)."
    )


def test_a_little_trouble_does_not_halt() -> None:
    stages = make()
    for _ in range(1000):
        answer(stages, 3)
        answer(stages, 1, FAILED, BLOCKED)
        assert not alarmed(stages)
    assert stages.decide(1, claimed_none=False) == GoOn()


def test_trouble_that_begins_late_halts_however_well_it_began() -> None:
    stages = make(halt_after=50)
    answer(stages, 100_000)
    answer(stages, 59, FAILED, BLOCKED)
    assert not alarmed(stages)
    answer(stages, 1, FAILED, BLOCKED)
    assert stages.decide(1, claimed_none=False) == Halt(
        f"60 of the last {WINDOW * 50} readers (30 %) were refused (60) or put off (0), "
        "most often: 550 5.7.1 blocked (60 of 60)."
    )


def test_trouble_that_is_over_is_forgotten() -> None:
    stages = make(halt_after=10)
    for _ in range(20):
        answer(stages, 29)
        answer(stages, 11, FAILED, BLOCKED)
        assert not alarmed(stages), "11 of the last 40"


def test_unknown_is_neither_a_refusal_nor_a_deferral() -> None:
    stages = make()
    answer(stages, 200, UNKNOWN)
    assert not alarmed(stages)


def test_who_was_put_off_before_says_nothing_about_this_edition() -> None:
    stages = make(seeds=["a@example.org"])
    answer(stages, 300, DEFERRED, LATER, attempts=2)
    assert not alarmed(stages)
    stages.advance()
    answer(stages, 300, FAILED, BLOCKED, attempts=3)
    assert not alarmed(stages)


def test_a_halt_share_of_zero_never_halts() -> None:
    stages = make(halt_share=0)
    answer(stages, 500, FAILED, BLOCKED)
    assert stages.decide(1, claimed_none=False) == GoOn()


def test_nothing_is_halted_that_is_over() -> None:
    stages = make()
    answer(stages, 60, FAILED, BLOCKED)
    assert stages.decide(0, claimed_none=True) == GoOn()
    assert stages.decide(0, claimed_none=False) == GoOn(), "the next claim will show whether it is over"
    assert isinstance(stages.decide(1, claimed_none=False), Halt)


@pytest.mark.parametrize(("answers", "move"), [(LEAST - 1, NextStage), (LEAST, Halt)])
def test_a_small_first_share_is_judged_when_it_ends(answers: int, move: type) -> None:
    stages = make(share=0.1)
    answer(stages, answers, FAILED, BLOCKED)
    assert stages.decide(1, claimed_none=True) == GoOn()
    assert isinstance(stages.decide(0, claimed_none=True), move)


def test_a_long_reply_is_cut() -> None:
    stages = make(seeds=["a@example.org"])
    answer(stages, 1, FAILED, Reply(550, "", "x" * 500))
    move = stages.decide(0, claimed_none=True)
    assert isinstance(move, Halt)
    assert len(move.reason) < 200


@given(
    answers=st.lists(st.sampled_from([SENT, FAILED, DEFERRED, UNKNOWN]), max_size=300),
    share=st.floats(0.05, 1),
    after=st.integers(10, 40),
)
def test_the_running_count_is_the_count_of_the_window(answers: list[DeliveryState], share: float, after: int) -> None:
    stages = make(halt_share=share, halt_after=after)
    for number, state in enumerate(answers, 1):
        answer(stages, 1, state)
        window = answers[max(0, number - WINDOW * after) : number]
        trouble = sum(one in (FAILED, DEFERRED) for one in window)
        expected = len(window) >= after and trouble >= share * len(window)
        assert alarmed(stages) == expected
        assert isinstance(stages.decide(1, claimed_none=False), Halt) == expected
