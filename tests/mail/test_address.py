import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.mail.address import MAX_LENGTH, Address, AddressError, fold_address, normalise_address

LOCAL = st.from_regex(r"[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]{1,20}(\.[a-zA-Z0-9_+-]{1,20}){0,2}", fullmatch=True)
DOMAIN = st.from_regex(r"([a-zA-Z0-9]{1,10}\.){1,3}(org|example|test|de)", fullmatch=True)


def test_the_case_is_kept_for_the_wire_and_folded_in_the_key() -> None:
    assert normalise_address(" You@Example.ORG\n") == Address("you@example.org", "You@example.org", "example.org")


@pytest.mark.parametrize(
    ("text", "wire"),
    [
        ("jörg@Müller.de", "jörg@xn--mller-kva.de"),
        ("a@xn--mller-kva.de", "a@xn--mller-kva.de"),
        ("a@straße.de", "a@xn--strae-oqa.de"),
        ("δοκιμή@παράδειγμα.δοκιμή", "δοκιμή@xn--hxajbheg2az3al.xn--jxalpdlp"),
        ("a@example。com", "a@example.com"),
        ("o'brien+news@mail.example", "o'brien+news@mail.example"),
        ("a@b.test", "a@b.test"),
    ],
)
def test_a_domain_is_spelled_one_way(text: str, wire: str) -> None:
    assert normalise_address(text).wire == wire


@pytest.mark.parametrize(("one", "other"), [("ANN@Example.org", "ann@example.ORG"), ("a\u0301@x.org", "Á@x.org")])
def test_two_spellings_of_one_mailbox_share_a_key(one: str, other: str) -> None:
    assert normalise_address(one).address == normalise_address(other).address


def test_two_mailboxes_do_not_share_a_key() -> None:
    assert fold_address("straße@example.org") != fold_address("strasse@example.org")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        ("   ", "it is empty"),
        ("ann", "must have an @-sign"),
        ("@example.org", "must be something before the @-sign"),
        ("ann@", "must be something after the @-sign"),
        ("ann@localhost", "should have a period"),
        ("a..b@example.org", "two periods in a row"),
        ("a b@example.org", "invalid characters before the @-sign: SPACE"),
        ("a@b@example.org", "invalid characters"),
        ("Ann <ann@example.org>", "display name"),
        ('"a b"@example.org', "Quoting"),
        ("ann@[192.0.2.1]", "bracketed IP address"),
        ("ann@192.0.2.1", "top-level domain"),
        ("ann@example.org\r\nBcc: eve@example.org", "invalid characters"),
        ("ann\0@example.org", "characters"),
        ("a\u200b@example.org", "unsafe characters"),
        ("a@example.invalid", "special-use"),
        ("x" * 65 + "@example.org", "before the @-sign"),
        ("ö" * 40 + "@example.org", "before the @-sign"),
        ("x@" + "y" * 64 + ".org", "too many"),
        ("x@" + "y." * 130 + "org", "longer than 254 characters"),
        ("x@" + "ü" * 50 + "." + "ü" * 50 + "." + "ü" * 50 + "." + "ü" * 50 + ".de", "too long|longer than|too many"),
    ],
)
def test_what_is_no_address_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(AddressError, match=f"is not a mail address: .*(?i:{reason})") as caught:
        normalise_address(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@given(LOCAL, DOMAIN)
def test_normalising_twice_is_normalising_once(local: str, domain: str) -> None:
    once = normalise_address(f"{local}@{domain}")
    assert normalise_address(once.wire) == once
    assert normalise_address(once.address).address == once.address
    assert once.wire == f"{local}@{domain.lower()}"


@given(st.text(max_size=300))
def test_any_text_is_an_address_or_refused_and_never_breaks_a_header(text: str) -> None:
    try:
        address = normalise_address(text)
    except AddressError:
        return
    assert address.wire.count("@") == 1
    assert len(address.wire.encode()) <= MAX_LENGTH
    assert address.wire.isprintable()
    assert not set(address.wire) & set(' <>(),;:\\"')
    assert address.domain.isascii()
