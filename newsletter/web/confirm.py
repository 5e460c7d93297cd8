"""Confirming: the page behind the link in a mail. Looking at it changes nothing, for scanners open every link."""

from http import HTTPStatus

from starlette.responses import Response

from newsletter.audience.confirming import confirm, load_open_request
from newsletter.web.pages import show_page, show_problem
from newsletter.web.visit import Visit


def show_confirm(visit: Visit) -> Response:
    """Show the button."""
    house = visit.house
    request = load_open_request(house.database, house.reception, visit.token, visit.now)
    if request is None:
        return show_problem(visit, HTTPStatus.GONE, kind="confirm")
    language = visit.wished_language or request.request.language
    return show_page(visit, "confirm.html", language=language, asked=request.request)


def take_confirm(visit: Visit) -> Response:
    """Let the reader in, or move him."""
    house = visit.house
    done = confirm(house.database, house.reception, visit.token, visit.origin("page"), visit.now)
    if done is None:
        return show_problem(visit, HTTPStatus.GONE, kind="confirm")
    house.ring()
    language = visit.wished_language or done.subscriber.language
    return show_page(visit, "confirmed.html", language=language, done=done)
