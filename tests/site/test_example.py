"""The example issue, built as a site: every page parses, every link within the site leads somewhere."""

import json
import posixpath
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import feedparser
import html5lib
import pytest
import rispy
from pybtex.database import parse_file

EXAMPLE = Path(__file__).parents[2] / "issues" / "2024-05-25.md"

Ledger = Any
"""The Ledger in conftest.py; a test file can't import it, so it has no name here."""


@pytest.fixture
def example(ledger: Ledger) -> Ledger:
    ledger.publish(date(2024, 5, 25), source=EXAMPLE.read_text(encoding="utf-8"))
    ledger.publish(date(2024, 5, 26), ["2405.16325v2"])
    ledger.build()
    return ledger


def pages(folder: Path) -> dict[str, Any]:
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    found = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*.html")}
    return {path: parser.parse(page) for path, page in found.items()}


def test_every_page_parses_strictly_and_every_paper_has_one(example: Ledger) -> None:
    found = pages(example.folder)
    assert len([path for path in found if path.startswith("papers/")]) == 21
    assert found.keys() > {"issues/2024-05-25/index.html", "index.html", "404.html", "archive/2024/index.html"}


def test_every_link_within_the_site_leads_to_a_file_and_to_a_place_in_it(example: Ledger) -> None:
    found = pages(example.folder)
    places = {path: {element.get("id") for element in page.iter()} for path, page in found.items()}
    checked = 0
    for path, page in found.items():
        for element in [*page.iter("a"), *page.iter("link")]:
            parts = urlsplit(element.get("href"))
            if parts.scheme:
                continue
            target = (
                posixpath.normpath(posixpath.join("/", posixpath.dirname(path), parts.path)) if parts.path else path
            )
            if target in ("/join", "/search"):  # the server answers there
                continue
            file = (example.folder / target.lstrip("/")).resolve()
            file = file / "index.html" if file.is_dir() else file
            assert file.is_file(), f"{path} links to {element.get('href')}"
            assert not parts.fragment or parts.fragment in places[file.relative_to(example.folder.resolve()).as_posix()]
            checked += 1
    assert checked > 300


def test_the_feeds_hold_the_whole_issue_with_absolute_addresses(example: Ledger) -> None:
    for name in ("feed.xml", "atom.xml"):
        feed = feedparser.parse((example.folder / name).read_bytes())
        assert not feed.bozo
        content = feed.entries[-1].content[0].value
        assert content.count("<h3>") == 21
        assert "Anticipatory Reflection" in content
        assert 'href="#' not in content
        assert 'href="/' not in content


def test_the_issue_and_each_paper_can_be_cited(example: Ledger) -> None:
    for path in ("issues/2024-05-25", "papers/arxiv-2405.16325"):
        found = {link.get("href") for link in pages(example.folder)[f"{path}/index.html"].iter("a")}
        assert {"cite.bib", "cite.ris", "cite.json"} < found
    keys = parse_file(example.folder / "issues/2024-05-25/cite.bib", "bibtex").entries
    assert len(keys) == 22
    assert len(rispy.loads((example.folder / "issues/2024-05-25/cite.ris").read_bytes().decode())) == 22
    assert len(json.loads((example.folder / "issues/2024-05-25/cite.json").read_bytes())) == 22
    assert list(parse_file(example.folder / "papers/arxiv-2405.16325/cite.bib", "bibtex").entries) == [
        "arxiv-2405.16325"
    ]
