"""Mailgun, whose calls are signed by HMAC-SHA256 over a time stamp and a token that is used once."""

import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from newsletter.bounces.providers.reading import (
    PayloadError,
    complaint,
    failure,
    find_fault,
    leaving,
    mapping,
    number,
    parse_json,
    text,
)
from newsletter.model.bounce import Reason
from newsletter.model.verdict import Event, Way

MAX_AGE: Final = timedelta(hours=24)
"""How old a call may be: Mailgun tries for eight hours, and a clock may be off."""

_REASONS: Final = {
    "suppress-bounce": Reason.USER_UNKNOWN,
    "bounce": Reason.UNDETERMINED,
    "espblock": Reason.REPUTATION,
    "greylisted": Reason.GREYLISTED,
    "old": Reason.EXPIRED,
}


def parse_call(body: bytes) -> Mapping[str, Any]:
    """Return a call's JSON; raises PayloadError for what Mailgun doesn't send."""
    call = mapping(parse_json(body))
    if not mapping(call.get("signature")) or not mapping(call.get("event-data")):
        raise PayloadError("this is no call of Mailgun's")
    return call


def check_signature(call: Mapping[str, Any], key: str, now: datetime) -> bool:
    """Return whether a call is Mailgun's, and new enough; `key` is the account's webhook signing key."""
    signature = mapping(call.get("signature"))
    stamp, token = text(signature.get("timestamp")), text(signature.get("token"))
    wanted = hmac.new(key.encode(), f"{stamp}{token}".encode(), "sha256").hexdigest()
    fits = hmac.compare_digest(wanted.encode(), text(signature.get("signature")).encode())
    if not (fits and stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        return False
    return abs(now.timestamp() - int(stamp)) <= MAX_AGE.total_seconds()


def parse_events(call: Mapping[str, Any]) -> list[Event]:
    """Return what a call tells about a reader; a temporary failure is none yet, since Mailgun tries again."""
    event = mapping(call.get("event-data"))
    kind, address = text(event.get("event")).lower(), text(event.get("recipient"))
    key = text(event.get("id")) or text(mapping(call.get("signature")).get("token"))
    if kind == "complained":
        return [Event(complaint(address, "abuse", "mailgun"), Way.MAILGUN, key, address)]
    if kind == "unsubscribed":
        return [Event(leaving(address, "mailgun"), Way.MAILGUN, key, address)]
    lost = kind == "failed" and text(event.get("severity")).lower() != "temporary"
    return [_read_failure(event, key, address)] if lost else []


def _read_failure(event: Mapping[str, Any], key: str, address: str) -> Event:
    status = mapping(event.get("delivery-status"))
    said = text(status.get("message")) or text(status.get("description"))
    reason = text(event.get("reason")).lower()
    if reason == "suppress-complaint":
        return Event(complaint(address, "abuse", "mailgun"), Way.MAILGUN, key, address)
    if reason == "suppress-unsubscribe":
        return Event(leaving(address, "mailgun"), Way.MAILGUN, key, address)
    default = _REASONS.get(reason, Reason.UNDETERMINED)
    permanent = None if reason != "old" else False
    code, enhanced = number(status.get("code")), text(status.get("enhanced-code"))
    finding = find_fault(said, enhanced, code, address, permanent=permanent, default=default)
    return Event(failure(finding, "mailgun"), Way.MAILGUN, key, address)
