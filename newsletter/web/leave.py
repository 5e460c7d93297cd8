"""Leaving: the page with a button, and one click from the mail program (RFC 8058). A GET changes nothing.

Whatever a POST to this address carries, it ends the mail: the link is the authority, and who has pressed a button
anywhere shall not be asked again. The one exception is the button that asks for fewer mails.
"""

from http import HTTPStatus

from starlette.responses import Response

from newsletter.audience.leaving import get_fewer, load_leaver, unsubscribe
from newsletter.mail.token import Purpose
from newsletter.model.subscriber import Cadence, Subscriber, SubscriberState
from newsletter.web.join import parse_cadence
from newsletter.web.pages import show_lost_link, show_page
from newsletter.web.visit import Visit

ONE_CLICK = ("List-Unsubscribe", "One-Click")


def show_leave(visit: Visit) -> Response:
    """Show the button."""
    reader = load_leaver(visit.house.database, visit.house.reception.keys, visit.token)
    if reader is None:
        return show_lost_link(visit, Purpose.UNSUBSCRIBE)
    return _show(visit, reader)


def take_leave(visit: Visit) -> Response:
    """End the mail, or get fewer."""
    house = visit.house
    name, value = ONE_CLICK
    one_click = visit.form[name] == value
    if visit.form["fewer"] and not one_click:
        return _get_fewer(visit, parse_cadence(visit.form["fewer"]))
    origin = visit.origin("one-click" if one_click else "page")
    done = unsubscribe(house.database, house.reception.keys, visit.token, origin, visit.now)
    if done is None:
        return show_lost_link(visit, Purpose.UNSUBSCRIBE)
    return show_page(visit, "left.html", language=_language(visit, done.subscriber))


def _show(visit: Visit, reader: Subscriber, status: int = HTTPStatus.OK) -> Response:
    offered = visit.house.reception.offer.cadences
    more = list(Cadence)[list(Cadence).index(reader.cadence) + 1 :]
    return show_page(
        visit,
        "leave.html",
        status=status,
        language=_language(visit, reader),
        reads=reader.state is not SubscriberState.LEFT,
        fewer=[cadence for cadence in more if cadence in offered],
    )


def _get_fewer(visit: Visit, cadence: Cadence) -> Response:
    house = visit.house
    if cadence not in house.reception.offer.cadences:  # the page is older than the settings
        known = load_leaver(house.database, house.reception.keys, visit.token)
        return _show(visit, known, HTTPStatus.CONFLICT) if known else show_lost_link(visit, Purpose.UNSUBSCRIBE)
    origin = visit.origin("page")
    reader = get_fewer(house.database, house.reception.keys, visit.token, cadence, origin, visit.now)
    if reader is None:
        return show_lost_link(visit, Purpose.UNSUBSCRIBE)
    leave = house.reception.make_link(Purpose.UNSUBSCRIBE, reader.id)
    return show_page(visit, "fewer.html", language=_language(visit, reader), cadence=reader.cadence, leave=leave)


def _language(visit: Visit, reader: Subscriber) -> str:
    return visit.wished_language or reader.language or visit.language
