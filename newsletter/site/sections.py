"""Which sections the site has pages of, what is in each, and which files these make. Pure.

Owns the rule for a section's page: one that is configured always has one, any other once two issues had it, or one of
the first few, so that headings which never come up again don't make thousands of pages. A page once there stays.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from itertools import groupby

from newsletter.model.topic import topic_key
from newsletter.render.content import Card
from newsletter.render.feed import FeedItem
from newsletter.render.frame import Frame, site_path
from newsletter.render.sections import (
    Place,
    SectionCard,
    render_feeds,
    render_section,
    render_section_year,
    render_sections,
)
from newsletter.site.pages import Page, Sources, plain_page
from newsletter.urls import feeds_url, section_url

YOUNG = 3
"""Issues, the first to be published, whose every section has a page."""

section_key = lru_cache(maxsize=4096)(topic_key)

Items = Callable[[Sequence[Place], Sources], list[FeedItem]]
"""Returns the feed items of works, in the order given."""


def gather_sections(ordered: Sequence[Card], configured: Sequence[str], most: int) -> list[SectionCard]:
    """Return the sections that have pages: the configured ones in their order, then those of the latest issues.

    `ordered` are all issues, oldest first; `most` is how many of a section's latest works are wanted.
    """
    places: dict[str, list[Place]] = {}
    headings: dict[str, tuple[str, str]] = {section_key(heading): (heading, "") for heading in configured}
    for card in reversed(ordered):
        for heading, entries in card.contents:
            key = section_key(heading)
            headings.setdefault(key, (heading, card.language))
            places.setdefault(key, []).extend([(card, entry) for entry in entries])
    lasting = {section_key(heading) for heading in configured}
    lasting |= {key for key, found in places.items() if found[0][0] is not found[-1][0]}
    lasting |= {section_key(heading) for card in _first_published(ordered) for heading, _ in card.contents}
    return [_gather(key, *headings[key], places.get(key, []), most) for key in headings if key in lasting]


def plan_sections(
    frame: Frame, sections: Sequence[SectionCard], inputs_of: Callable[[Sequence[Place]], str], items: Items
) -> Iterator[Page]:
    """Yield the pages of each section and of its years, the list of sections, and the page about feeds.

    `inputs_of` returns what items are made from.
    """
    most = frame.settings.site.section_papers
    for section in sections:
        name = f"{section.heading} {section.language}"
        # What the page itself has no room for is on pages by year.
        years = {year: len(places) for year, places in section.years.items()} if section.entries > most else {}
        for year in years:
            slugs = dict.fromkeys(card.slug for card, _ in section.years[year])
            hashes = {card.slug: card.source_hash for card, _ in section.years[year]}
            path = site_path(frame.base, section_url(frame.base, section.key, year))
            inputs = "\n".join([name, str(list(years)), *(f"{slug} {hashes[slug]}" for slug in slugs)])
            yield plain_page(path, inputs, partial(render_section_year, frame, section, year, list(years)))
        shown = section.latest[:most]
        path = site_path(frame.base, section_url(frame.base, section.key))
        inputs = f"{name} {section.entries} {years}\n{inputs_of(shown)}"
        yield Page(path, inputs, partial(_section, frame, section, shown, years, items))
    names = [(section.key, section.heading, section.language) for section in sections]
    counts = [(section.entries, [str(card.date) for card, _ in section.latest[:1]]) for section in sections]
    path = site_path(frame.base, section_url(frame.base))
    yield plain_page(path, f"{names} {counts}", partial(render_sections, frame, sections))
    yield plain_page(site_path(frame.base, feeds_url(frame.base)), str(names), partial(render_feeds, frame, sections))


def list_section_urls(base: str, sections: Sequence[SectionCard]) -> list[str]:
    """Return the addresses of the pages that `plan_sections` plans, but for those by year."""
    return [section_url(base), *(section_url(base, section.key) for section in sections), feeds_url(base)]


def _first_published(cards: Sequence[Card]) -> list[Card]:
    return sorted(cards, key=lambda card: (card.published_at, card.slug))[:YOUNG]


def _gather(key: str, heading: str, language: str, places: Sequence[Place], most: int) -> SectionCard:
    """Return a section from its places, newest first."""
    latest: dict[str, Place] = {}
    for place in places:
        if len(latest) == most:
            break
        latest.setdefault(place[1].work, place)
    years = {year: tuple(group) for year, group in groupby(places, key=lambda place: place[0].date.year)}
    return SectionCard(key, heading, language, len(places), tuple(latest.values()), years)


def _section(
    frame: Frame,
    section: SectionCard,
    shown: Sequence[Place],
    years: Mapping[int, int],
    items: Items,
    sources: Sources,
) -> str:
    return render_section(frame, section, items(shown, sources), years)
