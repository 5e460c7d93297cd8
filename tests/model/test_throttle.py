"""A bucket lets through what it may, and never more, whatever the clock does."""

from datetime import UTC, datetime, timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.model.throttle import Limit, spend_token

NOW = datetime(2024, 5, 25, 6, 30, tzinfo=UTC)
LIMITS = st.builds(Limit, st.timedeltas(timedelta(seconds=1), timedelta(hours=2)), st.integers(1, 20))
WAITS = st.lists(st.timedeltas(timedelta(0), timedelta(hours=3)), max_size=60)


def spend_all(limit: Limit, waits: list[timedelta]) -> list[datetime]:
    """Knock after each wait; return when it was let in."""
    now, full_at, let_in = NOW, None, []
    for wait in waits:
        now += wait
        after = spend_token(full_at, now, limit)
        if after is not None:
            full_at = after
            let_in.append(now)
    return let_in


def test_a_new_bucket_holds_its_burst_and_then_one_each_interval() -> None:
    limit = Limit(timedelta(minutes=1), 3)
    seconds = [timedelta(seconds=1)] * 200
    let_in = [(at - NOW).total_seconds() for at in spend_all(limit, seconds)]
    assert let_in == [1, 2, 3, 61, 121, 181]


@given(LIMITS, WAITS)
def test_no_stretch_of_time_lets_in_more_than_the_burst_and_its_share(limit: Limit, waits: list[timedelta]) -> None:
    let_in = spend_all(limit, waits)
    for first, start in enumerate(let_in):
        for last in range(first, len(let_in)):
            assert last - first + 1 <= limit.burst + (let_in[last] - start) / limit.interval


@given(LIMITS, WAITS)
def test_who_waits_an_interval_is_always_let_in(limit: Limit, waits: list[timedelta]) -> None:
    slow = [max(wait, limit.interval) for wait in waits]
    assert len(spend_all(limit, slow)) == len(slow)


@given(LIMITS, st.timedeltas(timedelta(days=-400), timedelta(days=400)))
@example(Limit(timedelta(hours=1), 1), timedelta(days=400))
def test_a_clock_that_was_wrong_closes_a_bucket_no_longer_than_an_empty_one(limit: Limit, ahead: timedelta) -> None:
    full_at = NOW + ahead
    assert spend_token(full_at, NOW + limit.interval * limit.burst, limit) is not None or ahead > timedelta(0)
    after = spend_token(full_at, NOW, limit)
    assert after is None or NOW < after <= NOW + limit.interval * limit.burst


def test_a_clock_that_was_a_year_ahead_shuts_no_bucket_for_a_year() -> None:
    limit = Limit(timedelta(hours=1), 3)
    assert spend_token(NOW + timedelta(days=365), NOW, limit) == NOW + limit.interval
    assert spend_token(NOW + timedelta(hours=3, minutes=9), NOW, limit) is None  # as much as two machines may differ
