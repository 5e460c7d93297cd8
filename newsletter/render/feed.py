"""Feeds as bytes: RSS 2.0, Atom (RFC 4287) and JSON Feed 1.1 of the same items. The only importer of feedgen.

Owns what each format demands and feedgen 1.0's gaps, closed through its extension mechanism. Everything in a feed is an
argument: the same items give the same bytes. Refuses no text: characters that XML 1.0 can't carry are left out.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, uuid5

from feedgen.entry import FeedEntry
from feedgen.feed import FeedGenerator

from newsletter.model.issue import is_page_slug
from newsletter.urls import ATOM_PATH, JSON_FEED_PATH, RSS_PATH

Feed = TypeVar("Feed", "FeedInfo", "FeedItem")

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_RSS_TYPE, _ATOM_TYPE, _JSON_TYPE = "application/rss+xml", "application/atom+xml", "application/feed+json"
_HISTORY = "http://purl.org/syndication/history/1.0"
_ATOM = "{http://www.w3.org/2005/Atom}"
_XML = "{http://www.w3.org/XML/1998/namespace}"


@dataclass(frozen=True, slots=True)
class Paging:
    """Where the rest of a feed's history is (RFC 5005, section 4): folders of documents in the same formats.

    `current` is what readers subscribe to, and given in an archive document only, which by that is one.
    """

    current: str = ""
    previous: str = ""
    following: str = ""


@dataclass(frozen=True, slots=True)
class FeedInfo:
    """What is said of the feed itself.

    `id` is Atom's permanent feed id. `home_url` is the page that the feed belongs to, `folder_url` where its documents
    are, one a format (FORMATS); both end in a slash. `hub_urls` are WebSub hubs, `ttl` RSS's hint how many minutes a
    copy stays fresh; what is empty is not written.
    """

    id: str
    title: str
    description: str
    home_url: str
    folder_url: str
    language: str
    author: str
    generator: str
    hub_urls: tuple[str, ...] = ()
    ttl: int = 0
    paging: Paging = Paging()


@dataclass(frozen=True, slots=True)
class FeedItem:
    """One issue or paper in a feed. `id` and `published_at` are permanent; `updated_at` moves with the content.

    `html` is the whole content with absolute addresses, `summary` plain text. Times are aware.
    """

    id: str
    url: str
    title: str
    summary: str
    html: str
    authors: tuple[str, ...]
    categories: tuple[str, ...]
    language: str
    published_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Format:
    """A format of feeds: its name, its media type, the file name of its documents, and what makes one."""

    name: str
    media_type: str
    file: str
    render: Callable[[FeedInfo, Sequence[FeedItem]], bytes]


def compose_item_id(base: str, slug: str, published_at: datetime) -> str:
    """Return a `tag:` URI (RFC 4151) for an issue: who, when it was first published (UTC), and its permanent name.

    `base` is the address ids are made from; its path keeps two publications on one host apart.
    """
    parts = urlsplit(base)
    host = parts.hostname or ""
    host = host if host.isascii() else host.encode("idna").decode("ascii")
    # RFC 4151 knows only DNS names: an IPv6 address has no spelling there.
    authority = re.sub(r"[^a-z0-9.-]+", "-", host).strip("-.") or "localhost"
    return f"tag:{authority},{published_at.astimezone(UTC):%Y-%m-%d}:{parts.path.rstrip('/')}/issues/{slug}"


def compose_work_id(base: str, work: str) -> str:
    """Return the permanent id of a work (Listed.work) in feeds: its page's first address, else a UUID of its name.

    A work has one id however many issues and feeds have it. No date is in it, for a correction could change one.
    """
    return f"{base}/papers/{work}/" if is_page_slug(work) else uuid5(NAMESPACE_URL, f"{base}/#{work}").urn


def render_rss(info: FeedInfo, items: Sequence[FeedItem]) -> bytes:
    """Return RSS 2.0 with the whole content in `content:encoded`, newest first."""
    return bytes(_generator(info, items, RSS_PATH, _RSS_TYPE).rss_str(pretty=True))


def render_atom(info: FeedInfo, items: Sequence[FeedItem]) -> bytes:
    """Return Atom (RFC 4287), newest first."""
    return bytes(_generator(info, items, ATOM_PATH, _ATOM_TYPE).atom_str(pretty=True))


def render_json_feed(info: FeedInfo, items: Sequence[FeedItem]) -> bytes:
    """Return JSON Feed 1.1, newest first."""
    feed: dict[str, object] = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": info.title,
        "home_page_url": info.home_url,
        "feed_url": info.folder_url + JSON_FEED_PATH,
        "description": info.description,
        "language": info.language,
        "authors": [{"name": info.author}],
        "_generator": {"name": info.generator},
        "items": [_json_item(item) for item in newest_first(items)],
    }
    if info.paging.previous:
        feed["next_url"] = info.paging.previous + JSON_FEED_PATH
    if info.hub_urls:
        feed["hubs"] = [{"type": "WebSub", "url": url} for url in info.hub_urls]
    # A lone surrogate has no UTF-8; JSON readers get what XML readers get.
    return (_legal(json.dumps(feed, ensure_ascii=False, indent=1)) + "\n").encode()


def parse_json_feed(content: bytes) -> list[FeedItem]:
    """Return the items of a feed that `render_json_feed` made, their times in whole seconds; [] for anything else."""
    try:
        return [_parse_item(item) for item in json.loads(content)["items"]]
    except (ValueError, TypeError, KeyError, RecursionError):
        return []


FORMATS = (
    Format("RSS", _RSS_TYPE, RSS_PATH, render_rss),
    Format("Atom", _ATOM_TYPE, ATOM_PATH, render_atom),
    Format("JSON Feed", _JSON_TYPE, JSON_FEED_PATH, render_json_feed),
)
"""What every feed comes in."""


def newest_first(items: Sequence[FeedItem]) -> list[FeedItem]:
    """Return the items by publication, newest first; what was published at once stays in the order given."""
    return sorted(items, key=lambda item: item.published_at, reverse=True)


def _json_item(item: FeedItem) -> dict[str, object]:
    return {
        "id": item.id,
        "url": item.url,
        "title": item.title,
        "summary": item.summary,
        "content_html": item.html,
        "date_published": whole_second(item.published_at).isoformat(),
        "date_modified": whole_second(item.updated_at).isoformat(),
        "authors": [{"name": name} for name in item.authors],
        "tags": list(item.categories),
        "language": item.language,
    }


def _parse_item(item: Mapping[str, Any]) -> FeedItem:
    return FeedItem(
        id=item["id"],
        url=item["url"],
        title=item["title"],
        summary=item["summary"],
        html=item["content_html"],
        authors=tuple(author["name"] for author in item["authors"]),
        categories=tuple(item["tags"]),
        language=item["language"],
        published_at=datetime.fromisoformat(item["date_published"]),
        updated_at=datetime.fromisoformat(item["date_modified"]),
    )


def _generator(info: FeedInfo, items: Sequence[FeedItem], path: str, media_type: str) -> FeedGenerator:
    """Return feedgen's feed; `path` and `media_type` are those of the document that is made."""
    info = _legal_fields(info)
    feed = FeedGenerator()
    feed.load_extension("dc", atom=False)
    feed.register_extension("missing", _MissingInFeed, _MissingInEntry)
    feed.missing.hub_urls = info.hub_urls
    feed.missing.pages = _pages(info.paging, path, media_type)
    feed.missing.archived = bool(info.paging.current)
    feed.id(info.id)
    feed.title(info.title)
    feed.description(info.description or info.title)
    feed.language(info.language)
    feed.author(name=info.author)
    feed.generator(info.generator)
    feed.docs("https://www.rssboard.org/rss-specification")
    feed.ttl(info.ttl or None)
    feed.updated(whole_second(max((item.updated_at for item in items), default=_NEVER)))
    feed.link(href=info.folder_url + path, rel="self", type=media_type)
    # feedgen takes the last link for RSS's channel link, so the page comes last.
    feed.link(href=info.home_url, rel="alternate", type="text/html")
    for item in newest_first(items):
        _fill(feed.add_entry(order="append"), _legal_fields(item))
    return feed


def _fill(entry: FeedEntry, item: FeedItem) -> None:
    entry.id(item.id)
    # feedgen refuses an entry without title, and so does Atom.
    entry.title(item.title.strip() or item.url)
    entry.missing.language = item.language
    entry.link(href=item.url, rel="alternate", type="text/html")
    entry.published(whole_second(item.published_at))
    entry.updated(whole_second(item.updated_at))
    entry.summary(item.summary or item.title)
    entry.content(item.html or item.summary or item.title, type="html")
    for name in item.authors:
        entry.author(name=name)
    # RSS's own author is a mail address; dc:creator takes a name.
    entry.dc.dc_creator(list(item.authors))
    for term in item.categories:
        entry.category(term=term)


def _pages(paging: Paging, path: str, media_type: str) -> list[dict[str, str]]:
    """Return the links between the documents of a feed's history, as attributes."""
    folders = {"current": paging.current, "prev-archive": paging.previous, "next-archive": paging.following}
    return [{"href": folder + path, "rel": rel, "type": media_type} for rel, folder in folders.items() if folder]


class _MissingInFeed:
    """Adds to a feed what feedgen 1.0 can't, in both formats: `rel=hub`, and archives (RFC 5005)."""

    def __init__(self) -> None:
        self.hub_urls: tuple[str, ...] = ()
        self.pages: list[dict[str, str]] = []
        self.archived = False

    def extend_ns(self) -> dict[str, str]:
        return {"fh": _HISTORY} if self.archived else {}

    def extend_atom(self, feed: Any) -> None:
        self._extend(feed, "link")

    def extend_rss(self, rss: Any) -> None:
        self._extend(rss[0], f"{_ATOM}link")

    def _extend(self, feed: Any, link: str) -> None:
        for attributes in [*({"href": url, "rel": "hub"} for url in self.hub_urls), *self.pages]:
            feed.append(feed.makeelement(link, attributes))
        if self.archived:
            feed.append(feed.makeelement(f"{{{_HISTORY}}}archive"))


class _MissingInEntry:
    """Puts back what feedgen 1.0 drops from an Atom entry's link, and says the entry's language."""

    def __init__(self) -> None:
        self.language = ""

    def extend_atom(self, entry: Any) -> None:
        if self.language:
            entry.set(f"{_XML}lang", self.language)
        for link in entry.iterchildren("link"):
            link.set("rel", "alternate")
            link.set("type", "text/html")

    def extend_rss(self, item: Any) -> None:
        """Change nothing: RSS has its one link."""


def whole_second(time: datetime) -> datetime:
    """Return a time as feeds say it: in UTC, without fractions of a second."""
    return time.astimezone(UTC).replace(microsecond=0)


def _legal(text: str) -> str:
    """Return the text without what XML 1.0 forbids (section 2.2): control characters and lone surrogates."""
    return _NOT_XML.sub("", text)


def _legal_fields(value: Feed) -> Feed:
    changes: dict[str, Any] = {}
    for name in value.__slots__:
        old = getattr(value, name)
        if isinstance(old, str):
            changes[name] = _legal(old)
        elif isinstance(old, tuple):
            # An empty term or name is invalid in Atom.
            changes[name] = tuple(text for text in map(_legal, old) if text.strip())
    return replace(value, **changes)
