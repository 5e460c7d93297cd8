"""Pages about sections and about feeds: the list of sections, a section's newest papers and its years, every feed's
address. Pure; `newsletter.site` writes them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from newsletter.render.content import Card, Listed
from newsletter.render.feed import FeedItem
from newsletter.render.frame import Frame
from newsletter.render.maths import render_plain_title
from newsletter.render.page import render_page
from newsletter.urls import feeds_url, place_url, section_url

Place = tuple[Card, Listed]
"""One entry of a section, with its issue."""


@dataclass(frozen=True, slots=True)
class SectionCard:
    """What the site says of a section, which is all sections whose headings have one topic key.

    `heading` is as the config or else the latest issue has it, in `language` ('' for the publication's). `entries`
    counts what was in it, ever. `latest` are the latest places of its works, newest first, each work once; `years` are
    all its places by year, newest first.
    """

    key: str
    heading: str
    language: str
    entries: int
    latest: tuple[Place, ...]
    years: Mapping[int, tuple[Place, ...]]


def render_sections(frame: Frame, sections: Sequence[SectionCard]) -> str:
    """Return the list of sections."""
    return render_page(frame, "sections.html", section_url(frame.base), sections=sections)


def render_section(frame: Frame, section: SectionCard, items: Sequence[FeedItem], years: Mapping[int, int]) -> str:
    """Return a section's page; `items` are its works in the order of `latest`, which may hold more of them.

    `years` are the years that have pages, with how much is in each.
    """
    channel = frame.section_channel(section.key, section.heading)
    return render_page(
        frame,
        "section.html",
        section_url(frame.base, section.key),
        title=section.heading,
        description=channel.description,
        channels=(channel, frame.channel),
        section=section,
        channel=channel,
        shown=list(zip(section.latest, items, strict=False)),
        years=years,
    )


def render_section_year(frame: Frame, section: SectionCard, year: int, years: Sequence[int]) -> str:
    """Return a section's entries of one year, with the way to the other `years`."""
    channel = frame.section_channel(section.key, section.heading)
    return render_page(
        frame,
        "section_year.html",
        section_url(frame.base, section.key, year),
        title=f"{render_plain_title(section.heading)}, {year}",
        channels=(channel, frame.channel),
        section=section,
        year=year,
        years=years,
        places=section.years[year],
        place_url=partial(place_url, frame.base),
    )


def render_feeds(frame: Frame, sections: Sequence[SectionCard]) -> str:
    """Return the page that explains every feed."""
    of_sections = [frame.section_channel(section.key, section.heading) for section in sections]
    return render_page(
        frame,
        "feeds.html",
        feeds_url(frame.base),
        channels=(frame.channel, frame.papers_channel, *of_sections),
        sections=list(zip(sections, of_sections, strict=True)),
        whole=frame.channel,
        papers=frame.papers_channel,
    )
