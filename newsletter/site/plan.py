"""Which files the site has, what each is made from, and in which order they are written. Pure.

Owns the site's floor plan and the dependencies: a page names everything it is made from in `inputs`, so a build renders
exactly what changed. Pages come before what leads to them; feeds and the front page are last.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from itertools import groupby

from newsletter.model.issue import Issue
from newsletter.render.archive import (
    Appearance,
    Frame,
    render_archive,
    render_asset,
    render_index,
    render_issue,
    render_missing,
    render_paper,
    render_year,
    site_path,
)
from newsletter.render.content import Card, compose_feed_info, compose_feed_item
from newsletter.render.feed import FeedInfo, FeedItem, render_atom, render_json_feed, render_rss, whole_second
from newsletter.urls import ATOM_PATH, JSON_FEED_PATH, RSS_PATH, archive_url, issue_url, paper_url

Sources = Callable[[str], Issue]
"""From slug to issue, as its latest revision says."""

USERS_FIRST = frozenset({"robots.txt", "icon.svg", "404.html"})
"""Files that we write only where the user hasn't put his own."""


@dataclass(frozen=True, slots=True)
class Page:
    """A file of the site. Equal `inputs` mean equal bytes, under the same templates, settings and program."""

    path: str
    inputs: str
    render: Callable[[Sources], str | bytes]


def plan_site(frame: Frame, cards: Sequence[Card], items: Mapping[str, FeedItem]) -> list[Page]:
    """Return every file of the site in the order they are to be written.

    `items` are feed items by slug that are known to be right; the others are made.
    """
    ordered = sorted(cards, key=lambda card: (card.date, card.slug))
    stamps = {card.slug: _stamp(card) for card in ordered}
    papers: dict[str, list[Card]] = {}
    for card in ordered:
        for paper in card.papers:
            papers.setdefault(paper, []).append(card)
    years = {year: list(group)[::-1] for year, group in groupby(ordered, key=lambda card: card.date.year)}
    years = dict(reversed(years.items()))
    return [
        *_assets(frame),
        *_issues(frame, ordered, papers, stamps),
        *_lists(frame, years, stamps),
        *_sitemaps(frame, years, papers, stamps),
        *_feeds(frame, ordered, stamps, items),
        _index(frame, ordered, stamps),
    ]


def _stamp(card: Card) -> str:
    """Return a word that changes whenever a page about the issue might."""
    times = f"{card.published_at.isoformat()} {card.updated_at.isoformat()}"
    return f"{card.slug} {card.date.isoformat()} {card.source_hash} {times}"


def _page(path: str, inputs: str, render: Callable[[], str]) -> Page:
    """Return a page that needs no issue's source."""
    return Page(path, inputs, lambda _: render())


def _assets(frame: Frame) -> Iterator[Page]:
    for name in ("style.css", "icon.svg", "robots.txt"):
        yield _page(name, "", partial(render_asset, frame, name))
    yield _page("404.html", "", partial(render_missing, frame))


def _issues(
    frame: Frame, ordered: Sequence[Card], papers: Mapping[str, Sequence[Card]], stamps: Mapping[str, str]
) -> Iterator[Page]:
    """Yield each issue's page after its papers' pages; a paper is shown with the last issue that has it."""
    for at, card in enumerate(ordered):
        for paper in card.papers:
            appeared = papers[paper]
            if appeared[-1] is card:
                path = site_path(frame.base, paper_url(frame.base, paper))
                inputs = "\n".join([stamps[one.slug] for one in appeared])
                yield Page(path, inputs, partial(_paper, frame, paper, tuple(reversed(appeared))))
        previous = ordered[at - 1] if at else None
        following = ordered[at + 1] if at + 1 < len(ordered) else None
        neighbours = [f"{one.slug} {one.date} {one.title}" if one else "" for one in (previous, following)]
        path = site_path(frame.base, issue_url(frame.base, card.slug))
        yield Page(path, "\n".join([stamps[card.slug], *neighbours]), partial(_issue, frame, card, previous, following))


def _issue(frame: Frame, card: Card, previous: Card | None, following: Card | None, sources: Sources) -> str:
    return render_issue(frame, sources(card.slug), card, previous, following)


def _paper(frame: Frame, paper: str, cards: Sequence[Card], sources: Sources) -> str:
    appearances = []
    for card in cards:
        issue = sources(card.slug)
        entry = next(entry for entry in issue.entries if entry.page_slug == paper)
        appearances.append(Appearance(card, issue, entry))
    return render_paper(frame, appearances)


def _lists(frame: Frame, years: Mapping[int, Sequence[Card]], stamps: Mapping[str, str]) -> Iterator[Page]:
    known = list(years)
    for year, cards in years.items():
        inputs = "\n".join([str(known), *(stamps[card.slug] for card in cards)])
        path = site_path(frame.base, archive_url(frame.base, year))
        yield _page(path, inputs, partial(render_year, frame, year, cards, known))
    counts = str([(year, len(cards), sum(card.entries for card in cards)) for year, cards in years.items()])
    yield _page(site_path(frame.base, archive_url(frame.base)), counts, partial(render_archive, frame, years))


def _sitemaps(
    frame: Frame, years: Mapping[int, Sequence[Card]], papers: Mapping[str, Sequence[Card]], stamps: Mapping[str, str]
) -> Iterator[Page]:
    """Yield one sitemap for each year, one for the lists, and the index of them."""
    for year, cards in years.items():
        repeated = (one for card in cards for paper in card.papers for one in papers[paper][1:])
        inputs = "\n".join(stamps[card.slug] for card in (*cards, *repeated))
        yield _page(f"sitemap-{year}.xml", inputs, partial(_sitemap, frame, cards, papers))
    lists = [f"{frame.base}/", archive_url(frame.base), *(archive_url(frame.base, year) for year in years)]
    plain = [(url, None) for url in lists]
    yield _page("sitemap-lists.xml", str(lists), partial(render_asset, frame, "sitemap-part.xml", entries=plain))
    parts: list[tuple[str, datetime | None]] = [(f"{frame.base}/sitemap-lists.xml", None)]
    parts += [(f"{frame.base}/sitemap-{year}.xml", max(card.updated_at for card in years[year])) for year in years]
    yield _page("sitemap.xml", str(parts), partial(render_asset, frame, "sitemap.xml", entries=parts))


def _sitemap(frame: Frame, cards: Sequence[Card], papers: Mapping[str, Sequence[Card]]) -> str:
    """Return a year's sitemap: its issues, and the papers that first appeared in them."""
    entries: list[tuple[str, datetime | None]] = []
    for card in cards:
        entries.append((issue_url(frame.base, card.slug), card.updated_at))
        first = (paper for paper in card.papers if papers[paper][0] is card)
        entries += [(paper_url(frame.base, paper), max(one.updated_at for one in papers[paper])) for paper in first]
    return render_asset(frame, "sitemap-part.xml", entries=entries)


def _feeds(
    frame: Frame, ordered: Sequence[Card], stamps: Mapping[str, str], known: Mapping[str, FeedItem]
) -> Iterator[Page]:
    # A feed is ordered by publication: an old issue that is published today is news today.
    newest = sorted(ordered, key=lambda card: (whole_second(card.published_at), card.slug), reverse=True)
    latest = newest[: frame.settings.site.feed_entries]
    info = compose_feed_info(frame.settings)

    @cache
    def items(sources: Sources) -> list[FeedItem]:
        return [
            known.get(one.slug) or compose_feed_item(sources(one.slug), one, frame.settings, frame.environment)
            for one in latest
        ]

    inputs = "\n".join(stamps[card.slug] for card in latest)
    for path, render in ((ATOM_PATH, render_atom), (JSON_FEED_PATH, render_json_feed), (RSS_PATH, render_rss)):
        yield Page(path, inputs, partial(_feed, render, info, items))


def _feed(
    render: Callable[[FeedInfo, Sequence[FeedItem]], bytes],
    info: FeedInfo,
    items: Callable[[Sources], Sequence[FeedItem]],
    sources: Sources,
) -> bytes:
    return render(info, items(sources))


def _index(frame: Frame, ordered: Sequence[Card], stamps: Mapping[str, str]) -> Page:
    latest = ordered[::-1][: frame.settings.site.index_entries]
    inputs = "\n".join([str(len(ordered)), *(stamps[card.slug] for card in latest)])
    return _page("index.html", inputs, partial(render_index, frame, latest, len(ordered)))
