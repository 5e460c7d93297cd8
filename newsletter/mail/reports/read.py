"""Reads what comes back: one raw mail in, one Report out. Total: any bytes give a Report, none an exception.

report = read_report(raw, Ours([key], "bounces.example.org", "unsubscribe@example.org"), envelope_to=rcpt)
report.kind, report.named, report.findings

recipient, severity, reason = judge_mail(raw)       # what a corpus of bounces is held against
"""

from collections.abc import Sequence
from dataclasses import dataclass

from newsletter.mail.reports.limits import LIMITS, Limits
from newsletter.model.bounce import Reason, Report, ReportKind, Severity


@dataclass(frozen=True, slots=True)
class Ours:
    """What is ours in a mail: the keys that sign names, and the addresses mail comes back to.

    `bounce_domain` is where return addresses live (`mail.verp`), in ASCII; `unsubscribe_address` is the one in
    List-Unsubscribe.
    """

    keys: Sequence[bytes]
    bounce_domain: str
    unsubscribe_address: str = ""


def read_report(raw: bytes, ours: Ours | None = None, *, envelope_to: str = "", limits: Limits = LIMITS) -> Report:
    """Return what a mail says; never raises. Without `ours` nobody is named.

    `envelope_to` is the envelope recipient where the way in knows it (LMTP, a pipe's argument).
    """
    del ours, envelope_to  # names come with the parts that carry them
    return Report(ReportKind.UNREADABLE, cut=len(raw) > limits.size)


def judge_mail(raw: bytes) -> tuple[str, Severity, Reason]:
    """Return recipient, severity and reason of a mail's first finding; ("", none, undetermined) if it has none."""
    report = read_report(raw)
    if not report.findings:
        return "", Severity.NONE, Reason.UNDETERMINED
    first = report.findings[0]
    return first.recipient, first.severity, first.reason
