"""SendGrid, whose calls are signed by ECDSA over a time stamp and the raw body."""

import base64
from collections.abc import Mapping
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from newsletter.bounces.providers.reading import (
    PayloadError,
    complaint,
    failure,
    find_fault,
    items,
    leaving,
    mapping,
    parse_json,
    text,
)
from newsletter.model.bounce import Reason
from newsletter.model.verdict import Event, Way

SIGNATURE_HEADER: Final = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP_HEADER: Final = "X-Twilio-Email-Event-Webhook-Timestamp"

_CLASSES: Final = {
    "invalid address": Reason.USER_UNKNOWN,
    "mailbox unavailable": Reason.MAILBOX_DISABLED,
    "reputation": Reason.REPUTATION,
    "content": Reason.CONTENT,
    "frequency or volume too high": Reason.RATE_LIMITED,
    "technical failure": Reason.SYSTEM,
}
_DROPS: Final = {
    "bounced address": Reason.USER_UNKNOWN,
    "invalid": Reason.USER_UNKNOWN,
    "recipient list over package quota": Reason.RATE_LIMITED,
}


def check_signature(body: bytes, timestamp: str, signature: str, public_key: str) -> bool:
    """Return whether a call is SendGrid's; `public_key` is as its settings page shows it (base64 of DER)."""
    try:
        key = load_der_public_key(base64.b64decode(public_key, validate=True))
        if not isinstance(key, EllipticCurvePublicKey) or not timestamp.isascii():
            return False
        key.verify(base64.b64decode(signature, validate=True), timestamp.encode() + body, ECDSA(SHA256()))
    except (ValueError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def parse_events(body: bytes) -> list[Event]:
    """Return what a call tells about readers; raises PayloadError for what SendGrid doesn't send."""
    raw = parse_json(body)
    if not isinstance(raw, list):
        raise PayloadError("this is no list of SendGrid's events")
    return [event for event in map(_read_event, map(mapping, items(raw))) if event]


def _read_event(event: Mapping[str, Any]) -> Event | None:
    kind, address = text(event.get("event")).lower(), text(event.get("email"))
    key = text(event.get("sg_event_id")) or f"{kind} {address} {text(event.get('timestamp'))}"
    if kind == "spamreport":
        return Event(complaint(address, "abuse", "sendgrid"), Way.SENDGRID, key, address)
    if kind in ("unsubscribe", "group_unsubscribe"):
        return Event(leaving(address, "sendgrid"), Way.SENDGRID, key, address)
    if kind == "dropped":
        return _read_drop(event, key, address)
    if kind != "bounce":
        return None
    default = _CLASSES.get(text(event.get("bounce_classification")).lower(), Reason.UNDETERMINED)
    permanent = False if text(event.get("type")).lower() == "blocked" else None
    return _fail(event, key, address, permanent=permanent, default=default)


def _read_drop(event: Mapping[str, Any], key: str, address: str) -> Event | None:
    """Read that SendGrid didn't even try; what it tells by an event of its own anyway is passed over."""
    reason = text(event.get("reason")).lower()
    if "spam reporting" in reason:
        return Event(complaint(address, "abuse", "sendgrid"), Way.SENDGRID, key, address)
    if "unsubscribed" in reason:
        return Event(leaving(address, "sendgrid"), Way.SENDGRID, key, address)
    default = next((found for word, found in _DROPS.items() if word in reason), Reason.POLICY)
    return _fail(event, key, address, permanent=default is Reason.USER_UNKNOWN, default=default)


def _fail(event: Mapping[str, Any], key: str, address: str, *, permanent: bool | None, default: Reason) -> Event:
    said, status = text(event.get("reason")), text(event.get("status"))
    finding = find_fault(said, status, 0, address, permanent=permanent, default=default)
    return Event(failure(finding, "sendgrid"), Way.SENDGRID, key, address)
