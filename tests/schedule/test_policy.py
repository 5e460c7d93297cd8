"""What becomes of a slot, case by case."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter import config
from newsletter.model.edition import EditionKind
from newsletter.model.slot import Plan, Slot, SlotKey, SlotState, Why
from newsletter.schedule.policy import (
    NO_ISSUE,
    QUIET,
    SKEW,
    UNPLANNED,
    Absent,
    Adopt,
    Decision,
    Faulty,
    Findings,
    Out,
    Publish,
    Ready,
    Reopen,
    Settle,
    Wait,
    decide_slot,
    decide_telling,
    decide_warning,
    describe_lateness,
    list_problems,
    needs_findings,
)

DUE = datetime(2024, 5, 25, 5, 30, tzinfo=UTC)
SLOT = Slot(Plan(SlotKey(EditionKind.ISSUE, date(2024, 5, 25)), DUE, "07:30", "Europe/Berlin"), SlotState.DUE)
RULES = config.Schedule(at="07:30")
BROKEN = Faulty(Why.ERRORS, "issues/2024-05-25.md:3:1: error: …")


def held(why: Why = Why.ERRORS, detail: str = BROKEN.detail) -> Slot:
    return replace(SLOT, state=SlotState.HELD, why=why, detail=detail, decided_at=DUE)


def decide(found: Findings | None, hours: float = 0, slot: Slot = SLOT, planned: bool = True, **rules: Any) -> Decision:
    """Decide so many hours after the slot's time."""
    chosen = config.Schedule(at="07:30", **rules)
    return decide_slot(slot, found, chosen, DUE + timedelta(hours=hours), planned=planned)


def test_before_its_time_a_slot_waits_whatever_there_is() -> None:
    for found in (Ready(), Absent(), BROKEN, None):
        assert decide(found, -0.001) == Wait()


def test_at_its_time_and_within_the_grace_it_is_published() -> None:
    assert decide(Ready()) == Publish()
    assert decide(Ready(), 3) == Publish()


@pytest.mark.parametrize(
    ("late", "decision"),
    [
        ("hold", Settle(SlotState.HELD, Why.LATE, "")),
        ("skip", Settle(SlotState.MISSED, Why.LATE, "")),
    ],
)
def test_a_machine_asleep_over_the_slot_is_too_late(late: str, decision: Decision) -> None:
    assert decide(Ready(), 3.01, late=late) == decision


def test_what_is_held_as_too_late_waits_for_a_human() -> None:
    for found in (Ready(), BROKEN):
        assert decide(found, 3.01, slot=held(Why.LATE, "")) == Wait()


def test_without_an_issue_it_is_skipped_or_held_as_configured() -> None:
    skipped = Settle(SlotState.SKIPPED, Why.NO_ISSUE, NO_ISSUE)
    waiting = held(Why.NO_ISSUE, NO_ISSUE)
    assert decide(Absent()) == skipped
    assert decide(Absent(), no_issue="hold") == Settle(SlotState.HELD, Why.NO_ISSUE, NO_ISSUE)
    assert decide(Absent(), 1, slot=waiting, no_issue="hold") == Wait()
    assert decide(Ready(), 1, slot=waiting, no_issue="hold") == Publish()
    assert decide(Absent(), 3.01, slot=waiting, no_issue="hold") == skipped
    assert decide(Absent(), 100, late="skip") == skipped


def test_an_issue_with_errors_is_held_with_them_and_goes_out_once_it_is_mended() -> None:
    assert decide(BROKEN) == Settle(SlotState.HELD, Why.ERRORS, BROKEN.detail)
    assert decide(BROKEN, 1, slot=held()) == Wait()
    other = Faulty(Why.ERRORS, "issues/2024-05-25.md:9:1: error: …")
    assert decide(other, 1, slot=held()) == Settle(SlotState.HELD, Why.ERRORS, other.detail)
    assert decide(Faulty(Why.DRAFT, "a draft"), 1, slot=held()) == Settle(SlotState.HELD, Why.DRAFT, "a draft")
    assert decide(Ready(), 2.99, slot=held()) == Publish()
    assert decide(Ready(), 3.01, slot=held()) == Settle(SlotState.HELD, Why.LATE, "")
    assert decide(BROKEN, 3.01, slot=held()) == Settle(SlotState.HELD, Why.LATE, BROKEN.detail)
    assert decide(BROKEN, 3.01, slot=held(), late="skip") == Settle(SlotState.MISSED, Why.LATE, BROKEN.detail)


def test_what_trouble_held_is_tried_again_within_the_grace() -> None:
    assert decide(Ready(), 1, slot=held(Why.TROUBLE, "no room")) == Publish()


@pytest.mark.parametrize("late", [-1, 0, 1, 100])
def test_what_was_published_by_hand_is_published(late: float) -> None:
    assert decide(Out(7), late) == Adopt(7)
    assert decide(Out(7), late, slot=held()) == Adopt(7)


def test_what_the_config_no_longer_has_does_not_go_out() -> None:
    for found in (Ready(), BROKEN):
        assert decide(found, 1, planned=False) == Settle(SlotState.SKIPPED, Why.OPERATOR, UNPLANNED)
    assert decide(Out(7), 1, planned=False) == Adopt(7)


@pytest.mark.parametrize("state", [SlotState.PUBLISHED, SlotState.SKIPPED, SlotState.MISSED])
def test_what_is_decided_stays(state: SlotState) -> None:
    slot = replace(SLOT, state=state, why=Why.NONE if state is SlotState.PUBLISHED else Why.LATE)
    for late in (-0.05, 0, 1, 100):
        assert decide(Ready(), late, slot=slot) == Wait()


def test_what_a_wrong_clock_gave_up_is_due_again() -> None:
    missed = replace(SLOT, state=SlotState.MISSED, why=Why.LATE)
    skipped = replace(SLOT, state=SlotState.SKIPPED, why=Why.NO_ISSUE)
    before = -SKEW.total_seconds() / 3600
    for slot in (missed, skipped, held(), held(Why.LATE, "")):
        assert decide(None, before - 0.01, slot=slot) == Reopen()
        assert decide(None, before, slot=slot) == Wait()


def test_but_not_what_was_published_or_an_operator_skipped() -> None:
    published = replace(SLOT, state=SlotState.PUBLISHED)
    skipped = replace(SLOT, state=SlotState.SKIPPED, why=Why.OPERATOR)
    for slot in (published, skipped):
        assert decide(None, -1000, slot=slot) == Wait()


def test_a_look_at_the_issue_is_taken_when_it_is_time() -> None:
    assert not needs_findings(SLOT, DUE - timedelta(microseconds=1))
    assert needs_findings(SLOT, DUE)
    assert needs_findings(held(), DUE)
    assert not needs_findings(replace(SLOT, state=SlotState.PUBLISHED), DUE)


def warn(found: Findings, hours: float, slot: Slot = SLOT) -> str | None:
    return decide_warning(slot, found, RULES, DUE - timedelta(hours=hours))


def test_the_editor_is_warned_once_two_hours_before() -> None:
    assert warn(Absent(), 2.01) is None
    assert warn(Absent(), 2) == NO_ISSUE
    assert warn(BROKEN, 0.01) == BROKEN.detail
    assert warn(Ready(), 1) is None
    assert warn(Out(7), 1) is None
    assert warn(Absent(), 0) is None
    assert warn(Absent(), 1, replace(SLOT, warned_at=DUE)) is None
    assert warn(Absent(), 1, held()) is None


def test_the_editor_is_told_at_once_and_of_other_errors_after_a_pause() -> None:
    told = replace(held(), told="a", told_at=DUE)
    assert decide_telling(held(), "a", DUE)
    assert not decide_telling(told, "a", DUE + 2 * QUIET)
    assert not decide_telling(told, "b", DUE + QUIET / 2)
    assert decide_telling(told, "b", DUE + QUIET)


def test_words() -> None:
    assert describe_lateness(SLOT, DUE + timedelta(hours=26, minutes=5, seconds=59)) == "26 h 05 min"
    assert list_problems(["a", "b", "c"], 2) == "a\nb\n… and 1 more"
    assert list_problems(["a"], 2) == "a"


_findings = st.sampled_from([Ready(), Absent(), BROKEN, Faulty(Why.DRAFT, "draft")])


@given(
    st.lists(st.tuples(st.integers(-600, 600), _findings), max_size=30),
    st.sampled_from(["hold", "skip"]),
    st.sampled_from(["hold", "skip"]),
)
def test_whatever_happens_and_however_clocks_jump_nothing_is_published_twice(
    looks: list[tuple[int, Findings]], late: Any, no_issue: Any
) -> None:
    """Each look is at so many minutes from the slot's time, in any order."""
    rules = config.Schedule(at="07:30", late=late, no_issue=no_issue)
    slot, published = SLOT, 0
    for minutes, found in looks:
        now = DUE + timedelta(minutes=minutes)
        decision = decide_slot(slot, found, rules, now, planned=True)
        if isinstance(decision, Publish):
            published += 1
            assert DUE <= now <= DUE + timedelta(hours=3)
            assert found == Ready()
            slot = replace(slot, state=SlotState.PUBLISHED, why=Why.NONE)
        elif isinstance(decision, Settle):
            slot = replace(slot, state=decision.state, why=decision.why, detail=decision.detail, decided_at=now)
        elif isinstance(decision, Reopen):
            slot = replace(slot, state=SlotState.DUE, why=Why.NONE, detail="", decided_at=None)
    assert published <= 1
