"""Who reads: a Subscriber and its states."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class SubscriberState(StrEnum):
    """`pending` → `active` → `left` | `suspended`; only `active` readers are due an edition."""

    PENDING = "pending"
    ACTIVE = "active"
    LEFT = "left"
    SUSPENDED = "suspended"


class Cadence(StrEnum):
    """How often a reader gets mail: each issue, or what a week or a month brought in one."""

    EACH = "each"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class SuppressionReason(StrEnum):
    """Why an address stays out, even when it is imported again."""

    LEFT = "left"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    ERASED = "erased"


class Admission(StrEnum):
    """What adding an address came to."""

    NEW = "new"
    KNOWN = "known"
    BACK = "back"
    SUPPRESSED = "suppressed"


@dataclass(frozen=True, slots=True)
class NewSubscriber:
    """A subscriber about to be stored; `address` is in its wire form (`mail.address`), `source` tells where from.

    `joined_at` and `left_at` None mean now; `left_at` counts only in the state `left`. `topics` are keys
    (`model.topic`); none means everything. `kept_out` says why the address stays out from now on; in the state `left`
    it always does. `opted_in_at` and `client` (a network address) are what another program's record says of how he
    agreed.
    """

    address: str
    name: str = ""
    state: SubscriberState = SubscriberState.ACTIVE
    language: str = ""
    joined_at: datetime | None = None
    source: str = ""
    left_at: datetime | None = None
    topics: frozenset[str] = frozenset()
    cadence: Cadence = Cadence.EACH
    paused_until: datetime | None = None
    kept_out: SuppressionReason | None = None
    opted_in_at: datetime | None = None
    client: str = ""


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A stored subscriber. Times are aware UTC; `topics` empty means everything. Paused until then, he gets nothing."""

    id: int
    address: str
    name: str
    state: SubscriberState
    language: str
    joined_at: datetime
    left_at: datetime | None
    source: str
    topics: frozenset[str] = frozenset()
    cadence: Cadence = Cadence.EACH
    paused_until: datetime | None = None
