"""The archive and the feeds over HTTP: what `site` wrote, with validators, precompressed, never more than asked for.

Owns how long what may be kept by caches. GET and HEAD alone; ranges are not offered (no file is that long).
"""

from collections.abc import AsyncIterator, Callable, Mapping
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import quote

import anyio
from starlette.types import Receive, Scope, Send

from newsletter.config import Settings
from newsletter.web.headers import Nature, compose_headers, compose_transport
from newsletter.web.negotiation import IDENTITY, choose_encoding, has_matching_etag, is_unmodified
from newsletter.web.shelf import FEEDS, Answer, Held, Shelf, parse_path

CHUNK = 1 << 17
SERVICE_NAMES = frozenset(("admin", "api", "c", "embed", "join", "p", "search", "u"))
"""First names of addresses that belong to actions, whatever lies in the folder."""

_MINUTE = 60
_FOREVER = "public, max-age=31536000, immutable"
_SHORT = f"public, max-age={5 * _MINUTE}, stale-while-revalidate={60 * _MINUTE}"
_LONG = f"public, max-age={24 * 60 * _MINUTE}"
_LASTING = (".svg", ".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif", ".ico", ".pdf", ".woff2", ".css")
_ADDRESS = "%!$&'()*+,;=:@~"
_EVERYWHERE = (*FEEDS, "cite.bib", "cite.ris", "cite.json")


class Wish(NamedTuple):
    """What of a request matters for a file."""

    raw_path: bytes
    query: bytes = b""
    accept_encoding: str = ""
    if_none_match: str | None = None
    if_modified_since: str | None = None
    scheme: str = "http"


class Moved(NamedTuple):
    """Where to go instead, as seen from where one is."""

    location: str


class Files:
    """The site's folder, served below `root`; lives as long as the server. For one thread."""

    def __init__(self, settings: Settings, root: str) -> None:
        self._shelf = Shelf(settings.site.folder, settings.web.cache_mb * 1_000_000)
        self._root = root.encode()
        self._hsts_days = settings.web.hsts_days if settings.publication.url.startswith("https:") else 0
        images = settings.web.image_hosts
        self._natures = {nature: compose_headers(nature, images) for nature in (Nature.PAGE, Nature.FILE)}

    def find(self, wish: Wish) -> Answer | Moved | None:
        """Return the answer to a wish, None if there is no such file."""
        if not wish.raw_path.startswith(self._root):
            return None
        path = parse_path(wish.raw_path[len(self._root) :] or b"/")
        if path is None:
            return None
        if path.partition("/")[0] in SERVICE_NAMES:
            return None
        shown = f"{path}index.html" if not path or path.endswith("/") else path
        held = self._shelf.find(shown)
        if held is None:
            return _move(wish) if path == shown and self._shelf.is_folder(path) else None
        return self._answer(held, wish)

    def is_current(self, held: Held) -> bool:
        """Return whether a file that was found is still the one at its place."""
        return self._shelf.find(held.path) is held

    def missing(self) -> Held | None:
        """Return the page for an address where nothing is."""
        return self._shelf.find("404.html")

    def open_path(self, held: Held) -> str:
        """Return where a file lies that is too large to be held in memory."""
        return self._shelf.open_path(held.path)

    def _answer(self, held: Held, wish: Wish) -> Answer:
        encoding = choose_encoding(wish.accept_encoding, tuple(held.bodies)) or IDENTITY
        fresh = _is_fresh(held, encoding, wish)
        versioned = wish.query == b"v=" + held.digest[:8].encode()
        key = (encoding, fresh, versioned, wish.scheme)
        answer = held.answers.get(key)
        if answer is None:
            answer = held.answers[key] = self._compose(held, encoding, fresh, versioned, wish.scheme)
        return answer

    def _compose(self, held: Held, encoding: str, fresh: bool, versioned: bool, scheme: str) -> Answer:
        headers = [
            ("etag", held.etag(encoding)),
            ("last-modified", held.last_modified),
            ("cache-control", _FOREVER if versioned else _keep_for(held.path)),
            ("vary", "Accept-Encoding"),
        ]
        body = b"" if fresh else held.bodies[encoding]
        if not fresh:
            headers += [("content-type", held.media_type)]
            headers += [("content-encoding", encoding)] if encoding else []
            headers += [("content-length", str(held.size if held.large else len(body)))]
            headers += self._natures[Nature.PAGE if held.media_type.startswith("text/html") else Nature.FILE]
            if held.path.rpartition("/")[2] in _EVERYWHERE:
                headers += [("access-control-allow-origin", "*")]
        headers += compose_transport(scheme, self._hsts_days)
        status = HTTPStatus.NOT_MODIFIED if fresh else HTTPStatus.OK
        encoded = tuple((name.encode(), value.encode()) for name, value in headers)
        head = f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode()
        return Answer(status, encoded, head + b"".join(b"%s: %s\r\n" % pair for pair in encoded), body, held)


def read_wish(raw_path: bytes, query: bytes, headers: Mapping[bytes, bytes], scheme: str) -> Wish:
    """Return what of a request matters for a file; `headers` have lower-case names."""
    tags, since = headers.get(b"if-none-match"), headers.get(b"if-modified-since")
    return Wish(
        raw_path,
        query,
        headers.get(b"accept-encoding", b"").decode("latin-1"),
        None if tags is None else tags.decode("latin-1"),
        None if since is None else since.decode("latin-1"),
        scheme,
    )


async def send_file(
    answer: Answer, open_path: Callable[[Held], str], scope: Scope, _receive: Receive, send: Send
) -> None:
    """Send a file over ASGI."""
    await send({"type": "http.response.start", "status": answer.status, "headers": list(answer.headers)})
    if answer.held.large and answer.status == HTTPStatus.OK and scope["method"] != "HEAD":
        async for chunk in _read_chunks(open_path(answer.held), answer.held.size):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        return
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body})


async def _read_chunks(where: str, size: int) -> AsyncIterator[bytes]:
    """Yield as many bytes as were promised, or less when the file is shorter now: the connection is closed then."""
    async with await anyio.open_file(where, "rb") as file:
        while size > 0 and (chunk := await file.read(min(CHUNK, size))):
            size -= len(chunk)
            yield chunk


def _is_fresh(held: Held, encoding: str, wish: Wish) -> bool:
    """Return whether the client has this already; a tag counts alone where there is one (RFC 9110, 13.2.2)."""
    if wish.if_none_match is not None:
        return has_matching_etag(wish.if_none_match, held.etag(encoding))
    return wish.if_modified_since is not None and is_unmodified(wish.if_modified_since, held.modified)


def _keep_for(path: str) -> str:
    return _LONG if path.endswith(_LASTING) else _SHORT


def _move(wish: Wish) -> Moved:
    """Return the way to a folder's page, from an address without its slash; relative, so that no proxy can break it."""
    name = quote(wish.raw_path.rpartition(b"/")[2], safe=_ADDRESS)
    query = f"?{quote(wish.query, safe=_ADDRESS)}" if wish.query else ""
    return Moved(f"./{name}/{query}")
