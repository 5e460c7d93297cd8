"""Delivery status notifications (RFC 3464), wherever their fields stand.

Owns reading groups of status fields out of text: from a message/delivery-status part, or from a mail whose MIME is
broken. Blank lines between groups are not relied on, nor on upper and lower case, nor on a type before an address.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from newsletter.mail.reports.addresses import read_typed_address
from newsletter.mail.reports.codes import read_status
from newsletter.mail.reports.fields import clean
from newsletter.mail.reports.limits import SHOWN_LENGTH, VALUE_LENGTH
from newsletter.model.bounce import Action

_FIELD = re.compile(
    r"[ \t]*(reporting-mta|dsn-gateway|received-from-mta|arrival-date|original-envelope-id|original-recipient"
    r"|final-recipient|action|status|remote-mta|diagnostic-code|last-attempt-date|final-log-id|will-retry-until"
    r"|disposition|x-[a-z0-9-]{2,40})[ \t]*:[ \t]*(.*)",
    re.IGNORECASE,
)
_OTHER_FIELD = re.compile(r"[A-Za-z][A-Za-z-]{2,40}:[ \t]")
_PER_MESSAGE = frozenset({"reporting-mta", "dsn-gateway", "received-from-mta", "arrival-date", "original-envelope-id"})
_NAMED = ("final-recipient", "original-recipient")
_NAMING = frozenset({*_NAMED, "action"})
_TYPE = re.compile(r"\A\s*[A-Za-z0-9-]{2,20}\s*;\s*")
_ACTIONS = {
    "fail": Action.FAILED,
    "expired": Action.FAILED,
    "undeliver": Action.FAILED,
    "bounce": Action.FAILED,
    "reject": Action.FAILED,
    "delay": Action.DELAYED,
    "deliver": Action.DELIVERED,
    "relay": Action.RELAYED,
    "expand": Action.EXPANDED,
}
SIGN = re.compile(r"^[ \t]*(?:Final-Recipient|Original-Recipient|Diagnostic-Code)[ \t]*:", re.IGNORECASE | re.MULTILINE)
"""What shows that a text holds status fields at all."""


@dataclass(frozen=True, slots=True)
class Status:
    """What status fields say of one recipient."""

    recipient: str = ""
    original_recipient: str = ""
    action: Action | None = None
    status: str = ""
    diagnostic: str = ""
    remote_mta: str = ""
    reporting_mta: str = ""
    category: str = ""


def parse_statuses(text: str, limit: int) -> list[Status]:
    """Return what a text of status fields says, recipient by recipient, at most `limit`."""
    message: dict[str, str] = {}
    groups: list[dict[str, str]] = []
    apart = True
    for name, value in _read_fields(text):
        if not name:
            apart = True
        elif name in _PER_MESSAGE:
            message.setdefault(name, value)
        else:
            if not groups or _starts_group(name, groups[-1], apart):
                if len(groups) >= limit:
                    break
                groups.append({})
            groups[-1].setdefault(name, value)
            apart = False
    return [_make_status(group, message) for group in groups if _is_telling(group)]


def _starts_group(name: str, group: dict[str, str], apart: bool) -> bool:
    """Return whether a field belongs to the next recipient; `apart` if an empty line stands before it."""
    if name in group and name in _NAMING:
        return True
    return apart and name in _NAMING and "action" in group and any(key in group for key in _NAMED)


def _read_fields(text: str) -> Iterator[tuple[str, str]]:
    """Yield fields with their continuation lines, indented or not, and an empty name for empty lines."""
    name, value = "", ""
    for line in text.split("\n"):
        found = _FIELD.match(line)
        if found or not line.strip() or (not line.startswith((" ", "\t")) and _OTHER_FIELD.match(line)):
            if name:
                yield name, value[:VALUE_LENGTH].strip()
            if not line.strip():
                yield "", ""
            name, value = (found[1].lower(), found[2]) if found else ("", "")
        elif name and len(value) < VALUE_LENGTH:
            value += " " + line.strip()
    if name:
        yield name, value[:VALUE_LENGTH].strip()


def _is_telling(fields: dict[str, str]) -> bool:
    return any(
        name in fields for name in ("final-recipient", "original-recipient", "status", "action", "diagnostic-code")
    )


def _make_status(fields: dict[str, str], message: dict[str, str]) -> Status:
    final = read_typed_address(fields.get("final-recipient", ""))
    actual = read_typed_address(fields.get("x-actual-recipient", ""))
    original = read_typed_address(fields.get("original-recipient", ""))
    status = read_status(fields.get("status", ""))
    return Status(
        recipient=final or original or actual,
        original_recipient=original,
        action=read_action(fields.get("action", "")),
        status=status,
        diagnostic=_read_diagnostic(fields),
        remote_mta=read_host(fields.get("remote-mta", "")),
        reporting_mta=read_host(message.get("reporting-mta", "")),
        category=fields.get("x-powermta-bouncecategory", "").strip()[:SHOWN_LENGTH],
    )


def _read_diagnostic(fields: dict[str, str]) -> str:
    """Return what a server said; some put it behind the status (`5.1.1 (user unknown)`) or in fields of their own."""
    said = fields.get("diagnostic-code", "")
    for name in ("x-postfix-error", "x-supplementary-info", "x-display-name-error", "x-exchange-error", "x-notes"):
        said = said or fields.get(name, "")
    if not said:
        _, _, remark = fields.get("status", "").partition("(")
        said = remark.rstrip(") ")
    kind = _TYPE.match(said)
    if kind and not kind[0].strip().lower().startswith("x-unix"):
        said = said[kind.end() :]
    return clean(said)


def read_action(value: str) -> Action | None:
    """Return the action of an Action field, in any of its spellings."""
    word = value.strip().lower()
    return next((action for start, action in _ACTIONS.items() if word.startswith(start)), None)


def read_host(value: str) -> str:
    """Return the host of an MTA field, without its type and remarks."""
    name = _TYPE.sub("", value, count=1).partition("(")[0]
    return clean(name).strip("<>[] .")[:SHOWN_LENGTH]
