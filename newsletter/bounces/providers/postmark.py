"""Postmark, whose calls carry a password of ours (HTTP Basic): it signs nothing."""

from collections.abc import Mapping
from typing import Any, Final

from newsletter.bounces.providers.reading import (
    PayloadError,
    complaint,
    failure,
    find_fault,
    leaving,
    mapping,
    parse_json,
    text,
)
from newsletter.model.bounce import Reason
from newsletter.model.verdict import Event, Way

_REASONS: Final[Mapping[str, tuple[Reason, bool | None]]] = {
    "hardbounce": (Reason.USER_UNKNOWN, True),
    "bademailaddress": (Reason.USER_UNKNOWN, True),
    "softbounce": (Reason.UNDETERMINED, False),
    "transient": (Reason.UNDETERMINED, False),
    "dnserror": (Reason.NETWORK, False),
    "smtpapierror": (Reason.SYSTEM, False),
    "spamnotification": (Reason.SPAM, False),
    "virusnotification": (Reason.VIRUS, False),
    "blocked": (Reason.REPUTATION, False),
    "dmarcpolicy": (Reason.AUTHENTICATION, False),
    "addresschange": (Reason.MOVED, None),
    "challengeverification": (Reason.FILTERED, False),
    "manuallydeactivated": (Reason.UNDETERMINED, False),
    "unknown": (Reason.UNDETERMINED, None),
}
"""Postmark's type, what it means, and its opinion whether that is for good."""

_NO_LOSS: Final = frozenset({"autoresponder", "subscribe", "openrelaytest", "templaterenderingfailed", "unconfirmed"})


def parse_events(body: bytes) -> list[Event]:
    """Return what a call tells about readers; raises PayloadError for what Postmark doesn't send."""
    event = mapping(parse_json(body))
    kind = text(event.get("RecordType"))
    if not kind:
        raise PayloadError("this is no event of Postmark")
    found = {"Bounce": _read_bounce, "SpamComplaint": _read_complaint, "SubscriptionChange": _read_change}.get(kind)
    read = found(event) if found else None
    return [read] if read else []


def _read_bounce(event: Mapping[str, Any]) -> Event | None:
    kind, address = text(event.get("Type")).lower(), text(event.get("Email"))
    if kind in _NO_LOSS:
        return None
    if kind == "spamcomplaint":
        return _read_complaint(event)
    key = f"bounce {text(event.get('ID'))}"
    if kind == "unsubscribe":
        return Event(leaving(address, "postmark"), Way.POSTMARK, key, address)
    reason, permanent = _REASONS.get(kind, (Reason.UNDETERMINED, None))
    said = text(event.get("Details")) or text(event.get("Description"))
    finding = find_fault(said, "", 0, address, permanent=permanent, default=reason)
    return Event(failure(finding, "postmark"), Way.POSTMARK, key, address)


def _read_complaint(event: Mapping[str, Any]) -> Event:
    address = text(event.get("Email"))
    key = f"complaint {text(event.get('ID'))}"
    return Event(complaint(address, "abuse", "postmark"), Way.POSTMARK, key, address)


def _read_change(event: Mapping[str, Any]) -> Event | None:
    """Read that Postmark won't send to an address any more because its owner asked; bounces it tells by themselves."""
    reason, address = text(event.get("SuppressionReason")).lower(), text(event.get("Recipient"))
    if event.get("SuppressSending") is not True or reason not in ("manualsuppression", "spamcomplaint"):
        return None
    if reason == "manualsuppression" and text(event.get("Origin")).lower() != "recipient":
        return None
    report = complaint(address, "abuse", "postmark") if reason == "spamcomplaint" else leaving(address, "postmark")
    return Event(report, Way.POSTMARK, f"change {address} {text(event.get('ChangedAt'))}", address)
