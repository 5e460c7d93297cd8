"""What a password must be, how long a session lasts, and what a browser must show."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.mail.token import Purpose, make_token
from newsletter.model.operator import Session
from newsletter.operators.policy import (
    FORM_LIFE,
    IDLE,
    LIFE,
    SHORTEST,
    admits,
    check_password,
    compose_pass,
    digest_secret,
    is_form_token,
    is_same_site,
    is_sign_in_stamp,
    make_form_token,
    make_sign_in_stamp,
    normalise_password,
    read_pass,
)

KEY, OTHER = b"k" * 64, b"o" * 64
NOW = datetime(2024, 5, 25, 8, tzinfo=UTC)
SECRET = "0123456789abcdef" * 4
SESSION = Session(7, digest_secret(SECRET), NOW)


def test_a_pass_says_what_was_put_into_it() -> None:
    shown = read_pass([OTHER, KEY], compose_pass(KEY, 7, SECRET, NOW))
    assert shown is not None
    assert (shown.session_id, shown.secret, shown.seen_at) == (7, SECRET, NOW)


@given(st.text(max_size=120))
def test_no_other_text_is_a_pass(text: str) -> None:
    assert read_pass([KEY], text) is None


@pytest.mark.parametrize("at", [0, 63, 64, 95])
def test_a_pass_that_was_changed_admits_nobody(at: int) -> None:
    good = compose_pass(KEY, 7, SECRET, NOW)
    shown = read_pass([KEY], good[:at] + ("b" if good[at] != "b" else "c") + good[at + 1 :])
    assert shown is None or not admits(SESSION, shown, NOW)


def test_a_token_for_anything_else_is_no_pass() -> None:
    assert read_pass([KEY], SECRET + make_token(KEY, Purpose.UNSUBSCRIBE, 7, int(NOW.timestamp()))) is None


@pytest.mark.parametrize(
    ("opened", "seen", "may"),
    [
        (timedelta(), timedelta(), True),
        (LIFE - timedelta(seconds=1), timedelta(), True),
        (LIFE, timedelta(), False),
        (IDLE, IDLE - timedelta(seconds=1), True),
        (IDLE, IDLE, False),
        (timedelta(), -timedelta(minutes=1), False),  # a time that is still to come is nobody's
    ],
)
def test_a_session_ends_when_nothing_was_done_and_in_any_case(opened: timedelta, seen: timedelta, may: bool) -> None:
    shown = read_pass([KEY], compose_pass(KEY, 7, SECRET, NOW - seen))
    assert shown is not None
    assert admits(Session(7, digest_secret(SECRET), NOW - opened), shown, NOW) is may


def test_a_session_that_was_ended_admits_nobody_and_no_other_secret_opens_one() -> None:
    shown = read_pass([KEY], compose_pass(KEY, 7, SECRET, NOW))
    assert shown is not None
    assert not admits(None, shown, NOW)
    assert not admits(Session(7, digest_secret(SECRET[::-1]), NOW), shown, NOW)


def test_a_form_counts_in_its_own_session_alone() -> None:
    assert is_form_token(SECRET, make_form_token(SECRET))
    assert not is_form_token(SECRET, make_form_token(SECRET[::-1]))
    assert not is_form_token(SECRET, "")
    assert not is_form_token(SECRET, "ä")


def test_a_form_to_sign_in_is_ours_and_fresh() -> None:
    stamp = make_sign_in_stamp(KEY, NOW)
    assert is_sign_in_stamp([OTHER, KEY], stamp, NOW + FORM_LIFE - timedelta(seconds=1))
    assert not is_sign_in_stamp([KEY], stamp, NOW + FORM_LIFE)
    assert not is_sign_in_stamp([OTHER], stamp, NOW)
    assert not is_sign_in_stamp([KEY], "", NOW)


@pytest.mark.parametrize(
    ("origin", "fetch_site", "ours"),
    [
        ("https://news.example", "", True),
        ("https://evil.example", "", False),
        ("https://evil.example", "same-origin", False),
        ("https://news.example.evil.example", "", False),
        ("null", "same-origin", False),
        ("", "same-origin", True),
        ("", "same-site", False),
        ("", "cross-site", False),
        ("", "none", False),
        ("", "", False),
    ],
)
def test_a_post_comes_from_a_page_of_ours(origin: str, fetch_site: str, ours: bool) -> None:
    assert is_same_site(origin, fetch_site, ["https://news.example"]) is ours


def test_a_password_is_long_and_not_one_letter() -> None:
    assert "too short" in check_password("x" * (SHORTEST - 1))
    assert "too simple" in check_password("ab" * SHORTEST)
    assert "too long" in check_password("correct horse" * 100)
    assert check_password("correct horse battery staple") == ""


def test_a_password_is_the_same_however_a_keyboard_writes_it() -> None:
    assert normalise_password("caf\u00e9") == normalise_password("cafe\u0301")
