"""Amazon SES, whose events come signed by SNS.

A signature is RSA over fixed fields in a fixed order, by a certificate at an address of Amazon's. Whoever fetches that
certificate asks `is_certificate_url` first: only `https://sns.REGION.amazonaws.com/….pem` is one.
"""

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.x509 import load_pem_x509_certificate

from newsletter.bounces.providers.reading import (
    PayloadError,
    complaint,
    failure,
    find_fault,
    items,
    mapping,
    number,
    parse_json,
    text,
)
from newsletter.mail.verp import read_envelope_sender
from newsletter.model.bounce import Named, NamedBy, Reason, Report
from newsletter.model.verdict import Event, Way

_HOST: Final = r"https://sns\.[a-z0-9-]{1,40}\.amazonaws\.com(?:\.cn)?/"
_CERTIFICATE: Final = re.compile(_HOST + r"[A-Za-z0-9_-]{1,100}\.pem")
_SUBSCRIBE: Final = re.compile(_HOST + r"\?[A-Za-z0-9_.~%&=:-]{1,2000}")
_TOPIC: Final = re.compile(r"arn:aws(-[a-z]+)?:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_.-]{1,256}")
_SIGNED: Final = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_REASONS: Final = {
    "noemail": Reason.USER_UNKNOWN,
    "general": Reason.UNDETERMINED,
    "mailboxfull": Reason.MAILBOX_FULL,
    "messagetoolarge": Reason.TOO_LARGE,
    "contentrejected": Reason.CONTENT,
    "attachmentrejected": Reason.CONTENT,
    "suppressed": Reason.USER_UNKNOWN,
    "onaccountsuppressionlist": Reason.USER_UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class Envelope:
    """What SNS sends around an event. Nothing in it is to be believed before `check_signature`."""

    kind: str
    topic: str
    message: str
    message_id: str
    certificate_url: str
    subscribe_url: str
    signature: bytes
    version: str
    signed: bytes


def parse_envelope(body: bytes) -> Envelope:
    """Return what SNS sends; raises PayloadError for anything else."""
    raw = mapping(parse_json(body))
    kind, topic = raw.get("Type"), raw.get("TopicArn")
    # As they stand: what is signed runs together, and a field cut to fit would leave room for another's.
    if not (isinstance(kind, str) and kind in _SIGNED and isinstance(topic, str) and _TOPIC.fullmatch(topic)):
        raise PayloadError("this is no message of SNS")
    try:
        signature = base64.b64decode(str(raw.get("Signature", "")), validate=True)
    except ValueError:
        raise PayloadError("the signature is no base64") from None
    return Envelope(
        kind=kind,
        topic=topic,
        message=str(raw.get("Message", "")),
        message_id=text(raw.get("MessageId")),
        certificate_url=str(raw.get("SigningCertURL", "")),
        subscribe_url=str(raw.get("SubscribeURL", "")),
        signature=signature,
        version=text(raw.get("SignatureVersion")),
        signed=_list_signed(kind, raw),
    )


def is_certificate_url(url: str) -> bool:
    """Return whether a signing certificate may be fetched from there: an address that only Amazon can answer at."""
    return _CERTIFICATE.fullmatch(url) is not None


def is_subscribe_url(url: str) -> bool:
    """Return whether a subscription may be confirmed by a request there."""
    return _SUBSCRIBE.fullmatch(url) is not None


def check_signature(envelope: Envelope, certificate: bytes) -> bool:
    """Return whether the certificate (PEM) signed the envelope. The newer of SNS's two versions hashes by SHA-256."""
    try:
        key = load_pem_x509_certificate(certificate).public_key()
        if not isinstance(key, RSAPublicKey):
            return False
        # Version 1 is what a topic uses unless told otherwise, and SHA-1 is Amazon's choice there.
        digest = SHA256() if envelope.version == "2" else SHA1()  # noqa: S303 - see above
        key.verify(envelope.signature, envelope.signed, PKCS1v15(), digest)
    except (ValueError, InvalidSignature):
        return False
    return True


def parse_events(envelope: Envelope, keys: Iterable[bytes], bounce_domain: str) -> list[Event]:
    """Return the bounces and complaints in a message; what else SES tells is passed over. Raises PayloadError."""
    event = mapping(parse_json(envelope.message.encode("utf-8", "replace")))
    kind = (text(event.get("notificationType")) or text(event.get("eventType"))).lower()
    named = _find_name(mapping(event.get("mail")), tuple(keys), bounce_domain)
    if kind == "bounce":
        found = list(_read_bounces(mapping(event.get("bounce"))))
    elif kind == "complaint":
        found = list(_read_complaints(mapping(event.get("complaint"))))
    else:
        return []
    names = (named,) if named and len(found) == 1 else ()
    return [
        Event(replace(report, names=names), Way.SES, f"{envelope.message_id} {address}", address)
        for address, report in found
    ]


def _read_bounces(bounce: Mapping[str, Any]) -> Iterator[tuple[str, Report]]:
    permanent = {"permanent": True, "transient": False}.get(text(bounce.get("bounceType")).lower())
    default = _REASONS.get(text(bounce.get("bounceSubType")).lower(), Reason.UNDETERMINED)
    for recipient in map(mapping, items(bounce.get("bouncedRecipients"))):
        address, said = text(recipient.get("emailAddress")), text(recipient.get("diagnosticCode"))
        said = said.partition(";")[2].strip() or said
        finding = find_fault(
            said, text(recipient.get("status")), number(said[:3]), address, permanent=permanent, default=default
        )
        yield address, failure(replace(finding, reporting_mta=text(bounce.get("reportingMTA"))), "ses")


def _read_complaints(event: Mapping[str, Any]) -> Iterator[tuple[str, Report]]:
    for recipient in map(mapping, items(event.get("complainedRecipients"))):
        address = text(recipient.get("emailAddress"))
        yield address, complaint(address, text(event.get("complaintFeedbackType")), "ses")


def _find_name(mail: Mapping[str, Any], keys: tuple[bytes, ...], bounce_domain: str) -> Named | None:
    """Return whom our own return address names, which SES tells as the mail's source."""
    token = read_envelope_sender(keys, text(mail.get("source")), bounce_domain)
    return Named(token.subscriber_id, token.edition_id, NamedBy.ENVELOPE) if token else None


def _list_signed(kind: str, raw: Mapping[str, Any]) -> bytes:
    names = (name for name in _SIGNED[kind] if name in raw)
    return "".join(f"{name}\n{raw[name]}\n" for name in names).encode("utf-8", "replace")
