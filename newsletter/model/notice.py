"""Mail to one person that belongs to no edition: a Notice, and the Letter that its words are written from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class LetterKind(StrEnum):
    """What a letter to a reader says; each has its templates, `templates/notice/KIND.txt` and `.html`."""

    CONFIRM_JOIN = "confirm-join"
    ALREADY_READS = "already-reads"
    WELCOME = "welcome"
    CONFIRM_MOVE = "confirm-move"
    MOVED = "moved"
    MISSED = "missed"
    PROBE = "probe"


@dataclass(frozen=True, slots=True)
class Letter:
    """What a reader is to be told, before it is put into words.

    `token` is in the link it is about, `leave` in the one that ends all mail (empty: there is none). `address` is
    shown, and nothing else that somebody else might have typed. `days` is how long the link works.
    `missed` are issues that came back, each by title and page.
    """

    kind: LetterKind
    language: str
    address: str
    token: str
    leave: str = ""
    days: int = 0
    missed: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Writing:
    """A letter in words: in which language, and with which headers beside the usual ones."""

    subject: str
    text: str
    html: str
    language: str
    headers: Mapping[str, str] = field(default_factory=dict)


WriteLetter = Callable[[Letter], Writing]


@dataclass(frozen=True, slots=True)
class NewNotice:
    """A mail about to be written down; `address` is in wire form (`mail.address`).

    `key`: a notice with the key of an earlier one is not written again, so that what is told once is told once.
    `headers` come beside the usual ones. `html` may be empty. After `expires_at` it isn't worth sending.
    `subscriber_id` is the reader it is to, if he is one; with `return_number`, mail that comes back names both, as it
    names reader and edition otherwise.
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
    subscriber_id: int | None = None
    return_number: int | None = None


class NoticeState(StrEnum):
    """`queued` → `sending` → `sent` | `failed`, or back to `queued`."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice that a sender has claimed; `attempts` counts finished tries."""

    id: int
    notice: NewNotice
    attempts: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NoticeSettlement:
    """What is written down about a claimed notice. `next_attempt_at` only when it goes back to `queued`."""

    notice_id: int
    state: NoticeState
    attempts: int
    at: datetime
    reply: str = ""
    next_attempt_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class WaitingNotice:
    """A notice that waits until `due_at`, by its key; `put_off` says that it was tried before."""

    id: int
    key: str
    due_at: datetime
    put_off: bool


@dataclass(frozen=True, slots=True)
class NoticeLine:
    """What the list of notices shows of one; the texts are gone once it is settled."""

    id: int
    kind: str
    address: str
    subject: str
    state: NoticeState
    attempts: int
    created_at: datetime
    next_attempt_at: datetime | None
    settled_at: datetime | None
    reply: str
