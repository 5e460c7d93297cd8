"""Pages as browsers, search engines and reference managers read them."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any

import html5lib
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from newsletter.config import Issues, Publication, Settings
from newsletter.model.edition import PublishedIssue
from newsletter.model.issue import Entry, Field, Identifier, Issue, Markdown, Section
from newsletter.render.archive import (
    render_archive,
    render_index,
    render_issue,
    render_missing,
    render_paper,
    render_year,
)
from newsletter.render.content import (
    Card,
    compose_card,
    compose_feed_item,
    compose_summary,
    render_feed_content,
    shorten,
)
from newsletter.render.environment import load_environment
from newsletter.render.frame import Frame, render_asset, site_path
from newsletter.render.works import Appearance

BASE = "https://news.example/letters"
PUBLICATION = Publication(title="Papers & more", tagline="New, every day.", url=BASE, editor="Ada Editor")
FRAME = Frame(load_environment(), Settings(publication=PUBLICATION), "0badcafe")
PAPER = Entry(
    id="arxiv:2405.16325",
    anchor="arxiv-2405.16325",
    title='Sparse $O(n^2)$ </script> & "quotes"',
    url="https://arxiv.org/abs/2405.16325v1",
    identifier=Identifier("arxiv", "2405.16325", "v1"),
    authors=("Ada Lovelace", "Grace Hopper"),
    code_url="https://code.example/?a=1&b=2",
    lead=Markdown("See [above](#intro) and [there][ref]."),
    fields=(Field("Why?", Markdown("To be *fast*.")), Field("Results", Markdown("| a | b |\n|---|--:|\n| 1 | 2 |"))),
)
NOTE = Entry(id="2024-05-25#note", anchor="note", title="A note", lead=Markdown("Just this."))
ISSUE = Issue(
    path="2024-05-25.md",
    slug="2024-05-25",
    date=date(2024, 5, 25),
    title="Papers of the <day>",
    source="",
    authors=("Ada Editor",),
    topics=("llm",),
    intro=Markdown("Hello. $x^2$"),
    sections=(
        Section("Research!", "research", Markdown("All *new*."), (PAPER, NOTE)),
        Section("Quiet", "quiet"),
    ),
    references={"REF": ("https://there.example/", "")},
)


def card_of(issue: Issue = ISSUE, day: int = 25) -> Card:
    at = datetime(2024, 5, day, 9, tzinfo=UTC)
    return compose_card(issue, PublishedIssue(f"2024-05-{day}", date(2024, 5, day), "hash", at, at))


def frame(**tables: Any) -> Frame:
    return replace(FRAME, settings=FRAME.settings.model_copy(update=tables))


def every_page() -> dict[str, str]:
    card, other = card_of(), card_of(replace(ISSUE, title="Other"), 24)
    return {
        "index": render_index(FRAME, [card, other], 3),
        "empty": render_index(FRAME, [], 0),
        "issue": render_issue(FRAME, ISSUE, card, other, other),
        "paper": render_paper(FRAME, [Appearance(card, ISSUE, PAPER), Appearance(other, ISSUE, PAPER)]),
        "archive": render_archive(FRAME, {2024: [card, other]}),
        "year": render_year(FRAME, 2024, [card, other], [2024, 2023]),
        "missing": render_missing(FRAME),
    }


PAGES = every_page()


def tree(page: str) -> Any:
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)


def metas(page: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for meta in tree(page).iter("meta"):
        found.setdefault(meta.get("name") or meta.get("property") or "", []).append(meta.get("content", ""))
    return found


def hrefs(page: str) -> list[str]:
    return [link.get("href") for link in tree(page).iter("a")]


@pytest.mark.parametrize("name", PAGES)
def test_a_strict_parser_finds_no_error(name: str) -> None:
    assert tree(PAGES[name]).tag == "html"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_language_description_one_h1_and_a_way_past_the_navigation(name: str) -> None:
    page = tree(PAGES[name])
    assert page.get("lang") == "en"
    assert metas(PAGES[name])["description"][0]
    assert len(list(page.iter("h1"))) == 1
    first = next(page.iter("a"))
    assert first.get("href") == "#content"
    assert [main.get("id") for main in page.iter("main")] == ["content"]


@pytest.mark.parametrize("name", PAGES)
def test_headings_do_not_skip_a_level_and_ids_are_unique(name: str) -> None:
    page = tree(PAGES[name])
    levels = [int(element.tag[1]) for element in page.iter() if re.fullmatch("h[1-6]", str(element.tag))]
    assert all(below <= above + 1 for above, below in pairwise(levels)), levels
    ids = [element.get("id") for element in page.iter() if element.get("id")]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_leads_feed_readers_to_whole_issues_and_the_front_page_to_papers_as_well(name: str) -> None:
    alternates = [link for link in tree(PAGES[name]).iter("link") if link.get("rel") == "alternate"]
    folders = [f"{BASE}/", f"{BASE}/papers/"] if name in ("index", "empty") else [f"{BASE}/"]
    assert [(link.get("type"), link.get("href")) for link in alternates] == [
        (f"application/{kind}", folder + file)
        for folder in folders
        for kind, file in (("rss+xml", "feed.xml"), ("atom+xml", "atom.xml"), ("feed+json", "feed.json"))
    ]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_nobody_else_for_anything_and_runs_no_script(name: str) -> None:
    page = tree(PAGES[name])
    loaded = [link.get("href") for link in page.iter("link") if link.get("rel") in ("stylesheet", "icon")]
    assert len(loaded) == 2
    assert not any("://" in address for address in loaded)
    assert all(script.get("type") == "application/ld+json" for script in page.iter("script"))
    assert not any(True for tag in ("img", "iframe", "style") for _ in page.iter(tag))


@pytest.mark.parametrize("name", sorted(PAGES.keys() - {"missing"}))
def test_a_page_says_its_one_address(name: str) -> None:
    (canonical,) = [link.get("href") for link in tree(PAGES[name]).iter("link") if link.get("rel") == "canonical"]
    assert canonical.startswith(f"{BASE}/")
    assert metas(PAGES[name])["og:url"] == [canonical]


def test_links_within_the_site_are_relative_so_that_a_copy_works_anywhere() -> None:
    assert {"../../", "../../archive/", "../../papers/arxiv-2405.16325/", "../../issues/2024-05-24/"} < set(
        hrefs(PAGES["issue"])
    )
    assert {"./", "archive/", "issues/2024-05-25/"} < set(hrefs(PAGES["index"]))
    # Only what an editor wrote leads from a paper's page to the issue by its whole address.
    whole = {address for name in PAGES for address in hrefs(PAGES[name]) if str(address).startswith(BASE)}
    assert whole == {f"{BASE}/issues/2024-05-{day}/#intro" for day in (24, 25)}


def test_the_page_for_nothing_works_at_any_depth() -> None:
    assert {"/letters/", "/letters/archive/"} < set(hrefs(PAGES["missing"]))
    assert 'href="/letters/style.css?v=0badcafe"' in PAGES["missing"]
    assert metas(PAGES["missing"])["robots"] == ["noindex"]


def test_every_contents_link_leads_to_a_place_on_the_page() -> None:
    page = tree(PAGES["issue"])
    ids = {element.get("id") for element in page.iter()}
    inner = {str(address)[1:] for address in hrefs(PAGES["issue"]) if str(address).startswith("#")}
    assert {"research", "arxiv-2405.16325", "note", "content"} <= inner <= ids | {"intro"}
    assert "quiet" not in inner


def test_an_issue_links_to_its_neighbours() -> None:
    links = {link.get("rel"): link.get("href") for link in tree(PAGES["issue"]).iter("link")}
    assert links["prev"] == links["next"] == "../../issues/2024-05-24/"
    alone = render_issue(FRAME, ISSUE, card_of(), None, None)
    assert 'rel="prev"' not in alone
    assert 'rel="next"' not in alone


def test_maths_is_mathml_on_pages_and_characters_in_titles() -> None:
    assert "<msup>" in PAGES["issue"]
    assert "<title>Sparse O(n²) &lt;/script&gt;" in PAGES["paper"]


def test_an_empty_section_is_shown_or_left_out_as_the_config_says() -> None:
    assert "Nothing today." in PAGES["issue"]
    assert 'count">0<' not in PAGES["issue"]
    told = replace(ISSUE, sections=(Section("Words", "words", Markdown("Only words.")),))
    assert "Only words." in render_feed_content(
        told, frame(issues=Issues(empty_sections="omit")).settings, FRAME.environment
    )
    quiet = frame(issues=Issues(empty_sections="omit"))
    page = render_issue(quiet, ISSUE, card_of(), None, None)
    assert "Quiet" not in page
    assert "Quiet" not in render_feed_content(ISSUE, quiet.settings, FRAME.environment)


def test_a_paper_tells_reference_managers_what_it_is() -> None:
    found = metas(PAGES["paper"])
    assert found["citation_title"] == ['Sparse O(n²) </script> & "quotes"']
    assert found["citation_author"] == ["Ada Lovelace", "Grace Hopper"]
    assert found["citation_publication_date"] == ["2024/05"]
    assert found["citation_arxiv_id"] == ["2405.16325"]
    assert found["citation_abstract_html_url"] == [f"{BASE}/papers/arxiv-2405.16325/"]


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        (Identifier("arxiv", "hep-th/9901001"), {"citation_arxiv_id": "hep-th/9901001", "date": "1999/01"}),
        (Identifier("arxiv", "0704.0001"), {"citation_arxiv_id": "0704.0001", "date": "2007/04"}),
        (Identifier("doi", "10.1145/3442188"), {"citation_doi": "10.1145/3442188"}),
    ],
)
def test_a_date_is_said_only_where_the_identifier_knows_it(identifier: Identifier, expected: dict[str, str]) -> None:
    entry = replace(PAPER, identifier=identifier)
    found = metas(render_paper(FRAME, [Appearance(card_of(), ISSUE, entry)]))
    names = {"citation_arxiv_id", "citation_doi", "citation_publication_date"}
    said = {name.replace("citation_publication_date", "date"): found[name][0] for name in names & found.keys()}
    assert said == expected


def structured(page: str) -> Any:
    (script,) = tree(page).iter("script")
    return json.loads(script.text)


def test_structured_data_survives_a_title_that_closes_scripts() -> None:
    article = structured(PAGES["paper"])["mainEntity"]
    assert article["@type"] == "ScholarlyArticle"
    assert article["name"] == 'Sparse O(n²) </script> & "quotes"'
    assert [author["name"] for author in article["author"]] == ["Ada Lovelace", "Grace Hopper"]
    issue = structured(PAGES["issue"])
    assert (issue["@type"], issue["headline"], issue["datePublished"]) == (
        "Article",
        "Papers of the <day>",
        "2024-05-25T09:00:00+00:00",
    )


def test_a_relative_link_of_an_issue_leads_home_from_the_papers_page_and_from_feeds() -> None:
    assert (
        f"{BASE}/issues/2024-05-25/#intro" in hrefs(PAGES["paper"])
        or f'href="{BASE}/issues/2024-05-25/#intro"' in (PAGES["paper"])
    )
    content = render_feed_content(ISSUE, FRAME.settings, FRAME.environment)
    addresses = re.findall(r'(?:href|src)="([^"]*)"', content)
    assert f"{BASE}/issues/2024-05-25/#intro" in addresses
    assert all(address.startswith("https://") for address in addresses)


def test_the_feed_has_the_whole_issue() -> None:
    item = compose_feed_item(ISSUE, card_of(), FRAME.settings, FRAME.environment)
    for part in (
        "Hello.",
        "All <em>new</em>",
        "Ada Lovelace, Grace Hopper",
        "Why?",
        "<table",
        "arXiv:2405.16325v1",
        "Just",
    ):
        assert part in item.html
    assert item.id == "tag:news.example,2024-05-25:/letters/issues/2024-05-25"
    assert item.categories == ("llm", "Research!")
    assert item.authors == ("Ada Editor",)


def test_a_summary_is_the_subtitle_or_the_intro_or_the_sections() -> None:
    assert compose_summary(replace(ISSUE, subtitle="Fewer weights")) == "Fewer weights"
    assert compose_summary(replace(ISSUE, intro=Markdown("Hello *you*."))) == "Hello you."
    assert compose_summary(replace(ISSUE, intro=Markdown(""))) == "2 entries: Research."
    papers = (Section("News", "news", entries=(PAPER,)),)
    assert compose_summary(replace(ISSUE, intro=Markdown(""), sections=papers)) == "1 paper: News."
    assert compose_summary(replace(ISSUE, intro=Markdown(""), sections=())) == ""


def test_a_language_from_right_to_left_is_shown_so() -> None:
    issue = replace(ISSUE, language="he")
    page = tree(render_issue(FRAME, issue, card_of(issue), None, None))
    assert (page.get("lang"), page.get("dir")) == ("he", "rtl")


@pytest.mark.parametrize(
    ("url", "path"),
    [
        (f"{BASE}/", "index.html"),
        (f"{BASE}/issues/2024-05-25/", "issues/2024-05-25/index.html"),
        (f"{BASE}/404.html", "404.html"),
    ],
)
def test_an_address_is_served_from_its_file(url: str, path: str) -> None:
    assert site_path(BASE, url) == path


def test_sitemaps_and_robots_txt_say_where_things_are() -> None:
    when = datetime(2024, 5, 25, 9, tzinfo=UTC)
    part = etree.fromstring(render_asset(FRAME, "sitemap-part.xml", entries=[(f"{BASE}/?a&b", when)]).encode())
    space = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
    assert [loc.text for loc in part.iter(f"{space}loc")] == [f"{BASE}/?a&b"]
    assert [changed.text for changed in part.iter(f"{space}lastmod")] == ["2024-05-25T09:00:00+00:00"]
    robots = render_asset(FRAME, "robots.txt").splitlines()
    assert {"User-agent: *", "Disallow: /letters/u/", f"Sitemap: {BASE}/sitemap.xml"} < set(robots)


def contrast(one: str, other: str) -> float:
    def light(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_both_palettes_can_be_read() -> None:
    style = render_asset(FRAME, "style.css")
    palettes: Sequence[dict[str, str]] = [
        dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", block)) for block in re.findall(r":root \{[^}]*\}", style)[:2]
    ]
    assert len(palettes) == 2
    for palette in palettes:
        for text in ("ink", "muted", "accent"):
            for ground in ("paper", "ground", "tint"):
                assert contrast(palette[text], palette[ground]) >= 4.5, (text, ground, palette)


@given(st.text(max_size=300), st.integers(2, 60))
def test_a_shortened_text_is_short(text: str, length: int) -> None:
    assert len(shorten(text, length)) <= length
