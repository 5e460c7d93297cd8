"""The schedule: what comes, what became of each day; and the issue files themselves, as they are now."""

import re
from datetime import timedelta
from typing import Final

from starlette.responses import Response

from newsletter.errors import NotFoundError
from newsletter.model.problem import Severity
from newsletter.model.slot import SlotState
from newsletter.operators.policy import Pass
from newsletter.surveying import load_recent_slots
from newsletter.watching import list_coming
from newsletter.web.admin.door import show_admin
from newsletter.web.admin.mail import show_mail, show_text
from newsletter.web.visit import Sketch, Visit

SHOWN: Final = timedelta(days=31)
_NAME: Final = re.compile(r"[a-z0-9-]{1,80}")
"""A date or a slug; never the path of a file."""


def show_schedule(visit: Visit, shown: Pass) -> Response:
    """Show the coming slots, and a month of those that were."""
    house = visit.house
    slots = load_recent_slots(house.database, visit.now - SHOWN)
    return show_admin(
        visit,
        shown,
        "schedule.html",
        coming=list_coming(house.settings, slots, visit.now),
        slots=[slot for slot in slots if slot.due_at <= visit.now or slot.state is not SlotState.DUE],
        days=SHOWN.days,
    )


def show_issue(visit: Visit, shown: Pass) -> Response:
    """Show an issue file as it is now: what is wrong with it, and its mail."""
    sketch = _load(visit)
    errors = sum(problem.severity is Severity.ERROR for problem in sketch.problems)
    return show_admin(visit, shown, "issue.html", sketch=sketch, name=visit.slug, errors=errors)


def show_issue_mail(visit: Visit, shown: Pass) -> Response:  # noqa: ARG001 - every act is given the pass
    """Show the mail that it would be."""
    return show_mail(visit, _load(visit).html)


def show_issue_text(visit: Visit, shown: Pass) -> Response:  # noqa: ARG001 - same
    """Show its text part."""
    return show_text(_load(visit).text)


def _load(visit: Visit) -> Sketch:
    if not _NAME.fullmatch(visit.slug):
        raise NotFoundError("There is no such issue.")
    return visit.house.sketch(visit.slug)
