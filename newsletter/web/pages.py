"""Answers that people see: pages in the look of the site, from `templates/web`, in the reader's language."""

from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, Response

from newsletter.mail.token import Purpose, read_token
from newsletter.model.edition import ANYBODYS
from newsletter.render.frame import root_of
from newsletter.render.page import render_page
from newsletter.web.headers import NO_STORE, Nature, compose_headers
from newsletter.web.visit import House, Visit, name_languages

PROBLEM_TYPE = "application/problem+json"


def show_page(
    visit: Visit,
    template: str,
    *,
    path: str = "/",
    status: int = HTTPStatus.OK,
    nature: Nature = Nature.PRIVATE,
    language: str = "",
    headers: Mapping[str, str] | None = None,
    **values: Any,
) -> Response:
    """Return a page from `templates/web`; `path` is its public address, for those that have one."""
    house = visit.house
    text = _render(
        house,
        template,
        path,
        language or visit.language,
        indexed=nature is Nature.PAGE and status == HTTPStatus.OK,
        here=visit.path,
        wished_language=visit.wished_language,
        spoken=name_languages(house),
        offer=house.reception.offer,
        **values,
    )
    return _answer(house, text, status, nature, headers)


def show_problem(visit: Visit, status: int, *, headers: Mapping[str, str] | None = None, kind: str = "") -> Response:
    """Return the page that says what went wrong; programs get it as problem+json (RFC 9457).

    `kind` tells cases of one status apart (`templates/web/problem.html`).
    """
    if visit.path.startswith(f"{visit.house.root}/api/"):
        return show_json_problem(status, headers=headers)
    return _answer(
        visit.house, _render_problem(visit.house, status, kind, visit.language), status, Nature.PRIVATE, headers
    )


def show_lost_link(visit: Visit, purpose: Purpose) -> Response:
    """Return the page behind a link from a mail that opens nothing for any reader; a test mail's needn't."""
    token = read_token(visit.house.reception.keys, purpose, visit.token)
    if visit.token == ANYBODYS or (token is not None and token.subscriber_id == 0):
        return show_problem(visit, HTTPStatus.OK, kind="test")
    return show_problem(visit, HTTPStatus.NOT_FOUND, kind="link")


def show_json(content: object, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None) -> Response:
    """Return a document for programs, which any site may read: it holds nothing that isn't public."""
    shared = {**dict(compose_headers(Nature.FILE)), "cache-control": NO_STORE, "access-control-allow-origin": "*"}
    return JSONResponse(content, status, {**shared, **(headers or {})})


def show_json_problem(
    status: int, detail: str = "", headers: Mapping[str, str] | None = None, **more: object
) -> Response:
    """Return a problem for programs."""
    document = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": int(status), **more}
    document |= {"detail": detail} if detail else {}
    answer = show_json(document, status, headers)
    answer.headers["content-type"] = PROBLEM_TYPE
    return answer


def redirect(location: str) -> Response:
    """Send a browser on after a form, so that going back or reloading sends nothing twice."""
    return Response(status_code=HTTPStatus.SEE_OTHER, headers={"location": location, "cache-control": NO_STORE})


@lru_cache(maxsize=256)
def _render_problem(house: House, status: int, kind: str, language: str) -> str:
    """Return a page about a problem; kept, so that whoever makes thousands of them doesn't keep us busy."""
    return _render(house, "problem.html", "/", language, indexed=False, code=int(status), kind=kind)


def _render(house: House, template: str, path: str, language: str, **values: Any) -> str:
    frame = house.frame
    root = f"{root_of(frame)}/"
    return render_page(frame, template, f"{frame.base}{path}", folder="web", root=root, language=language, **values)


def _answer(house: House, text: str, status: int, nature: Nature, headers: Mapping[str, str] | None) -> Response:
    web = house.settings.web
    guards = dict(compose_headers(nature, web.image_hosts, web.embed_on))
    return HTMLResponse(text, status, {**guards, "cache-control": NO_STORE, **(headers or {})})
