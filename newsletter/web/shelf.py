"""The site's folder as it is served: which file an address means, and files in memory for as long as they are current.

Owns what of the folder the world may see: no dotfile (the build's own records among them), nothing outside of it, no
precompressed variant by itself. Owns validators: a strong ETag from the content's digest and the encoding, so it
survives a restart and an unchanged rebuild, and Last-Modified from the file's own time.

A file is looked at (one `stat`) at most every BELIEVED_SECONDS, and read again when it has changed. **Limits.** So long
a reader may get what was there before. A variant (`.gz`, `.br`) that is replaced without its file is not noticed while
the file is in memory; builds of ours never do that.
"""

import hashlib
import os
import re
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from newsletter.urls import ATOM_PATH, JSON_FEED_PATH, RSS_PATH
from newsletter.web.negotiation import IDENTITY, render_http_date

VARIANTS = {"gzip": ".gz", "br": ".br"}
LARGEST_HELD = 4_000_000
"""Bytes of a file that is kept in memory; a larger one is read as it is sent."""

BELIEVED_SECONDS = 0.1
SETTLED_SECONDS = 5.0
"""A file younger than that may still get its variants; until then it is read anew each second."""

LONGEST_PATH = 1000

_NAME = re.compile(r"[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*")
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".xml": "application/xml; charset=utf-8",
    ".json": "application/json",
    ".bib": "application/x-bibtex; charset=utf-8",
    ".ris": "application/x-research-info-systems; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".ico": "image/vnd.microsoft.icon",
    ".pdf": "application/pdf",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
}
_NAMED_TYPES = {
    RSS_PATH: "application/rss+xml; charset=utf-8",
    ATOM_PATH: "application/atom+xml; charset=utf-8",
    JSON_FEED_PATH: "application/feed+json",
    "cite.json": "application/vnd.citationstyles.csl+json",
}
FEEDS = frozenset((RSS_PATH, ATOM_PATH, JSON_FEED_PATH))


class Answer(NamedTuple):
    """A finished answer. `head` is its status line and headers as they go over the wire, without the empty line."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    head: bytes
    body: bytes
    held: "Held"


@dataclass(frozen=True, slots=True)
class Held:
    """A file in memory. `bodies` by encoding; IDENTITY is always there, and empty when `large`.

    `answers` is where whoever serves the file keeps what was made from it, for as long as it is current.
    """

    path: str
    media_type: str
    digest: str
    modified: int
    size: int
    large: bool
    bodies: Mapping[str, bytes]
    answers: dict[object, Answer] = field(default_factory=dict, compare=False)

    def etag(self, encoding: str) -> str:
        """Return the strong validator of one encoding."""
        return f'"{self.digest}-{encoding}"' if encoding else f'"{self.digest}"'

    @property
    def last_modified(self) -> str:
        """Return when the file was written, as a header says it."""
        return render_http_date(datetime.fromtimestamp(self.modified, UTC))

    @property
    def weight(self) -> int:
        """Return how much memory it takes."""
        return sum(map(len, self.bodies.values())) + 1000


class _Stamp(NamedTuple):
    modified_ns: int
    size: int
    inode: int


@dataclass(slots=True)
class _Slot:
    """A file in memory: to be looked at again at `look_at`, and to be read again at `read_at` in any case."""

    held: Held
    stamp: _Stamp
    look_at: float
    read_at: float


class Shelf:
    """A folder's files, the most wanted ones in memory; lives as long as the server. For one thread."""

    def __init__(self, folder: Path, cache_bytes: int, believed: float = BELIEVED_SECONDS) -> None:
        self.folder = os.fspath(folder)
        self._room = cache_bytes
        self._believed = believed
        self._slots: OrderedDict[str, _Slot] = OrderedDict()

    def find(self, path: str) -> Held | None:
        """Return the file at a path that `parse_path` gave, None if there is none that may be seen."""
        slot, now = self._slots.get(path), time.monotonic()
        if slot and now < slot.look_at:
            return slot.held
        stamp = self._stamp(path)
        if slot and slot.stamp == stamp and now < slot.read_at:
            slot.look_at = now + self._believed
            self._slots.move_to_end(path)
            return slot.held
        return self._load(path)

    def is_folder(self, path: str) -> bool:
        """Return whether a path is a folder with a page of its own."""
        return self._stamp(f"{path}/index.html" if path else "index.html") is not None

    def open_path(self, path: str) -> str:
        """Return where a file lies on the disk."""
        return f"{self.folder}/{path}"

    def _load(self, path: str) -> Held | None:
        """Read a file with its variants; once more if it was replaced meanwhile."""
        for _ in range(3):
            before = self._stamp(path)
            held = self._read(path, before) if before and not self._is_variant(path) else None
            if held is None or before is None:
                break
            if self._stamp(path) == before:
                now = time.monotonic()
                self._keep(path, _Slot(held, before, now + self._believed, _read_again(before, held, now)))
                return held
        self._drop(path)
        return None

    def _read(self, path: str, stamp: _Stamp) -> Held | None:
        where = self.open_path(path)
        large = stamp.size > LARGEST_HELD
        try:
            if large:
                bodies, digest = {IDENTITY: b""}, _digest_file(where)
            else:
                content = Path(where).read_bytes()
                bodies = {IDENTITY: content, **self._read_variants(path, stamp)}
                digest = _digest(content)
        except OSError:
            return None
        return Held(path, media_type_of(path), digest, stamp.modified_ns // 10**9, stamp.size, large, bodies)

    def _read_variants(self, path: str, stamp: _Stamp) -> dict[str, bytes]:
        """Return a file's variants; one that is older than the file belongs to what the file was before."""
        found = {}
        for encoding, suffix in VARIANTS.items():
            variant = self._stamp(path + suffix)
            if variant and variant.modified_ns >= stamp.modified_ns and 0 < variant.size < stamp.size:
                found[encoding] = Path(self.open_path(path + suffix)).read_bytes()
        return found

    def _is_variant(self, path: str) -> bool:
        return any(path.endswith(suffix) and self._stamp(path.removesuffix(suffix)) for suffix in VARIANTS.values())

    def _stamp(self, path: str) -> _Stamp | None:
        try:
            found = os.stat(f"{self.folder}/{path}")  # noqa: PTH116 - for every request; a Path takes three times as long
        except (OSError, ValueError):
            return None
        if not _is_file(found.st_mode):
            return None
        return _Stamp(found.st_mtime_ns, found.st_size, found.st_ino)

    def _keep(self, path: str, slot: _Slot) -> None:
        self._drop(path)
        self._slots[path] = slot
        self._room -= slot.held.weight
        while self._room < 0 and len(self._slots) > 1:
            self._drop(next(iter(self._slots)))

    def _drop(self, path: str) -> None:
        slot = self._slots.pop(path, None)
        if slot:
            self._room += slot.held.weight


def parse_path(raw: bytes) -> str | None:
    """Return the path in the folder that an address's path means, without a leading slash; None if it means none.

    What ends in a slash, or is empty, is a folder and stays so. Each name is decoded once; then no name may begin with
    a dot (but `.well-known` in front), or hold a slash, a backslash or a control character.
    """
    if len(raw) > LONGEST_PATH or not raw.startswith(b"/"):
        return None
    try:
        names = [unquote_to_bytes(name).decode() for name in raw[1:].split(b"/")]
    except UnicodeDecodeError:
        return None
    checked = names[1:] if names[0] == ".well-known" and len(names) > 1 else names
    if checked and checked[-1] == "":
        checked = checked[:-1]
    return "/".join(names) if all(_NAME.fullmatch(name) for name in checked) else None


def media_type_of(path: str) -> str:
    """Return a file's media type, by its name."""
    name = path.rpartition("/")[2]
    return _NAMED_TYPES.get(name) or _TYPES.get(os.path.splitext(name)[1].lower(), "application/octet-stream")  # noqa: PTH122


def _read_again(stamp: _Stamp, held: Held, now: float) -> float:
    """Return when to read a file again though nothing says that it changed: variants come a moment after their file."""
    age = time.time() - stamp.modified_ns / 1e9
    return now + 1.0 if len(held.bodies) == 1 and -SETTLED_SECONDS < age < SETTLED_SECONDS else inf


def _is_file(mode: int) -> bool:
    return mode & 0o170000 == 0o100000


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=10).hexdigest()


def _digest_file(where: str) -> str:
    found = hashlib.blake2b(digest_size=10)
    with open(where, "rb") as file:  # noqa: PTH123 - a path from `open_path`
        while chunk := file.read(1 << 20):
            found.update(chunk)
    return found.hexdigest()
