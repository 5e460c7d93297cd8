"""What rendering freezes: an Edition, and the personal fields that are filled in for each reader."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from datetime import date, datetime
from enum import StrEnum

from newsletter.model.subscriber import Cadence

TOKEN_WIDTH = 32
"""Characters of a personal token, always: a frame is encoded once and each reader's bytes are spliced in."""

UNSUBSCRIBE_FIELD = "qqunsubscribefieldqqqqqqqqqqqqqq"
"""Stands in an edition where a reader's unsubscribe token goes; as wide as a token."""

PREFERENCES_FIELD = "qqpreferencesfieldqqqqqqqqqqqqqq"
"""Stands in an edition where a reader's preferences token goes; as wide as a token."""

PERSONAL_FIELDS = (UNSUBSCRIBE_FIELD, PREFERENCES_FIELD)

assert all(len(name) == TOKEN_WIDTH for name in PERSONAL_FIELDS)  # noqa: S101 - a slip here would shift every mail

ANYBODYS = "each-reader-has-his-own"
"""Stands for a token where a mail is looked at and sent to nobody."""

_PERSONAL = re.compile("|".join(PERSONAL_FIELDS))


def hide_personal(text: str) -> str:
    """Return an edition's HTML or text with words where each reader's tokens go, to be looked at."""
    return _PERSONAL.sub(ANYBODYS, text)


class EditionKind(StrEnum):
    """What an edition is made from: one issue, or what a week or a month of issues brought."""

    ISSUE = "issue"
    WEEKLY = "weekly"
    MONTHLY = "monthly"

    @property
    def cadence(self) -> Cadence:
        """Return whose mail it is: readers of this cadence are due it."""
        return Cadence.EACH if self is EditionKind.ISSUE else Cadence(self)


@dataclass(frozen=True, slots=True)
class Sender:
    """Who a mail comes from and where its links lead; the same for every reader of an edition.

    `url` is the site's base address without a trailing slash. `bounce_domain` is where envelope senders live.
    `unsubscribe_address` takes mailto unsubscribes. `list_id` is the bare List-Id (RFC 2919).
    """

    name: str
    address: str
    reply_to: str
    bounce_domain: str
    unsubscribe_address: str
    list_id: str
    list_name: str
    url: str


@dataclass(frozen=True, slots=True)
class Edition:
    """One rendering of an issue for the mail, frozen: a pure function of file, templates and config.

    `slug` names the issue; `html` and `text` hold personal fields, everything else is final. `page_url` is the
    issue's page on the site ("view in browser").
    """

    slug: str
    issue_date: date
    title: str
    subject: str
    preheader: str
    language: str
    page_url: str
    html: str
    text: str
    sender: Sender

    @property
    def hash(self) -> str:
        """Return the SHA-256 (hex) over everything in the edition; equal editions have equal hashes."""
        canonical = json.dumps(asdict(self), sort_keys=True, ensure_ascii=False, default=str)
        return hashlib.sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class PublishedIssue:
    """What the site needs to know of an issue in the ledger; its source is loaded only when it changed.

    `source_hash` is the SHA-256 (hex) of the latest revision's source. `published_at` never changes; `updated_at`
    moves with each revision. Both are aware UTC.
    """

    slug: str
    issue_date: date
    source_hash: str
    published_at: datetime
    updated_at: datetime
