"""The door of the admin pages: nobody gets an answer to anything behind it who isn't signed in.

Owns the session's cookie and what a POST must prove: that its form is of this session, and that the browser sent it
from a page of ours. Without a password there are no admin pages: every address of theirs answers like one that isn't
there. A page that loads itself again doesn't keep a session alive; what the operator does himself does.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from starlette.responses import Response

from newsletter.errors import NewsletterError, NotFoundError, StoreError
from newsletter.operators.policy import LIFE, Pass, compose_pass, is_form_token, is_same_site, make_form_token
from newsletter.operators.service import has_password, load_pass
from newsletter.web.admin.assets import version_of
from newsletter.web.admin.words import tell_moment, tell_span
from newsletter.web.gate import LOCAL_HOSTS
from newsletter.web.headers import Nature
from newsletter.web.pages import redirect, show_page, show_problem
from newsletter.web.visit import Visit

ADMIN: Final = "/admin"
LIVE: Final = "live"
"""Parameter of an address that a page loads by itself."""

Act = Callable[[Visit, Pass], Response]
"""What is done for an operator who is signed in."""

_SLIDE: Final = timedelta(minutes=1)
"""How old a cookie's note of the last doing may become before it is written anew."""


def admit(act: Act) -> Callable[[Visit], Response]:
    """Return an action that does what it is asked for operators alone, and leads everybody else to the sign-in."""

    def answer(visit: Visit) -> Response:
        house = visit.house
        if not has_password(house.database):
            return show_problem(visit, HTTPStatus.NOT_FOUND)
        shown = load_pass(house.database, house.reception.keys, read_cookie(visit), visit.now)
        if shown is None:
            return redirect(sign_in_address(visit))
        if visit.method == "POST" and not (comes_from_us(visit) and is_form_token(shown.secret, visit.form["token"])):
            return refuse(visit, shown, "This form isn't from this session. Nothing was done; try again.")
        response = _do(act, visit, shown)
        if LIVE not in visit.query and visit.now - shown.seen_at >= _SLIDE and "set-cookie" not in response.headers:
            give_cookie(
                visit, response, compose_pass(house.reception.keys[0], shown.session_id, shown.secret, visit.now)
            )
        return response

    return answer


def _do(act: Act, visit: Visit, shown: Pass) -> Response:
    try:
        return act(visit, shown)
    except NotFoundError as error:
        return refuse(visit, shown, str(error), HTTPStatus.NOT_FOUND)
    except StoreError:
        raise
    except NewsletterError as error:
        status = HTTPStatus.CONFLICT if visit.method == "POST" else HTTPStatus.INTERNAL_SERVER_ERROR
        return refuse(visit, shown, str(error), status)


def refuse(visit: Visit, shown: Pass | None, text: str, status: int = HTTPStatus.FORBIDDEN) -> Response:
    """Say why something was not done."""
    return show_admin(visit, shown, "refused.html", status=status, code=int(status), text=text)


def show_admin(
    visit: Visit, shown: Pass | None, template: str, *, status: int = HTTPStatus.OK, refresh: int = 0, **values: Any
) -> Response:
    """Return an admin page from `templates/web/admin`; it speaks English. `refresh`: loads itself after so many s."""
    return show_page(
        visit,
        f"admin/{template}",
        status=status,
        nature=Nature.ADMIN,
        language="en",
        headers={"refresh": str(refresh)} if refresh else None,
        admin=admin_address(visit),
        token=make_form_token(shown.secret) if shown else "",
        version=version_of(visit.house.frame.environment),
        now=visit.now,
        span=tell_span,
        moment=partial(tell_moment, zone=ZoneInfo(visit.house.settings.publication.time_zone)),
        **values,
    )


def admin_address(visit: Visit) -> str:
    """Return the path of the first admin page."""
    return f"{visit.house.root}{ADMIN}"


def sign_in_address(visit: Visit) -> str:
    """Return where to sign in; from there it goes on to what was asked for. Who ordered something is told why not."""
    place = "" if LIVE in visit.query else f"?to={quote(visit.path)}"
    return f"{admin_address(visit)}/sign-in{'?ended=1' if visit.method == 'POST' else place}"


def comes_from_us(visit: Visit) -> bool:
    """Return whether the browser says that a form was sent from a page of ours."""
    host = visit.headers.get("host", "")
    schemes = ("https",) if _is_secure(visit) else ("https", "http")
    public = urlsplit(visit.house.settings.publication.url)
    # A proxy may have left the port out of the Host header.
    ours = [*(f"{scheme}://{host}" for scheme in schemes), f"{public.scheme}://{public.netloc}"]
    return is_same_site(visit.headers.get("origin", ""), visit.headers.get("sec-fetch-site", ""), ours)


def give_cookie(visit: Visit, response: Response, value: str) -> None:
    """Have the browser keep a session; an empty value has it forget."""
    response.set_cookie(
        cookie_name(visit),
        value,
        max_age=int(LIFE.total_seconds()) if value else 0,
        path=admin_address(visit),
        secure=_is_secure(visit),
        httponly=True,
        samesite="strict",
    )


def read_cookie(visit: Visit) -> str:
    """Return the value of the session's cookie, '' for none."""
    pairs = (part.strip().partition("=") for part in visit.headers.get("cookie", "").split(";"))
    return next((value for name, _, value in pairs if name == cookie_name(visit)), "")


def cookie_name(visit: Visit) -> str:
    """Return the cookie's name; with its prefix, browsers take it over TLS alone (RFC 6265bis, 4.1.3)."""
    return "__Secure-newsletter-admin" if _is_secure(visit) else "newsletter-admin"


def is_in_clear(visit: Visit) -> bool:
    """Return whether somebody between the browser and us could read the password."""
    return not _is_secure(visit) and not _is_local(visit)


def _is_secure(visit: Visit) -> bool:
    """Return whether the browser came over TLS, as the site's address says; on this machine itself he need not."""
    publicly = visit.house.settings.publication.url.startswith("https:") and not _is_local(visit)
    return visit.scheme == "https" or publicly


def _is_local(visit: Visit) -> bool:
    host = visit.headers.get("host", "").lower()
    return host in LOCAL_HOSTS or host.rpartition(":")[0] in LOCAL_HOSTS
