"""The preview: one issue as mail, text, feed entry, page and problems, reloaded as its file is saved.

Serves this machine only. Owns the frame around the views; what is in them comes as plain strings from the caller.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from jinja2 import Environment
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from newsletter.model.problem import Problem

Application = Starlette
POLL_SECONDS = 0.3

DARK_QUERY = re.compile(r"@media\s*\(\s*prefers-color-scheme\s*:\s*dark\s*\)")
"""The preview forces it on or off, whatever this browser prefers."""


@dataclass(frozen=True, slots=True)
class Views:
    """What there is to see of an issue; a view that could not be rendered is empty."""

    title: str
    mail: str
    text: str
    feed: str
    page: str
    style: str
    problems: tuple[Problem, ...]
    size: int


def make_preview(
    path: str, load_views: Callable[[], Views], stamp: Callable[[], object], environment: Environment
) -> Application:
    """Return the application. `stamp` changes when something was saved; `load_views` renders anew."""
    preview = _Preview(path, load_views, stamp, environment)
    routes = [
        Route("/", preview.frame),
        Route("/mail", preview.mail),
        Route("/text", preview.text),
        Route("/feed", preview.feed),
        Route("/page", preview.page),
        Route("/style.css", preview.style),
        Route("/events", preview.events),
    ]
    hosts = ["localhost", "127.0.0.1"]
    return Starlette(routes=routes, middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=hosts)])


class _Preview:
    """The last rendering and the stamp it was made at; lives as long as the server."""

    def __init__(
        self, path: str, load_views: Callable[[], Views], stamp: Callable[[], object], environment: Environment
    ) -> None:
        self._path = path
        self._load_views = load_views
        self._stamp = stamp
        self._environment = environment
        self._made_at: object = None
        self._views: Views | None = None

    def views(self) -> Views:
        """Return the views, rendered anew when something was saved since."""
        stamp = self._stamp()
        if self._views is None or stamp != self._made_at:
            self._views, self._made_at = self._load_views(), stamp
        return self._views

    def frame(self, _request: Request) -> Response:
        """Show everything side by side."""
        template = self._environment.get_template("preview/frame.html")
        return HTMLResponse(template.render(views=self.views(), path=self._path))

    def mail(self, request: Request) -> Response:
        """Show the mail as a client would that prefers light or dark."""
        dark = request.query_params.get("scheme") == "dark"
        return HTMLResponse(DARK_QUERY.sub("@media all" if dark else "@media not all", self.views().mail))

    def text(self, _request: Request) -> Response:
        """Show the text part."""
        return PlainTextResponse(self.views().text)

    def feed(self, _request: Request) -> Response:
        """Show what a feed reader gets."""
        template = self._environment.get_template("preview/feed.html")
        return HTMLResponse(template.render(views=self.views()))

    def page(self, _request: Request) -> Response:
        """Show the issue's page on the site."""
        return HTMLResponse(self.views().page)

    def style(self, _request: Request) -> Response:
        """Return the site's style sheet, which the page asks for."""
        return Response(self.views().style, media_type="text/css")

    async def events(self, request: Request) -> Response:
        """Tell the browser when something was saved (server-sent events)."""
        return StreamingResponse(self._changes(request), media_type="text/event-stream")

    async def _changes(self, request: Request) -> AsyncIterator[str]:
        seen = self._stamp()
        yield "retry: 500\n\n"
        while not await request.is_disconnected():
            await asyncio.sleep(POLL_SECONDS)
            stamp = self._stamp()
            if stamp != seen:
                seen = stamp
                yield "data: saved\n\n"
