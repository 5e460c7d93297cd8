"""The gate that every request passes: is it meant for us, who asks and how, and the line in the access log about it.

Owns the log's format: one JSON object a line, with times, sizes, and the pattern of the address (`/u/{token}`), never
the address itself, a client's network address, a query or a header. Hosts that aren't ours are refused, so that nobody
makes our pages appear under his name (DNS rebinding, poisoned caches).
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import urlsplit

from newsletter.config import Settings
from newsletter.web.clients import Client, find_client, parse_trust

LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")
UNKNOWN = "-"
"""Stands in the log for an address that means nothing here: it may hold anything."""

FLUSH_LINES = 200
_HOST = re.compile(rb"([a-zA-Z0-9._-]+|\[[0-9a-fA-F:.]+\])(?::[0-9]{1,5})?")

WriteLog = Callable[[str], object]


class Gate:
    """Whom a server lets in, and what it writes down about it; lives as long as the server. For one thread."""

    def __init__(self, settings: Settings, write_log: WriteLog | None = None) -> None:
        public = urlsplit(settings.publication.url).hostname or ""
        self._hosts = frozenset((_bracketed(public), *LOCAL_HOSTS, *settings.web.hosts))
        self._trust = parse_trust(settings.web.trusted_proxies, settings.web.proxy_header)
        self._write_log = write_log
        self._lines: list[str] = []
        self._second, self._stamp = 0, ""
        self._find = lru_cache(maxsize=4096)(self._find_client)
        self.welcomes = lru_cache(maxsize=256)(self._welcomes)

    def trusts(self, peer: str) -> bool:
        """Return whether a peer is a proxy of ours."""
        return self._trust.covers(peer)

    def find_client(self, peer: str, scheme: str, headers: Mapping[bytes, bytes]) -> Client:
        """Return who asks; `headers` have lower-case names, and repeated ones are joined."""
        if not self._trust.covers(peer):
            return self._find(peer, scheme, b"", b"", b"")
        said = (headers.get(name, b"") for name in (b"x-forwarded-for", b"x-forwarded-proto", b"forwarded"))
        return self._find(peer, scheme, *said)

    def note(self, method: str, pattern: str, status: int, size: int, seconds: float) -> None:
        """Write down that a request was answered."""
        if self._write_log is None:
            return
        now = time.time()
        if int(now) != self._second:
            self._second = int(now)
            self._stamp = datetime.fromtimestamp(self._second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._lines.append(
            f'{{"at": "{self._stamp}", "method": {_quote(method)}, "path": {_quote(pattern)}, "status": {status}, '
            f'"bytes": {size}, "ms": {seconds * 1000:.1f}}}\n'
        )
        if len(self._lines) >= FLUSH_LINES:
            self.flush()

    def flush(self) -> None:
        """Write out what was noted; called now and then, and at the end."""
        if self._lines and self._write_log:
            text, self._lines = "".join(self._lines), []
            self._write_log(text)

    def _welcomes(self, host: bytes) -> bool:
        """Return whether a Host header names us."""
        found = _HOST.fullmatch(host)
        return found is not None and found[1].decode().lower().rstrip(".") in self._hosts

    def _find_client(self, peer: str, scheme: str, addresses: bytes, schemes: bytes, forwarded: bytes) -> Client:
        said = {"x-forwarded-for": addresses, "x-forwarded-proto": schemes, "forwarded": forwarded}
        headers = {name: value.decode("latin-1") for name, value in said.items()}
        return find_client(peer, scheme, headers, self._trust)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host.lower()


@lru_cache(maxsize=4096)
def _quote(text: str) -> str:
    return json.dumps(text)
