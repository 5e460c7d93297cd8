"""What mail providers tell: whoever can't prove to be one changes nobody."""

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA256

from newsletter import config
from newsletter.model.subscriber import Subscriber, SubscriberState
from newsletter.store.database import Database
from newsletter.store.subscribers import load_subscriber
from tests.bounces.providers.test_others import KEY, PUBLIC, mailgun_call
from tests.bounces.providers.test_ses import CERTIFICATE, bounce, notification
from tests.web.conftest import Town

TOPIC = "arn:aws:sns:eu-central-1:123456789012:bounces"
CERTIFICATE_URL = "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-1.pem"
ADDRESS = "reader@example.net"
HARD = {"RecordType": "Bounce", "ID": 42, "Type": "HardBounce", "Email": ADDRESS}

MakeTown = Callable[..., Town]


@pytest.fixture
def town(make_town: MakeTown, tmp_path: Path) -> Town:
    """A publication whose mail goes by four providers, with one reader."""
    for name in ("postmark", "mailgun"):
        (tmp_path / name).write_text("key\n")
    bounces = config.Bounces(
        ses_topics=(TOPIC,),
        postmark_password_file=tmp_path / "postmark",
        sendgrid_key=PUBLIC,
        mailgun_key_file=tmp_path / "mailgun",
    )
    built = make_town(bounces=bounces)
    built.add_reader(ADDRESS)
    return built


def reader(town: Town) -> Subscriber:
    with town.database.read() as connection:
        found = load_subscriber(connection, 1)
    assert found is not None
    return found


def basic(password: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"anybody:{password}".encode()).decode()}


def signed(body: bytes) -> dict[str, str]:
    signature = base64.b64encode(KEY.sign(b"1716618600" + body, ECDSA(SHA256()))).decode()
    names = ("x-twilio-email-event-webhook-signature", "x-twilio-email-event-webhook-timestamp")
    return dict(zip(names, (signature, "1716618600"), strict=True))


def test_postmark_tells_of_a_mailbox_that_is_gone(town: Town) -> None:
    body = json.dumps(HARD).encode()
    for wrong in ({}, basic("wrong"), {"authorization": "Bearer key"}, {"authorization": "Basic %%%"}):
        assert town.client.post("/hooks/postmark", content=body, headers=wrong).status_code == 401
    assert reader(town).state is SubscriberState.ACTIVE
    for _ in range(2):
        assert town.client.post("/hooks/postmark", content=body, headers=basic("key")).status_code == 200
    assert reader(town).state is SubscriberState.SUSPENDED


def test_sendgrid_tells_of_a_complaint(town: Town) -> None:
    body = json.dumps([{"event": "spamreport", "email": ADDRESS, "sg_event_id": "1"}]).encode()
    assert town.client.post("/hooks/sendgrid", content=body).status_code == 403
    assert town.client.post("/hooks/sendgrid", content=body + b" ", headers=signed(body)).status_code == 403
    assert reader(town).state is SubscriberState.ACTIVE
    assert town.client.post("/hooks/sendgrid", content=body, headers=signed(body)).status_code == 200
    assert reader(town).state is SubscriberState.SUSPENDED


def test_mailgun_tells_who_left(town: Town) -> None:
    event = {"event": "unsubscribed", "recipient": ADDRESS}
    assert town.client.post("/hooks/mailgun", content=mailgun_call("wrong", town.now, **event)).status_code == 403
    assert town.client.post("/hooks/mailgun", content=b"{}").status_code == 400
    assert reader(town).state is SubscriberState.ACTIVE
    assert town.client.post("/hooks/mailgun", content=mailgun_call("key", town.now, **event)).status_code == 200
    assert reader(town).state is SubscriberState.LEFT


def test_ses_is_believed_by_amazon_s_signature_and_our_topic(town: Town) -> None:
    event = json.loads(json.dumps(bounce(subtype="NoEmail")).replace("reader@example.net", ADDRESS))
    assert town.client.post("/hooks/ses", content=notification(event)).status_code == 503
    town.world[CERTIFICATE_URL] = b"no certificate"
    assert town.client.post("/hooks/ses", content=notification(event)).status_code == 403
    town.world[CERTIFICATE_URL] = CERTIFICATE
    other = notification(event, more={"TopicArn": TOPIC + "-other"})
    assert town.client.post("/hooks/ses", content=other).status_code == 403
    assert town.client.post("/hooks/ses", content=b"{}").status_code == 400
    assert reader(town).state is SubscriberState.ACTIVE
    assert town.client.post("/hooks/ses", content=notification(event)).status_code == 200
    assert reader(town).state is SubscriberState.SUSPENDED


def test_a_certificate_is_fetched_from_nobody_but_amazon(town: Town) -> None:
    evil = "https://evil.example/x.pem"
    town.world[evil] = CERTIFICATE
    raw = json.loads(notification(bounce()))
    body = json.dumps(raw | {"SigningCertURL": evil}).encode()
    assert town.client.post("/hooks/ses", content=body).status_code == 403
    assert town.fetched == []


def test_a_provider_that_isn_t_configured_is_not_there(make_town: MakeTown) -> None:
    town = make_town()
    for name in ("ses", "postmark", "sendgrid", "mailgun"):
        assert town.client.post(f"/hooks/{name}", content=b"{}", headers=basic("")).status_code == 404
        assert town.client.get(f"/hooks/{name}").status_code == 405


def test_what_is_no_call_is_refused_without_a_traceback(town: Town, database: Database) -> None:
    for body in (b"", b"[" * 50_000, b"\xff", b'{"RecordType": ["x"]}'):
        assert town.client.post("/hooks/postmark", content=body, headers=basic("key")).status_code == 400
        assert town.client.post("/hooks/sendgrid", content=body, headers=signed(body)).status_code == 400


def test_a_call_about_many_mails_may_be_larger_than_a_form(town: Town) -> None:
    event = {"event": "delivered", "email": ADDRESS, "padding": "x" * 1000}
    body = json.dumps([event] * 500).encode()
    assert town.client.post("/hooks/sendgrid", content=body, headers=signed(body)).status_code == 200
    assert town.client.post("/hooks/sendgrid", content=body * 3, headers=signed(body * 3)).status_code == 413
    assert town.client.post("/hooksandmore", content=body).status_code == 413
