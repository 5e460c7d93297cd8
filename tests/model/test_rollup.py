"""Weeks and months."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.model.edition import EditionKind
from newsletter.model.rollup import Period, period_of

WEEKLY, MONTHLY = EditionKind.WEEKLY, EditionKind.MONTHLY


@pytest.mark.parametrize(
    ("kind", "day", "slug", "first", "last"),
    [
        (WEEKLY, date(2024, 5, 25), "weekly-2024-W21", date(2024, 5, 20), date(2024, 5, 26)),
        (WEEKLY, date(2024, 5, 20), "weekly-2024-W21", date(2024, 5, 20), date(2024, 5, 26)),
        (WEEKLY, date(2024, 12, 31), "weekly-2025-W01", date(2024, 12, 30), date(2025, 1, 5)),
        (WEEKLY, date(2027, 1, 3), "weekly-2026-W53", date(2026, 12, 28), date(2027, 1, 3)),
        (MONTHLY, date(2024, 5, 25), "monthly-2024-05", date(2024, 5, 1), date(2024, 5, 31)),
        (MONTHLY, date(2024, 2, 29), "monthly-2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        (MONTHLY, date(2024, 12, 1), "monthly-2024-12", date(2024, 12, 1), date(2024, 12, 31)),
    ],
)
def test_a_day_is_in_one_week_and_one_month(kind: EditionKind, day: date, slug: str, first: date, last: date) -> None:
    period = period_of(kind, day)
    assert period == Period(kind, first, last)
    assert period.slug == slug


@given(st.sampled_from([WEEKLY, MONTHLY]), st.dates(date(1900, 1, 1), date(2200, 1, 1)))
def test_periods_follow_each_other_without_a_gap(kind: EditionKind, day: date) -> None:
    period = period_of(kind, day)
    assert day in period
    assert all(period_of(kind, one) == period for one in (period.first, period.last))
    assert period.previous.last + timedelta(days=1) == period.first
    assert period.previous.slug != period.slug


def test_an_issue_is_no_period() -> None:
    with pytest.raises(ValueError, match="issue is no period"):
        period_of(EditionKind.ISSUE, date(2024, 5, 25))
