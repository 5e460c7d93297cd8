"""Feeds as bytes: RSS 2.0, Atom (RFC 4287) and JSON Feed 1.1 of the same items. The only importer of feedgen.

Owns what each format demands and feedgen 1.0's gaps, closed through its extension mechanism. Everything in a feed is an
argument: the same items give the same bytes. Refuses no text: characters that XML 1.0 can't carry are left out.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

from feedgen.entry import FeedEntry
from feedgen.feed import FeedGenerator

from newsletter.urls import ATOM_PATH, JSON_FEED_PATH, RSS_PATH

Feed = TypeVar("Feed", "FeedInfo", "FeedItem")

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_ATOM = "{http://www.w3.org/2005/Atom}"
_XML = "{http://www.w3.org/XML/1998/namespace}"


@dataclass(frozen=True, slots=True)
class FeedInfo:
    """What is said of the feed itself.

    `id` is Atom's permanent feed id. `site_url` is the site's address without a trailing slash. `hub_url` is a WebSub
    hub, `ttl` RSS's hint how many minutes a copy stays fresh; neither is written when empty.
    """

    id: str
    title: str
    description: str
    site_url: str
    language: str
    author: str
    generator: str
    hub_url: str = ""
    ttl: int = 0


@dataclass(frozen=True, slots=True)
class FeedItem:
    """One issue in the feed. `id` and `published_at` are permanent; `updated_at` moves with the content.

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


def render_rss(info: FeedInfo, items: Sequence[FeedItem]) -> bytes:
    """Return RSS 2.0 with the whole content in `content:encoded`, newest first."""
    return bytes(_generator(info, items, RSS_PATH, "application/rss+xml").rss_str(pretty=True))


def render_atom(info: FeedInfo, items: Sequence[FeedItem]) -> bytes:
    """Return Atom (RFC 4287), newest first."""
    return bytes(_generator(info, items, ATOM_PATH, "application/atom+xml").atom_str(pretty=True))


def render_json_feed(info: FeedInfo, items: Sequence[FeedItem]) -> bytes:
    """Return JSON Feed 1.1, newest first."""
    feed: dict[str, object] = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": info.title,
        "home_page_url": f"{info.site_url}/",
        "feed_url": f"{info.site_url}/{JSON_FEED_PATH}",
        "description": info.description,
        "language": info.language,
        "authors": [{"name": info.author}],
        "_generator": {"name": info.generator},
        "items": [_json_item(item) for item in newest_first(items)],
    }
    if info.hub_url:
        feed["hubs"] = [{"type": "WebSub", "url": info.hub_url}]
    # A lone surrogate has no UTF-8; JSON readers get what XML readers get.
    return (_legal(json.dumps(feed, ensure_ascii=False, indent=1)) + "\n").encode()


def parse_json_feed(content: bytes) -> list[FeedItem]:
    """Return the items of a feed that `render_json_feed` made, their times in whole seconds; [] for anything else."""
    try:
        return [_parse_item(item) for item in json.loads(content)["items"]]
    except (ValueError, TypeError, KeyError, RecursionError):
        return []


def newest_first(items: Sequence[FeedItem]) -> list[FeedItem]:
    """Return the items by publication, newest first; ties by address, so that the order never wavers."""
    return sorted(items, key=lambda item: (item.published_at, item.url), reverse=True)


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
    feed.missing.hub_url = info.hub_url
    feed.id(info.id)
    feed.title(info.title)
    feed.description(info.description or info.title)
    feed.language(info.language)
    feed.author(name=info.author)
    feed.generator(info.generator)
    feed.docs("https://www.rssboard.org/rss-specification")
    feed.ttl(info.ttl or None)
    feed.updated(whole_second(max((item.updated_at for item in items), default=_NEVER)))
    feed.link(href=f"{info.site_url}/{path}", rel="self", type=media_type)
    # feedgen takes the last link for RSS's channel link, so the site comes last.
    feed.link(href=f"{info.site_url}/", rel="alternate", type="text/html")
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


class _MissingInFeed:
    """Adds to a feed what feedgen 1.0 can't: `rel=hub` in both formats."""

    def __init__(self) -> None:
        self.hub_url = ""

    def extend_ns(self) -> dict[str, str]:
        return {}

    def extend_atom(self, feed: Any) -> None:
        if self.hub_url:
            feed.append(feed.makeelement("link", {"href": self.hub_url, "rel": "hub"}))

    def extend_rss(self, rss: Any) -> None:
        if self.hub_url:
            rss[0].append(rss.makeelement(f"{_ATOM}link", {"href": self.hub_url, "rel": "hub"}))


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
