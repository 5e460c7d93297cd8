"""Feedback reports: complaints and their like (RFC 5965, 6591, 6650).

Owns reading the machine-readable part, and what is known of reports without one. Whoever complains is done with the
newsletter; what to do about it is decided elsewhere.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from newsletter.mail.reports.addresses import find_address
from newsletter.mail.reports.fields import Fields, clean, decode_words, parse_head
from newsletter.mail.reports.limits import DIAGNOSTIC_LENGTH, SHOWN_LENGTH, Limits
from newsletter.mail.reports.structure import Part, decode_part, walk_parts
from newsletter.mail.reports.text import Words
from newsletter.model.bounce import Action, Finding, Reason, Severity

_KIND = "message/feedback-report"
_TYPE = re.compile(r"^[ \t]*Feedback-Type:[ \t]*([A-Za-z-]{2,40})", re.IGNORECASE | re.MULTILINE)
_REPORTERS = re.compile(
    r"(?:staff@hotmail\.com|complaints?@[\w.-]*amazonses\.com|feedbackloop@|fbl@|scomp@|abuse-?reports?@)", re.I
)
_COMPLAINT_SUBJECT = re.compile(
    r"complaint about message from|^\s*\[?(?:abuse|spam) (?:report|complaint)|e-?mail feedback report", re.I
)
_COMPLAINTS = frozenset(
    {"abuse", "fraud", "virus", "other", "opt-out", "opt-out-list", "unsubscribe", "miscategorized", "complaint"}
)
_RECIPIENTS = ("original-rcpt-to", "removal-recipient", "original-recipient", "final-recipient")
_RETURNED = ("x-hmxmroriginalrecipient", "x-original-to", "delivered-to", "to")


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a feedback report says; `kind` is its Feedback-Type in lower case."""

    kind: str
    findings: tuple[Finding, ...]

    @property
    def is_complaint(self) -> bool:
        """Return whether somebody doesn't want the mail, rather than a machine reporting on authentication."""
        return self.kind in _COMPLAINTS


def read_feedback(mail: Part, words: Words, limits: Limits) -> Feedback | None:
    """Return what a feedback report says, or None if the mail isn't one."""
    text = _find_report(mail, words, limits)
    found = _TYPE.search(text)
    if found is None and not _is_reporters(mail):
        return None
    kind = found[1].lower() if found else "abuse"
    fields, _ = parse_head(text.strip("\n").encode("utf-8", "replace"), limits.headers)
    reason = Reason.COMPLAINT if kind in _COMPLAINTS else Reason.FEEDBACK
    recipients = _find_recipients(fields, words)[: limits.recipients] or [""]
    return Feedback(kind, tuple(_make_finding(reason, recipient, fields, words) for recipient in recipients))


def _find_report(mail: Part, words: Words, limits: Limits) -> str:
    """Return the report's fields: those of the part, or in words where the part is called something else."""
    leaves = [part for part in walk_parts(mail) if not part.is_message]
    for part in leaves:
        if part.kind == _KIND:
            return decode_part(part, limits.text)
    if mail.parameters.get("report-type", "").lower() == "feedback-report":
        return next((text for part in leaves if _TYPE.search(text := decode_part(part, limits.text))), "")
    found = _TYPE.search(words.said)
    return words.said[found.start() :] if found else ""


def _is_reporters(mail: Part) -> bool:
    """Return whether a mail is a complaint in a form of its own: Microsoft's JMRP, Amazon's."""
    sender = find_address(decode_words(mail.fields.get("from")))
    named = _COMPLAINT_SUBJECT.search(decode_words(mail.fields.get("subject")))
    reported = mail.parameters.get("report-type", "").lower() == "feedback-report"
    return reported or bool(named and (_REPORTERS.match(sender) or any(p.is_message for p in walk_parts(mail))))


def _find_recipients(fields: Fields, words: Words) -> list[str]:
    """Return whom the reported mail was for; many reports hide it, and then the reported mail may still tell."""
    named = dict.fromkeys(address for value in fields.all(*_RECIPIENTS) if (address := find_address(value)))
    return list(named) or list(_find_returned(words))[:1]


def _find_returned(words: Words) -> Iterator[str]:
    for name in _RETURNED:
        yield from (address for value in words.returned.all(name) if (address := find_address(decode_words(value))))


def _make_finding(reason: Reason, recipient: str, fields: Fields, words: Words) -> Finding:
    said = " ".join(words.said.split())
    return Finding(
        reason=reason,
        severity=Severity.NONE,
        action=Action.DELIVERED,
        recipient=recipient[:SHOWN_LENGTH],
        diagnostic=clean(said)[:DIAGNOSTIC_LENGTH],
        remote_mta=clean(fields.get("source-ip"))[:SHOWN_LENGTH],
        reporting_mta=clean(fields.get("reporting-mta").rpartition(";")[2])[:SHOWN_LENGTH],
    )
