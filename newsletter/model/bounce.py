"""What comes back: a Report, what it says of each recipient (Finding), and whom it is about (Named).

Severity says what a finding means for the reader's mailbox: `hard` – it isn't there; `soft` – the mail didn't arrive,
which may change; `none` – nothing was lost (a delay, a complaint, an auto-reply). "5.x.x" is not "hard": see
`mail.reports.judge`.
"""

import re
from dataclasses import dataclass
from enum import StrEnum


class ReportKind(StrEnum):
    """What sort of mail came in."""

    BOUNCE = "bounce"
    DELAY = "delay"
    DELIVERED = "delivered"
    COMPLAINT = "complaint"
    FEEDBACK = "feedback"
    UNSUBSCRIBE = "unsubscribe"
    AUTO_REPLY = "auto_reply"
    REPLY = "reply"
    UNREADABLE = "unreadable"
    """Looks like a report (a bounce, feedback) and says nothing we understand, or is no mail: for a human."""


class Severity(StrEnum):
    """What it means for the reader's mailbox."""

    HARD = "hard"
    SOFT = "soft"
    NONE = "none"


class Action(StrEnum):
    """What was done about one recipient (RFC 3464 section 2.3.3)."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"


class Reason(StrEnum):
    """Why, in the field's terms."""

    USER_UNKNOWN = "user_unknown"
    MOVED = "moved"
    HOST_UNKNOWN = "host_unknown"
    NO_MAIL_HOST = "no_mail_host"
    """The domain exists and takes no mail (RFC 7505)."""

    MAILBOX_FULL = "mailbox_full"
    MAILBOX_DISABLED = "mailbox_disabled"
    FILTERED = "filtered"
    """A rule of the reader's own, such as a list of whom to take mail from."""

    NETWORK = "network"
    SYSTEM = "system"
    SYSTEM_FULL = "system_full"
    GREYLISTED = "greylisted"
    EXPIRED = "expired"
    LOOP = "loop"
    RELAYING_DENIED = "relaying_denied"
    POLICY = "policy"
    SPAM = "spam"
    CONTENT = "content"
    VIRUS = "virus"
    TOO_LARGE = "too_large"
    NOT_COMPLIANT = "not_compliant"
    PROTOCOL = "protocol"
    ENCRYPTION = "encryption"
    SENDER_REFUSED = "sender_refused"
    REPUTATION = "reputation"
    AUTHENTICATION = "authentication"
    """SPF, DKIM, DMARC; or the sender's host has no name."""

    RATE_LIMITED = "rate_limited"

    COMPLAINT = "complaint"
    FEEDBACK = "feedback"
    UNSUBSCRIBE = "unsubscribe"
    AUTO_REPLY = "auto_reply"
    DELIVERED = "delivered"
    UNDETERMINED = "undetermined"


BLAMES_US = frozenset(
    {
        Reason.REPUTATION,
        Reason.AUTHENTICATION,
        Reason.RATE_LIMITED,
        Reason.SENDER_REFUSED,
        Reason.NOT_COMPLIANT,
        Reason.PROTOCOL,
        Reason.POLICY,
        Reason.ENCRYPTION,
        Reason.SPAM,
        Reason.CONTENT,
        Reason.VIRUS,
        Reason.TOO_LARGE,
    }
)
"""Reasons that lie with sender, mail or relay: they count against no reader."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a report says of one recipient. Texts are bounded, printable, and as untrusted as the mail.

    `recipient` and `original_recipient` are addresses as the report names them, empty if it doesn't; `status` is
    RFC 3463's code or empty, `code` the SMTP reply's or 0; `diagnostic` is what a server said.
    """

    reason: Reason
    severity: Severity
    action: Action = Action.FAILED
    recipient: str = ""
    original_recipient: str = ""
    status: str = ""
    code: int = 0
    diagnostic: str = ""
    remote_mta: str = ""
    reporting_mta: str = ""

    @property
    def blames_us(self) -> bool:
        """Return whether it is about the sender or the mail rather than the reader."""
        return self.reason in BLAMES_US


class NamedBy(StrEnum):
    """Where the signed name stood, from the most to the least trusted."""

    ENVELOPE = "envelope"
    """The return address the mail came to."""

    SUBJECT = "subject"
    """An unsubscribe request's subject."""

    ENVELOPE_ID = "envelope_id"
    """What a report's own fields give back: Original-Envelope-Id, Original-Mail-From, Original-Message-ID."""

    MESSAGE_ID = "message_id"
    """Of the returned mail, or what a reply refers to."""

    RETURNED = "returned"
    """Any other place in what was returned: Return-Path, List-Unsubscribe, a link."""


@dataclass(frozen=True, slots=True)
class Named:
    """A reader and an edition, by a token that we signed. Subscriber 0 is a test mail's."""

    subscriber_id: int
    edition_id: int
    by: NamedBy


@dataclass(frozen=True, slots=True)
class Report:
    """What one mail that came in says.

    `names` holds whom it is about, by the most trusted place that names anybody; empty when nothing in it was signed by
    us, and then it changes nobody, whatever addresses the findings show. `notice` is the number of the letter that came
    back where no reader is named, 0 for none. `form` is how it was read: `dsn`, `plain`,
    `returned` (only the returned mail names a recipient), `fallback`, `arf`, `mailto`, `auto-reply`. `feedback` is the
    type of a feedback report (RFC 5965). `cut` says that limits were hit and something was not read.
    """

    kind: ReportKind
    findings: tuple[Finding, ...] = ()
    names: tuple[Named, ...] = ()
    notice: int = 0
    form: str = ""
    feedback: str = ""
    sender: str = ""
    subject: str = ""
    cut: bool = False

    @property
    def named(self) -> Named | None:
        """Return whom the report is about, if anybody."""
        return self.names[0] if self.names else None

    @property
    def finding(self) -> Finding | None:
        """Return the surest finding; our mail has one recipient, so it is about whom the report names."""
        return self.findings[0] if self.findings else None


def spell_answer(code: int, status: str, words: str) -> str:
    """Return what a server said with its codes before its words, each once: many a server's words have them, too."""
    codes = [text for text in (str(code or ""), status) if text]
    told = [text for text in codes if not re.search(rf"(?<![\d.]){re.escape(text)}(?![\d.])", words)]
    return " ".join([*told, words] if words else told)
