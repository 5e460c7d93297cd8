"""Figures: readers over time, and what comes back."""

from typing import Final

from starlette.responses import Response

from newsletter.model.bounce import BLAMES_US
from newsletter.operators.policy import Pass
from newsletter.render.chart import draw_days
from newsletter.surveying import load_growth, load_returned
from newsletter.web.admin.door import show_admin
from newsletter.web.visit import Visit

CHART_DAYS: Final = (30, 90, 365)
BOUNCE_DAYS: Final = (1, 7, 30)


def show_readers(visit: Visit, shown: Pass) -> Response:
    """Show how many read, and how that came about."""
    days = _choose(visit.query["days"], CHART_DAYS)
    growth = load_growth(visit.house.database, visit.house.settings.publication.time_zone, visit.now, days)
    table = growth.days[-1 :: -max(1, days // 12)][:13]
    return show_admin(
        visit,
        shown,
        "readers.html",
        growth=growth,
        chart=draw_days(growth.days),
        table=table,
        days=days,
        choices=CHART_DAYS,
    )


def show_bounces(visit: Visit, shown: Pass) -> Response:
    """Show what came back, by reason and by domain, and the newest of it."""
    days = _choose(visit.query["days"], BOUNCE_DAYS)
    returned = load_returned(visit.house.database, visit.now, days)
    return show_admin(
        visit, shown, "bounces.html", returned=returned, days=days, choices=BOUNCE_DAYS, blames_us=BLAMES_US
    )


def _choose(text: str, choices: tuple[int, ...]) -> int:
    """Return the number of days that was asked for, the one in the middle for any other."""
    return next((days for days in choices if str(days) == text), choices[1])
