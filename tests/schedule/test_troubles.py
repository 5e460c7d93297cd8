"""Trouble is told at once and once, by what fails and how, whatever its words are."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.config import Alerts
from newsletter.schedule.policy_troubles import SEEN, Known, Trouble, decide_known, fold_problem
from newsletter.schedule.telling import Teller
from newsletter.schedule.troubles import end_trouble, list_troubles, tell_trouble
from newsletter.store.database import Database
from newsletter.store.notices import claim_notices

NOW = datetime(2024, 5, 25, 6, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
TELLER = Teller(Alerts(editor=("editor@example.org",)), "Daily", "https://news.example.org")


def a_trouble(problem: str = "the disk is full", kind: str = "StoreError") -> Trouble:
    return Trouble("“plan”", kind, problem)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("[Errno 28] no room: '/tmp/tmpab12/x'", "[Errno 28] no room: '/tmp/tmpzz/y'"),
        ("421 4.7.0 try later (id=7f3a)", "421 4.7.0 try later (id=9c)"),
        ("job <abc> took  5.2 s", "job <xyz> took 61 s"),
    ],
)
def test_words_that_vary_are_no_other_trouble(one: str, other: str) -> None:
    assert fold_problem(one) == fold_problem(other)


def test_other_words_are() -> None:
    assert fold_problem("the disk is full") != fold_problem("the relay is away")


def count_telling(troubles: Sequence[tuple[timedelta, Trouble | None]]) -> list[timedelta]:
    """Return when the editor is told; None: it went well."""
    known: Known | None = None
    told: list[timedelta] = []
    for at, trouble in troubles:
        if trouble is None:
            assert known is not None
            known = Known(known.trouble, known.since, known.failed_at, *_told(known), lasts=False)
            continue
        known, tells = decide_known(known, trouble, NOW + at)
        told += [at] if tells else []
    return told


def _told(known: Known) -> tuple[str, str, datetime]:
    return known.told_kind, known.told_gist, known.told_at


def test_what_lasts_is_told_once_a_day() -> None:
    assert count_telling([(hours * HOUR, a_trouble()) for hours in range(50)]) == [0 * HOUR, 24 * HOUR, 48 * HOUR]


def test_what_comes_and_goes_is_told_every_six_hours() -> None:
    flapping = [(minutes * MINUTE, a_trouble() if minutes % 2 else None) for minutes in range(1, 800)]
    assert count_telling(flapping) == [MINUTE, MINUTE + 6 * HOUR, MINUTE + 12 * HOUR]


def test_another_kind_is_told_after_an_hour_and_no_more_than_each_hour() -> None:
    kinds = [(minutes * MINUTE, a_trouble(kind=f"Error{minutes % 2}")) for minutes in range(180)]
    assert len(count_telling(kinds)) == 3


@given(st.lists(st.tuples(st.integers(0, 1440), st.text("ab "), st.sampled_from(["A", "B"])), max_size=60))
def test_whatever_comes_in_a_day_is_told_at_once_and_no_more_than_each_hour(
    found: list[tuple[int, str, str]],
) -> None:
    told = count_telling([(minute * MINUTE, a_trouble(words, kind)) for minute, words, kind in sorted(found)])
    assert told[:1] == [min(minute for minute, *_ in found) * MINUTE] if found else not told
    assert all(later - earlier >= HOUR for earlier, later in pairwise(told))


def test_a_clock_that_was_ahead_silences_nobody() -> None:
    assert count_telling([(1000 * HOUR, a_trouble()), (0 * HOUR, a_trouble())]) == [1000 * HOUR, 0 * HOUR]


def test_it_is_kept_shown_while_it_lasts_and_ends(database: Database) -> None:
    with database.transaction() as connection:
        assert not end_trouble(connection, "“plan”")
        assert tell_trouble(connection, TELLER, a_trouble("x" * 9000), NOW)
        assert not tell_trouble(connection, TELLER, a_trouble("the relay is away"), NOW + MINUTE)
        (known,) = list_troubles(connection, NOW + MINUTE)
        assert (known.trouble, known.since) == (a_trouble("the relay is away"), NOW)
        assert (known.told_at, known.failed_at) == (NOW, NOW + MINUTE)
        assert list_troubles(connection, NOW + MINUTE + SEEN) == []
        assert end_trouble(connection, "“plan”")
        assert not end_trouble(connection, "“plan”")
        assert list_troubles(connection, NOW + MINUTE) == []


@pytest.mark.parametrize("engine_name", ["sqlite"])
def test_the_mail_names_the_config_in_its_way_out(database: Database) -> None:
    teller = replace(TELLER, config=Path("/srv/second.toml"))
    with database.transaction() as connection:
        assert tell_trouble(connection, teller, a_trouble(), NOW, "Then: newsletter publish 2024-05-25")
        (mail,) = claim_notices(connection, "me", NOW + HOUR, NOW, 5)
    assert "Then: newsletter --config /srv/second.toml publish 2024-05-25" in mail.notice.text
