"""The first page: what needs a human, what is under way, what comes, how many read; and how it is kept up to date."""

import hashlib
from typing import Final

from starlette.responses import Response

from newsletter.model.slot import SlotState
from newsletter.operators.policy import Pass
from newsletter.render.chart import draw_days
from newsletter.surveying import load_growth
from newsletter.watching import Overview, load_overview, needs_of_rates
from newsletter.web.admin.door import LIVE, show_admin
from newsletter.web.admin.words import Progress, list_orders, measure_progress
from newsletter.web.visit import Visit

CHART_DAYS: Final = 90
RECENT: Final = 5
RELOAD_SECONDS: Final = 5


def show_overview(visit: Visit, shown: Pass) -> Response:
    """Show where the publication stands."""
    house = visit.house
    view = load_overview(house.settings, house.database, visit.now, RECENT)
    growth = load_growth(house.database, house.settings.publication.time_zone, visit.now, CHART_DAYS)
    lasting = list(needs_of_rates(view.rates))
    slots = [slot for slot in view.slots if slot.due_at <= visit.now or slot.state is not SlotState.DUE]
    return show_admin(
        visit,
        shown,
        "overview.html",
        refresh=RELOAD_SECONDS if view.moving and LIVE in visit.query else 0,
        view=view,
        lasting=lasting,
        needs=[need for need in view.needs if need not in lasting],
        slots=slots[::-1],
        live=LIVE in visit.query,
        moving=_list_moving(view),
        state=_digest(view),
        recent=[(line, measure_progress(audit)) for line, audit in view.recent],
        growth=growth,
        chart=draw_days(growth.days),
    )


def show_live(visit: Visit, shown: Pass) -> Response:
    """Give what changes by itself, for the script to put in its place: needs, and progress of what is under way."""
    view = load_overview(visit.house.settings, visit.house.database, visit.now, 0, with_rates=False)
    moving = [(line, progress) for line, progress, _ in _list_moving(view)]
    return show_admin(visit, shown, "live.html", needs=view.needs, moving=moving, state=_digest(view))


def _list_moving(view: Overview) -> list[tuple[object, Progress, list[str]]]:
    return [
        (one.edition, measure_progress(one.audit, one.rate), list_orders(one.edition.control, one.audit))
        for one in view.moving
    ]


def _digest(view: Overview) -> str:
    """Return what changes when more has than numbers: then the whole page is loaded again."""
    facts = [
        [(one.edition.slug, str(one.edition.control.state)) for one in view.moving],
        [(str(slot.key), str(slot.state)) for slot in view.slots],
    ]
    return hashlib.blake2b(repr(facts).encode(), digest_size=6).hexdigest()
