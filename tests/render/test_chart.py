"""A series as a line."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from newsletter.render.chart import SIZE, STEPS, choose_scale, draw_days

DAY = date(2024, 5, 25)


def series(*values: int) -> list[tuple[date, int]]:
    return [(DAY + timedelta(days=number), value) for number, value in enumerate(values)]


def test_the_line_goes_from_left_to_right_and_higher_is_more() -> None:
    chart = draw_days(series(0, 20, 40))
    assert chart.path == "M0 1000 L500 500 L1000 0"
    assert chart.scale == (40, 30, 20, 10, 0)
    assert list(chart.lines) == [0, 250, 500, 750, 1000]
    assert chart.days == (DAY, DAY + timedelta(days=1), DAY + timedelta(days=2))


def test_a_scale_begins_where_the_numbers_are() -> None:
    assert choose_scale(100_000, 100_730) == (100_000, 200)
    assert draw_days(series(100_000, 100_730)).scale == (100_800, 100_600, 100_400, 100_200, 100_000)


def test_one_day_and_no_reader_are_a_chart_too() -> None:
    chart = draw_days(series(0))
    assert chart.path == "M0 1000"
    assert chart.days == (DAY,)
    assert draw_days(series(5, 5, 5)).path.count("L") == 2


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=50))
def test_every_value_is_within_the_box_and_the_scale_is_even(values: list[int]) -> None:
    chart = draw_days(series(*values))
    points = [tuple(map(float, point.split())) for point in chart.path[1:].split(" L")]
    assert len(points) == len(values)
    assert all(0 <= x <= SIZE and 0 <= y <= SIZE for x, y in points)
    steps = {high - low for high, low in zip(chart.scale, chart.scale[1:], strict=False)}
    assert len(chart.scale) == STEPS + 1
    assert len(steps) == 1
    assert chart.scale[-1] <= min(values) <= max(values) <= chart.scale[0]
