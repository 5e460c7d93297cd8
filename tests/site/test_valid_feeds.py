"""Every feed of a site, held to what feed validators look at: RSS 2.0 with its best practices, Atom, JSON Feed 1.1."""

import json
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import html5lib
import pytest
from lxml import etree

from newsletter.site.feeds import ARCHIVED

Ledger = Any
"""The Ledger in conftest.py; a test file can't import it, so it has no name here."""

BASE = "https://news.example/"
ATOM = "{http://www.w3.org/2005/Atom}"
CONTENT = "{http://purl.org/rss/1.0/modules/content/}encoded"
CREATOR = "{http://purl.org/dc/elements/1.1/}creator"
HISTORY = "{http://purl.org/syndication/history/1.0}archive"
LANG = "{http://www.w3.org/XML/1998/namespace}lang"
FOLDERS = ("", "papers/", "sections/news-on-o-n/", "sections/feuilleton/", "feeds/archive/1/", "feeds/archive/2/")
RSS_CHANNEL = {"title", "link", "description", "docs", "generator", "language", "lastBuildDate", f"{ATOM}link", "item"}
RSS_ITEM = {"title", "link", "guid", "pubDate", "description", "category", CONTENT, CREATOR}
ATOM_FEED = {"id", "title", "updated", "author", "link", "generator", "subtitle", "entry"}
ATOM_ENTRY = {"id", "title", "updated", "published", "author", "link", "content", "summary", "category"}
JSON_FEED = {"version", "title", "home_page_url", "feed_url", "description", "language", "authors", "items", "hubs"}
JSON_ITEM = {"id", "url", "title", "summary", "content_html", "date_published", "date_modified", "authors", "tags"}

SOURCE = """---
title: Papers & <more> of {day}
date: {day}
language: {language}
---

An intro with [a way down](#below), [a way out](../elsewhere/), ![a picture](plot.png) and <script>alert(1)</script>.

## News on $O(n)$

### [Paper {n}: $x^2$ & <b>](https://arxiv.org/abs/2401.{n:05}v1)

**Authors** Ada Lovelace, 王小明

**Why?** See [above](#intro), [there](?q=1) and <a href="javascript:alert(1)" onclick="x()">that</a>.

### A note without address

| a | b |
|---|---|
| $x$ | [c](/d) |

## Feuilleton

### [A post](https://a.example/post)

It was good.
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, make_ledger: Callable[[Path], Ledger]) -> Path:
    ledger = make_ledger(tmp_path_factory.mktemp("feeds") / "public")
    hub = ledger.settings.site.model_copy(update={"hub": ("https://hub.example/?a=1&b=2",)})
    ledger.settings = ledger.settings.model_copy(update={"site": hub})
    for n in range(ARCHIVED + 2):
        day = date(2024, 1, 1) + timedelta(days=n)
        source = SOURCE.format(day=day, n=n % ARCHIVED, language="de" if n % 3 else "en")
        slug = ledger.publish(day, source=source)
        if n == ARCHIVED:
            ledger.revise(slug, source.replace("An intro", "Another intro"))
    ledger.build()
    return Path(ledger.folder)


def folders(test: Callable[..., None]) -> Callable[..., None]:
    mark: Callable[[Callable[..., None]], Callable[..., None]] = pytest.mark.parametrize("folder", FOLDERS)
    return mark(test)


def read(site: Path, path: str) -> Any:
    content = (site / path).read_bytes()
    assert content.startswith((b"<?xml version='1.0' encoding='UTF-8'?>", b'<?xml version="1.0" encoding="UTF-8"?>'))
    return etree.fromstring(content)


def texts(items: list[Any], name: str) -> list[str]:
    found = [item.findtext(name) for item in items]
    assert all(found), name
    return found


def check_ids(ids: list[str]) -> None:
    assert len(ids) == len(set(ids)) > 0
    assert all(urlsplit(one).scheme in ("https", "tag", "urn") and not re.search(r"\s", one) for one in ids)


def check_times(published: list[datetime], updated: list[datetime]) -> None:
    assert all(at.tzinfo for at in published + updated)
    assert all(earlier >= later for earlier, later in pairwise(published)), "newest first"
    assert all(first <= last for first, last in zip(published, updated, strict=True))


def check_html(content: str) -> None:
    root = html5lib.parseFragment(content, namespaceHTMLElements=False)
    addresses = [element.get(name) for element in root.iter() for name in ("href", "src", "cite") if element.get(name)]
    assert all(urlsplit(address).scheme in ("https", "http", "mailto") for address in addresses), addresses
    assert not {str(element.tag) for element in root.iter()} & {"script", "style", "iframe", "form", "object", "link"}
    names = {name for element in root.iter() for name in element.attrib}
    assert "id" not in names
    assert not [name for name in names if name.startswith("on")]


def check_title(title: str) -> None:
    assert title.strip() == title != ""
    assert "$" not in title


@folders
def test_rss_is_valid(site: Path, folder: str) -> None:
    rss = read(site, f"{folder}feed.xml")
    assert (rss.tag, rss.get("version"), len(rss)) == ("rss", "2.0", 1)
    channel, items = rss[0], rss[0].findall("item")
    assert {child.tag for child in channel} <= RSS_CHANNEL | {HISTORY}
    assert {child.tag for item in items for child in item} <= RSS_ITEM
    for name in ("title", "link", "description", "lastBuildDate", "language"):
        assert len(channel.findall(name)) == 1, name
    assert channel.findtext("link").startswith(BASE)
    check_title(channel.findtext("title"))
    check_ids(texts(items, "guid"))
    assert {item.find("guid").get("isPermaLink") for item in items} == {"false"}
    assert all(link.startswith(BASE) for link in texts(items, "link"))
    published = [parsedate_to_datetime(text) for text in texts(items, "pubDate")]
    check_times(published, published)
    assert parsedate_to_datetime(channel.findtext("lastBuildDate")) >= max(published)
    for text in [*texts(items, "pubDate"), channel.findtext("lastBuildDate")]:
        assert re.fullmatch(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d \+0000", text)
        assert f"{parsedate_to_datetime(text):%a}" == text[:3]
    for item in items:
        check_html(item.findtext(CONTENT))
        check_title(item.findtext("title"))
        assert not re.search(r"<[a-zA-Z/]", item.findtext("description"))


@folders
def test_atom_is_valid(site: Path, folder: str) -> None:
    feed = read(site, f"{folder}atom.xml")
    assert feed.tag == f"{ATOM}feed"
    entries = feed.findall(f"{ATOM}entry")
    assert {child.tag.removeprefix(ATOM) for child in feed} <= ATOM_FEED | {HISTORY}
    assert {child.tag.removeprefix(ATOM) for entry in entries for child in entry} <= ATOM_ENTRY
    for parent in (feed, *entries):
        for name in ("id", "title", "updated"):
            assert len(parent.findall(f"{ATOM}{name}")) == 1, name
        check_title(parent.findtext(f"{ATOM}title"))
    check_ids(texts(entries, f"{ATOM}id"))
    assert feed.findtext(f"{ATOM}id") not in texts(entries, f"{ATOM}id")
    assert feed.findtext(f"{ATOM}author/{ATOM}name")
    published, updated = (
        [datetime.fromisoformat(text) for text in texts(entries, f"{ATOM}{name}")] for name in ("published", "updated")
    )
    check_times(published, updated)
    assert datetime.fromisoformat(feed.findtext(f"{ATOM}updated")) == max(updated)
    assert {entry.get(LANG) for entry in entries} <= {"en", "de"}
    for entry in entries:
        (link,) = entry.findall(f"{ATOM}link")
        assert (link.get("rel"), link.get("type")) == ("alternate", "text/html")
        assert link.get("href").startswith(BASE)
        assert entry.find(f"{ATOM}content").attrib == {"type": "html"}
        check_html(entry.findtext(f"{ATOM}content"))
        assert all(name.text.strip() for name in entry.iter(f"{ATOM}name"))
        assert all(category.get("term").strip() for category in entry.iter(f"{ATOM}category"))


@folders
@pytest.mark.parametrize(("name", "kind"), [("feed.xml", "rss"), ("atom.xml", "atom")])
def test_an_xml_feed_says_where_it_is_and_what_it_belongs_to(site: Path, folder: str, name: str, kind: str) -> None:
    root = read(site, folder + name)
    feed = root[0] if kind == "rss" else root
    links = [(link.get("rel"), link.get("href"), link.get("type")) for link in feed.findall(f"{ATOM}link")]
    media_type = f"application/{kind}+xml"
    assert links.count(("self", BASE + folder + name, media_type)) == 1
    assert len([rel for rel, _, _ in links if rel == "self"]) == 1
    hubs = [href for rel, href, _ in links if rel == "hub"]
    archived = folder.startswith("feeds/")
    assert hubs == ([] if archived else ["https://hub.example/?a=1&b=2"])
    assert (feed.find(HISTORY) is not None) is archived
    pages = {rel: href for rel, href, of in links if rel not in ("self", "hub", "alternate") and of == media_type}
    assert all(href.startswith(BASE) and (site / href.removeprefix(BASE)).is_file() for href in pages.values())
    assert len([rel for rel, _, _ in links if rel not in ("self", "hub", "alternate")]) == len(pages)


@folders
def test_json_feed_is_valid(site: Path, folder: str) -> None:
    feed = json.loads((site / f"{folder}feed.json").read_bytes())
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert {key for key in feed if not key.startswith("_")} <= JSON_FEED | {"next_url"}
    assert feed["feed_url"] == f"{BASE}{folder}feed.json"
    assert feed["home_page_url"].startswith(BASE)
    items = feed["items"]
    assert {key for item in items for key in item} <= JSON_ITEM | {"language"}
    check_ids([item["id"] for item in items])
    published, updated = (
        [datetime.fromisoformat(item[name]) for item in items] for name in ("date_published", "date_modified")
    )
    check_times(published, updated)
    for item in items:
        assert item["url"].startswith(BASE)
        assert all(author["name"] for author in item["authors"])
        check_html(item["content_html"])
        check_title(item["title"])
    if next_url := feed.get("next_url"):
        assert next_url != feed["feed_url"]
        assert (site / next_url.removeprefix(BASE)).is_file()


@folders
def test_all_three_formats_hold_the_same_entries(site: Path, folder: str) -> None:
    rss = texts(read(site, f"{folder}feed.xml")[0].findall("item"), "guid")
    atom = texts(read(site, f"{folder}atom.xml").findall(f"{ATOM}entry"), f"{ATOM}id")
    assert rss == atom == [item["id"] for item in json.loads((site / f"{folder}feed.json").read_bytes())["items"]]


def test_no_id_stands_for_two_things_in_all_feeds(site: Path) -> None:
    links: dict[str, set[str]] = {}
    for folder in FOLDERS:
        for item in read(site, f"{folder}feed.xml")[0].findall("item"):
            links.setdefault(item.findtext("guid"), set()).add(item.findtext("link"))
    assert {guid: found for guid, found in links.items() if len(found) > 1} == {}
    feeds = [read(site, f"{folder}atom.xml").findtext(f"{ATOM}id") for folder in FOLDERS]
    assert len(set(feeds)) == len([folder for folder in FOLDERS if not folder.startswith("feeds/")])


def test_every_link_of_a_feed_to_the_site_leads_to_a_page(site: Path) -> None:
    for folder in FOLDERS:
        for item in read(site, f"{folder}feed.xml")[0].findall("item"):
            path = urlsplit(urljoin(BASE, item.findtext("link"))).path.lstrip("/")
            assert (site / path / "index.html").is_file()
