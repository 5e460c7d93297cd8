"""Who counts as one, how much one may, and what a form's stamp proves."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.audience.policy_limits import (
    FormVerdict,
    compose_limit_key,
    group_client,
    judge_form_stamp,
    limit_address_weekly,
    limit_all,
    limit_client,
    limit_moves,
    make_form_stamp,
)
from newsletter.config import Joining
from newsletter.mail.token import Purpose, make_token
from newsletter.model.throttle import spend_token

KEY, OLD = b"k" * 32, b"o" * 32
NOW = datetime(2024, 5, 25, 6, 30, tzinfo=UTC)
RULES = Joining()


@pytest.mark.parametrize(
    ("client", "group"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unix", "unix"),
    ],
)
def test_clients_are_grouped_as_networks_are_given_out(client: str, group: str) -> None:
    assert group_client(client) == group


@given(st.text(max_size=300))
def test_any_text_is_some_client_that_can_be_stored(client: str) -> None:
    key = compose_limit_key(KEY, "client", group_client(client))
    assert key.isascii()
    assert len(key) < 320


def test_a_bucket_names_nobody() -> None:
    key = compose_limit_key(KEY, "address", "ann@example.org")
    assert "ann" not in key
    assert key != compose_limit_key(OLD, "address", "ann@example.org")
    assert key != compose_limit_key(KEY, "week", "ann@example.org")


@given(st.integers(1, 40), st.lists(st.timedeltas(timedelta(0), timedelta(days=4)), max_size=80))
def test_no_week_lets_through_more_than_was_said(count: int, waits: list[timedelta]) -> None:
    limit = limit_address_weekly(Joining(per_address_per_week=count))
    now, full_at, arrived = NOW, None, []
    for wait in waits:
        now += wait
        after = spend_token(full_at, now, limit)
        if after:
            full_at = after
            arrived.append(now)
    for start in arrived:
        assert sum(start <= at < start + timedelta(weeks=1) for at in arrived) <= count


def test_limits_follow_the_rules() -> None:
    assert limit_client(RULES) == (timedelta(minutes=3), 10)
    assert limit_all(Joining(per_hour=0)) is None
    assert limit_all(Joining(per_hour=3)) == (timedelta(minutes=20), 1)
    assert limit_moves(RULES).burst == 2


def test_a_form_that_was_read_is_fine_and_one_filled_in_at_once_is_not() -> None:
    stamp = make_form_stamp(KEY, NOW)
    judge = [judge_form_stamp([KEY], stamp, NOW + timedelta(seconds=s), RULES) for s in (0, 1, 2, 86_400, 86_401)]
    assert judge == [
        FormVerdict.TOO_SOON,
        FormVerdict.TOO_SOON,
        FormVerdict.FINE,
        FormVerdict.FINE,
        FormVerdict.STALE,
    ]


def test_a_stamp_is_signed_by_any_of_our_keys_for_a_form_and_not_from_the_future() -> None:
    late = NOW + timedelta(minutes=1)
    assert judge_form_stamp([KEY, OLD], make_form_stamp(OLD, NOW), late, RULES) is FormVerdict.FINE
    other = make_token(KEY, Purpose.CONFIRM, int(NOW.timestamp()), 0)
    for forged in ("", "x" * 32, make_form_stamp(OLD, NOW), other, make_form_stamp(KEY, late + timedelta(minutes=1))):
        assert judge_form_stamp([KEY], forged, late, RULES) is FormVerdict.FORGED


@given(st.text(max_size=60))
def test_any_text_in_place_of_a_stamp_is_forged(text: str) -> None:
    assert judge_form_stamp([KEY], text, NOW, RULES) is FormVerdict.FORGED
