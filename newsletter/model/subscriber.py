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


@dataclass(frozen=True, slots=True)
class NewSubscriber:
    """A subscriber about to be stored; `address` is normalised (`mail.address`), `source` tells where from."""

    address: str
    name: str = ""
    state: SubscriberState = SubscriberState.ACTIVE
    language: str = ""
    joined_at: datetime | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A stored subscriber. Times are aware UTC."""

    id: int
    address: str
    name: str
    state: SubscriberState
    language: str
    joined_at: datetime
    left_at: datetime | None
    source: str
