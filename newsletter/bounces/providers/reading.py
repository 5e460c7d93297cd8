"""What every provider's events are read with: JSON with limits, and findings from a server's words."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from newsletter.mail.reports.judge import Evidence, judge
from newsletter.model.bounce import Action, Finding, Reason, Report, ReportKind, Severity

MAX_BODY: Final = 1 << 20
"""Octets of one call's body; providers send far less."""

MAX_EVENTS: Final = 1000
"""Events read of one call."""

_TEXT_LENGTH: Final = 1000


class PayloadError(ValueError):
    """The body is not what the provider is documented to send."""


def parse_json(body: bytes) -> Any:
    """Return what a body says; raises PayloadError for one that is too large, too deep, or no JSON."""
    if len(body) > MAX_BODY:
        raise PayloadError("the body is too large")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise PayloadError("the body is no JSON") from None


def mapping(value: object) -> Mapping[str, Any]:
    """Return a JSON object, or an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> Sequence[Any]:
    """Return a JSON array, bounded, or an empty one for anything else."""
    return value[:MAX_EVENTS] if isinstance(value, list) else ()


def text(value: object) -> str:
    """Return a JSON string or number as bounded, printable text; anything else is empty."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    printable = str(value).encode("utf-8", "replace").decode()
    return "".join(character if character.isprintable() else " " for character in printable)[:_TEXT_LENGTH].strip()


def number(value: object) -> int:
    """Return an SMTP reply code, or 0."""
    found = text(value)
    return int(found) if found.isascii() and found.isdigit() and len(found) == 3 else 0


def find_fault(
    said: str, status: str, code: int, recipient: str, *, permanent: bool | None, default: Reason = Reason.UNDETERMINED
) -> Finding:
    """Return what a server's words mean. `permanent` is the provider's own opinion, None if it has none.

    Its opinion decides only where words and codes say nothing: providers call a full mailbox permanent, too. What it
    calls temporary is never hard.
    """
    found = judge(Evidence((said,) if said else (), status, code))
    reason = default if found.reason is Reason.UNDETERMINED else found.reason
    severity = found.severity
    if permanent is False:
        severity = Severity.SOFT
    elif reason is not found.reason and permanent and reason in (Reason.USER_UNKNOWN, Reason.HOST_UNKNOWN):
        severity = Severity.HARD
    return Finding(reason, severity, Action.FAILED, recipient, "", found.status, found.code, said)


def complaint(address: str, feedback: str, form: str) -> Report:
    """Return the report of a reader who called our mail spam."""
    finding = Finding(Reason.COMPLAINT, Severity.NONE, recipient=address)
    return Report(ReportKind.COMPLAINT, (finding,), form=form, feedback=feedback)


def leaving(address: str, form: str) -> Report:
    """Return the report of a reader who unsubscribed at the provider."""
    finding = Finding(Reason.UNSUBSCRIBE, Severity.NONE, recipient=address)
    return Report(ReportKind.UNSUBSCRIBE, (finding,), form=form)


def failure(finding: Finding, form: str) -> Report:
    """Return the report of a mail that didn't arrive."""
    return Report(ReportKind.BOUNCE, (finding,), form=form)
