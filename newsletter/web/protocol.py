"""The connection: uvicorn's protocol, with a short way for files and limits on how requests come in.

A GET or HEAD of a file that is in memory is answered as soon as its headers are read: no task, no scope, no ASGI. Feed
readers ask for the same in the same words again and again, so what was understood once is remembered by its bytes, and
the next time not even parsed. All else goes the usual way. Owns the limits that ASGI can't set: how long and how large
a request's head may be, and how long a connection may do nothing.
"""

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from newsletter.web.files import Files, read_wish
from newsletter.web.gate import Gate
from newsletter.web.shelf import Answer

LARGEST_HEAD = 32_768
"""Bytes of a request's line and headers that may be waited for; what comes at once may be a little more."""

LARGEST_QUICK = 1_000_000
"""Bytes of a file that is written at once; a larger one goes the way on which a slow reader makes us wait."""

LARGEST_KNOWN = 2048
MOST_KNOWN = 4096
"""Requests that are remembered, and the bytes of one."""

Memory = dict[bytes, Answer]

_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_READERS = (b"GET", b"HEAD")
_NOT_QUICK = (b"content-length", b"transfer-encoding", b"expect", b"upgrade", b"connection")


def make_protocol(files: Files, gate: Gate, patience: float, idle: float) -> type[HttpToolsProtocol]:
    """Return the protocol class of one server; `patience` (seconds) is for a head, `idle` for the next request."""

    class Protocol(_QuickProtocol):
        _files, _gate, _patience, _idle = files, gate, patience, idle
        _known_requests = ({}, {})

    return Protocol


class _QuickProtocol(HttpToolsProtocol):
    """One connection."""

    _files: Files
    _gate: Gate
    _patience: float
    _idle: float
    _known_requests: tuple[Memory, Memory]
    """Requests by their bytes: of proxies that we believe, and of all others."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._quick: Answer | None = None
        self._known: Memory = {}
        self._chunk = b""
        self._in_head = False
        self._head_bytes = 0
        self._since = 0.0
        self._watch: Any = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._peer = self.client[0] if self.client else ""
        self._known = self._known_requests[not self._gate.trusts(self._peer)]
        self._since = self.loop.time()
        self._watch = self.loop.call_later(min(self._patience, self._idle), self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; a head that never ends is refused."""
        if not self._in_head:
            self._since = self.loop.time()
            known = self._known.get(data)
            if known and self._is_free() and self._files.is_current(known.held):
                self._answer(known, b"HEAD" if data.startswith(b"HEAD") else b"GET")
                return
        self._chunk = data if not self._in_head and len(data) <= LARGEST_KNOWN else b""
        super().data_received(data)
        self._head_bytes = self._head_bytes + len(data) if self._in_head else 0
        if self._head_bytes > LARGEST_HEAD:
            self._refuse(_TOO_LARGE)

    def on_message_begin(self) -> None:
        """Begin a request; what ASGI needs is made only when it is needed."""
        self._in_head = True
        self._quick = None
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    def on_headers_complete(self) -> None:
        """Find a short way, or go the usual one."""
        self._in_head = False
        self._quick = self._find_quick()
        if self._quick is None:
            url, headers, expects = self.url, self.headers, self.expect_100_continue
            super().on_message_begin()
            self.url, self.expect_100_continue = url, expects
            self.headers.extend(headers)
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Answer at once what has a short way."""
        answer, self._quick = self._quick, None
        if answer is None:
            super().on_message_complete()
            return
        # One whole request, and nothing else: the same bytes will mean the same again.
        if self._chunk.endswith(b"\r\n\r\n") and self._chunk.count(b"\r\n\r\n") == 1:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[self._chunk] = answer
        self._answer(answer, self.parser.get_method())

    def _answer(self, answer: Answer, method: bytes) -> None:
        self._unset_keepalive_if_required()
        body = answer.body if method == b"GET" else b""
        dates = b"".join([b"%s: %s\r\n" % header for header in self.server_state.default_headers])
        self.transport.write(b"%s%s\r\n%s" % (answer.head, dates, body))
        self.server_state.total_requests += 1
        self._gate.note(method.decode(), f"/{answer.held.path}", answer.status, len(body), 0.0)

    def _find_quick(self) -> Answer | None:
        """Return the answer to a plain wish for a file that is in memory, if nothing else stands before it."""
        if self.parser.get_method() not in _READERS or not self._is_free():
            return None
        headers = dict(self.headers)
        if len(headers) != len(self.headers) or not self._gate.welcomes(headers.get(b"host", b"")):
            return None
        if any(name in headers for name in _NOT_QUICK) or self.parser.get_http_version() != "1.1":
            return None
        path, _, query = self.url.partition(b"?")
        scheme = self._gate.find_client(self._peer, "http", headers).scheme
        found = self._files.find(read_wish(path, query, headers, scheme))
        return found if isinstance(found, Answer) and found.held.size <= LARGEST_QUICK else None

    def _is_free(self) -> bool:
        """Return whether nothing stands before a short answer: no request under way, no reader that is too slow."""
        at_work = self.cycle is not None and not self.cycle.response_complete
        return not (at_work or self.flow.write_paused or self.transport.is_closing())

    def _look(self) -> None:
        """Close a connection that is too slow, or idle for too long; else look again later."""
        waited = self.loop.time() - self._since
        at_work = self.cycle is not None and not self.cycle.response_complete
        if self._in_head and waited >= self._patience:
            self._refuse(_TOO_SLOW)
        elif not self._in_head and not at_work and waited >= self._idle:
            self.transport.close()
        else:
            self._watch = self.loop.call_later(min(self._patience, self._idle), self._look)

    def _refuse(self, answer: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(answer)
            self.transport.close()
