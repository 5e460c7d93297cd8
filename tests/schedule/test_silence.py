"""A run by cron notes its rhythm, and by that it is missed."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.schedule.silence import FIRST, LONGEST, STALE, compose_note, is_note, read_patience

NOW = datetime(2024, 5, 25, 6, tzinfo=UTC)


def run(*minutes: float) -> str:
    """Run by cron at these minutes; return what was noted last."""
    before, note = None, ""
    for minute in minutes:
        now = NOW + timedelta(minutes=minute)
        before, note = now, compose_note(before, note, now)
    return note


@pytest.mark.parametrize(
    ("minutes", "patience"),
    [
        ((0,), FIRST),
        ((0, 5), timedelta(minutes=10)),
        ((0, 15, 30, 45), timedelta(minutes=30)),
        ((0, 15, 30, 30.2), timedelta(minutes=15)),  # somebody ran it by hand; the next one comes at 45
        ((0, 60), timedelta(minutes=120)),
        ((0, 60 * 24 * 5), LONGEST),
        ((0, 60 * 24 * 5, 60 * 24 * 5 + 5), LONGEST),
        ((0, -30), FIRST),  # a clock put back
    ],
)
def test_cron_is_missed_after_twice_its_rhythm_and_a_little(minutes: tuple[float, ...], patience: timedelta) -> None:
    assert read_patience(run(*minutes)) == patience + STALE


def test_an_outage_is_forgotten_after_some_runs() -> None:
    day = 60 * 24
    assert read_patience(run(0, *(day + 5 * number for number in range(8)))) == timedelta(minutes=10) + STALE


def test_a_daemon_is_missed_after_three_minutes() -> None:
    assert (is_note(""), read_patience("")) == (False, STALE)
    assert compose_note(NOW, "", NOW + STALE) == "once"  # there was a daemon before


@given(st.text())
def test_whatever_was_noted_is_some_patience(text: str) -> None:
    assert STALE <= read_patience(text) <= LONGEST + STALE
    assert STALE <= read_patience(f"once {text}") <= LONGEST + STALE
