"""How far an edition under way may go: its control, which people and the engine set, and the stages it goes out in."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum


class ControlState(StrEnum):
    """Whether mail of an edition is begun: only while it is `running`; `cancelled` is final.

    `paused` is an operator's word, `halted` the engine's own; both end by an operator's `resume`.
    """

    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    HALTED = "halted"


@dataclass(frozen=True, slots=True)
class Control:
    """Who may go on, why not, and since when. `reason` is a sentence or empty, and empty while it runs.

    `changed_at` is None until somebody stepped in.
    """

    state: ControlState = ControlState.RUNNING
    reason: str = ""
    changed_at: datetime | None = None

    @property
    def runs(self) -> bool:
        """Return whether mail may be begun."""
        return self.state is ControlState.RUNNING


@dataclass(frozen=True, slots=True)
class ControlChange:
    """What an order came to; `cancelled` counts the deliveries that it ended."""

    before: Control
    after: Control
    cancelled: int = 0

    @property
    def changed(self) -> bool:
        """Return whether the order changed anything."""
        return self.before != self.after


class Stage(IntEnum):
    """In which wave a reader's mail goes out; kept with its delivery, and decided at publish."""

    SEEDS = 0
    FIRST_SHARE = 1
    REST = 2
