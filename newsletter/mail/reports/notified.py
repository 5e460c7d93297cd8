"""Bounces and complaints that Amazon SES tells of in JSON, by mail (SNS's protocols `email` and `email-json`).

Owns finding the JSON in a mail's words and reading it. Whom it names is believed no more than any address in a report;
what comes by the webhook, signed, is read by `bounces.providers`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from newsletter.mail.reports.addresses import find_address
from newsletter.mail.reports.dsn import read_action
from newsletter.mail.reports.fields import clean
from newsletter.mail.reports.judge import Evidence, judge
from newsletter.mail.reports.limits import DIAGNOSTIC_LENGTH, SHOWN_LENGTH, Limits
from newsletter.mail.reports.text import Words
from newsletter.model.bounce import Action, Finding, Reason, Report, ReportKind, Severity

_SIGN = '"notificationType"'
_HINTS = {
    "noemail": Reason.USER_UNKNOWN,
    "suppressed": Reason.USER_UNKNOWN,
    "onaccountsuppressionlist": Reason.USER_UNKNOWN,
    "mailboxfull": Reason.MAILBOX_FULL,
    "messagetoolarge": Reason.TOO_LARGE,
    "contentrejected": Reason.CONTENT,
    "attachmentrejected": Reason.CONTENT,
}


def read_notification(words: Words, limits: Limits) -> Report | None:
    """Return what a mail with SES's JSON says, still without names; None for any other mail."""
    if _SIGN not in words.said and _SIGN.replace('"', '\\"') not in words.said:
        return None
    event = _parse(words.said)
    inner = event.get("Message")
    event = _parse(inner) if isinstance(inner, str) else event
    kind = _text(event, "notificationType").lower()
    if kind == "bounce":
        found = list(_read_bounces(_mapping(event, "bounce"), limits))
        return Report(ReportKind.BOUNCE, tuple(found), form="sns") if found else None
    if kind == "complaint":
        complaint = _mapping(event, "complaint")
        found = [_make_complaint(one) for one in _list(complaint, "complainedRecipients", limits)]
        feedback = _text(complaint, "complaintFeedbackType").lower() or "abuse"
        return Report(ReportKind.COMPLAINT, tuple(found), form="sns", feedback=feedback) if found else None
    return None


def _parse(text: str) -> Mapping[str, Any]:
    """Return the object that stands in a text, from its first brace on; an empty one for none."""
    start = text.find("{")
    try:
        found, _ = json.JSONDecoder(strict=False).raw_decode(text, start) if start >= 0 else ({}, 0)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _read_bounces(bounce: Mapping[str, Any], limits: Limits) -> Iterator[Finding]:
    hint = _HINTS.get(_text(bounce, "bounceSubType").lower())
    for one in _list(bounce, "bouncedRecipients", limits):
        said = _text(one, "diagnosticCode")
        said = clean(said.partition(";")[2] if said.lower().startswith(("smtp;", "x-")) else said)
        judged = judge(Evidence((said,), _text(one, "status")[:16], hint=hint))
        yield Finding(
            judged.reason,
            judged.severity,
            read_action(_text(one, "action")) or Action.FAILED,
            recipient=find_address(_text(one, "emailAddress"))[:SHOWN_LENGTH],
            status=judged.status,
            code=judged.code,
            diagnostic=said[:DIAGNOSTIC_LENGTH],
        )


def _make_complaint(one: Mapping[str, Any]) -> Finding:
    address = find_address(_text(one, "emailAddress"))[:SHOWN_LENGTH]
    return Finding(Reason.COMPLAINT, Severity.NONE, Action.DELIVERED, recipient=address)


def _list(event: Mapping[str, Any], name: str, limits: Limits) -> Sequence[Mapping[str, Any]]:
    found = event.get(name)
    items: list[Any] = found if isinstance(found, list) else []
    return [one for one in items if isinstance(one, dict)][: limits.recipients]


def _mapping(event: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = event.get(name)
    return found if isinstance(found, dict) else {}


def _text(event: Mapping[str, Any], name: str) -> str:
    found = event.get(name)
    return found[:4000].encode("utf-8", "replace").decode() if isinstance(found, str) else ""
