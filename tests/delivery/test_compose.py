"""A reader's mail, ready for the wire."""

import email
import email.policy
import sys
from dataclasses import replace

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from newsletter.delivery.compose import make_compose
from newsletter.mail.dkim import RsaKey, SigningKeys, compose_record
from newsletter.mail.token import Token
from newsletter.mail.verp import read_envelope_sender
from newsletter.model.delivery import Delivery, DeliveryState
from newsletter.model.edition import Edition
from tests.delivery.conftest import KEY, NOW

ANN = Delivery(70, 3, 7, "ann@example.net", "Ann", DeliveryState.SENDING, 0, NOW)


def test_the_envelope_names_the_reader_and_his_own_return_address(edition: Edition) -> None:
    mail = make_compose(edition, NOW, KEY, None)(ANN)
    sender, recipient = mail.envelope.decode().splitlines()
    assert recipient == "RCPT TO:<ann@example.net>"
    address = sender.removeprefix("MAIL FROM:<").removesuffix(">")
    assert read_envelope_sender([KEY], address, "bounces.example.org") == Token(7, 3)
    assert mail.key is ANN


def test_the_body_is_ready_for_data_and_for_chunks(edition: Edition) -> None:
    mail = make_compose(edition, NOW, KEY, None)(ANN)
    body = b"".join(mail.body)
    assert body.endswith(b"\r\n")
    assert body.count(b"\n") == body.count(b"\r\n")
    assert not any(line.startswith(b".") for line in body.split(b"\r\n"))
    message = email.message_from_bytes(body, policy=email.policy.default)
    assert message["To"] == "Ann <ann@example.net>"
    assert not message.defects


def test_an_address_in_another_script_asks_for_smtputf8(edition: Edition) -> None:
    mail = make_compose(edition, NOW, KEY, None)(replace(ANN, address="用户@xn--fsqu00a.example"))
    assert mail.envelope.splitlines()[0].endswith(b"> SMTPUTF8")


@pytest.mark.parametrize("address", ["a@example.net>\r\nRSET", "a b@example.net", "a<b@example.net"])
def test_an_address_that_could_end_a_command_is_refused(edition: Edition, address: str) -> None:
    with pytest.raises(ValueError, match="can't"):
        make_compose(edition, NOW, KEY, None)(replace(ANN, address=address))


def test_a_name_that_could_end_a_header_is_refused(edition: Edition) -> None:
    with pytest.raises(ValueError, match="line"):
        make_compose(edition, NOW, KEY, None)(replace(ANN, name="a\r\nBcc: b@example.org"))


def test_with_keys_each_mail_is_signed_and_only_its_own_bytes_verify(edition: Edition) -> None:
    private = generate_private_key(65537, 2048)
    keys = SigningKeys("example.org", RsaKey("news", private))
    compose = make_compose(edition, NOW, KEY, keys)
    for delivery in (ANN, replace(ANN, id=71, subscriber_id=8, address="bob@example.net", name="")):
        message = b"".join(compose(delivery).body)
        assert dkim.verify(message, dnsfunc=lambda name, timeout=5: compose_record(private).encode())
        forged = message.replace(b"Subject: Twenty-one", b"Subject: Twenty-two")
        assert not dkim.verify(forged, dnsfunc=lambda name, timeout=5: compose_record(private).encode())


def test_what_is_the_same_for_everybody_is_kept_once(edition: Edition) -> None:
    """The pieces between personal fields are one object for all: a claimed page costs little memory."""
    compose = make_compose(replace(edition, html=f"{edition.html}<p>{'words ' * 10_000}</p>"), NOW, KEY, None)
    one, two = compose(ANN), compose(replace(ANN, id=71, subscriber_id=8))
    shared = {id(piece) for piece in one.body} & {id(piece) for piece in two.body}
    own = sum(sys.getsizeof(piece) for piece in two.body if id(piece) not in shared)
    assert own < 2000 < sum(map(len, two.body))
