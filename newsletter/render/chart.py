"""A line chart as numbers for an SVG: the line, the scale beside it, the days below. Pure.

The line fills a box of 1000 by 1000 that a page stretches to its own size; words stand outside of it, in HTML, so that
they are as large as other text on any screen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import count
from typing import Final

SIZE: Final = 1000
STEPS: Final = 4
"""Parts that the scale is divided into; each border has a number."""

_FACTORS = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawn series. `path` is an SVG path; `scale` from the top down, at even distances; `days` from the left."""

    path: str
    scale: tuple[int, ...]
    days: tuple[date, ...]
    end: tuple[float, float]

    @property
    def lines(self) -> tuple[float, ...]:
        """Return how far down each border of the scale is."""
        return tuple(SIZE * number / STEPS for number in range(STEPS + 1))


def draw_days(series: Sequence[tuple[date, int]]) -> Chart:
    """Return the chart of a number over days, of which there is at least one."""
    values = [value for _, value in series]
    low, step = choose_scale(min(values), max(values))
    high = low + step * STEPS
    wide = SIZE / max(1, len(values) - 1)
    points = [
        (round(number * wide, 1), round(SIZE * (high - value) / (high - low), 1)) for number, value in enumerate(values)
    ]
    path = "M" + " L".join(f"{x:g} {y:g}" for x, y in points)
    days = tuple(dict.fromkeys(series[at][0] for at in (0, len(series) // 2, -1)))
    scale = tuple(low + step * number for number in reversed(range(STEPS + 1)))
    return Chart(path, scale, days, points[-1])


def choose_scale(lowest: int, highest: int) -> tuple[int, int]:
    """Return where a scale begins, and its step: round numbers, so that STEPS of them hold all values."""
    for exponent in count():
        for factor in _FACTORS:
            step = factor * 10**exponent
            low = lowest // step * step
            if low + step * STEPS >= highest:
                return low, step
    raise AssertionError  # there is always a larger step
