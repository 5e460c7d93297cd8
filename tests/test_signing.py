import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from newsletter.config import Dkim
from newsletter.errors import NewsletterError, UsageError
from newsletter.mail.dkim import SigningKeys, compose_record
from newsletter.signing import load_signing_keys, make_signing_keys, write_signing_keys

FROM = "news@example.org"


@pytest.fixture
def dkim(tmp_path: Path) -> Dkim:
    return Dkim(
        domain="example.org",
        selector="news",
        key_file=tmp_path / "keys" / "news.pem",
        ed25519_selector="news-ed",
        ed25519_key_file=tmp_path / "keys" / "ed.pem",
    )


@pytest.fixture
def keys(dkim: Dkim) -> SigningKeys:
    made = make_signing_keys(dkim)
    write_signing_keys(dkim, made)
    return made


def records(keys: SigningKeys | None) -> list[tuple[str, str]]:
    assert keys
    return [(key.selector, compose_record(key.private)) for key in keys]


def test_made_keys_are_loaded_back(dkim: Dkim, keys: SigningKeys) -> None:
    loaded = load_signing_keys(dkim, FROM)
    assert records(loaded) == records(keys)
    assert loaded
    assert loaded.domain == "example.org"
    assert [selector for selector, _ in records(loaded)] == ["news", "news-ed"]


def test_without_a_key_mail_is_not_signed() -> None:
    assert load_signing_keys(Dkim(), FROM) is None


def test_the_domain_is_the_one_in_from_unless_another_is_named(dkim: Dkim, keys: SigningKeys) -> None:
    open_domain = dkim.model_copy(update={"domain": ""})
    for address, domain in ((FROM, "example.org"), ("news@Bücher.example", "xn--bcher-kva.example")):
        loaded = load_signing_keys(open_domain, address)
        assert loaded
        assert loaded.domain == domain


@pytest.mark.parametrize("address", ["a@example.org", "a@mail.example.org", "a@other.example.org"])
def test_a_domain_that_may_be_aligned_is_taken(dkim: Dkim, keys: SigningKeys, address: str) -> None:
    assert load_signing_keys(dkim, address)


def test_a_domain_that_cannot_be_aligned_is_refused(dkim: Dkim, keys: SigningKeys) -> None:
    with pytest.raises(UsageError, match=r"dkim\.domain is example\.org, but readers see example\.net"):
        load_signing_keys(dkim, "news@example.net")


def test_key_files_are_for_their_owner_only(dkim: Dkim, keys: SigningKeys) -> None:
    assert dkim.key_file
    assert dkim.key_file.stat().st_mode & 0o777 == 0o600
    assert dkim.key_file.parent.stat().st_mode & 0o777 == 0o700


def test_no_key_is_written_over_and_none_is_written_beside_it(dkim: Dkim) -> None:
    assert dkim.key_file
    assert dkim.ed25519_key_file
    dkim.ed25519_key_file.parent.mkdir()
    dkim.ed25519_key_file.write_text("precious")
    with pytest.raises(NewsletterError, match=r"ed\.pem is there already"):
        write_signing_keys(dkim, make_signing_keys(dkim))
    assert dkim.ed25519_key_file.read_text() == "precious"
    assert not dkim.key_file.exists()


def test_a_folder_that_cannot_be_made_is_told(dkim: Dkim, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("a file")
    with pytest.raises(NewsletterError, match=r"news\.pem: the key can't be written"):
        write_signing_keys(dkim, make_signing_keys(dkim))


def rsa_pem(bits: int) -> bytes:
    return generate_private_key(65537, bits).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.unlink(), "dkim.key_file names no file"),
        (lambda path: path.write_text("hello"), "dkim.key_file is not a private key in PEM form"),
        (lambda path: path.write_bytes(rsa_pem(1024)), "dkim.key_file is an RSA key of 1024 bits"),
        (lambda path: path.write_bytes((path.parent / "ed.pem").read_bytes()), "dkim.key_file must be an RSA key"),
        (lambda path: path.write_bytes(b"x" * 9000), "dkim.key_file is larger than"),
        (lambda path: (path.unlink(), path.mkdir()), "dkim.key_file can't be read"),
    ],
)
def test_a_key_file_that_cannot_sign_is_told_by_file_and_key(
    dkim: Dkim, keys: SigningKeys, spoil: Callable[[Path], object], message: str
) -> None:
    assert dkim.key_file
    spoil(dkim.key_file)
    with pytest.raises(NewsletterError, match=message) as caught:
        load_signing_keys(dkim, FROM)
    assert str(caught.value).startswith(f"{dkim.key_file}: ")


def test_an_rsa_key_in_the_other_ones_place_is_told(dkim: Dkim, keys: SigningKeys) -> None:
    assert dkim.ed25519_key_file
    dkim.ed25519_key_file.write_bytes(rsa_pem(2048))
    with pytest.raises(NewsletterError, match=r"dkim\.ed25519_key_file must be an Ed25519 key"):
        load_signing_keys(dkim, FROM)


def test_a_key_that_others_can_read_is_warned_about(
    dkim: Dkim, keys: SigningKeys, caplog: pytest.LogCaptureFixture
) -> None:
    assert dkim.key_file
    dkim.key_file.chmod(0o640)
    with caplog.at_level(logging.WARNING):
        load_signing_keys(dkim, FROM)
    assert [record.getMessage() for record in caplog.records if str(dkim.key_file) in record.getMessage()]
