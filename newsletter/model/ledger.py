"""Which database a ledger is, how far it has come, and what its senders keep beside it: the words of a restore.

A copy of a database is older than what was sent after it was made. So every database carries a count, the epoch, of the
pages that senders have written, and every sender keeps beside it how far it was: the fence. A database that is behind
its fence was restored.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class LedgerMark:
    """Where a database stands. `line` is the same in every copy of it, `life` another one after each restore.

    `lives` are the lives before, oldest first, each with the epoch that the restore after it went back to. `copied_at`
    is set in a copy alone.
    """

    line: str
    life: str
    epoch: int
    lives: tuple[tuple[str, int], ...] = ()
    copied_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FenceMark:
    """What senders have kept: the life in which they sent, and for each issue's slug the last epoch that they wrote."""

    life: str
    epochs: Mapping[str, int] = field(default_factory=dict)

    @property
    def epoch(self) -> int:
        """Return how far they came."""
        return max(self.epochs.values(), default=0)


@dataclass(frozen=True, slots=True)
class Restoration:
    """What a restore comes to: issues sent since the copy was made, by slug, and the database's next life.

    `everything`: it isn't known what was sent, so whoever waits anywhere may have been.
    """

    slugs: tuple[str, ...]
    life: str
    epoch: int
    everything: bool


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What a restore did: how many readers became unknown, by their issue's slug; which issues and days are fenced."""

    unknown: Mapping[str, int]
    fenced: tuple[str, ...]
