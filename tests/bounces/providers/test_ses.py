"""Amazon SES: only what Amazon signed is read, and each recipient is judged."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from newsletter.bounces.providers.reading import PayloadError
from newsletter.bounces.providers.ses import (
    check_signature,
    is_certificate_url,
    is_subscribe_url,
    parse_envelope,
    parse_events,
)
from newsletter.mail.verp import make_envelope_sender
from newsletter.model.bounce import Reason, ReportKind, Severity

LINK_KEY = b"k" * 32
DOMAIN = "bounces.example.org"
KEY = generate_private_key(65537, 2048)


def certificate(key: RSAPrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = (
        builder.serial_number(7).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    )
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


CERTIFICATE = certificate(KEY)


def notification(
    event: object, version: str = "2", key: RSAPrivateKey = KEY, more: dict[str, str] | None = None
) -> bytes:
    fields = {
        "Type": "Notification",
        "MessageId": "165545c9-2a5c-472c-8df2-7ff2be2b3b1b",
        "TopicArn": "arn:aws:sns:eu-central-1:123456789012:bounces",
        "Message": json.dumps(event),
        "Timestamp": "2024-05-25T06:30:00.000Z",
    } | (more or {})
    signed = "".join(f"{name}\n{fields[name]}\n" for name in sorted(fields)).encode()
    signature = key.sign(signed, PKCS1v15(), SHA256() if version == "2" else SHA1())  # noqa: S303
    sent = fields | {
        "SignatureVersion": version,
        "Signature": base64.b64encode(signature).decode(),
        "SigningCertURL": "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-1.pem",
    }
    return json.dumps(sent).encode()


def bounce(kind: str = "Permanent", subtype: str = "General", said: str = "", status: str = "", **mail: Any) -> object:
    recipient = {"emailAddress": "reader@example.net", "action": "failed", "status": status, "diagnosticCode": said}
    return {
        "notificationType": "Bounce",
        "bounce": {"bounceType": kind, "bounceSubType": subtype, "bouncedRecipients": [recipient]},
        "mail": mail,
    }


def read(event: object) -> Any:
    return parse_events(parse_envelope(notification(event)), [LINK_KEY], DOMAIN)


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("more", [{}, {"Subject": "Amazon SES Email Event Notification"}])
def test_what_amazon_signed_is_believed(version: str, more: dict[str, str]) -> None:
    assert check_signature(parse_envelope(notification({}, version, more=more)), CERTIFICATE)


def test_what_another_signed_is_not_believed() -> None:
    other = generate_private_key(65537, 2048)
    assert not check_signature(parse_envelope(notification({}, key=other)), CERTIFICATE)
    assert not check_signature(parse_envelope(notification({})), certificate(other))
    assert not check_signature(parse_envelope(notification({})), b"no certificate")


def test_what_was_changed_on_the_way_is_not_believed() -> None:
    raw = json.loads(notification(bounce()))
    for name in ("Message", "MessageId", "Timestamp", "TopicArn"):
        forged = json.dumps(raw | {name: raw[name][:-1] + "7"}).encode()
        assert not check_signature(parse_envelope(forged), CERTIFICATE)


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-central-1.amazonaws.com/x.pem",
        "https://sns.eu-central-1.amazonaws.com.evil.example/x.pem",
        "https://evil.example/https://sns.eu-central-1.amazonaws.com/x.pem",
        "https://sns.eu-central-1.amazonaws.com@evil.example/x.pem",
        "https://sns.eu-central-1.amazonaws.com/x.pem\n",
        "https://sns.eu-central-1.amazonaws.com/../x.pem",
        "https://s3.amazonaws.com/x.pem",
        "",
    ],
)
def test_a_certificate_is_fetched_from_nobody_but_amazon(url: str) -> None:
    assert not is_certificate_url(url)
    assert not is_subscribe_url(url)


def test_amazon_s_own_addresses_are_known() -> None:
    assert is_certificate_url("https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-60eadc5.pem")
    assert is_certificate_url("https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-60eadc5.pem")
    assert is_subscribe_url(
        "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription"
        "&TopicArn=arn:aws:sns:us-east-1:123456789012:b&Token=2336412f37"
    )


@pytest.mark.parametrize(
    ("event", "reason", "severity"),
    [
        (bounce(said="smtp; 550 5.1.1 user unknown", status="5.1.1"), Reason.USER_UNKNOWN, Severity.HARD),
        (bounce(subtype="NoEmail"), Reason.USER_UNKNOWN, Severity.HARD),
        (bounce(subtype="OnAccountSuppressionList"), Reason.USER_UNKNOWN, Severity.HARD),
        (bounce("Transient", "MailboxFull"), Reason.MAILBOX_FULL, Severity.SOFT),
        (bounce("Transient", said="smtp; 550 5.1.1 user unknown"), Reason.USER_UNKNOWN, Severity.SOFT),
        (bounce("Permanent", said="smtp; 552 5.2.2 mailbox full"), Reason.MAILBOX_FULL, Severity.SOFT),
        (bounce("Transient", "ContentRejected"), Reason.CONTENT, Severity.SOFT),
    ],
)
def test_a_bounce_is_judged_by_what_the_server_said(event: object, reason: Reason, severity: Severity) -> None:
    (found,) = read(event)
    assert found.address == "reader@example.net"
    assert found.report.kind is ReportKind.BOUNCE
    assert (found.report.findings[0].reason, found.report.findings[0].severity) == (reason, severity)


def test_our_own_return_address_names_the_reader() -> None:
    (found,) = read(bounce(source=make_envelope_sender(LINK_KEY, 7, 9, DOMAIN)))
    assert (found.report.named.subscriber_id, found.report.named.edition_id) == (7, 9)
    (forged,) = read(bounce(source=make_envelope_sender(b"x" * 32, 7, 9, DOMAIN)))
    assert forged.report.named is None


def test_a_complaint_says_which_kind() -> None:
    event = {
        "eventType": "Complaint",
        "complaint": {
            "complainedRecipients": [{"emailAddress": "a@example.net"}, {"emailAddress": "b@example.net"}],
            "complaintFeedbackType": "abuse",
        },
        "mail": {"source": make_envelope_sender(LINK_KEY, 7, 9, DOMAIN)},
    }
    first, second = read(event)
    assert (first.report.kind, first.report.feedback, first.address) == (ReportKind.COMPLAINT, "abuse", "a@example.net")
    assert first.key != second.key
    assert first.report.named is None, "one return address can't name two readers"


@pytest.mark.parametrize("kind", ["Delivery", "Send", "Open", "Click", "Received", ""])
def test_what_is_no_bounce_is_passed_over(kind: str) -> None:
    assert read({"notificationType": kind}) == []


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"[" * 100_000, b'{"Type": "Notification"}', b"\xff", b"1" * (2 << 20)]
)
def test_what_is_no_message_of_sns_is_refused(body: bytes) -> None:
    with pytest.raises(PayloadError):
        parse_envelope(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(json_values, st.sampled_from(["Bounce", "Complaint"]))
def test_whatever_stands_in_an_event_nothing_breaks(value: object, kind: str) -> None:
    for event in (value, {"notificationType": kind, kind.lower(): value, "mail": value}):
        for found in read(event):
            assert found.report.findings


def test_fields_that_run_into_each_other_are_no_other_topic_s() -> None:
    """Anybody has a topic of his own, whose messages Amazon signs: its text must not become our topic's name."""
    ours, theirs = "arn:aws:sns:eu-central-1:123456789012:bounces", "arn:aws:sns:eu-central-1:666666666666:evil"
    event = json.dumps(bounce("Permanent", "NoEmail", "smtp; 550 5.1.1 no such user", "5.1.1"))
    message = f"{event}\nMessageId\nm-1\nTimestamp\nT\nTopicArn\n{ours}{' ' * 1000}"
    genuine = json.loads(notification({}, more={"TopicArn": theirs, "Message": message}))
    tail = f"\nMessageId\n{genuine['MessageId']}\nTimestamp\n{genuine['Timestamp']}\nTopicArn\n{theirs}"
    forged = genuine | {"Message": event, "MessageId": "m-1", "Timestamp": "T", "TopicArn": f"{ours}{' ' * 1000}{tail}"}
    with pytest.raises(PayloadError):
        parse_envelope(json.dumps(forged).encode())
