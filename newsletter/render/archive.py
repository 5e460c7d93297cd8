"""The site's pages as text: front page, issues, papers, archive, sitemaps. Pure; `newsletter.site` writes them.

Owns what each page says and what is said about a page to machines (canonical, Open Graph, citation, JSON-LD). Links
within the site are relative, so that a copy works at any address; what leaves the page is absolute.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from urllib.parse import urlsplit

from jinja2 import Environment
from markupsafe import Markup

from newsletter.config import Settings
from newsletter.model.issue import Entry, Issue, Markdown
from newsletter.render.content import GENERATOR, Card, shorten
from newsletter.render.environment import in_language, render_template
from newsletter.render.language import direction_of
from newsletter.render.links import resolve_links
from newsletter.render.markdown import Medium, render_html, render_title
from newsletter.render.maths import render_plain_title
from newsletter.render.text import render_summary
from newsletter.urls import ATOM_PATH, JSON_FEED_PATH, RSS_PATH, archive_url, entry_url, issue_url, paper_url

_ENTRY_LEVEL = 3
"""The level of an entry's heading on its issue's page."""


@dataclass(frozen=True, slots=True)
class Appearance:
    """One paper in one issue."""

    card: Card
    issue: Issue
    entry: Entry


@dataclass(frozen=True, slots=True)
class Frame:
    """What every page shares; `style_version` changes with the style sheet, so that caches let go of an old one."""

    environment: Environment
    settings: Settings
    style_version: str

    @property
    def base(self) -> str:
        """Return the site's address without a trailing slash."""
        return self.settings.publication.url


def site_path(base: str, url: str) -> str:
    """Return the file that is served at an address: `issues/2024-05-25/index.html`."""
    path = url.removeprefix(base).lstrip("/")
    return f"{path}index.html" if path.endswith("/") or not path else path


def render_index(frame: Frame, cards: Sequence[Card], total: int) -> str:
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
    return _render(frame, "index.html", f"{frame.base}/", cards=cards, total=total, structured=structured)


def render_issue(frame: Frame, issue: Issue, card: Card, previous: Card | None, following: Card | None) -> str:
    """Return an issue's page; `previous` and `following` are its neighbours by date."""
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
    return _render(
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
        structured=structured,
    )


def render_paper(frame: Frame, appearances: Sequence[Appearance]) -> str:
    """Return a paper's page from its appearances, newest first (at least one)."""
    latest = appearances[0]
    entry = latest.entry
    url = paper_url(frame.base, entry.page_slug)
    authors = next((one.entry.authors for one in appearances if one.entry.authors), ())
    return _render(
        frame,
        "paper.html",
        url,
        title=entry.title,
        description=_paper_summary(latest),
        language=latest.card.language,
        kind="article",
        entry=entry,
        authors=authors,
        appearances=appearances,
        show=lambda one: partial(_body_elsewhere, frame.base, one),
        entry_address=lambda one: f"{issue_url(frame.base, one.card.slug)}#{one.entry.anchor}",
        citation=_citation(entry, authors, url),
        structured=_scholarly_article(entry, authors, url),
    )


def render_archive(frame: Frame, years: Mapping[int, Sequence[Card]]) -> str:
    """Return the list of years; `years` holds each year's issues."""
    return _render(frame, "archive.html", archive_url(frame.base), years=years)


def render_year(frame: Frame, year: int, cards: Sequence[Card], years: Sequence[int]) -> str:
    """Return a year's list of issues, newest first, with the way to the other `years`."""
    url = archive_url(frame.base, year)
    return _render(frame, "year.html", url, year=year, cards=cards, years=years)


def render_missing(frame: Frame) -> str:
    """Return the page for an address where nothing is: it may be shown at any depth, so its links start at the root."""
    url = f"{frame.base}/404.html"
    return _render(frame, "404.html", url, root=f"{_root(frame)}/")


def render_asset(frame: Frame, name: str, **values: object) -> str:
    """Return what isn't a page (`style.css`, `icon.svg`, `robots.txt`, `sitemap.xml`, `sitemap-year.xml`)."""
    publication = frame.settings.publication
    return render_template(
        frame.environment,
        f"site/{name}",
        {"publication": publication, "base": frame.base, "root": _root(frame), "generator": GENERATOR, **values},
    )


def _render(
    frame: Frame,
    template: str,
    url: str,
    *,
    root: str | None = None,
    title: str = "",
    description: str = "",
    language: str = "",
    kind: str = "website",
    **values: object,
) -> str:
    publication = frame.settings.publication
    base = frame.base
    depth = url.removeprefix(f"{base}/").count("/")
    link = partial(_relative, base, "../" * depth if root is None else root)
    feeds = (
        ("RSS", "application/rss+xml", f"{base}/{RSS_PATH}"),
        ("Atom", "application/atom+xml", f"{base}/{ATOM_PATH}"),
        ("JSON Feed", "application/feed+json", f"{base}/{JSON_FEED_PATH}"),
    )
    shared: dict[str, object] = {
        "publication": publication,
        "rules": frame.settings.issues,
        "generator": GENERATOR,
        "style": f"{base}/style.css?v={frame.style_version}",
        "icon": f"{base}/icon.svg",
        "base": base,
        "url": url,
        "title": title,
        "plain_title": render_plain_title,
        "shown_title": partial(render_title, medium=Medium.PAGE),
        "description": description or publication.tagline,
        "language": language or publication.language,
        "direction": direction_of(language or publication.language),
        "kind": kind,
        "feeds": feeds,
        "link": link,
        **_addresses(base),
    }
    environment = in_language(frame.environment, language or publication.language)
    return render_template(environment, f"site/{template}", shared | values)


def _addresses(base: str) -> dict[str, object]:
    """Return the site's addresses as templates call them."""
    return {
        "issue_url": partial(issue_url, base),
        "paper_url": partial(paper_url, base),
        "entry_url": partial(entry_url, base),
        "archive_url": partial(archive_url, base),
    }


def _root(frame: Frame) -> str:
    """Return the path at which the site stands on its host, without a trailing slash."""
    return urlsplit(frame.base).path


def _relative(base: str, root: str, url: str) -> str:
    """Return an address of this site as seen from a page that is `root` away from the site's top."""
    if url.startswith(f"{base}/"):
        return (root + url[len(base) + 1 :]) or "./"
    return url


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


def _paper_summary(appearance: Appearance) -> str:
    entry = appearance.entry
    body = entry.lead or next((field.body for field in entry.fields if field.body), Markdown(""))
    return shorten(render_summary(body, appearance.issue.references))


def _submitted(entry: Entry) -> str:
    """Return year and month (`2024/05`) as an arXiv id tells them, else nothing: a DOI doesn't know its date."""
    if entry.identifier is None or entry.identifier.scheme != "arxiv":
        return ""
    digits = entry.identifier.value.rsplit("/", 1)[-1][:4]
    if not digits.isdecimal():
        return ""
    # arXiv began in August 1991, so two digits are enough until 2091.
    century = "19" if int(digits[:2]) >= 91 else "20"
    return f"{century}{digits[:2]}/{digits[2:]}"


def _citation(entry: Entry, authors: Sequence[str], url: str) -> list[tuple[str, str]]:
    """Return the meta tags that reference managers read, as name and content."""
    names = {"arxiv": "citation_arxiv_id", "doi": "citation_doi"}
    tags = [("citation_title", render_plain_title(entry.title)), *(("citation_author", name) for name in authors)]
    if submitted := _submitted(entry):
        tags.append(("citation_publication_date", submitted))
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
    if submitted := _submitted(entry):
        article["datePublished"] = submitted.replace("/", "-")
    return {"@context": "https://schema.org", "@type": "WebPage", "url": url, "mainEntity": article}
