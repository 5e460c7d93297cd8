"""A reader's mail, ready for the wire."""

import email
import email.policy
import sys
import tracemalloc
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from newsletter.delivery.compose import FRAMES_KEPT, make_compose, make_compose_all, one_by_one
from newsletter.delivery.desk import Made
from newsletter.delivery.exchange import Prepared
from newsletter.mail.dkim import Ed25519Key, RsaKey, SigningKeys, compose_record
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
    mail = make_compose(edition, NOW, KEY, None)(ANN._replace(address="用户@xn--fsqu00a.example"))
    assert mail.envelope.splitlines()[0].endswith(b"> SMTPUTF8")


@pytest.mark.parametrize("address", ["a@example.net>\r\nRSET", "a b@example.net", "a<b@example.net"])
def test_an_address_that_could_end_a_command_is_refused(edition: Edition, address: str) -> None:
    with pytest.raises(ValueError, match="can't"):
        make_compose(edition, NOW, KEY, None)(ANN._replace(address=address))


def test_a_name_that_could_end_a_header_is_refused(edition: Edition) -> None:
    with pytest.raises(ValueError, match="line"):
        make_compose(edition, NOW, KEY, None)(ANN._replace(name="a\r\nBcc: b@example.org"))


def compose_everything(edition: Edition, keys: SigningKeys | None, readers: Sequence[Delivery]) -> list[Made]:
    """Compose for all of them at a time, and one by one: it must be the same, byte for byte."""
    asked: list[int] = []

    def sign(digests: Sequence[bytes]) -> list[bytes]:
        asked.append(len(digests))
        assert keys is not None
        return [keys.rsa.private.sign(digest, PKCS1v15(), Prehashed(SHA256())) for digest in digests]

    vary_one = partial(vary, edition)
    made = list(make_compose_all(edition, NOW, KEY, keys, vary_one, sign)(readers))
    assert made == one_by_one(make_compose(edition, NOW, KEY, keys, vary_one))(readers)
    assert len(asked) == (keys is not None), "all are signed in one go"
    return made


def test_many_mails_made_in_one_go_are_those_made_one_by_one_and_who_can_t_be_written_to_shifts_nobody(
    edition: Edition,
) -> None:
    readers = [
        ANN,
        ANN._replace(id=71, name="a\r\nBcc: b@example.org"),
        ANN._replace(id=72, subscriber_id=8, address="bob@example.net", name=""),
        ANN._replace(id=73, address="a@example.net>\r\nRSET"),
        ANN._replace(id=74, subscriber_id=9, variant=2),
    ]
    private, second = generate_private_key(65537, 2048), Ed25519PrivateKey.generate()
    rsa = RsaKey("news", private)
    for keys in (
        None,
        SigningKeys("example.org", rsa),
        SigningKeys("example.org", rsa, Ed25519Key("news-ed", second)),
    ):
        made = compose_everything(edition, keys, readers)
        assert [isinstance(item, Prepared) for item in made] == [True, False, True, False, True]
        for item, reader in zip(made, readers, strict=True):
            assert (item.key if isinstance(item, Prepared) else item[0]) is reader


def test_with_keys_each_mail_is_signed_and_only_its_own_bytes_verify(edition: Edition) -> None:
    private = generate_private_key(65537, 2048)
    keys = SigningKeys("example.org", RsaKey("news", private))
    compose = make_compose(edition, NOW, KEY, keys)
    for delivery in (ANN, ANN._replace(id=71, subscriber_id=8, address="bob@example.net", name="")):
        message = b"".join(compose(delivery).body)
        assert dkim.verify(message, dnsfunc=lambda name, timeout=5: compose_record(private).encode())
        forged = message.replace(b"Subject: Twenty-one", b"Subject: Twenty-two")
        assert not dkim.verify(forged, dnsfunc=lambda name, timeout=5: compose_record(private).encode())


def test_what_is_the_same_for_everybody_is_kept_once(edition: Edition) -> None:
    """The pieces between personal fields are one object for all: a claimed page costs little memory."""
    compose = make_compose(replace(edition, html=f"{edition.html}<p>{'words ' * 10_000}</p>"), NOW, KEY, None)
    one, two = compose(ANN), compose(ANN._replace(id=71, subscriber_id=8))
    shared = {id(piece) for piece in one.body} & {id(piece) for piece in two.body}
    own = sum(sys.getsizeof(piece) for piece in two.body if id(piece) not in shared)
    assert own < 2000 < sum(map(len, two.body))


def vary(edition: Edition, number: int) -> Edition:
    return replace(edition, html=edition.html.replace("Grüße", f"Grüße an {number}"))


def test_a_reader_gets_the_variant_that_his_row_names(edition: Edition) -> None:
    compose = make_compose(edition, NOW, KEY, None, lambda number: vary(edition, number))
    bodies = [b"".join(compose(ANN._replace(variant=number)).body) for number in (0, 1, 2)]
    messages = [email.message_from_bytes(body, policy=email.policy.default) for body in bodies]
    texts = [str(message.get_body(("html",)).get_content()) for message in messages]  # type: ignore[union-attr]
    assert ["Grüße an 1" in text for text in texts] == [False, True, False]
    assert ["Grüße an 2" in text for text in texts] == [False, False, True]
    assert len({str(message["Message-ID"]) for message in messages}) == 1  # one edition, one reader


def test_a_variant_is_signed_as_the_edition_is(edition: Edition) -> None:
    private = generate_private_key(65537, 2048)
    keys = SigningKeys("example.org", RsaKey("news", private))
    compose = make_compose(edition, NOW, KEY, keys, lambda number: vary(edition, number))
    message = b"".join(compose(ANN._replace(variant=3)).body)
    assert dkim.verify(message, dnsfunc=lambda name, timeout=5: compose_record(private).encode())


def test_a_variant_is_loaded_and_encoded_once_however_many_threads_ask(edition: Edition) -> None:
    loaded: list[int] = []

    def load(number: int) -> Edition:
        loaded.append(number)
        return vary(edition, number)

    compose = make_compose(edition, NOW, KEY, None, load)
    rows = [ANN._replace(id=at, subscriber_id=at, variant=at % 5) for at in range(1, 400)]
    with ThreadPoolExecutor(8) as pool:
        mails = list(pool.map(compose, rows))
    assert sorted(loaded) == [1, 2, 3, 4]
    assert all(
        f"an {row.variant}".encode() in b"".join(mail.body)
        for row, mail in zip(rows, mails, strict=True)
        if row.variant
    )


def test_forty_variants_cost_the_memory_of_forty_and_not_of_each_reader(edition: Edition) -> None:
    large = replace(edition, html=f"{edition.html}<p>{'words ' * 5000}</p>")
    compose = make_compose(large, NOW, KEY, None, lambda number: vary(large, number))
    tracemalloc.start()
    kept = [compose(ANN._replace(id=at, variant=1 + at)) for at in range(40)]
    frames, _ = tracemalloc.get_traced_memory()
    kept += [compose(ANN._replace(id=at, variant=1 + at % 40)) for at in range(400)]
    everything, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    size = len(b"".join(kept[0].body))
    assert 40 * size < frames < 40 * size * 1.3
    assert everything - frames < 400 * 3000 < 400 * size / 5


def test_of_more_variants_than_are_kept_the_latest_are(edition: Edition) -> None:
    loaded: list[int] = []

    def load(number: int) -> Edition:
        loaded.append(number)
        return vary(edition, number)

    compose = make_compose(edition, NOW, KEY, None, load)
    for number in (*range(1, FRAMES_KEPT + 2), FRAMES_KEPT + 1, 1):
        compose(ANN._replace(variant=number))
    assert loaded == [*range(1, FRAMES_KEPT + 2), 1]
