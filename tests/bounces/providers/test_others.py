"""Postmark, SendGrid and Mailgun: who may call, and what a call means."""

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from newsletter.bounces.providers import mailgun, postmark, sendgrid
from newsletter.bounces.providers.reading import PayloadError
from newsletter.model.bounce import Reason, ReportKind, Severity
from newsletter.model.verdict import Event

NOW = datetime(2024, 5, 25, 6, 30, tzinfo=UTC)
ADDRESS = "reader@example.net"


def meaning(event: Event) -> tuple[ReportKind, Reason, Severity]:
    assert event.address == ADDRESS
    finding = event.report.findings[0]
    return event.report.kind, finding.reason, finding.severity


# Postmark


def postmark_bounce(kind: str, details: str = "") -> bytes:
    event = {"RecordType": "Bounce", "ID": 42, "Type": kind, "Email": ADDRESS, "Details": details}
    return json.dumps(event).encode()


@pytest.mark.parametrize(
    ("kind", "details", "reason", "severity"),
    [
        ("HardBounce", "smtp;550 5.1.1 The email account does not exist", Reason.USER_UNKNOWN, Severity.HARD),
        ("HardBounce", "", Reason.USER_UNKNOWN, Severity.HARD),
        ("HardBounce", "smtp;552 5.2.2 mailbox full", Reason.MAILBOX_FULL, Severity.SOFT),
        ("SoftBounce", "smtp;550 5.1.1 user unknown", Reason.USER_UNKNOWN, Severity.SOFT),
        ("DMARCPolicy", "", Reason.AUTHENTICATION, Severity.SOFT),
        ("SpamNotification", "", Reason.SPAM, Severity.SOFT),
        ("SomethingNew", "", Reason.UNDETERMINED, Severity.SOFT),
    ],
)
def test_postmark_s_type_counts_where_the_server_said_nothing(
    kind: str, details: str, reason: Reason, severity: Severity
) -> None:
    (event,) = postmark.parse_events(postmark_bounce(kind, details))
    assert meaning(event) == (ReportKind.BOUNCE, reason, severity)


def test_postmark_tells_complaints_and_who_left() -> None:
    complaint = {"RecordType": "SpamComplaint", "ID": 1, "Email": ADDRESS}
    change = {"RecordType": "SubscriptionChange", "Recipient": ADDRESS, "SuppressSending": True, "Origin": "Recipient"}
    (event,) = postmark.parse_events(json.dumps(complaint).encode())
    assert event.report.kind is ReportKind.COMPLAINT
    (event,) = postmark.parse_events(json.dumps(change | {"SuppressionReason": "ManualSuppression"}).encode())
    assert event.report.kind is ReportKind.UNSUBSCRIBE
    (event,) = postmark.parse_events(postmark_bounce("Unsubscribe"))
    assert event.report.kind is ReportKind.UNSUBSCRIBE


def test_what_postmark_tells_twice_or_about_nothing_is_passed_over() -> None:
    change = {"RecordType": "SubscriptionChange", "Recipient": ADDRESS, "SuppressSending": True}
    for more in ({"SuppressionReason": "HardBounce"}, {"SuppressionReason": "ManualSuppression", "Origin": "Admin"}):
        assert postmark.parse_events(json.dumps(change | more).encode()) == []
    assert postmark.parse_events(postmark_bounce("AutoResponder")) == []
    assert postmark.parse_events(b'{"RecordType": "Open"}') == []
    with pytest.raises(PayloadError):
        postmark.parse_events(b"{}")


# SendGrid

KEY = generate_private_key(SECP256R1())
PUBLIC = base64.b64encode(KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def test_sendgrid_s_signature_covers_time_and_body() -> None:
    body, stamp = b"[]", "1716618600"
    signature = base64.b64encode(KEY.sign(stamp.encode() + body, ECDSA(SHA256()))).decode()
    assert sendgrid.check_signature(body, stamp, signature, PUBLIC)
    assert not sendgrid.check_signature(b"[ ]", stamp, signature, PUBLIC)
    assert not sendgrid.check_signature(body, "1716618601", signature, PUBLIC)
    assert not sendgrid.check_signature(body, stamp, "", PUBLIC)
    assert not sendgrid.check_signature(body, stamp, "no base64!", PUBLIC)
    assert not sendgrid.check_signature(body, stamp, signature, "")
    assert not sendgrid.check_signature(body, "ü", signature, PUBLIC)


def sendgrid_event(kind: str, **more: Any) -> bytes:
    return json.dumps([{"event": kind, "email": ADDRESS, "sg_event_id": "e1", "timestamp": 1, **more}]).encode()


@pytest.mark.parametrize(
    ("more", "reason", "severity"),
    [
        ({"reason": "550 5.1.1 user unknown", "status": "5.1.1", "type": "bounce"}, Reason.USER_UNKNOWN, Severity.HARD),
        ({"reason": "550 5.1.1 user unknown", "type": "blocked"}, Reason.USER_UNKNOWN, Severity.SOFT),
        ({"type": "blocked", "bounce_classification": "Reputation"}, Reason.REPUTATION, Severity.SOFT),
        ({"reason": "552 5.2.2 mailbox is full", "type": "bounce"}, Reason.MAILBOX_FULL, Severity.SOFT),
    ],
)
def test_a_bounce_at_sendgrid_is_judged_by_what_the_server_said(
    more: dict[str, str], reason: Reason, severity: Severity
) -> None:
    (event,) = sendgrid.parse_events(sendgrid_event("bounce", **more))
    assert meaning(event) == (ReportKind.BOUNCE, reason, severity)


@pytest.mark.parametrize(
    ("kind", "more", "expected"),
    [
        ("spamreport", {}, ReportKind.COMPLAINT),
        ("unsubscribe", {}, ReportKind.UNSUBSCRIBE),
        ("group_unsubscribe", {}, ReportKind.UNSUBSCRIBE),
        ("dropped", {"reason": "Spam Reporting Address"}, ReportKind.COMPLAINT),
        ("dropped", {"reason": "Unsubscribed Address"}, ReportKind.UNSUBSCRIBE),
        ("dropped", {"reason": "Bounced Address"}, ReportKind.BOUNCE),
    ],
)
def test_what_else_sendgrid_tells_about_readers(kind: str, more: dict[str, str], expected: ReportKind) -> None:
    (event,) = sendgrid.parse_events(sendgrid_event(kind, **more))
    assert event.report.kind is expected


@pytest.mark.parametrize("kind", ["deferred", "processed", "delivered", "open", "click", ""])
def test_what_sendgrid_tells_of_mail_under_way_is_passed_over(kind: str) -> None:
    assert sendgrid.parse_events(sendgrid_event(kind)) == []


# Mailgun


def mailgun_call(key: str = "key", at: datetime = NOW, **event: Any) -> bytes:
    stamp, token = str(int(at.timestamp())), "t" * 50
    signature = hmac.new(key.encode(), f"{stamp}{token}".encode(), "sha256").hexdigest()
    signed = {"timestamp": stamp, "token": token, "signature": signature}
    return json.dumps({"signature": signed, "event-data": {"id": "e1", "recipient": ADDRESS, **event}}).encode()


def test_mailgun_s_signature_is_checked_and_grows_old() -> None:
    call = mailgun.parse_call(mailgun_call())
    assert mailgun.check_signature(call, "key", NOW)
    assert not mailgun.check_signature(call, "another", NOW)
    assert not mailgun.check_signature(call, "key", NOW + timedelta(hours=25))
    assert not mailgun.check_signature(call, "key", NOW - timedelta(hours=25))
    for broken in ({}, {"timestamp": "soon", "token": "", "signature": ""}):
        assert not mailgun.check_signature({"signature": broken}, "key", NOW)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (
            {"severity": "permanent", "delivery-status": {"code": 550, "message": "5.1.1 user unknown"}},
            (ReportKind.BOUNCE, Reason.USER_UNKNOWN, Severity.HARD),
        ),
        (
            {"severity": "permanent", "delivery-status": {"code": 552, "message": "5.2.2 mailbox full"}},
            (ReportKind.BOUNCE, Reason.MAILBOX_FULL, Severity.SOFT),
        ),
        (
            {"severity": "permanent", "reason": "suppress-complaint"},
            (ReportKind.COMPLAINT, Reason.COMPLAINT, Severity.NONE),
        ),
        (
            {"severity": "permanent", "reason": "suppress-unsubscribe"},
            (ReportKind.UNSUBSCRIBE, Reason.UNSUBSCRIBE, Severity.NONE),
        ),
    ],
)
def test_a_failure_at_mailgun(event: dict[str, Any], expected: tuple[ReportKind, Reason, Severity]) -> None:
    (found,) = mailgun.parse_events(mailgun.parse_call(mailgun_call(event="failed", **event)))
    assert meaning(found) == expected


def test_a_failure_that_mailgun_tries_again_is_none_yet() -> None:
    call = mailgun.parse_call(mailgun_call(event="failed", severity="temporary"))
    assert mailgun.parse_events(call) == []


@pytest.mark.parametrize(
    ("kind", "expected"), [("complained", ReportKind.COMPLAINT), ("unsubscribed", ReportKind.UNSUBSCRIBE)]
)
def test_what_else_mailgun_tells_about_readers(kind: str, expected: ReportKind) -> None:
    (found,) = mailgun.parse_events(mailgun.parse_call(mailgun_call(event=kind)))
    assert found.report.kind is expected


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text() | st.integers(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(
    st.dictionaries(
        st.sampled_from(["RecordType", "Type", "Email", "ID", "Details", "event", "email", "reason", "status", "type"]),
        json_values | st.sampled_from(["Bounce", "SpamComplaint", "bounce", "dropped", "HardBounce"]),
    )
)
def test_whatever_a_provider_sends_nothing_breaks(event: dict[str, object]) -> None:
    body = json.dumps(event).encode()
    for parse, given_body in ((postmark.parse_events, body), (sendgrid.parse_events, b"[" + body + b"]")):
        try:
            found = parse(given_body)
        except PayloadError:
            continue
        assert all(item.report.findings for item in found)
    assert isinstance(mailgun.parse_events({"event-data": {"event": "failed", "delivery-status": event}}), list)


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b"\xff\xfe", b"0" * (1 << 21)])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    for parse in (postmark.parse_events, sendgrid.parse_events, mailgun.parse_call):
        with pytest.raises(PayloadError):
            parse(body)
