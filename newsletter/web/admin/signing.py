"""Signing in and out. A wrong password, and one that wasn't looked at, get answers that tell nothing about it."""

from http import HTTPStatus
from typing import Final

from starlette.responses import Response

from newsletter.audience.policy_limits import compose_limit_key, group_client
from newsletter.operators.policy import Pass, is_sign_in_stamp, make_sign_in_stamp
from newsletter.operators.service import Refusal, SignedIn, has_password, load_pass, sign_in, sign_out
from newsletter.web.admin.door import (
    admin_address,
    comes_from_us,
    give_cookie,
    is_in_clear,
    read_cookie,
    show_admin,
)
from newsletter.web.pages import redirect, show_problem
from newsletter.web.visit import Visit

_RETRY_SECONDS: Final = "60"
_ENDED: Final = "You were signed out meanwhile, so nothing was done. Sign in, and press it again."
_ANSWERS: Final = {
    Refusal.WRONG: (HTTPStatus.FORBIDDEN, "This is not the password."),
    Refusal.THROTTLED: (HTTPStatus.TOO_MANY_REQUESTS, "Too many tries. Wait a minute, then try again."),
    Refusal.BUSY: (HTTPStatus.SERVICE_UNAVAILABLE, "The server is busy. Try again in a moment."),
}


def show_sign_in(visit: Visit) -> Response:
    """Show the form; who is signed in already is led on."""
    house = visit.house
    if not has_password(house.database):
        return show_problem(visit, HTTPStatus.NOT_FOUND)
    if load_pass(house.database, house.reception.keys, read_cookie(visit), visit.now):
        return redirect(_choose_place(visit, visit.query["to"]))
    return _show(visit, _ENDED if visit.query["ended"] else "")


def take_sign_in(visit: Visit) -> Response:
    """Open a session for who knows the password."""
    house = visit.house
    keys = house.reception.keys
    if not has_password(house.database):
        return show_problem(visit, HTTPStatus.NOT_FOUND)
    if not comes_from_us(visit) or not is_sign_in_stamp(keys, visit.form["stamp"], visit.now):
        return _show(visit, "The form was too old, or from elsewhere. Try again.", HTTPStatus.FORBIDDEN)
    bucket = compose_limit_key(keys[0], "admin", group_client(visit.client))
    found = sign_in(house.database, keys, visit.form["password"], bucket, visit.now)
    if isinstance(found, SignedIn):
        response = redirect(_choose_place(visit, visit.form["to"]))
        give_cookie(visit, response, found.cookie)
        return response
    if found is None:
        return show_problem(visit, HTTPStatus.NOT_FOUND)
    status, text = _ANSWERS[found]
    return _show(visit, text, status)


def take_sign_out(visit: Visit, shown: Pass) -> Response:
    """End the session."""
    sign_out(visit.house.database, shown)
    response = redirect(f"{admin_address(visit)}/sign-in")
    give_cookie(visit, response, "")
    return response


def _show(visit: Visit, problem: str, status: HTTPStatus = HTTPStatus.OK) -> Response:
    response = show_admin(
        visit,
        None,
        "sign_in.html",
        status=status,
        problem=problem,
        to=visit.form["to"] or visit.query["to"],
        stamp=make_sign_in_stamp(visit.house.reception.keys[0], visit.now),
        in_clear=is_in_clear(visit),
    )
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        response.headers["retry-after"] = _RETRY_SECONDS
    return response


def _choose_place(visit: Visit, wanted: str) -> str:
    """Return where to go on: an admin page that was asked for, never another site's."""
    first = admin_address(visit)
    plain = wanted.isascii() and wanted.isprintable() and "\\" not in wanted and ".." not in wanted
    return wanted if plain and wanted.startswith(f"{first}/") and "/sign-" not in wanted else first
