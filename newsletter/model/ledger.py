"""Which database a ledger is, how far it has come, and what its senders keep beside it: the words of a restore.

A copy of a database is older than what was sent after it was made. So every database carries a count, the epoch, of the
pages that senders have written, and every sender keeps beside it how far it was: the fence. A database that is behind
its fence was restored.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from newsletter.model.subscriber import SuppressionReason


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


@dataclass(frozen=True, slots=True)
class KeptOut:
    """An address that a copy doesn't know to be kept out, or not for this reason. `hidden`: only its digest is kept."""

    address_hash: str
    reason: SuppressionReason
    hidden: bool
    at: datetime

    @property
    def erased(self) -> bool:
        """Return whether its reader was erased; that somebody complained stays the reason all the same."""
        return self.reason is SuppressionReason.ERASED or (self.hidden and self.reason is SuppressionReason.COMPLAINED)


def describe_fenced(keys: Iterable[str]) -> list[str]:
    """Return in words what is fenced (`slug:…`, `day:…`): issues by their names, and all days together."""
    parts = [key.partition(":") for key in keys]
    days = sorted(what for kind, _, what in parts if kind == "day")
    words = [what for kind, _, what in parts if kind != "day"]
    if len(days) == 1:
        words.append(f"an issue dated {days[0]}")
    elif days:
        words.append(f"issues dated {days[0]} to {days[-1]}")
    return words
