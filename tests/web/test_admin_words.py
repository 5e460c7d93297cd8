"""How far an edition is, as its bar shows it; what can be ordered; times and spans in words."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.model.control import Control, ControlState
from newsletter.model.delivery import Audit
from newsletter.web.admin.words import PARTS, WIDE, list_orders, measure_progress, tell_moment, tell_span

NOW = datetime(2024, 5, 25, 8, tzinfo=UTC)
COUNTS = st.integers(0, 10**6)


def audit(**counts: int) -> Audit:
    return Audit(sum(counts.values()), **{**dict.fromkeys(PARTS, 0), **counts})


@given(st.fixed_dictionaries(dict.fromkeys(PARTS, COUNTS)))
def test_a_bar_is_full_and_shows_each_part_however_small(counts: dict[str, int]) -> None:
    progress = measure_progress(audit(**counts))
    assert {part.name: part.count for part in progress.parts} == {name: n for name, n in counts.items() if n}
    at = 0.0
    for part in progress.parts:
        assert part.start == pytest.approx(at, abs=0.05)
        assert part.width >= 3
        at += part.width
    assert not progress.parts or at == pytest.approx(WIDE, abs=0.1)
    assert (progress.percent == 100) is (counts["queued"] + counts["deferred"] == 0)


def test_nobody_is_told_that_all_is_done_before_it_is() -> None:
    progress = measure_progress(audit(sent=99_999, queued=1))
    assert (progress.done, progress.percent) == (99_999, 99)


def test_how_long_it_takes_is_told_where_it_can_be() -> None:
    assert measure_progress(audit(sent=10, queued=300), 2.0).left == timedelta(seconds=150)
    assert measure_progress(audit(sent=10, queued=300), 0.0).left is None
    assert measure_progress(audit(sent=10, deferred=300), 2.0).left is None


@pytest.mark.parametrize(
    ("state", "waiting", "orders"),
    [
        (ControlState.RUNNING, 1, ["pause", "cancel"]),
        (ControlState.PAUSED, 1, ["resume", "cancel"]),
        (ControlState.HALTED, 1, ["resume", "cancel"]),
        (ControlState.CANCELLED, 1, []),
        (ControlState.RUNNING, 0, []),
    ],
)
def test_what_can_be_ordered(state: ControlState, waiting: int, orders: list[str]) -> None:
    assert list_orders(Control(state, "", NOW), audit(sent=3, deferred=waiting)) == orders


def test_times_are_told_where_the_publication_is() -> None:
    assert tell_moment(NOW, zone=ZoneInfo("Europe/Berlin")) == "2024-05-25 10:00"
    assert tell_moment(NOW, "%H:%M %Z", zone=ZoneInfo("Asia/Tokyo")) == "17:00 JST"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-5, "0 s"), (59, "59 s"), (60, "1 min"), (7500, "2 h 05 min"), (90_000, "1 d 1 h")],
)
def test_spans_are_told_as_people_do(seconds: int, said: str) -> None:
    assert tell_span(timedelta(seconds=seconds)) == said
