"""The ledger's words: a Delivery, what a try taught us (Outcome), and what is written down (Settlement).

States and who may leave them are drawn in ARCHITECTURE.md, "The ledger". What is made for each mail is a named tuple:
making a frozen dataclass takes three times as long.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class DeliveryState(StrEnum):
    """Where one (edition, reader) stands; `sent`, `failed`, `cancelled` and `excluded` are final."""

    QUEUED = "queued"
    SENDING = "sending"
    DEFERRED = "deferred"
    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"
    EXCLUDED = "excluded"


PACED = "waits for its turn: its domain gets no more at a time"
"""The reply's text of a row that was never tried, and only waits."""


class Reply(NamedTuple):
    """What a server said. `code` 0 means that no reply came; `enhanced` is RFC 3463's code or empty."""

    code: int
    enhanced: str
    text: str


class Delivery(NamedTuple):
    """One row of the ledger: this edition to this reader. `attempts` counts finished tries.

    `address` is in its wire form (`mail.address`). `reply` is the last thing heard about it, if anything was.
    `variant` says which of the edition's renderings the reader gets; 0 is the edition itself.
    """

    id: int
    edition_id: int
    subscriber_id: int
    address: str
    name: str
    state: DeliveryState
    attempts: int
    queued_at: datetime
    next_attempt_at: datetime | None = None
    settled_at: datetime | None = None
    reply: Reply | None = None
    variant: int = 0


@dataclass(frozen=True, slots=True)
class Accepted:
    """The server took responsibility (2xx at the final dot)."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Deferred:
    """Refused for now; another try may succeed."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Refused:
    """Refused for good, and about this reader or this message."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Unknown:
    """The final dot was sent and no reply was heard: it may have arrived, so it is never retried by itself."""

    reply: Reply


Outcome = Accepted | Deferred | Refused | Unknown


class Settlement(NamedTuple):
    """What the ledger records about one claimed delivery."""

    delivery_id: int
    state: DeliveryState
    reply: Reply
    attempts: int
    settled_at: datetime
    next_attempt_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Audit:
    """The count of an edition's rows by state against the audience fixed at publish.

    `queued` includes `sending`: a claimed row has not been answered yet. `excluded` were due, but there was nothing for
    them in it, or they are paused; their rows say why.
    """

    audience: int
    sent: int
    queued: int
    deferred: int
    failed: int
    cancelled: int
    unknown: int
    excluded: int = 0

    @property
    def holds(self) -> bool:
        """Return whether every reader due at publish is accounted for exactly once."""
        parts = self.sent + self.queued + self.deferred + self.failed + self.cancelled + self.unknown + self.excluded
        return self.audience == parts

    @property
    def open(self) -> int:
        """Return how many readers still wait for a mail that will be tried by itself."""
        return self.queued + self.deferred


@dataclass(frozen=True, slots=True)
class ReplyCount:
    """How many readers of an edition got the same answer; `example` is one such text as the server wrote it."""

    state: DeliveryState
    code: int
    enhanced: str
    example: str
    count: int
