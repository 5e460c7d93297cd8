"""What is in the site's feeds: single papers, sections, and the history of whole issues."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import feedparser
import pytest
from lxml import etree

from newsletter.site.feeds import ARCHIVED

Ledger = Any
"""The Ledger in conftest.py; a test file can't import it, so it has no name here."""

BASE = "https://news.example/"
START = date(2024, 1, 1)
ATOM = "{http://www.w3.org/2005/Atom}"
HISTORY = "{http://purl.org/syndication/history/1.0}"


def feed(ledger: Ledger, path: str) -> Any:
    parsed = feedparser.parse((ledger.folder / path).read_bytes())
    assert not parsed.bozo, parsed.get("bozo_exception")
    return parsed


def ids(ledger: Ledger, path: str) -> list[str]:
    return [entry.id for entry in feed(ledger, path).entries]


def publish(ledger: Ledger, first: int, last: int) -> None:
    for n in range(first, last):
        ledger.publish(START + timedelta(days=n), [f"2401.{n:05}v1"])


def paper(name: str) -> str:
    return f"{BASE}papers/arxiv-{name}/"


def test_a_paper_in_several_issues_and_feeds_is_one_entry_with_one_id(ledger: Ledger) -> None:
    ledger.publish(START, ["2401.00001v1", "2401.00002v1"])
    ledger.publish(START + timedelta(days=1), ["2401.00001v2"])
    ledger.build()
    for folder in ("papers", "sections/news"):
        for name in ("feed.xml", "atom.xml"):
            assert ids(ledger, f"{folder}/{name}") == [paper("2401.00001"), paper("2401.00002")]
        items = json.loads((ledger.folder / folder / "feed.json").read_text())["items"]
        assert [item["id"] for item in items] == [paper("2401.00001"), paper("2401.00002")]


def test_a_paper_that_comes_up_again_keeps_its_date_and_shows_both_issues(ledger: Ledger) -> None:
    ledger.publish(START, ["2401.00001v1"])
    ledger.build()
    (first,) = feed(ledger, "papers/atom.xml").entries
    ledger.publish(START + timedelta(days=9), ["2401.00001v2"])
    ledger.build()
    (again,) = feed(ledger, "papers/atom.xml").entries
    assert again.published == first.published == "2024-01-01T09:00:00+00:00"
    assert (first.updated, again.updated) == ("2024-01-01T09:00:00+00:00", "2024-01-10T09:00:00+00:00")
    assert "arXiv:2401.00001v2" in again.content[0].value
    assert all(f"{BASE}issues/2024-01-{day}/" in again.content[0].value for day in ("01", "10"))


def test_an_entry_without_identifier_is_itself_in_its_issue_only(ledger: Ledger) -> None:
    for day in (START, START + timedelta(days=1)):
        source = f"---\ntitle: T {day}\ndate: {day}\n---\n\n## News\n\n### A note\n\nJust this.\n\n### [Post](https://a.example/p)\n\nYes.\n"
        ledger.publish(day, source=source)
    ledger.build()
    entries = feed(ledger, "papers/feed.xml").entries
    assert sorted(entry.title for entry in entries) == ["A note", "A note", "Post"]
    assert len({entry.id for entry in entries}) == 3
    assert all(entry.id.startswith("urn:uuid:") for entry in entries)
    assert sorted(entry.link for entry in entries) == [
        f"{BASE}issues/2024-01-01/#a-note",
        f"{BASE}issues/2024-01-02/#a-note",
        f"{BASE}issues/2024-01-02/#post",
    ]


def test_papers_of_an_issue_stand_in_its_order_and_the_newest_issue_first(ledger: Ledger) -> None:
    ledger.publish(START, ["2401.00009", "2401.00001"])
    ledger.publish(START + timedelta(days=1), ["2401.00005", "2401.00003"])
    ledger.build()
    expected = [paper(f"2401.0000{n}") for n in (5, 3, 9, 1)]
    assert ids(ledger, "papers/atom.xml") == ids(ledger, "papers/feed.xml") == expected


def test_the_feeds_of_papers_hold_as_many_as_the_config_says(ledger: Ledger) -> None:
    site = ledger.settings.site.model_copy(update={"feed_papers": 2})
    ledger.settings = ledger.settings.model_copy(update={"site": site})
    publish(ledger, 0, 4)
    ledger.build()
    assert (
        ids(ledger, "papers/feed.xml")
        == ids(ledger, "sections/news/atom.xml")
        == [paper("2401.00003"), paper("2401.00002")]
    )


@pytest.mark.parametrize("lost", [False, True])
def test_a_change_shows_in_every_feed_of_papers_even_when_another_issue_is_gone(ledger: Ledger, lost: bool) -> None:
    publish(ledger, 0, 3)
    ledger.publish(START + timedelta(days=5), ["2401.00001v3"])
    ledger.build()
    del ledger.published["2024-01-02"]
    if lost:
        (ledger.folder / ".build.json").unlink()
    ledger.build()
    entry = next(one for one in feed(ledger, "papers/atom.xml").entries if one.id == paper("2401.00001"))
    assert "2024-01-02" not in entry.content[0].value
    assert entry.published == "2024-01-06T09:00:00+00:00"


def test_items_that_did_not_change_are_not_made_again(ledger: Ledger) -> None:
    publish(ledger, 0, 30)
    ledger.build()
    publish(ledger, 30, 31)
    ledger.build()
    assert ledger.loaded == ["2024-01-31", "2024-01-30"]


def links_of(ledger: Ledger, path: str) -> dict[str, str]:
    root = etree.fromstring((ledger.folder / path).read_bytes())
    found = {
        link.get("rel"): link.get("href") for link in root.iter(f"{ATOM}link") if link.getparent().tag != f"{ATOM}entry"
    }
    return {
        rel: address for rel, address in found.items() if rel in ("current", "prev-archive", "next-archive", "self")
    }


def local(ledger: Ledger, address: str) -> str:
    assert address.startswith(BASE)
    return address.removeprefix(BASE)


@pytest.mark.parametrize("name", ["atom.xml", "feed.xml"])
def test_a_new_reader_gets_the_whole_history_by_following_it_back(ledger: Ledger, name: str) -> None:
    publish(ledger, 0, 3 * ARCHIVED + 5)
    site = ledger.settings.site.model_copy(update={"feed_entries": 2})
    ledger.settings = ledger.settings.model_copy(update={"site": site})
    ledger.build()
    path, found, walked = name, ids(ledger, name), 0
    while previous := links_of(ledger, path).get("prev-archive"):
        path, walked = local(ledger, previous), walked + 1
        found += ids(ledger, path)
    assert walked == 3
    assert len(found) == len(set(found)) == 3 * ARCHIVED + 5


@pytest.mark.parametrize("name", ["atom.xml", "feed.xml"])
def test_archive_documents_are_linked_both_ways_and_to_the_feed(ledger: Ledger, name: str) -> None:
    publish(ledger, 0, 2 * ARCHIVED + 1)
    ledger.build()
    assert links_of(ledger, name) == {"self": BASE + name, "prev-archive": f"{BASE}feeds/archive/2/{name}"}
    for number in (1, 2, 3):
        path = f"feeds/archive/{number}/{name}"
        links = links_of(ledger, path)
        assert links.pop("self") == BASE + path
        assert links.pop("current") == BASE + name
        assert links == {
            rel: f"{BASE}feeds/archive/{other}/{name}"
            for rel, other in (("prev-archive", number - 1), ("next-archive", number + 1))
            if 1 <= other <= 3
        }
        root = etree.fromstring((ledger.folder / path).read_bytes())
        assert len(list(root.iter(f"{HISTORY}archive"))) == 1
    assert b"purl.org/syndication/history" not in (ledger.folder / name).read_bytes()


def test_the_json_feed_is_followed_back_by_next_url(ledger: Ledger) -> None:
    publish(ledger, 0, 2 * ARCHIVED + 1)
    ledger.build()
    path, found = "feed.json", set()
    while path:
        document = json.loads((ledger.folder / path).read_text())
        found |= {item["id"] for item in document["items"]}
        path = document.get("next_url", "").removeprefix(BASE)
    assert len(found) == 2 * ARCHIVED + 1


def archived(ledger: Ledger) -> set[Path]:
    return {path.relative_to(ledger.folder) for path in ledger.folder.glob("feeds/archive/*/atom.xml")}


def test_there_is_no_archive_before_there_is_more_than_one_document_of_it(ledger: Ledger) -> None:
    publish(ledger, 0, ARCHIVED)
    ledger.build()
    assert archived(ledger) == set()
    assert "prev-archive" not in links_of(ledger, "atom.xml")
    publish(ledger, ARCHIVED, ARCHIVED + 1)
    ledger.build()
    assert len(archived(ledger)) == 2


def test_an_archive_document_never_changes_once_it_is_full(ledger: Ledger) -> None:
    publish(ledger, 0, ARCHIVED + 1)
    ledger.build()
    before = {path: one for path, one in ledger.files(variants=False).items() if path.startswith("feeds/archive/1/")}
    assert len(before) == 3
    first, end = ARCHIVED + 1, 2 * ARCHIVED + 3
    for last in range(first, end):
        publish(ledger, last, last + 1)
        # An issue of the past that is published now is news.
        ledger.publish(START - timedelta(days=last))
        old = ledger.published[str(START - timedelta(days=last))]
        at = ledger.published[str(START + timedelta(days=last))].published_at
        ledger.published[old.slug] = type(old)(old.slug, old.issue_date, old.source_hash, at, at)
        if last in (first, end - 1) or last % 4 == 0:
            ledger.build()
            assert {path: ledger.files()[path] for path in before} == before
    assert len(archived(ledger)) == 4


def test_an_archive_document_has_the_id_of_its_feed_and_leads_to_no_hub(ledger: Ledger) -> None:
    site = ledger.settings.site.model_copy(update={"hub": ("https://hub.example/",)})
    ledger.settings = ledger.settings.model_copy(update={"site": site})
    publish(ledger, 0, ARCHIVED + 1)
    ledger.build()
    assert b"https://hub.example/" in (ledger.folder / "atom.xml").read_bytes()
    assert b"https://hub.example/" in (ledger.folder / "papers/feed.xml").read_bytes()
    archive = (ledger.folder / "feeds/archive/1/atom.xml").read_bytes()
    assert b"https://hub.example/" not in archive
    assert feedparser.parse(archive).feed.id == feed(ledger, "atom.xml").feed.id


def test_a_new_hub_reaches_the_feeds_and_no_other_file(week: Ledger) -> None:
    site = week.settings.site.model_copy(update={"hub": ("https://hub.example/",)})
    week.settings = week.settings.model_copy(update={"site": site})
    touched = week.touched_by(lambda: None)
    assert touched == {
        f"{folder}{name}"
        for folder in ("", "papers/", "sections/news/")
        for name in ("feed.xml", "atom.xml", "feed.json")
    }
