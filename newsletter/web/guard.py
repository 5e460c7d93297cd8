"""What stands before every action: the gate, limits on size and time, files, and a page for whatever goes wrong.

Owns what is logged about an unforeseen error: its traceback, and the pattern of the address, nothing of the request.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from newsletter.errors import StoreError
from newsletter.web.files import Files, Moved, read_wish, send_file
from newsletter.web.gate import UNKNOWN, Gate
from newsletter.web.headers import Nature, compose_headers, compose_transport
from newsletter.web.pages import show_problem
from newsletter.web.shelf import Answer
from newsletter.web.visit import House, read_visit

BODIES = frozenset(("POST", "PUT", "PATCH", "DELETE"))
"""Methods whose body is read; another's is passed over."""

LARGEST_CALL = 1 << 20
"""Bytes of a mail provider's call: they tell of many mails at once, and what is refused comes again as it was."""

_logger = logging.getLogger(__name__)


class BodyTooLargeError(Exception):
    """A request's body is larger than we take."""


class Guard:
    """The ASGI application around all others; lives as long as the server."""

    def __init__(self, app: ASGIApp, house: House, files: Files, gate: Gate) -> None:
        self._app = app
        self._house = house
        self._files = files
        self._gate = gate
        web = house.settings.web
        self._largest = web.body_kb * 1024
        self._calls = f"{house.root}/hooks/"
        self._patience = web.request_seconds
        secure = house.settings.publication.url.startswith("https:")
        self._hsts_days = web.hsts_days if secure else 0
        self._defaults = [(name.encode(), value.encode()) for name, value in compose_headers(Nature.PRIVATE)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = _join(scope)
        peer = scope["client"][0] if scope.get("client") else ""
        client = self._gate.find_client(peer, scope["scheme"], headers)
        scope["newsletter.client"] = client
        transport = [
            (name.encode(), value.encode()) for name, value in compose_transport(client.scheme, self._hsts_days)
        ]
        answer = _Answer(send, [*self._defaults, *transport], scope)
        began = time.monotonic()
        try:
            await self._answer(scope, receive, answer, headers, client.scheme)
        finally:
            pattern = scope.get("newsletter.pattern", UNKNOWN)
            self._gate.note(scope["method"], pattern, answer.status, answer.size, time.monotonic() - began)

    async def _answer(
        self, scope: Scope, receive: Receive, send: "_Answer", headers: Mapping[bytes, bytes], scheme: str
    ) -> None:
        if not self._gate.welcomes(headers.get(b"host", b"")):
            text = "This server doesn't answer to that name. Its names are set by [publication] url and [web] hosts.\n"
            await PlainTextResponse(text, HTTPStatus.MISDIRECTED_REQUEST)(scope, receive, send)
            return
        found = self._files.find(read_wish(scope["raw_path"], scope["query_string"], headers, scheme))
        if found is not None:
            await self._send_found(found, scope, receive, send)
            return
        try:
            if scope["method"] in BODIES:
                scope["newsletter.body"] = await self._read_body(scope, receive)
            scope["app"] = self  # Starlette's routes tell what they refuse by an exception then
            await self._app(scope, receive, send)
        except Exception as error:
            if send.started:
                raise
            await self._explain(error, scope)(scope, receive, send)

    async def _send_found(self, found: Answer | Moved, scope: Scope, receive: Receive, send: "_Answer") -> None:
        if scope["method"] not in ("GET", "HEAD"):
            refusal = show_problem(
                read_visit(self._house, scope), HTTPStatus.METHOD_NOT_ALLOWED, headers={"allow": "GET, HEAD"}
            )
            await refusal(scope, receive, send)
        elif isinstance(found, Moved):
            headers = {"location": found.location, "cache-control": "public, max-age=3600"}
            await Response(status_code=HTTPStatus.PERMANENT_REDIRECT, headers=headers)(scope, receive, send)
        else:
            scope["newsletter.pattern"] = f"/{found.held.path}"
            await send_file(found, self._files.open_path, scope, receive, send)

    async def _read_body(self, scope: Scope, receive: Receive) -> bytes:
        """Return a request's body. Raises BodyTooLargeError before more than that is read, TimeoutError."""
        largest = max(self._largest, LARGEST_CALL) if scope["path"].startswith(self._calls) else self._largest
        length = _join(scope).get(b"content-length", b"0")
        if length.isdigit() and int(length) > largest:
            raise BodyTooLargeError
        body = bytearray()
        async with asyncio.timeout(self._patience):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ConnectionAbortedError
                body += message.get("body", b"")
                if len(body) > largest:
                    raise BodyTooLargeError
                if not message.get("more_body", False):
                    return bytes(body)

    def _explain(self, error: Exception, scope: Scope) -> Response:
        """Return the page about what went wrong."""
        visit = read_visit(self._house, scope)
        if isinstance(error, HTTPException):
            return show_problem(visit, error.status_code, headers=error.headers)
        if isinstance(error, BodyTooLargeError):
            return show_problem(visit, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, headers={"connection": "close"})
        if isinstance(error, TimeoutError):
            return show_problem(visit, HTTPStatus.REQUEST_TIMEOUT, headers={"connection": "close"})
        if isinstance(error, ConnectionAbortedError):
            return Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody is there to read it
        pattern = scope.get("newsletter.pattern", UNKNOWN)
        if isinstance(error, StoreError):
            _logger.error("%s %s: %s", scope["method"], pattern, error)
            return show_problem(visit, HTTPStatus.SERVICE_UNAVAILABLE, headers={"retry-after": "60"})
        _logger.error("%s %s failed", scope["method"], pattern, exc_info=error)
        return show_problem(visit, HTTPStatus.INTERNAL_SERVER_ERROR)


class _Answer:
    """What is sent: adds the headers that every answer has, and counts."""

    def __init__(self, send: Send, defaults: list[tuple[bytes, bytes]], scope: Scope) -> None:
        self._send = send
        self._defaults = defaults
        self._head = scope["method"] == "HEAD"
        self.started = False
        self.status = 0
        self.size = 0

    async def __call__(self, message: Message) -> None:
        """Hand on a part of the answer."""
        if message["type"] == "http.response.start":
            self.started = True
            self.status = message["status"]
            had = {name for name, _ in message["headers"]}
            more = [header for header in self._defaults if header[0] not in had]
            if b"etag" not in had:  # a file brings all that it needs; a 304 says only what may have changed
                message = {**message, "headers": [*message["headers"], *more]}
        elif not self._head:
            self.size += len(message.get("body", b""))
        await self._send(message)


def _join(scope: Scope) -> dict[bytes, bytes]:
    """Return headers by name, repeated ones joined (RFC 9110, 5.3)."""
    headers: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        headers[name] = headers[name] + b"," + value if name in headers else value
    return headers
