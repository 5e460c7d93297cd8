"""Feeds, read back by feedparser, lxml and json, and by Debian's feed readers."""

import json
import os
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import feedparser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from newsletter.render.feed import (
    FeedInfo,
    FeedItem,
    compose_item_id,
    parse_json_feed,
    render_atom,
    render_json_feed,
    render_rss,
)

MORNING = datetime(2024, 5, 25, 9, 0, 0, 123456, tzinfo=UTC)
INFO = FeedInfo(
    id="https://news.example/",
    title="Papers & more",
    description="What is new, every day.",
    home_url="https://news.example/",
    folder_url="https://news.example/",
    language="en",
    author="Ada Editor",
    generator="newsletter",
)
ATOM = "{http://www.w3.org/2005/Atom}"
RENDERERS = (render_rss, render_atom, render_json_feed)


def item(day: int = 25, **changes: Any) -> FeedItem:
    at = MORNING.replace(day=day)
    values: dict[str, Any] = {
        "id": compose_item_id("https://news.example", f"2024-05-{day}", at),
        "url": f"https://news.example/issues/2024-05-{day}/",
        "title": f"Papers of {day} May <2024>",
        "summary": "Twenty-one papers.",
        "html": '<p>Tom &amp; <a href="https://a.example/?b=1&amp;c=2">Jerry</a> ]]&gt;</p>',
        "authors": ("Ada Editor",),
        "categories": ("llm", "research"),
        "language": "en",
        "published_at": at,
        "updated_at": at + timedelta(hours=1),
    }
    return FeedItem(**(values | changes))


def parsed(content: bytes) -> Any:
    feed = feedparser.parse(content)
    assert not feed.bozo, feed.get("bozo_exception")
    return feed


@pytest.mark.parametrize("render", [render_rss, render_atom])
def test_feedparser_reads_every_fact_of_an_item(render: Any) -> None:
    feed = parsed(render(INFO, [item()]))
    (entry,) = feed.entries
    assert feed.feed.title == "Papers & more"
    assert feed.feed.link == "https://news.example/"
    assert entry.id == "tag:news.example,2024-05-25:/issues/2024-05-25"
    assert entry.link == "https://news.example/issues/2024-05-25/"
    assert entry.title == "Papers of 25 May <2024>"
    assert entry.content[0].value == item().html
    assert entry.summary == "Twenty-one papers."
    assert entry.author == "Ada Editor"
    assert [tag.term for tag in entry.tags] == ["llm", "research"]
    assert entry.published_parsed[:6] == (2024, 5, 25, 9, 0, 0)


@pytest.mark.parametrize("render", [render_rss, render_atom])
def test_the_feed_changed_when_its_newest_change_was_made(render: Any) -> None:
    late = MORNING + timedelta(days=40)
    feed = parsed(render(INFO, [item(24), item(25), item(23, updated_at=late)]))
    assert feed.feed.updated_parsed[:6] == (2024, 7, 4, 9, 0, 0)


@pytest.mark.parametrize("render", RENDERERS)
def test_the_newest_is_first_whatever_order_items_come_in(render: Any) -> None:
    items = [item(day) for day in (24, 26, 25)]
    content = render(INFO, items)
    places = [content.find(f"https://news.example/issues/2024-05-{day}/".encode()) for day in (26, 25, 24)]
    assert -1 not in places
    assert places == sorted(places)
    assert content == render(INFO, items[::-1])


@pytest.mark.parametrize("render", RENDERERS)
def test_the_same_items_give_the_same_bytes(render: Any) -> None:
    assert render(INFO, [item(24), item(25)]) == render(INFO, [item(24), item(25)])


@pytest.mark.parametrize("render", RENDERERS)
def test_a_feed_without_issues_is_a_feed(render: Any) -> None:
    content = render(INFO, [])
    assert content == render(INFO, [])
    assert json.loads(content)["items"] == [] if render is render_json_feed else parsed(content).entries == []


def test_rss_says_what_the_best_practices_profile_asks_for() -> None:
    channel = etree.fromstring(render_rss(INFO, [item()]))[0]
    (link,) = channel.findall(f"{ATOM}link")
    assert dict(link.attrib) == {
        "href": "https://news.example/feed.xml",
        "rel": "self",
        "type": "application/rss+xml",
    }
    entry = channel.find("item")
    assert entry.find("guid").attrib["isPermaLink"] == "false"
    assert entry.findtext("pubDate") == "Sat, 25 May 2024 09:00:00 +0000"
    assert channel.findtext("lastBuildDate") == "Sat, 25 May 2024 10:00:00 +0000"
    assert entry.findtext("{http://purl.org/rss/1.0/modules/content/}encoded") == item().html
    assert entry.findtext("{http://purl.org/dc/elements/1.1/}creator") == "Ada Editor"
    assert channel.find("ttl") is None


def test_atom_keeps_what_rfc_4287_demands() -> None:
    feed = etree.fromstring(render_atom(INFO, [item(language="de")]))
    assert feed.tag == f"{ATOM}feed"
    assert feed.findtext(f"{ATOM}id") == "https://news.example/"
    links = {link.get("rel"): (link.get("type"), link.get("href")) for link in feed.findall(f"{ATOM}link")}
    assert links == {
        "self": ("application/atom+xml", "https://news.example/atom.xml"),
        "alternate": ("text/html", "https://news.example/"),
    }
    entry = feed.find(f"{ATOM}entry")
    (link,) = entry.findall(f"{ATOM}link")
    assert dict(link.attrib) == {
        "href": "https://news.example/issues/2024-05-25/",
        "rel": "alternate",
        "type": "text/html",
    }
    assert entry.find(f"{ATOM}content").attrib == {"type": "html"}
    assert entry.findtext(f"{ATOM}published") == "2024-05-25T09:00:00+00:00"
    assert entry.findtext(f"{ATOM}updated") == "2024-05-25T10:00:00+00:00"
    assert entry.get("{http://www.w3.org/XML/1998/namespace}lang") == "de"
    assert b"CDATA" not in render_atom(INFO, [item()])


def test_json_feed_has_the_fields_of_version_1_1() -> None:
    feed = json.loads(render_json_feed(INFO, [item()]))
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert feed["title"] == "Papers & more"
    assert feed["home_page_url"] == "https://news.example/"
    assert feed["feed_url"] == "https://news.example/feed.json"
    assert feed["authors"] == [{"name": "Ada Editor"}]
    (entry,) = feed["items"]
    assert entry["id"] == item().id
    assert entry["content_html"] == item().html
    assert entry["date_published"] == "2024-05-25T09:00:00+00:00"
    assert entry["date_modified"] == "2024-05-25T10:00:00+00:00"
    assert entry["tags"] == ["llm", "research"]
    assert "hubs" not in feed


def test_a_hub_and_a_ttl_are_said_once_they_are_known() -> None:
    hubs = ("https://hub.x/", "https://hub.y/?a&b")
    info = replace(INFO, hub_urls=hubs, ttl=60)
    for render in (render_rss, render_atom):
        links = etree.fromstring(render(info, [item()])).iter(f"{ATOM}link")
        assert [link.get("href") for link in links if link.get("rel") == "hub"] == [*hubs]
    assert etree.fromstring(render_rss(info, []))[0].findtext("ttl") == "60"
    assert json.loads(render_json_feed(info, []))["hubs"] == [{"type": "WebSub", "url": url} for url in hubs]


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("https://news.example", "tag:news.example,2024-05-25:/issues/one"),
        ("http://News.Example:8080/letters", "tag:news.example,2024-05-25:/letters/issues/one"),
        ("https://zeitung.köln", "tag:zeitung.xn--kln-sna,2024-05-25:/issues/one"),
        ("http://[::1]:8000", "tag:1,2024-05-25:/issues/one"),
    ],
)
def test_an_id_is_made_of_the_host_the_first_day_and_the_slug(base: str, expected: str) -> None:
    assert compose_item_id(base, "one", MORNING) == expected


def test_an_id_counts_days_in_utc() -> None:
    tokyo = datetime.fromisoformat("2024-05-26T01:00:00+09:00")
    assert compose_item_id("https://news.example", "one", tokyo) == "tag:news.example,2024-05-25:/issues/one"


WILD = st.text(st.characters(), max_size=80)


@settings(max_examples=150, deadline=None)
@given(WILD, WILD, WILD, st.lists(WILD, max_size=3))
def test_any_text_makes_feeds_that_parse(title: str, summary: str, html: str, words: list[str]) -> None:
    wild = item(title=title, summary=summary, html=html, authors=tuple(words), categories=tuple(words))
    for render in (render_rss, render_atom):
        root = etree.fromstring(render(INFO, [wild]))
        assert len([*root.iter("item"), *root.iter(f"{ATOM}entry")]) == 1
    assert len(json.loads(render_json_feed(INFO, [wild]))["items"]) == 1


@settings(max_examples=100, deadline=None)
@given(WILD.filter(lambda text: text == text.encode(errors="ignore").decode()), st.integers(0, 2**31))
def test_a_json_feed_gives_its_items_back(text: str, seconds: int) -> None:
    legal = "".join(character for character in text if character not in "\ufffe\uffff")
    at = datetime.fromtimestamp(seconds, UTC)
    one = item(title=legal, summary=legal, html=legal, authors=(legal,), published_at=at, updated_at=at)
    assert parse_json_feed(render_json_feed(INFO, [one])) == [one]


@given(st.binary(max_size=40) | st.sampled_from([b"[]", b"{}", b'{"items": [{}]}', b'{"items": 1}', b'{"items": [1]}']))
def test_what_is_no_feed_of_ours_has_no_items(content: bytes) -> None:
    assert parse_json_feed(content) == []


def reader(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{name} is missing; install Debian's package {name}")
        pytest.skip(f"{name} isn't installed (Debian's package {name})")
    return found


@pytest.mark.parametrize("render", [render_rss, render_atom])
def test_sfeed_reads_the_feed(render: Any) -> None:
    run = subprocess.run([reader("sfeed")], input=render(INFO, [item(24), item(25)]), capture_output=True, check=True)
    lines = [line.split("\t") for line in run.stdout.decode().splitlines()]
    assert [line[1] for line in lines] == ["Papers of 25 May <2024>", "Papers of 24 May <2024>"]
    assert [line[2] for line in lines] == [item(25).url, item(24).url]
    assert [line[5] for line in lines] == [item(25).id, item(24).id]
    assert int(lines[0][0]) == int(MORNING.timestamp())


@pytest.mark.parametrize("render", [render_rss, render_atom])
def test_newsboat_reads_the_feed(render: Any, tmp_path: Path) -> None:
    program = reader("newsboat")
    feed = tmp_path / "feed.xml"
    feed.write_bytes(render(INFO, [item(24), item(25)]))
    (tmp_path / "urls").write_text(f"file://{feed}\n")
    (tmp_path / "config").write_text("")
    files = ["-u", str(tmp_path / "urls"), "-c", str(tmp_path / "cache.db"), "-C", str(tmp_path / "config")]
    environ = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TERM": "dumb"}
    run = subprocess.run(
        [program, *files, "-x", "reload", "print-unread"], env=environ, capture_output=True, check=True, timeout=60
    )
    assert "2 unread articles" in run.stdout.decode()
