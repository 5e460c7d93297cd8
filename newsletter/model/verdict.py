"""What a bounce means for a reader: a Verdict, decided from the Past that the ledger knows."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from newsletter.model.bounce import Reason, Report, ReportKind, Severity, spell_answer


class Way(StrEnum):
    """How a report came in."""

    SMTP = "smtp"
    """A refusal while the mail was being sent; there is no report."""

    PIPE = "pipe"
    MAILDIR = "maildir"
    IMAP = "imap"
    LMTP = "lmtp"
    SES = "ses"
    POSTMARK = "postmark"
    SENDGRID = "sendgrid"
    MAILGUN = "mailgun"


class Verdict(StrEnum):
    """What is done about a reader. `suspend`, `complaint` and `leave` end his mail; only the operator undoes it."""

    NOTED = "noted"
    """Kept, and counts against nobody: it blames us, or nothing was lost."""

    COUNTED = "counted"
    WARN = "warn"
    """Patience is over: he is told what he missed. When that comes back, too, a probe follows."""

    PROBE = "probe"
    SUSPEND = "suspend"
    COMPLAINT = "complaint"
    LEAVE = "leave"

    @property
    def ends(self) -> bool:
        """Return whether the reader gets no more mail."""
        return self in (Verdict.SUSPEND, Verdict.COMPLAINT, Verdict.LEAVE)


@dataclass(frozen=True, slots=True)
class Miss:
    """A mail that came back softly: of which edition, and when we heard."""

    edition_id: int | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Past:
    """What counts against a reader since mail last reached him: misses, oldest first, and the last warning or probe.

    `stage` is WARN or PROBE when one went out, at `stage_at`, and nothing has reached him since.
    """

    misses: tuple[Miss, ...] = ()
    stage: Verdict | None = None
    stage_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Bounce:
    """A stored bounce. `edition_id` is None where no edition is named; `domain` is of the reader's address."""

    id: int
    subscriber_id: int
    address: str
    edition_id: int | None
    at: datetime
    reason: Reason
    severity: Severity
    verdict: Verdict
    code: int
    status: str
    diagnostic: str
    domain: str
    report_id: int | None
    undone_at: datetime | None

    @property
    def said(self) -> str:
        """Return what the server said, on one line."""
        return spell_answer(self.code, self.status, self.diagnostic)


@dataclass(frozen=True, slots=True)
class Event:
    """What a provider says over a channel that proved itself, by a signature or a password.

    `key` is its own number for the event. `address` names the reader where the report doesn't: only here is an
    address believed.
    """

    report: Report
    way: Way
    key: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class StoredReport:
    """A mail that came in. `raw` is None once nobody needs it."""

    id: int
    arrived_at: datetime
    way: Way
    kind: ReportKind
    form: str
    state: str
    subscriber_id: int | None
    edition_id: int | None
    sender: str
    subject: str
    size: int
    raw: bytes | None
