"""What a reader agreed to, and when: the record that bulk-mail law asks for."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from newsletter.model.subscriber import Cadence


class ConsentEvent(StrEnum):
    """What happened to a reader, by his own will or the operator's."""

    ASKED = "asked"
    CONFIRMED = "confirmed"
    ADDED = "added"
    IMPORTED = "imported"
    CHANGED = "changed"
    MOVED = "moved"
    LEFT = "left"
    SUSPENDED = "suspended"
    RESTORED = "restored"
    ERASED = "erased"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a wish came from: `source` (form, embed, api, one-click, mail, by hand, a file's name), the network
    address of the `client` if there is one, and the `wording` that was agreed to."""

    source: str
    client: str = ""
    wording: str = ""


@dataclass(frozen=True, slots=True)
class Consent:
    """One line of a reader's record; `detail` says in words what changed."""

    subscriber_id: int
    event: ConsentEvent
    at: datetime
    origin: Origin
    detail: str = ""


class RequestKind(StrEnum):
    """What waits for a click in a mail: `join` the readers, or `move` to another address."""

    JOIN = "join"
    MOVE = "move"


@dataclass(frozen=True, slots=True)
class NewRequest:
    """What somebody asked for who has to prove that the address is his. `subscriber_id`: who moves."""

    kind: RequestKind
    address: str
    origin: Origin
    expires_at: datetime
    name: str = ""
    topics: frozenset[str] = frozenset()
    cadence: Cadence = Cadence.EACH
    language: str = ""
    subscriber_id: int | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A stored request; confirmed once, it stays confirmed."""

    id: int
    request: NewRequest
    created_at: datetime
    confirmed_at: datetime | None
