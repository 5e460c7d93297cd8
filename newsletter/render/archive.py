"""The site's pages as text: front page, issues, papers, archive, sitemaps. Pure; `newsletter.site` writes them.

Owns what each page says and what is said about a page to machines (canonical, Open Graph, citation, JSON-LD). Links
within the site are relative, so that a copy works at any address; what leaves the page is absolute.
"""

from collections.abc import Container, Mapping, Sequence
from functools import lru_cache, partial

from markupsafe import Markup

from newsletter.model.issue import Entry, Issue, Markdown
from newsletter.model.topic import topic_key
from newsletter.render.citations import CITATION_FORMATS, parse_submitted
from newsletter.render.content import Card
from newsletter.render.frame import Frame, root_of
from newsletter.render.links import resolve_links
from newsletter.render.markdown import Medium, render_html
from newsletter.render.maths import render_plain_title
from newsletter.render.page import render_page
from newsletter.render.sections import SectionCard
from newsletter.render.works import Appearance, authors_of, summarise_entry
from newsletter.urls import archive_url, issue_url, paper_url

_ENTRY_LEVEL = 3
"""The level of an entry's heading on its issue's page."""


def render_index(frame: Frame, cards: Sequence[Card], total: int, sections: Sequence[SectionCard] = ()) -> str:
    """Return the front page; `cards` are its issues, newest first, out of `total`."""
    publication = frame.settings.publication
    structured = {
        "@context": "https://schema.org",
        "@type": "WebSite",
        "name": publication.title,
        "description": publication.tagline,
        "url": f"{frame.base}/",
        "inLanguage": publication.language,
    }
    return render_page(
        frame,
        "index.html",
        f"{frame.base}/",
        channels=(frame.channel, frame.papers_channel),
        cards=cards,
        total=total,
        sections=sections,
        structured=structured,
    )


def render_issue(
    frame: Frame,
    issue: Issue,
    card: Card,
    previous: Card | None,
    following: Card | None,
    sections: Container[str] = (),
) -> str:
    """Return an issue's page; `previous` and `following` are its neighbours by date, `sections` the topic keys of
    sections that have pages."""
    url = issue_url(frame.base, card.slug)
    structured = {
        "@context": "https://schema.org",
        "@type": "Article",
        "headline": render_plain_title(card.title),
        "description": card.summary,
        "url": url,
        "mainEntityOfPage": url,
        "inLanguage": card.language,
        "datePublished": card.published_at.isoformat(timespec="seconds"),
        "dateModified": card.updated_at.isoformat(timespec="seconds"),
        "author": [{"@type": "Person", "name": name} for name in issue.authors] or [_publisher(frame)],
        "publisher": _publisher(frame),
    }
    return render_page(
        frame,
        "issue.html",
        url,
        title=card.title,
        description=card.summary,
        language=card.language,
        kind="article",
        issue=issue,
        card=card,
        previous=previous,
        following=following,
        html=partial(_body, issue),
        citations=CITATION_FORMATS,
        section_key=lambda section: key if (key := topic_key(section.title)) in sections else "",
        structured=structured,
    )


def render_paper(frame: Frame, appearances: Sequence[Appearance]) -> str:
    """Return a paper's page from its appearances, newest first (at least one)."""
    latest = appearances[0]
    entry = latest.entry
    url = paper_url(frame.base, entry.page_slug)
    authors = authors_of(appearances)
    return render_page(
        frame,
        "paper.html",
        url,
        title=entry.title,
        description=summarise_entry(latest),
        language=latest.card.language,
        kind="article",
        entry=entry,
        authors=authors,
        appearances=appearances,
        show=lambda one: partial(_body_elsewhere, frame.base, one),
        entry_address=lambda one: f"{issue_url(frame.base, one.card.slug)}#{one.entry.anchor}",
        citation=_citation(entry, authors, url),
        citations=CITATION_FORMATS,
        structured=_scholarly_article(entry, authors, url),
    )


def render_archive(frame: Frame, years: Mapping[int, Sequence[Card]]) -> str:
    """Return the list of years; `years` holds each year's issues."""
    return render_page(frame, "archive.html", archive_url(frame.base), years=years)


def render_year(frame: Frame, year: int, cards: Sequence[Card], years: Sequence[int]) -> str:
    """Return a year's list of issues, newest first, with the way to the other `years`."""
    url = archive_url(frame.base, year)
    return render_page(frame, "year.html", url, year=year, cards=cards, years=years)


def render_missing(frame: Frame) -> str:
    """Return the page for an address where nothing is: it may be shown at any depth, so its links start at the root."""
    url = f"{frame.base}/404.html"
    return render_page(frame, "404.html", url, root=f"{root_of(frame)}/")


def _body(issue: Issue, body: Markdown, under: int = _ENTRY_LEVEL) -> Markup:
    return _render_once(body.source, tuple(issue.references.items()), under)


@lru_cache(maxsize=1024)
def _render_once(source: str, references: tuple[tuple[str, tuple[str, str]], ...], under: int) -> Markup:
    """Return a body as HTML; kept for a while, as an entry is shown on its issue's page and on its paper's."""
    return render_html(Markdown(source), dict(references), medium=Medium.PAGE, under=under)


def _body_elsewhere(base: str, appearance: Appearance, body: Markdown) -> Markup:
    """Return a body of an issue for a paper's page: its relative links still lead to where they did."""
    html = _body(appearance.issue, body)
    if "<h" in html:
        # Its own headings stand one level higher on a paper's page.
        html = _body(appearance.issue, body, _ENTRY_LEVEL - 1)
    return resolve_links(html, issue_url(base, appearance.card.slug))


def _publisher(frame: Frame) -> dict[str, str]:
    publication = frame.settings.publication
    return {"@type": "Organization", "name": publication.editor or publication.title, "url": f"{frame.base}/"}


def _citation(entry: Entry, authors: Sequence[str], url: str) -> list[tuple[str, str]]:
    """Return the meta tags that reference managers read, as name and content."""
    names = {"arxiv": "citation_arxiv_id", "doi": "citation_doi"}
    tags = [("citation_title", render_plain_title(entry.title)), *(("citation_author", name) for name in authors)]
    if submitted := parse_submitted(entry):
        tags.append(("citation_publication_date", "{}/{:02}".format(*submitted)))
    if entry.identifier:
        tags.append((names[entry.identifier.scheme], entry.identifier.value))
    return [*tags, ("citation_abstract_html_url", url)]


def _scholarly_article(entry: Entry, authors: Sequence[str], url: str) -> dict[str, object]:
    article: dict[str, object] = {
        "@type": "ScholarlyArticle",
        "name": render_plain_title(entry.title),
        "author": [{"@type": "Person", "name": name} for name in authors],
    }
    if entry.identifier:
        article |= {"url": entry.identifier.url, "identifier": entry.identifier.label, "sameAs": entry.identifier.url}
    if submitted := parse_submitted(entry):
        article["datePublished"] = "{}-{:02}".format(*submitted)
    return {"@context": "https://schema.org", "@type": "WebPage", "url": url, "mainEntity": article}
