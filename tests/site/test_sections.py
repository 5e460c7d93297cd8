"""Sections: which have pages, what is on them, and their years."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import html5lib
import pytest

from newsletter.config import Issues
from newsletter.render.content import Card, Listed
from newsletter.site.sections import gather_sections

Ledger = Any
"""The Ledger in conftest.py; a test file can't import it, so it has no name here."""

DAY = date(2024, 5, 1)


def card(day: int, **sections: int) -> Card:
    """Return an issue with so many entries in each section."""
    at = datetime(2024, 5, 1, 9, tzinfo=UTC) + timedelta(days=day)
    slug = str(at.date())
    contents = tuple(
        (title, tuple(Listed(f"{slug}#{title}-{n}", f"{title}-{n}", f"{title} {n}") for n in range(count)))
        for title, count in sections.items()
    )
    return Card(slug, at.date(), slug, "", "en", contents, "hash", at, at)


def keys(cards: list[Card], *configured: str) -> list[str]:
    return [section.key for section in gather_sections(cards, configured, 5)]


def test_the_configured_sections_come_first_then_those_of_the_latest_issue() -> None:
    cards = [card(0, News=1, Old=1), card(1, Tools=1, News=1)]
    assert keys(cards) == ["tools", "news", "old"]
    assert keys(cards, "Surveys", "News") == ["surveys", "news", "tools", "old"]


def test_a_heading_that_comes_up_once_has_no_page_once_a_publication_has_settled() -> None:
    cards = [card(day, **{f"Only {day}": 1, "News": 1}) for day in range(6)]
    assert keys(cards) == ["news", "only-2", "only-1", "only-0"]


def test_a_page_once_there_stays() -> None:
    cards = [card(day, **{f"Topic {day % 7}": 1, f"Only {day}": 1}) for day in range(30)]
    shown: set[str] = set()
    for count in range(31):
        now = set(keys(cards[:count]))
        assert shown <= now
        shown = now


def test_headings_that_differ_in_spelling_only_are_one_section_named_as_lately() -> None:
    (section,) = gather_sections([card(0, **{"core RESEARCH!": 2}), card(1, **{"Core research": 1})], (), 5)
    assert (section.heading, section.entries) == ("Core research", 3)
    (section,) = gather_sections([card(0, **{"core RESEARCH!": 2})], ["Core Research"], 5)
    assert section.heading == "Core Research"


def test_a_work_is_listed_once_at_its_latest_place() -> None:
    first, second = card(0, News=2), card(1, News=1)
    again = ("News", (*second.contents[0][1], *first.contents[0][1][1:]))
    (section,) = gather_sections([first, Card(**_fields(second) | {"contents": (again,)})], (), 5)
    assert [(place.slug, entry.title) for place, entry in section.latest] == [
        ("2024-05-02", "News 0"),
        ("2024-05-02", "News 1"),
        ("2024-05-01", "News 0"),
    ]
    assert section.entries == 4


def _fields(one: Card) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__slots__}


@pytest.fixture
def daily(ledger: Ledger) -> Ledger:
    """Two years of a few issues, with a section's page too short for all of them."""
    site = ledger.settings.site.model_copy(update={"section_papers": 3})
    ledger.settings = ledger.settings.model_copy(update={"site": site})
    for n, day in enumerate((date(2023, 11, 5), date(2023, 12, 30), date(2024, 1, 2))):
        ledger.publish(day, [f"2312.0{n}001v1", f"2312.0{n}002v1"])
    ledger.build()
    return ledger


def page(ledger: Ledger, path: str) -> Any:
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    return parser.parse((ledger.folder / path).read_text())


def links(root: Any) -> list[str]:
    return [link.get("href") for link in root.iter("a")]


def test_a_section_shows_its_newest_papers_and_leads_to_its_years(daily: Ledger) -> None:
    shown = [link for link in links(page(daily, "sections/news/index.html")) if "papers/" in link]
    assert shown == [f"../../papers/arxiv-2312.0{name}/" for name in ("2001", "2002", "1001")]
    assert {"../../sections/news/2023/", "../../sections/news/2024/"} < set(
        links(page(daily, "sections/news/index.html"))
    )
    year = links(page(daily, "sections/news/2023/index.html"))
    assert [link for link in year if "papers/" in link] == [
        f"../../../papers/arxiv-2312.0{name}/" for name in ("1001", "1002", "0001", "0002")
    ]
    assert "../../../sections/news/2024/" in year


def test_a_sections_page_leads_feed_readers_to_its_own_feed_first(daily: Ledger) -> None:
    alternates = [
        (link.get("title"), link.get("href"))
        for link in page(daily, "sections/news/index.html").iter("link")
        if link.get("rel") == "alternate"
    ]
    assert alternates[0] == ("Papers: News (RSS)", "https://news.example/sections/news/feed.xml")
    assert alternates[3] == ("Papers (RSS)", "https://news.example/feed.xml")


def test_a_new_issue_leaves_past_years_of_a_section_alone(daily: Ledger) -> None:
    touched = daily.touched_by(lambda: daily.publish(date(2024, 1, 3), ["2401.00001"]))
    assert "sections/news/2024/index.html" in touched
    assert "sections/news/2023/index.html" not in touched


def test_a_configured_section_has_page_and_feeds_before_its_first_paper(ledger: Ledger) -> None:
    ledger.settings = ledger.settings.model_copy(update={"issues": Issues(sections=("Surveys",))})
    ledger.build()
    assert "Nothing is in this section yet" in (ledger.folder / "sections/surveys/index.html").read_text()
    assert (ledger.folder / "sections/surveys/feed.xml").is_file()


def test_an_issue_leads_to_its_sections_pages(daily: Ledger) -> None:
    assert "../../sections/news/" in links(page(daily, "issues/2024-01-02/index.html"))
    assert "../../sections/quiet-corner/" not in links(page(daily, "issues/2024-01-02/index.html"))


def test_the_page_about_feeds_names_every_feed_and_leads_to_it(daily: Ledger) -> None:
    root = page(daily, "feeds/index.html")
    addresses = ["".join(code.itertext()) for code in root.iter("code")]
    assert addresses == [
        f"https://news.example/{folder}{name}"
        for folder in ("", "papers/", "sections/news/")
        for name in ("feed.xml", "atom.xml", "feed.json")
    ]
    assert {f"../{address.removeprefix('https://news.example/')}" for address in addresses} < set(links(root))
    assert "feeds/" in links(page(daily, "index.html"))


def test_a_heading_that_one_issue_has_twice_has_not_come_up_again() -> None:
    cards = [card(day, News=1) for day in range(5)]
    twice = Card(**_fields(card(5)) | {"contents": (*card(5, Once=1).contents, *card(5, **{"Once!": 1}).contents)})
    assert keys([*cards, twice]) == ["news"]
