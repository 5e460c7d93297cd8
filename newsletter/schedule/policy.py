"""What becomes of a slot. Pure.

Owns the judgement: publish now, hold, skip, give up, or leave it. What is published already is never judged again.

    found out                   before its time   within the grace             later
    ready                       wait              publish                      held or missed (late)
    errors, a draft             wait (warn)       held, until it is mended     held or missed (late)
    no issue                    wait (warn)       skipped or held (no_issue)   skipped
    out already                 published         published                    published

What was given up as too late is published when it went out by hand. What an operator has put down is never judged.

A clock that was wrong may have given up a slot whose time is still to come, or whose grace isn't over and which was
decided at a time that hasn't come yet: such a slot is opened again, unless an operator skipped it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from newsletter import config
from newsletter.model.slot import Slot, SlotState, Why

SKEW: Final = timedelta(minutes=5)
"""How much the clocks of two machines may differ, so that neither takes the other's decisions for a slip."""

LEAST_GRACE: Final = timedelta(minutes=10)
"""Nobody looks at the very instant: a scheduler does every few seconds, cron every few minutes."""

QUIET: Final = timedelta(minutes=10)
"""How long the editor isn't told of other errors in the same issue again: he may be at work on it."""


@dataclass(frozen=True, slots=True)
class Ready:
    """It can be published."""


@dataclass(frozen=True, slots=True)
class Absent:
    """There is no issue for that day."""


@dataclass(frozen=True, slots=True)
class Faulty:
    """There is one that can't go out; `detail` says why, a problem a line with its place."""

    why: Why
    detail: str


@dataclass(frozen=True, slots=True)
class Out:
    """It was published, by hand or by another process."""

    edition_id: int


Findings = Ready | Absent | Faulty | Out


@dataclass(frozen=True, slots=True)
class Wait:
    """Leave the slot as it is."""


@dataclass(frozen=True, slots=True)
class Publish:
    """Publish it now."""


@dataclass(frozen=True, slots=True)
class Adopt:
    """Write down that it is published."""

    edition_id: int


@dataclass(frozen=True, slots=True)
class Reopen:
    """Make it due again."""


@dataclass(frozen=True, slots=True)
class Settle:
    """Write down that it isn't published, and why."""

    state: SlotState
    why: Why
    detail: str


Decision = Wait | Publish | Adopt | Reopen | Settle

UNPLANNED: Final = "The schedule in the config no longer has this day."
NO_ISSUE: Final = "There is no issue with this date."


def find_grace(rules: config.Schedule) -> timedelta:
    """Return how much too late a slot still goes out."""
    return max(timedelta(hours=rules.grace_hours), LEAST_GRACE)


def needs_findings(slot: Slot, now: datetime) -> bool:
    """Return whether it takes a look at the issue to decide: the slot's time has come, and it isn't over.

    One that was given up may have been published by hand since.
    """
    return (slot.open or slot.state is SlotState.MISSED) and slot.due_at <= now


def decide_slot(
    slot: Slot, findings: Findings | None, rules: config.Schedule, now: datetime, *, planned: bool
) -> Decision:
    """Decide what becomes of a slot. `findings` None: nobody has looked, for `needs_findings` says no.

    `planned`: today's config has this slot.
    """
    if isinstance(findings, Out):
        return Adopt(findings.edition_id)
    if not slot.open:
        return Reopen() if _was_a_slip(slot, rules, now) else Wait()
    if now < slot.due_at - SKEW and slot.state is SlotState.HELD and slot.why is not Why.OPERATOR:
        return Reopen()
    if now < slot.due_at or findings is None:
        return Wait()
    if not planned:
        return Settle(SlotState.SKIPPED, Why.OPERATOR, UNPLANNED)
    if now > slot.due_at + find_grace(rules):
        return _decide_late(slot, findings, rules)
    return _decide_in_time(slot, findings, rules)


def _was_a_slip(slot: Slot, rules: config.Schedule, now: datetime) -> bool:
    given_up = slot.state in (SlotState.SKIPPED, SlotState.MISSED) and slot.why is not Why.OPERATOR
    ahead = slot.decided_at is not None and slot.decided_at > now + SKEW
    in_time = now <= slot.due_at + find_grace(rules)
    return given_up and (now < slot.due_at - SKEW or (ahead and in_time))


def _decide_in_time(slot: Slot, findings: Findings, rules: config.Schedule) -> Decision:
    if isinstance(findings, Ready):
        return Publish()
    if isinstance(findings, Faulty):
        return _hold(slot, findings.why, findings.detail)
    if rules.no_issue == "skip":
        return Settle(SlotState.SKIPPED, Why.NO_ISSUE, NO_ISSUE)
    return _hold(slot, Why.NO_ISSUE, NO_ISSUE)


def _decide_late(slot: Slot, findings: Findings, rules: config.Schedule) -> Decision:
    if isinstance(findings, Absent):
        return Settle(SlotState.SKIPPED, Why.NO_ISSUE, NO_ISSUE)
    detail = findings.detail if isinstance(findings, Faulty) else ""
    if rules.late == "skip":
        return Settle(SlotState.MISSED, Why.LATE, detail)
    return Wait() if slot.why is Why.LATE else Settle(SlotState.HELD, Why.LATE, detail)


def _hold(slot: Slot, why: Why, detail: str) -> Decision:
    known = (slot.state, slot.why, slot.detail) == (SlotState.HELD, why, detail)
    return Wait() if known else Settle(SlotState.HELD, why, detail)


def decide_warning(slot: Slot, findings: Findings, rules: config.Schedule, now: datetime) -> str | None:
    """Return what the editor is warned of before a slot's time, or None. He is warned once."""
    begins = slot.due_at - timedelta(hours=rules.warn_hours)
    if slot.state is not SlotState.DUE or slot.warned_at or not begins <= now < slot.due_at:
        return None
    if isinstance(findings, Absent):
        return NO_ISSUE
    return findings.detail if isinstance(findings, Faulty) else None


def decide_telling(slot: Slot, digest: str, now: datetime) -> bool:
    """Return whether the editor is told what a slot is held or given up for: at once when it is new, then with pauses.

    A day that was put down before its time goes as it should when that has come.
    """
    if slot.told == digest or now < slot.due_at:
        return False
    return slot.told_at is None or now >= slot.told_at + QUIET


def describe_lateness(slot: Slot, now: datetime) -> str:
    """Say how late it is, in hours and minutes."""
    minutes = int((now - slot.due_at).total_seconds() // 60)
    return f"{minutes // 60} h {minutes % 60:02} min"


def list_problems(lines: Sequence[str], limit: int = 50) -> str:
    """Return the first lines, and how many more there are."""
    rest = len(lines) - limit
    return "\n".join([*lines[:limit], *([f"… and {rest:,} more"] if rest > 0 else [])])
