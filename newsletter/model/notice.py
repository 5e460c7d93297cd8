"""Mail to one person that belongs to no edition: a Notice."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class NewNotice:
    """A mail about to be written down; `address` is in wire form (`mail.address`).

    `key`: a notice with the key of an earlier one is not written again, so that what is told once is told once.
    `headers` come beside the usual ones. `html` may be empty. After `expires_at` it isn't worth sending.
    """

    kind: str
    address: str
    subject: str
    text: str
    language: str
    expires_at: datetime
    html: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice that a sender has claimed; `attempts` counts finished tries."""

    id: int
    notice: NewNotice
    attempts: int
    created_at: datetime
