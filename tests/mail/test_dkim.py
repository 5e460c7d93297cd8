import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

import dkim
import dns.rdatatype
import dns.zone
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from dkim.canonicalization import Relaxed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.mail.dkim import (
    Ed25519Key,
    RsaKey,
    SigningKeys,
    check_record,
    compose_record,
    name_record,
    parse_private_key,
    prepare_signing,
    render_record,
    sign_message,
)
from newsletter.mail.encoding import encode_mailbox
from newsletter.mail.message import Frame, Personal, compose_message, encode_edition
from newsletter.model.edition import PREFERENCES_FIELD, UNSUBSCRIBE_FIELD, Edition

RSA = generate_private_key(65537, 2048)
ED25519 = Ed25519PrivateKey.generate()
KEYS = SigningKeys("example.org", RsaKey("news", RSA), Ed25519Key("news-ed", ED25519))
RECORDS = {f"{name_record(key.selector, KEYS.domain)}.": compose_record(key.private) for key in KEYS}
ANN = Personal(b'"Ann" <ann@example.net>', b"m" * 32, b"u" * 32, b"p" * 32, b"b" * 32)
PUBLISHED_AT = datetime(2024, 5, 25, 6, 0, tzinfo=UTC)

tokens = st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=32, max_size=32).map(str.encode)
names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=90) | st.sampled_from(["A  B", "  A ", "é  "])
addresses = st.sampled_from(["ann@example.net", "a.long.local.part+tag@mail.example.net", "jörg@example.net"])
people = st.builds(
    lambda name, address, *made: Personal(encode_mailbox(name, address).encode(), *made),
    names, addresses, tokens, tokens, tokens, tokens,
)  # fmt: skip
places = st.sampled_from([UNSUBSCRIBE_FIELD, PREFERENCES_FIELD, f"https://n.example/u/{UNSUBSCRIBE_FIELD}  "])
lines = places | st.text(max_size=120) | st.sampled_from(["", "  ", ".", "\t", "From me", "end  ", "= =20", "x" * 400])
bodies = st.lists(lines, max_size=12).map("\n".join)
subjects = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=150)

untidy = st.lists(st.sampled_from([b" ", b"\t", b"\r\n", b"\r\n\r\n", b"a", b".", b"b:", b" \r\n"]), max_size=8)
fast = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def accepts(message: bytes, index: int) -> bool:
    def find(name: bytes, timeout: int = 5) -> bytes:
        return RECORDS[name.decode()].encode()

    try:
        return bool(dkim.DKIM(message, minkey=2048).verify(index, dnsfunc=find))
    except dkim.DKIMException:
        return False


def sign(frame: Frame, personal: Personal = ANN, keys: SigningKeys = KEYS) -> bytes:
    return sign_message(prepare_signing(frame, keys, PUBLISHED_AT), personal)


def signatures_of(message: bytes) -> list[bytes]:
    return re.findall(rb"DKIM-Signature:.*?\r\n(?![ \t])", message, re.DOTALL)


def tags_of(signature: bytes) -> dict[str, str]:
    tags = signature.partition(b":")[2].decode().split(";")
    return {name.strip(): re.sub(r"\s", "", value) for name, _, value in (tag.partition("=") for tag in tags)}


def make_frame(segments: list[bytes], fields: list[int]) -> Frame:
    """A frame whose body is as untidy as our encoder never writes it."""
    head = (
        b"From: news@example.org\r\nTo: ",
        b"\r\nX-Twice: a\r\nSubject:  a \t b\r\n  c  \r\nX-Twice:b\r\nX-Id: <",
        b">\r\n\r\n",
    )
    return Frame("slug", "example.org", (*head[:2], head[2] + segments[0], *segments[1:]), (0, 1, *fields))


@st.composite
def untidy_frames(draw: st.DrawFn) -> Frame:
    fields = draw(st.lists(st.sampled_from([2, 3]), max_size=3))
    segments = draw(st.lists(untidy.map(b"".join), min_size=len(fields) + 1, max_size=len(fields) + 1))
    segments[-1] = segments[-1].rstrip(b" \t")  # SMTP ends every line, so that no message ends in the middle of a blank
    return make_frame(segments, fields)


@fast
@given(subject=subjects, html=bodies, text=bodies, personal=people)
def test_receivers_accept_both_signatures_of_any_edition(
    edition: Edition, subject: str, html: str, text: str, personal: Personal
) -> None:
    frame = encode_edition(replace(edition, subject=subject, html=html, text=text), PUBLISHED_AT)
    message = sign(frame, personal)
    assert message.endswith(compose_message(frame, personal))
    assert accepts(message, 0)
    assert accepts(message, 1)


@fast
@given(frame=untidy_frames(), personal=people)
def test_receivers_accept_both_signatures_of_any_untidy_body(frame: Frame, personal: Personal) -> None:
    message = sign(frame, personal)
    assert accepts(message, 0)
    assert accepts(message, 1)


@fast
@given(data=st.data(), personal=people)
def test_one_changed_byte_breaks_both_signatures(edition: Edition, data: st.DataObject, personal: Personal) -> None:
    message = bytearray(sign(encode_edition(edition, PUBLISHED_AT), personal))
    start = sum(map(len, signatures_of(bytes(message))))
    visible = [place for place in range(start, len(message)) if message[place] not in b" \t\r\n"]
    place = data.draw(st.sampled_from(visible))
    message[place] = ord("x" if message[place] not in b"xX" else "y")
    assert not accepts(bytes(message), 0)
    assert not accepts(bytes(message), 1)


@fast
@given(frame=untidy_frames(), personal=people)
def test_a_signature_is_what_the_slow_way_gives(frame: Frame, personal: Personal) -> None:
    message = sign(frame, personal)
    headers, body = dkim.rfc822_parse(message)
    canonical = Relaxed.canonicalize_headers(headers)
    for signature, key in zip(signatures_of(message), KEYS, strict=True):
        tags = tags_of(signature)
        assert tags["bh"] == b64encode(sha256(Relaxed.canonicalize_body(body)).digest()).decode()
        names = [name.encode().lower() for name in tags["h"].split(":")]
        selected = dkim.select_headers(canonical, names)
        signed = b"".join(name + b":" + value for name, value in selected)
        own = re.sub(rb"(?s)b=(?!.*b=).*", b"b=", signature.partition(b":")[2])
        signed += b"dkim-signature:" + Relaxed.canonicalize_headers([[b"DKIM-Signature", own]])[0][1].rstrip(b"\r\n")
        if isinstance(key, RsaKey):
            expected = key.private.sign(signed, PKCS1v15(), SHA256())
        else:
            expected = key.private.sign(sha256(signed).digest())
        assert b64decode(tags["b"]) == expected


@fast
@given(frame=untidy_frames(), personal=people)
def test_dkimpy_signing_the_same_message_hashes_the_same_body(frame: Frame, personal: Personal) -> None:
    pem = RSA.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    relaxed = (b"relaxed", b"relaxed")
    theirs = dkim.sign(compose_message(frame, personal), b"news", b"example.org", pem, canonicalize=relaxed)
    assert tags_of(theirs)["bh"] == tags_of(signatures_of(sign(frame, personal))[0])["bh"]


def test_the_bytes_are_the_same_every_time(edition: Edition) -> None:
    first = sign(encode_edition(edition, PUBLISHED_AT))
    assert sign(encode_edition(edition, PUBLISHED_AT)) == first


def test_threads_share_a_frame(edition: Edition) -> None:
    signing = prepare_signing(encode_edition(edition, PUBLISHED_AT), KEYS, PUBLISHED_AT)
    readers = [ANN._replace(unsubscribe=b"%032d" % number) for number in range(60)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda reader: sign_message(signing, reader), readers))
    assert together == [sign_message(signing, reader) for reader in readers]
    assert len(set(together)) == len(readers)


def test_a_signature_says_what_it_should(edition: Edition) -> None:
    rsa, ed25519 = map(tags_of, signatures_of(sign(encode_edition(edition, PUBLISHED_AT))))
    assert (rsa["a"], rsa["s"], ed25519["a"], ed25519["s"]) == ("rsa-sha256", "news", "ed25519-sha256", "news-ed")
    for tags in (rsa, ed25519):
        assert (tags["v"], tags["c"], tags["d"], tags["i"]) == ("1", "relaxed/relaxed", "example.org", "@example.org")
        assert int(tags["t"]) == PUBLISHED_AT.timestamp()
        assert not {"x", "l"} & set(tags)


def test_every_header_is_signed(edition: Edition) -> None:
    message = sign(encode_edition(edition, PUBLISHED_AT))
    present = {name.lower() for name, _ in dkim.rfc822_parse(message)[0]} - {b"dkim-signature"}
    signed = tags_of(signatures_of(message)[0])["h"].lower().encode().split(b":")
    assert set(signed) == present
    assert {b"list-unsubscribe", b"list-unsubscribe-post", b"list-id", b"message-id", b"date"} <= present
    assert signed.count(b"from") == 2


@pytest.mark.parametrize("name", [b"From", b"Reply-To", b"To", b"Subject", b"Date", b"MIME-Version", b"Content-Type"])
@pytest.mark.parametrize("reply_to", ["", "editor@example.org"])
def test_nobody_can_add_a_second_header_that_readers_see(edition: Edition, name: bytes, reply_to: str) -> None:
    plain = replace(edition, sender=replace(edition.sender, reply_to=reply_to))
    message = sign(encode_edition(plain, PUBLISHED_AT))
    assert not accepts(name + b": other\r\n" + message, 0)
    assert not accepts(message.replace(b"\r\n\r\n", b"\r\n" + name + b": other\r\n\r\n", 1), 1)


def test_a_relay_may_add_its_own_headers(edition: Edition) -> None:
    message = b"Received: from a by b;\r\n Sat, 25 May 2024 06:00:00 +0000\r\n" + sign(
        encode_edition(edition, PUBLISHED_AT)
    )
    assert accepts(message, 0)
    assert accepts(message, 1)


def test_a_last_line_that_smtp_will_end_is_signed_as_ended() -> None:
    for body in (b"", b"a", b"a \t", b" \t", b"\r\n "):
        assert accepts(sign(make_frame([body], [])) + b"\r\n", 0)


def test_without_ed25519_there_is_one_signature(edition: Edition) -> None:
    message = sign(encode_edition(edition, PUBLISHED_AT), keys=SigningKeys("example.org", KEYS.rsa))
    assert len(signatures_of(message)) == 1
    assert accepts(message, 0)


labels = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=60)


@given(domain=labels, selector=labels)
def test_a_signature_is_folded_at_76_columns(domain: str, selector: str) -> None:
    keys = SigningKeys(f"{domain}.example", RsaKey(selector, RSA), Ed25519Key(f"e-{selector}", ED25519))
    for signature in signatures_of(sign(make_frame([b""], []), keys=keys)):
        assert signature.endswith(b"\r\n")
        lines = signature[:-2].split(b"\r\n")
        assert max(map(len, lines)) <= 76
        assert lines[0].startswith(b"DKIM-Signature: v=1;")
        assert all(re.fullmatch(rb" [!-~]+(?: [!-~]+)*", line) for line in lines[1:])


@pytest.mark.parametrize("name", ["", "a b", "a;b", "example.org\r\nBcc: x", "-a", "bücher.example"])
def test_a_name_that_could_end_its_tag_is_refused(name: str) -> None:
    for keys in (SigningKeys(name, KEYS.rsa), SigningKeys("example.org", RsaKey(name, RSA))):
        with pytest.raises(ValueError, match="can't stand in a DKIM signature"):
            prepare_signing(make_frame([b""], []), keys, PUBLISHED_AT)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        prepare_signing(make_frame([b""], []), KEYS, PUBLISHED_AT.replace(tzinfo=None))


def test_a_message_without_a_body_is_refused() -> None:
    with pytest.raises(ValueError, match="end of its headers"):
        prepare_signing(Frame("slug", "example.org", (b"From: a@example.org\r\n",), ()), KEYS, PUBLISHED_AT)


def to_pem(key: RSAPrivateKey | Ed25519PrivateKey | ec.EllipticCurvePrivateKey, password: bytes = b"") -> bytes:
    lock = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)


def test_a_key_is_read_back_from_its_file() -> None:
    for key in (RSA, ED25519):
        assert to_pem(parse_private_key(to_pem(key))) == to_pem(key)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: b"", "not a private key in PEM form"),
        (lambda: b"\x00\xff", "not a private key in PEM form"),
        (lambda: RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1), "not a private key in PEM form"),
        (lambda: to_pem(RSA)[:-200], "not a private key in PEM form"),
        (lambda: to_pem(ED25519, b"password"), "locked with a password"),
        (lambda: to_pem(ec.generate_private_key(ec.SECP256R1())), "neither an RSA nor an Ed25519 key"),
        (lambda: to_pem(generate_private_key(65537, 1024)), "1024 bits; receivers want 2048 to 4096"),  # noqa: S505 - that it is weak is the point
    ],
)
def test_a_file_that_cant_sign_is_refused_with_the_reason(make: Callable[[], bytes], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_private_key(make())


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: f"-----BEGIN PRIVATE KEY-----{text}".encode()))
def test_any_other_file_is_refused_cleanly(pem: bytes) -> None:
    with pytest.raises(ValueError, match="is "):
        parse_private_key(pem)


@pytest.mark.parametrize("key", list(KEYS))
def test_zone_file_lines_hold_the_record_in_strings_of_255(key: RsaKey | Ed25519Key) -> None:
    value = compose_record(key.private)
    text = render_record("news._domainkey.example.org", value)
    zone = dns.zone.from_text(f"$TTL 300\n{text}\n", "example.org", check_origin=False)
    strings = zone.find_rdataset("news._domainkey", dns.rdatatype.TXT)[0].strings
    assert b"".join(strings).decode() == value
    assert all(len(string) <= 255 for string in strings)


RECORD = "v=DKIM1; k=rsa; p=MIIB"


@pytest.mark.parametrize("found", [RECORD, "k=rsa;p=MI\tIB", "p=MIIB", "v=DKIM1; h=sha1:sha256; t=s; p=MIIB ;"])
def test_a_record_that_means_the_same_key_is_fine(found: str) -> None:
    assert check_record(RECORD, ["google-site-verification=x", "v=spf1 -all", found]) == ""


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        ([], "no DKIM record"),
        (["v=spf1 -all", "", ";;=;"], "no DKIM record"),
        ([RECORD, RECORD], "more than one"),
        (["v=DKIM1; p="], "revokes"),
        (["v=DKIM1; k=rsa; p=MIIC"], "another key"),
        (["v=DKIM1; k=ed25519; p=MIIB"], "another key"),
        (["v=DKIM1; h=sha1; p=MIIB"], "no SHA-256"),
        (["v=DKIM1; t=s:y; p=MIIB"], "only a test"),
    ],
)
def test_a_record_that_receivers_would_stumble_over_is_told(found: list[str], problem: str) -> None:
    assert problem in check_record(RECORD, found)


@given(st.lists(st.text(max_size=60) | st.from_regex(r"(v=DKIM1;)?[a-z]=[^;]*;p=[^;]*")))
def test_nothing_in_the_dns_upsets_the_check(found: list[str]) -> None:
    assert check_record(compose_record(ED25519), found)
