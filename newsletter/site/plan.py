"""Which files the site has, what each is made from, and in which order they are written. Pure.

Owns the site's floor plan and the dependencies: a page names everything it is made from in `inputs`, so a build renders
exactly what changed. Pages come before what leads to them; feeds and the front page are last.
"""

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import groupby

from newsletter.render.archive import (
    render_archive,
    render_index,
    render_issue,
    render_missing,
    render_paper,
    render_year,
)
from newsletter.render.citations import CITATION_FORMATS, Citation, cite_issue, cite_work
from newsletter.render.content import Card
from newsletter.render.frame import Frame, render_asset, site_path
from newsletter.render.sections import SectionCard
from newsletter.site.feeds import (
    Known,
    Works,
    find_appearances,
    order_published,
    plan_history,
    plan_issues_feed,
    plan_papers,
)
from newsletter.site.pages import Page, Sources, compose_stamp, plain_page
from newsletter.site.sections import gather_sections, list_section_urls, plan_sections, section_key
from newsletter.urls import archive_url, issue_url, paper_url

USERS_FIRST = frozenset({"robots.txt", "icon.svg", "404.html"})
"""Files that we write only where the user hasn't put his own."""


def plan_site(frame: Frame, cards: Sequence[Card], known: Known) -> list[Page]:
    """Return every file of the site in the order they are to be written; items that are `known` are not made again."""
    ordered = sorted(cards, key=lambda card: (card.date, card.slug))
    published = order_published(cards)
    site = frame.settings.site
    stamps = {card.slug: compose_stamp(card) for card in ordered}
    works: dict[str, list[Card]] = {}
    for card in ordered:
        for work in card.works:
            works.setdefault(work, []).append(card)
    years = {year: list(group)[::-1] for year, group in groupby(ordered, key=lambda card: card.date.year)}
    years = dict(reversed(years.items()))
    sections = gather_sections(ordered, frame.settings.issues.sections, max(site.feed_papers, site.section_papers))
    made = Works(frame, works, known)
    return [
        *_assets(frame),
        *_issues(frame, ordered, works, stamps, {one.key for one in sections}, plan_history(frame, published, known)),
        *_lists(frame, years, stamps),
        *plan_sections(frame, sections, made.inputs, made.items),
        *_sitemaps(frame, years, works, stamps, sections),
        *plan_papers(frame, published, sections, made),
        *plan_issues_feed(frame, published, known),
        _index(frame, ordered, stamps, sections),
    ]


def _assets(frame: Frame) -> Iterator[Page]:
    for name in ("style.css", "icon.svg", "robots.txt"):
        yield plain_page(name, "", partial(render_asset, frame, name))
    yield plain_page("404.html", "", partial(render_missing, frame))


def _issues(
    frame: Frame,
    ordered: Sequence[Card],
    works: Mapping[str, Sequence[Card]],
    stamps: Mapping[str, str],
    sections: Container[str],
    after: Mapping[str, Sequence[Page]],
) -> Iterator[Page]:
    """Yield each issue's page after its papers' pages, then what is to come `after` it; a paper is shown with the last
    issue that has it."""
    for at, card in enumerate(ordered):
        for paper in card.papers:
            appeared = works[paper]
            if appeared[-1] is card:
                path = site_path(frame.base, paper_url(frame.base, paper))
                inputs = "\n".join([stamps[one.slug] for one in appeared])
                yield Page(path, inputs, partial(_paper, frame, paper, appeared))
                yield from _citations(path, inputs, partial(_cite_paper, paper, appeared))
        previous = ordered[at - 1] if at else None
        following = ordered[at + 1] if at + 1 < len(ordered) else None
        neighbours = [f"{one.slug} {one.date} {one.title}" if one else "" for one in (previous, following)]
        linked = frozenset(key for title, _ in card.contents if (key := section_key(title)) in sections)
        inputs = "\n".join([stamps[card.slug], *neighbours, *sorted(linked)])
        path = site_path(frame.base, issue_url(frame.base, card.slug))
        yield Page(path, inputs, partial(_issue, frame, card, previous, following, linked))
        yield from _citations(path, stamps[card.slug], partial(_cite_issue, frame, card))
        yield from after.get(card.slug, ())


def _issue(
    frame: Frame,
    card: Card,
    previous: Card | None,
    following: Card | None,
    sections: Container[str],
    sources: Sources,
) -> str:
    return render_issue(frame, sources(card.slug), card, previous, following, sections)


def _paper(frame: Frame, paper: str, cards: Sequence[Card], sources: Sources) -> str:
    return render_paper(frame, find_appearances(paper, cards, sources))


def _citations(path: str, inputs: str, cite: Callable[[Sources], Sequence[Citation]]) -> Iterator[Page]:
    """Yield the citations that are beside a page, one file a format."""
    folder = path.removesuffix("index.html")
    for one in CITATION_FORMATS:
        yield Page(folder + one.file, inputs, partial(_cite, one.render, cite))


def _cite(
    render: Callable[[Sequence[Citation]], str], cite: Callable[[Sources], Sequence[Citation]], sources: Sources
) -> str:
    return render(cite(sources))


def _cite_paper(paper: str, cards: Sequence[Card], sources: Sources) -> list[Citation]:
    return [cite_work(find_appearances(paper, cards, sources))]


def _cite_issue(frame: Frame, card: Card, sources: Sources) -> list[Citation]:
    publication = frame.settings.publication
    url, publisher = issue_url(frame.base, card.slug), publication.editor or publication.title
    return cite_issue(sources(card.slug), card, url, publication.title, publisher)


def _lists(frame: Frame, years: Mapping[int, Sequence[Card]], stamps: Mapping[str, str]) -> Iterator[Page]:
    known = list(years)
    for year, cards in years.items():
        inputs = "\n".join([str(known), *(stamps[card.slug] for card in cards)])
        path = site_path(frame.base, archive_url(frame.base, year))
        yield plain_page(path, inputs, partial(render_year, frame, year, cards, known))
    counts = str([(year, len(cards), sum(card.entries for card in cards)) for year, cards in years.items()])
    yield plain_page(site_path(frame.base, archive_url(frame.base)), counts, partial(render_archive, frame, years))


def _sitemaps(
    frame: Frame,
    years: Mapping[int, Sequence[Card]],
    papers: Mapping[str, Sequence[Card]],
    stamps: Mapping[str, str],
    sections: Sequence[SectionCard],
) -> Iterator[Page]:
    """Yield one sitemap for each year, one for the lists, and the index of them."""
    for year, cards in years.items():
        repeated = (one for card in cards for paper in card.papers for one in papers[paper][1:])
        inputs = "\n".join(stamps[card.slug] for card in (*cards, *repeated))
        yield plain_page(f"sitemap-{year}.xml", inputs, partial(_sitemap, frame, cards, papers))
    lists = [f"{frame.base}/", archive_url(frame.base), *(archive_url(frame.base, year) for year in years)]
    lists += list_section_urls(frame.base, sections)
    plain = [(url, None) for url in lists]
    yield plain_page("sitemap-lists.xml", str(lists), partial(render_asset, frame, "sitemap-part.xml", entries=plain))
    parts: list[tuple[str, datetime | None]] = [(f"{frame.base}/sitemap-lists.xml", None)]
    parts += [(f"{frame.base}/sitemap-{year}.xml", max(card.updated_at for card in years[year])) for year in years]
    yield plain_page("sitemap.xml", str(parts), partial(render_asset, frame, "sitemap.xml", entries=parts))


def _sitemap(frame: Frame, cards: Sequence[Card], papers: Mapping[str, Sequence[Card]]) -> str:
    """Return a year's sitemap: its issues, and the papers that first appeared in them."""
    entries: list[tuple[str, datetime | None]] = []
    for card in cards:
        entries.append((issue_url(frame.base, card.slug), card.updated_at))
        first = (paper for paper in card.papers if papers[paper][0] is card)
        entries += [(paper_url(frame.base, paper), max(one.updated_at for one in papers[paper])) for paper in first]
    return render_asset(frame, "sitemap-part.xml", entries=entries)


def _index(frame: Frame, ordered: Sequence[Card], stamps: Mapping[str, str], sections: Sequence[SectionCard]) -> Page:
    latest = ordered[::-1][: frame.settings.site.index_entries]
    names = [(section.key, section.heading, section.entries) for section in sections]
    inputs = "\n".join([str(len(ordered)), str(names), *(stamps[card.slug] for card in latest)])
    return plain_page("index.html", inputs, partial(render_index, frame, latest, len(ordered), sections))
