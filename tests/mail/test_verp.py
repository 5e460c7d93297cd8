"""Envelope senders: each names its reader and edition, and a forged one names nobody."""

from hypothesis import given
from hypothesis import strategies as st

from newsletter.mail.token import Purpose, Token, make_token
from newsletter.mail.verp import (
    make_envelope_sender,
    make_notice_sender,
    read_envelope_sender,
    read_notice_sender,
)

KEY = b"k" * 32
DOMAIN = "bounces.example.org"


@given(st.integers(0, 2**40 - 1), st.integers(0, 2**32 - 1))
def test_a_bounce_comes_back_to_its_reader(subscriber: int, edition: int) -> None:
    address = make_envelope_sender(KEY, subscriber, edition, DOMAIN)
    assert read_envelope_sender([KEY], address, DOMAIN) == Token(subscriber, edition)
    assert read_envelope_sender([KEY], f" <{address.upper()}> ", DOMAIN) == Token(subscriber, edition)
    assert len(address.partition("@")[0]) <= 64


@given(st.text())
def test_any_other_address_names_nobody(text: str) -> None:
    assert read_envelope_sender([KEY], text, DOMAIN) is None
    assert read_envelope_sender([KEY], f"b+{text}@{DOMAIN}", DOMAIN) is None


def test_an_unsubscribe_token_is_no_return_address() -> None:
    token = make_token(KEY, Purpose.UNSUBSCRIBE, 1, 1)
    assert read_envelope_sender([KEY], f"b+{token}@{DOMAIN}", DOMAIN) is None


def test_another_domain_is_not_ours() -> None:
    assert read_envelope_sender([KEY], make_envelope_sender(KEY, 1, 1, DOMAIN), "other.example.org") is None


@given(st.integers(0, 2**40 - 1))
def test_a_notice_that_comes_back_says_which_one_and_names_no_reader(number: int) -> None:
    address = make_notice_sender(KEY, number, DOMAIN)
    assert read_notice_sender([KEY], f"<{address.upper()}>", DOMAIN) == number
    assert read_envelope_sender([KEY], address, DOMAIN) is None
    assert read_notice_sender([KEY], make_envelope_sender(KEY, number, 1, DOMAIN), DOMAIN) is None


@given(st.text())
def test_any_other_address_is_no_notices(text: str) -> None:
    assert read_notice_sender([KEY], text, DOMAIN) is None
    assert read_notice_sender([KEY], f"n+{text}@{DOMAIN}", DOMAIN) is None
