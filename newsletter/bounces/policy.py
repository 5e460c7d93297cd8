"""What a report means for the reader it names: a pure function of what it says and of his past.

    complaint                                 he gets no more mail, and stays out for good
    unsubscribe request                       he leaves
    nothing lost, or it blames us             noted; counts against nobody
    hard                                      suspended
    soft                                      counted; the patience of ezmlm:
        so many issues missed, over so many days     he is told which (warn)
        the warning comes back                       a probe follows
        the probe comes back                         suspended

Anything that reaches him begins it anew (`store.bounces.load_past` decides what has). Refuses to guess: a report that
names nobody by our signature never gets here.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from newsletter import config
from newsletter.mail.token import MAX_EDITION_ID
from newsletter.model.bounce import Finding, Reason, Report, ReportKind, Severity
from newsletter.model.verdict import Miss, Past, Verdict

WARNING_EDITION: Final = MAX_EDITION_ID
"""Stands for the edition in the return address of a warning."""

PROBE_EDITION: Final = MAX_EDITION_ID - 1
"""The same for a probe."""

_ENDS_BY_FEEDBACK: Final = frozenset({"abuse", "fraud", "miscategorized", "opt-out", "opt-out-list", "virus", "other"})


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is done, and the finding it is done for."""

    verdict: Verdict
    finding: Finding


def judge_report(report: Report, edition_id: int | None, past: Past, rules: config.Bounces, now: datetime) -> Judgement:
    """Return what a report that names a reader means for him. `edition_id` is the edition it names."""
    if report.kind is ReportKind.UNSUBSCRIBE:
        return Judgement(Verdict.LEAVE, Finding(Reason.UNSUBSCRIBE, Severity.NONE))
    if report.kind in (ReportKind.COMPLAINT, ReportKind.FEEDBACK):
        return _judge_feedback(report)
    if report.kind is not ReportKind.BOUNCE or not report.findings:
        return Judgement(Verdict.NOTED, _worst(report))
    finding = _worst(report)
    return Judgement(judge_finding(finding, edition_id, past, rules, now), finding)


def judge_finding(
    finding: Finding, edition_id: int | None, past: Past, rules: config.Bounces, now: datetime
) -> Verdict:
    """Return what one failed mail means; a server's refusal while sending is judged here, too."""
    if finding.severity is Severity.NONE or finding.blames_us:
        return Verdict.NOTED
    if finding.severity is Severity.HARD or edition_id == PROBE_EDITION:
        return Verdict.SUSPEND
    if edition_id == WARNING_EDITION:
        return Verdict.PROBE
    worn_out = past.stage is None and _is_worn_out((*past.misses, Miss(edition_id, now)), rules)
    return Verdict.WARN if worn_out else Verdict.COUNTED


def _is_worn_out(misses: tuple[Miss, ...], rules: config.Bounces) -> bool:
    """Return whether so many issues were missed on so many days that it is no passing trouble."""
    editions = {miss.edition_id for miss in misses}
    days = {miss.at.date() for miss in misses}
    return len(editions) >= rules.soft_issues and len(days) >= rules.soft_days


def _judge_feedback(report: Report) -> Judgement:
    """A complaint ends it; a reader who says "not spam" has nothing against us (RFC 5965 section 7.3)."""
    finding = _worst(report)
    ends = report.kind is ReportKind.COMPLAINT or report.feedback.lower() in _ENDS_BY_FEEDBACK
    return Judgement(Verdict.COMPLAINT if ends else Verdict.NOTED, finding)


def _worst(report: Report) -> Finding:
    """Return the gravest finding: our mails have one recipient, but a report may name the whole way to him."""
    order = list(Severity)
    fallback = Finding(_KINDS.get(report.kind, Reason.UNDETERMINED), Severity.NONE)
    return min(report.findings, key=lambda finding: order.index(finding.severity), default=fallback)


_KINDS: Final = {
    ReportKind.COMPLAINT: Reason.COMPLAINT,
    ReportKind.FEEDBACK: Reason.FEEDBACK,
    ReportKind.AUTO_REPLY: Reason.AUTO_REPLY,
    ReportKind.DELIVERED: Reason.DELIVERED,
}
