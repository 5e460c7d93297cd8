"""The arithmetic of pace: no window holds more than its limit, and what a server bears is found."""

from bisect import bisect_left
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.delivery.pace import (
    FORGET_AFTER,
    HALVING_PAUSE,
    LEAST,
    PROBE_AFTER,
    RISE_AFTER,
    SECONDS,
    Bearing,
    compute_wait,
    is_complaint,
    is_heard,
    judge_complaint,
    judge_success,
    make_limit,
    start_bearing,
    take,
)
from newsletter.model.delivery import Reply
from newsletter.model.pace import Period

T = 5000.0


def count_in_worst_window(times: list[float], length: float) -> int:
    """How many of the ordered times at most lie within some `length` seconds, the last instant not counted."""
    return max(bisect_left(times, start + length) - index for index, start in enumerate(times))


@given(
    amount=st.integers(1, 400),
    period=st.sampled_from(Period),
    gaps=st.lists(st.one_of(st.floats(0, 0.02), st.floats(0, 1.5)), min_size=1, max_size=300),
    greedy=st.integers(0, 300),
)
def test_no_window_holds_more_than_the_limit(amount: int, period: Period, gaps: list[float], greedy: int) -> None:
    """Whoever comes whenever, or again and again as soon as he may."""
    limit, seconds = make_limit(amount, period), SECONDS[period]
    now, full_at, left = T, -inf, []
    for gap in [*(gap * seconds for gap in gaps), *(None for _ in range(greedy))]:
        now += compute_wait(limit, full_at, now) if gap is None else gap
        if compute_wait(limit, full_at, now) == 0:
            full_at = take(limit, full_at, now)
            left.append(now)
    assert count_in_worst_window(left, seconds) <= amount


@pytest.mark.parametrize("amount", [1, 2, 19, 20, 100, 5000])
@pytest.mark.parametrize("period", list(Period))
def test_the_steady_rate_is_five_percent_below_the_limit(amount: int, period: Period) -> None:
    limit = make_limit(amount, period)
    assert limit.rate * SECONDS[period] == pytest.approx(0.95 * amount)


def test_who_waited_long_may_send_a_twentieth_of_the_limit_at_once() -> None:
    limit = make_limit(1000, Period.HOUR)
    full_at, burst = -inf, 0
    while compute_wait(limit, full_at, T) == 0:
        full_at, burst = take(limit, full_at, T), burst + 1
    assert burst == 50
    assert compute_wait(limit, full_at, T + 2 * 3600 / 950) == 0


def test_taking_many_at_once_is_taking_one_after_another() -> None:
    limit = make_limit(10, Period.SECOND)
    one_by_one = -inf
    for _ in range(7):
        one_by_one = take(limit, one_by_one, T)
    assert take(limit, -inf, T, 7) == pytest.approx(one_by_one)


@pytest.mark.parametrize(
    ("code", "enhanced", "complaint"),
    [
        (421, "", True),
        (421, "4.7.0", True),
        (450, "", True),
        (450, "4.2.0", False),  # greylisting, and all else about one mailbox
        (450, "4.2.1", False),
        (450, "4.1.1", False),
        (451, "4.3.0", True),
        (451, "4.7.1", True),
        (452, "4.2.2", False),
        (452, "4.3.1", False),
        (454, "4.7.0", True),
        (550, "5.7.1", False),
        (250, "2.0.0", False),
        (0, "", False),
    ],
)
def test_which_replies_ask_for_less(code: int, enhanced: str, complaint: bool) -> None:
    assert is_complaint(Reply(code, enhanced, "text")) is complaint


def test_one_complaint_in_fifty_is_noise_and_two_are_not() -> None:
    assert is_heard(1, 0)
    assert not is_heard(1, 49)
    assert is_heard(2, 49)


def test_the_first_complaint_halves_what_the_domain_gets() -> None:
    assert start_bearing(80.0, T) == Bearing(rate=40.0, ceiling=80.0, cut_at=T, changed_at=T)


def test_a_herd_of_complaints_counts_once() -> None:
    bearing = start_bearing(80.0, T)
    assert judge_complaint(bearing, taken=30, refused=10, now=T + HALVING_PAUSE - 0.1) is bearing
    halved = judge_complaint(bearing, taken=400, refused=10, now=T + HALVING_PAUSE)
    assert halved == Bearing(rate=20.0, ceiling=40.0, cut_at=T + HALVING_PAUSE, changed_at=T + HALVING_PAUSE)


def test_a_flood_of_complaints_cuts_to_what_was_taken_a_second_later() -> None:
    bearing = start_bearing(2000.0, T)
    assert judge_complaint(bearing, taken=300, refused=700, now=T + 0.9) is bearing
    assert judge_complaint(bearing, taken=300, refused=700, now=T + 1.5).rate == pytest.approx(200.0)


def test_nobody_loses_more_than_seven_eighths_at_once_and_who_is_away_keeps_his_ceiling() -> None:
    cut = judge_complaint(start_bearing(2000.0, T), taken=0, refused=1000, now=T + 1)
    assert (cut.rate, cut.ceiling) == (125.0, 2000.0)


def test_no_domain_gets_less_than_one_message_a_minute() -> None:
    bearing = start_bearing(0.001, T)
    for step in range(1, 20):
        bearing = judge_complaint(bearing, taken=0, refused=step, now=T + step * HALVING_PAUSE)
    assert bearing.rate == LEAST


def test_quiet_earns_more_step_by_step_and_with_care_near_the_ceiling() -> None:
    bearing, now, rates = start_bearing(100.0, T), T, []
    for pause in (RISE_AFTER, RISE_AFTER, RISE_AFTER, PROBE_AFTER, PROBE_AFTER, PROBE_AFTER, RISE_AFTER):
        early = judge_success(bearing, taken=100_000, now=now + pause - 0.1)
        assert early is bearing
        now += pause
        raised = judge_success(bearing, taken=100_000, now=now)
        assert raised is not None
        bearing = raised
        rates.append(bearing.rate)
    assert rates == pytest.approx([62.5, 78.125, 90.0, 94.5, 99.225, 104.186, 130.233], rel=1e-4)
    assert bearing.ceiling == inf


def test_who_has_less_than_half_of_what_it_once_bore_gets_twice_as_much() -> None:
    bearing = judge_success(Bearing(10.0, 100.0, T, T), taken=1000, now=T + RISE_AFTER)
    assert bearing == Bearing(20.0, 100.0, T, T + RISE_AFTER)


def test_who_needs_less_than_half_of_what_it_may_have_is_given_no_more() -> None:
    bearing = start_bearing(20.0, T)
    assert judge_success(bearing, taken=149, now=T + RISE_AFTER) is bearing
    assert judge_success(bearing, taken=150, now=T + RISE_AFTER) != bearing


def test_a_complaint_of_long_ago_is_forgotten() -> None:
    assert judge_success(start_bearing(20.0, T), taken=1, now=T + FORGET_AFTER) is None


@given(
    st.lists(st.tuples(st.booleans(), st.floats(0, 400), st.integers(0, 10_000), st.integers(0, 10_000)), max_size=100),
    st.floats(1e-6, 1e5),
)
def test_whatever_is_answered_the_rate_stays_in_its_bounds(
    answers: list[tuple[bool, float, int, int]], getting: float
) -> None:
    bearing, now = start_bearing(getting, T), T
    for complaint, gap, taken, refused in answers:
        now += gap
        before = bearing
        if complaint:
            bearing = judge_complaint(bearing, taken, refused, now)
            assert max(LEAST, before.rate / 8) <= bearing.rate <= max(LEAST, before.rate)
        else:
            raised = judge_success(bearing, taken, now)
            if raised is None:
                return
            bearing = raised
            assert before.rate <= bearing.rate <= 2 * before.rate
        assert bearing.cut_at <= bearing.changed_at <= now
