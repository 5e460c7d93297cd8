"""Editions: all of them, one of them, its mail; and what an operator may order.

Decides nothing: orders go to `store.controls`, the same as those of the command line, and its refusals are shown.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final

from starlette.responses import Response

from newsletter.errors import NotFoundError, UsageError
from newsletter.model.edition import EditionKind
from newsletter.operators.policy import Pass
from newsletter.store.controls import accept_unknown, cancel_edition, pause_edition, resend_unknown, resume_edition
from newsletter.store.editions import EditionLine, load_slug_line
from newsletter.surveying import load_closeup, load_mail, load_page
from newsletter.web.admin.door import LIVE, admin_address, show_admin
from newsletter.web.admin.mail import show_mail, show_text
from newsletter.web.admin.overview import RELOAD_SECONDS
from newsletter.web.admin.words import list_orders, measure_progress
from newsletter.web.pages import redirect
from newsletter.web.visit import Visit

PAGE_SIZE: Final = 12
LAST_PAGE: Final = 1000
LONGEST_REASON: Final = 200

DONE: Final = {
    "paused": "It is paused. What is on the wire finishes; nobody who waits is lost.",
    "resumed": "It goes on.",
    "cancelled": "It is cancelled for good. Whoever waited gets no mail.",
    "queued": "They are queued again, and get the same mail as before.",
    "accepted": "They are taken as sent.",
}
"""What the page says was done just now."""


def show_editions(visit: Visit, shown: Pass) -> Response:
    """Show a page of editions, newest first, and where their readers stand."""
    wanted = visit.query["page"]
    number = int(wanted) if wanted.isdecimal() and len(wanted) <= len(str(LAST_PAGE)) else 1
    number = min(max(1, number), LAST_PAGE)
    lines, more = load_page(visit.house.database, number, PAGE_SIZE)
    rows = [(line, measure_progress(audit)) for line, audit in lines]
    return show_admin(visit, shown, "editions.html", rows=rows, number=number, more=more)


def show_edition(visit: Visit, shown: Pass) -> Response:
    """Show one edition: its progress, what servers said, who may or may not have it, and its mail."""
    return _show(visit, shown)


def show_edition_mail(visit: Visit, shown: Pass) -> Response:  # noqa: ARG001 - every act is given the pass
    """Show an edition's mail, as everybody gets it who gets all of it."""
    edition = load_mail(visit.house.database, visit.slug)
    if edition is None:
        raise NotFoundError(f"{visit.slug} was never published.")
    return show_mail(visit, edition.html)


def show_edition_text(visit: Visit, shown: Pass) -> Response:  # noqa: ARG001 - same
    """Show its text part."""
    edition = load_mail(visit.house.database, visit.slug)
    if edition is None:
        raise NotFoundError(f"{visit.slug} was never published.")
    return show_text(edition.text)


def take_order(visit: Visit, shown: Pass) -> Response:
    """Do what the pressed button says."""
    with visit.house.database.read() as connection:
        line = load_slug_line(connection, visit.slug)
    order = _ORDERS.get(visit.form["do"])
    return order(visit, shown, line) if order else _show(visit, shown, HTTPStatus.BAD_REQUEST)


def _pause(visit: Visit, shown: Pass, line: EditionLine) -> Response:  # noqa: ARG001 - same
    reason = " ".join(visit.form["reason"].split())[:LONGEST_REASON]
    with visit.house.database.transaction() as connection:
        pause_edition(connection, line.id, visit.now, reason)
    return _go_back(visit, "paused")


def _resume(visit: Visit, shown: Pass, line: EditionLine) -> Response:  # noqa: ARG001 - same
    with visit.house.database.transaction() as connection:
        resume_edition(connection, line.id, visit.now)
    return _go_back(visit, "resumed")


def _ask_to_cancel(visit: Visit, shown: Pass, line: EditionLine) -> Response:
    """Say what is at stake, and ask; nothing is done yet."""
    closeup = load_closeup(visit.house.database, line.slug, visit.now)
    return show_admin(visit, shown, "cancel.html", edition=line, audit=closeup.audit)


def _cancel(visit: Visit, shown: Pass, line: EditionLine) -> Response:  # noqa: ARG001 - same
    reason = " ".join(visit.form["reason"].split())[:LONGEST_REASON]
    with visit.house.database.transaction() as connection:
        cancel_edition(connection, line.id, visit.now, reason)
    return _go_back(visit, "cancelled")


def _resend(visit: Visit, shown: Pass, line: EditionLine) -> Response:  # noqa: ARG001 - same
    with visit.house.database.transaction() as connection:
        resend_unknown(connection, line.id, visit.now, _choose(visit))
    return _go_back(visit, "queued")


def _accept(visit: Visit, shown: Pass, line: EditionLine) -> Response:  # noqa: ARG001 - same
    with visit.house.database.transaction() as connection:
        accept_unknown(connection, line.id, visit.now, _choose(visit))
    return _go_back(visit, "accepted")


_ORDERS: Final[Mapping[str, Callable[[Visit, Pass, EditionLine], Response]]] = {
    "pause": _pause,
    "resume": _resume,
    "cancel": _ask_to_cancel,
    "cancel-for-good": _cancel,
    "resend": _resend,
    "accept": _accept,
}


def _choose(visit: Visit) -> list[str] | None:
    """Return the addresses that were ticked, None for everybody. Raises UsageError for nobody."""
    if visit.form["everybody"]:
        return None
    chosen = visit.form.all_of("address")
    if not chosen:
        raise UsageError("Nobody was ticked, so nothing was done. Tick readers, or everybody.")
    return chosen


def _go_back(visit: Visit, done: str) -> Response:
    return redirect(f"{admin_address(visit)}/editions/{visit.slug}?done={done}")


def _show(visit: Visit, shown: Pass, status: int = HTTPStatus.OK) -> Response:
    closeup = load_closeup(visit.house.database, visit.slug, visit.now)
    live = LIVE in visit.query
    orders = list_orders(closeup.edition.control, closeup.audit)
    return show_admin(
        visit,
        shown,
        "edition.html",
        status=status,
        refresh=RELOAD_SECONDS if live and closeup.audit.open else 0,
        closeup=closeup,
        edition=closeup.edition,
        progress=measure_progress(closeup.audit, closeup.rate),
        orders=orders,
        live=live,
        is_issue=closeup.edition.kind is EditionKind.ISSUE,
        done=DONE.get(visit.query["done"], ""),
    )
