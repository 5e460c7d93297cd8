"""Personal tokens: read back, bound to a purpose, and refused when anybody touched them."""

import hmac
import re
from base64 import b32encode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.mail.token import MAX_EDITION_ID, MAX_SUBSCRIBER_ID, Purpose, Token, make_token, make_tokens, read_token

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
SUBSCRIBERS = st.integers(0, MAX_SUBSCRIBER_ID)
EDITIONS = st.integers(0, MAX_EDITION_ID)
PURPOSES = st.sampled_from(Purpose)


@given(PURPOSES, SUBSCRIBERS, EDITIONS)
@example(Purpose.BOUNCE, MAX_SUBSCRIBER_ID, MAX_EDITION_ID)
def test_a_token_says_who_and_which_edition(purpose: Purpose, subscriber: int, edition: int) -> None:
    text = make_token(KEY, purpose, subscriber, edition)
    assert re.fullmatch("[a-z2-7]{32}", text)
    assert read_token([KEY], purpose, text) == Token(subscriber, edition)
    assert read_token([KEY], purpose, text.upper()) == Token(subscriber, edition)


@given(PURPOSES, PURPOSES, SUBSCRIBERS, EDITIONS)
def test_a_token_opens_only_what_it_was_made_for(made: Purpose, shown: Purpose, subscriber: int, edition: int) -> None:
    token = read_token([KEY], shown, make_token(KEY, made, subscriber, edition))
    assert (token is not None) == (made is shown)


@given(SUBSCRIBERS, EDITIONS, st.integers(0, 31), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_one_changed_character_spoils_a_token(subscriber: int, edition: int, position: int, letter: str) -> None:
    text = make_token(KEY, Purpose.UNSUBSCRIBE, subscriber, edition)
    changed = text[:position] + letter + text[position + 1 :]
    assert (read_token([KEY], Purpose.UNSUBSCRIBE, changed) is not None) == (changed == text)


@given(st.text(max_size=80) | st.text(alphabet="abcdefghijklmnopqrstuvwxyz234567", min_size=32, max_size=32))
@example("ı" * 32)
@example("ß" * 16)
@example("=" * 32)
def test_what_we_never_signed_is_nothing(text: str) -> None:
    assert read_token([KEY], Purpose.UNSUBSCRIBE, text) is None


def test_an_old_key_still_opens_old_links_and_a_foreign_one_never_does() -> None:
    text = make_token(KEY, Purpose.UNSUBSCRIBE, 7, 3)
    assert read_token([OTHER_KEY, KEY], Purpose.UNSUBSCRIBE, text) == Token(7, 3)
    assert read_token([OTHER_KEY], Purpose.UNSUBSCRIBE, text) is None


@pytest.mark.parametrize(("subscriber", "edition"), [(-1, 0), (0, -1), (MAX_SUBSCRIBER_ID + 1, 0), (0, 2**32)])
def test_an_id_that_does_not_fit_is_refused(subscriber: int, edition: int) -> None:
    with pytest.raises(ValueError, match="No token has room"):
        make_token(KEY, Purpose.UNSUBSCRIBE, subscriber, edition)


@given(st.binary(min_size=1, max_size=100), st.lists(PURPOSES, min_size=1, max_size=5), SUBSCRIBERS, EDITIONS)
def test_tokens_are_what_the_slow_way_gives(key: bytes, purposes: list[Purpose], subscriber: int, edition: int) -> None:
    payload = b"\1" + subscriber.to_bytes(5, "big") + edition.to_bytes(4, "big")
    signatures = [hmac.digest(key, purpose.encode() + b"\0" + payload, "sha256")[:10] for purpose in purposes]
    slow = [b32encode(payload + signature).decode().lower() for signature in signatures]
    assert make_tokens(key, purposes, subscriber, edition) == slow


def test_the_layout_never_changes() -> None:
    """Links in mail that is already out depend on these very characters."""
    assert make_token(KEY, Purpose.UNSUBSCRIBE, 1, 1) == "aeaaaaaaaeaaaaab6id5mc57ygdapbpf"
