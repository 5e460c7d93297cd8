"""When something is due, and what became of it: a Slot for each kind and day.

States and who may leave them are drawn in ARCHITECTURE.md, "The slots".
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from newsletter.model.edition import EditionKind


class SlotState(StrEnum):
    """`due` and `held` are open: an issue still goes out when it can. The others are final.

    `held`: it couldn't go out at its time. `skipped`: there was nothing to send. `missed`: given up as too late.
    """

    DUE = "due"
    HELD = "held"
    PUBLISHED = "published"
    SKIPPED = "skipped"
    MISSED = "missed"


OPEN: Final = (SlotState.DUE, SlotState.HELD)


class Why(StrEnum):
    """Why a slot wasn't published; none for one that is due or published."""

    NONE = ""
    NO_ISSUE = "no issue"
    ERRORS = "errors"
    DRAFT = "draft"
    TROUBLE = "trouble"
    LATE = "late"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class SlotKey:
    """What names a slot, and is unique: `day` is a date where the publication is."""

    kind: EditionKind
    day: date

    def __str__(self) -> str:
        return str(self.day) if self.kind is EditionKind.ISSUE else f"{self.kind} {self.day}"


@dataclass(frozen=True, slots=True)
class Plan:
    """A slot as planned: `due_at` is fixed from `rule` (a time of day) in `time_zone`, whatever either means later."""

    key: SlotKey
    due_at: datetime
    rule: str
    time_zone: str


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot as the ledger keeps it. `detail` says in sentences why it isn't published; lines are kept.

    `decided_at` is when it got its state, `warned_at` when the editor was warned beforehand, `told` is a digest of what
    he was told of it last, at `told_at`, and `reported_at` when he got the report.
    """

    plan: Plan
    state: SlotState
    why: Why = Why.NONE
    detail: str = ""
    decided_at: datetime | None = None
    edition_id: int | None = None
    owner: str | None = None
    lease_until: datetime | None = None
    warned_at: datetime | None = None
    told: str = ""
    told_at: datetime | None = None
    reported_at: datetime | None = None

    @property
    def key(self) -> SlotKey:
        """Return what names it."""
        return self.plan.key

    @property
    def due_at(self) -> datetime:
        """Return when it is due."""
        return self.plan.due_at

    @property
    def open(self) -> bool:
        """Return whether it may still be published by itself."""
        return self.state in OPEN


@dataclass(frozen=True, slots=True)
class SlotChange:
    """What an operator's order about a slot came to."""

    before: Slot
    after: Slot

    @property
    def changed(self) -> bool:
        """Return whether the order changed anything."""
        return self.before != self.after
