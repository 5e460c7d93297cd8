"""The schedule: what comes, what became of each day, letting one be; and the issue files themselves, as they are."""

import re
from datetime import date, timedelta
from http import HTTPStatus
from typing import Final

from starlette.responses import Response

from newsletter.errors import NotFoundError
from newsletter.model.edition import EditionKind
from newsletter.model.problem import Severity
from newsletter.model.slot import SlotKey, SlotState
from newsletter.operators.policy import Pass
from newsletter.store.slots import skip_slot
from newsletter.surveying import load_recent_slots
from newsletter.watching import list_coming
from newsletter.web.admin.door import admin_address, show_admin
from newsletter.web.admin.mail import show_mail, show_text
from newsletter.web.pages import redirect
from newsletter.web.visit import Sketch, Visit

SHOWN: Final = timedelta(days=31)
_NAME: Final = re.compile(r"[a-z0-9-]{1,80}")
"""A date or a slug; never the path of a file."""

_DONE: Final = {"skipped": "It is skipped: nothing goes out for it by itself."}
"""What the page says was done just now."""


def show_schedule(visit: Visit, shown: Pass) -> Response:
    """Show the coming slots, and a month of those that were."""
    return _show(visit, shown)


def take_slot_order(visit: Visit, shown: Pass) -> Response:
    """Put down the slot whose button was pressed."""
    try:
        key = SlotKey(EditionKind(visit.form["kind"]), date.fromisoformat(visit.form["day"]))
    except ValueError:
        key = None
    if key is None or visit.form["do"] != "skip":
        return _show(visit, shown, HTTPStatus.BAD_REQUEST)
    with visit.house.database.transaction() as connection:
        skip_slot(connection, key, visit.now)
    return redirect(f"{admin_address(visit)}/schedule?done=skipped")


def _show(visit: Visit, shown: Pass, status: int = HTTPStatus.OK) -> Response:
    house = visit.house
    slots = load_recent_slots(house.database, visit.now - SHOWN)
    return show_admin(
        visit,
        shown,
        "schedule.html",
        status=status,
        coming=list_coming(house.settings, slots, visit.now),
        slots=[slot for slot in slots if slot.due_at <= visit.now or slot.state is not SlotState.DUE],
        days=SHOWN.days,
        done=_DONE.get(visit.query["done"], ""),
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
