"""The web application: which address leads to which action, and what stands before them all."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route, Router

from newsletter.model.edition import TOKEN_WIDTH
from newsletter.web import api, confirm, hooks, join, leave, preferences, search, watch
from newsletter.web.admin.service import ADMIN_ACTIONS
from newsletter.web.files import Files
from newsletter.web.gate import Gate
from newsletter.web.guard import Guard
from newsletter.web.pages import show_problem
from newsletter.web.visit import House, Visit, read_visit

Action = Callable[[Visit], Response]

ACTIONS: Mapping[str, Mapping[str, Action]] = {
    "/join": {"GET": join.show_join, "POST": join.take_join},
    "/join/done": {"GET": join.show_done},
    "/embed/join": {"GET": join.show_embedded, "POST": join.take_embedded},
    "/c/{token}": {"GET": confirm.show_confirm, "POST": confirm.take_confirm},
    "/p/{token}": {"GET": preferences.show_preferences, "POST": preferences.take_preferences},
    "/u/{token}": {"GET": leave.show_leave, "POST": leave.take_leave},
    "/search": {"GET": search.show_search},
    "/api/search": {"GET": search.find_works},
    "/api/join": {"POST": api.take_wish, "OPTIONS": api.allow_other_sites},
    "/api/openapi.json": {"GET": api.show_openapi},
    "/healthz": {"GET": watch.show_health},
    "/readyz": {"GET": watch.show_readiness},
    "/metrics": {"GET": watch.show_metrics},
    "/hooks/ses": {"POST": hooks.take_ses},
    "/hooks/postmark": {"POST": hooks.take_postmark},
    "/hooks/sendgrid": {"POST": hooks.take_sendgrid},
    "/hooks/mailgun": {"POST": hooks.take_mailgun},
    **ADMIN_ACTIONS,
}
"""What each address answers, by method; HEAD is GET's. A GET changes nothing, ever: mail scanners open every link."""


@dataclass(frozen=True, slots=True)
class Service:
    """The application, and what the protocol below it shares with it."""

    app: Guard
    files: Files
    gate: Gate


def make_service(house: House, gate: Gate, table: Mapping[str, Mapping[str, Action]] = ACTIONS) -> Service:
    """Return the application of a house."""
    files = Files(house.settings, house.root)
    routes = [
        Route(pattern, _endpoint(house, pattern, actions), methods=list(actions)) for pattern, actions in table.items()
    ]
    # A bare router, so that what goes wrong comes up to the guard, which has a page for it.
    router = Router([Mount(house.root, routes=routes)] if house.root else routes, redirect_slashes=False)
    return Service(Guard(router, house, files, gate), files, gate)


def _endpoint(house: House, pattern: str, actions: Mapping[str, Action]) -> Callable[[Request], Response]:
    """Return an endpoint; as it is no coroutine, it runs in a thread and may use the store."""

    def answer(request: Request) -> Response:
        request.scope["newsletter.pattern"] = pattern
        visit = read_visit(house, request.scope)
        if len(visit.token) > TOKEN_WIDTH:
            return show_problem(visit, HTTPStatus.NOT_FOUND, kind="link")
        return actions["GET" if visit.method == "HEAD" else visit.method](visit)

    return answer
