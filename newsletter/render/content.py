"""An issue as others show it: its feed item, and the card by which lists and neighbours know it. Pure.

Owns that what leaves an issue's own page is whole: every address is absolute, every summary plain text.
"""

from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import NamedTuple

from jinja2 import Environment
from markupsafe import Markup

from newsletter.config import Settings
from newsletter.model.edition import PublishedIssue
from newsletter.model.issue import Entry, Issue, is_page_slug
from newsletter.render.environment import in_language, render_template
from newsletter.render.feed import FeedItem, compose_item_id, whole_second
from newsletter.render.links import resolve_links
from newsletter.render.markdown import Medium, render_html, render_title
from newsletter.render.maths import render_plain_title
from newsletter.render.text import render_summary
from newsletter.urls import entry_url, issue_url

GENERATOR = "newsletter (static site)"
"""Stands in every file of the site, so that our files are known even when the build's record is lost."""


class Listed(NamedTuple):
    """An entry as lists know it: the name of its work (Entry.work_in), its place in the issue, and its title."""

    work: str
    anchor: str
    title: str


@dataclass(frozen=True, slots=True)
class Card:
    """What the rest of the site says about an issue: enough for every page but its own and its papers'.

    `contents` are the headings of sections that have entries, with these. Times are aware UTC.
    """

    slug: str
    date: date
    title: str
    summary: str
    language: str
    contents: tuple[tuple[str, tuple[Listed, ...]], ...]
    source_hash: str
    published_at: datetime
    updated_at: datetime

    @property
    def sections(self) -> tuple[tuple[str, int], ...]:
        """Return the headings of sections that have entries, with how many."""
        return tuple((title, len(entries)) for title, entries in self.contents)

    @property
    def entries(self) -> int:
        """Return how many entries the issue has."""
        return sum(len(entries) for _, entries in self.contents)

    @property
    def works(self) -> tuple[str, ...]:
        """Return the names of the works in the issue, each once, in reading order."""
        return tuple(dict.fromkeys(entry.work for _, entries in self.contents for entry in entries))

    @property
    def papers(self) -> tuple[str, ...]:
        """Return those works that have a page of their own; the names are the pages'."""
        return tuple(filter(is_page_slug, self.works))


def compose_card(issue: Issue, published: PublishedIssue) -> Card:
    """Return an issue's card. The ledger's slug and date go before the file's: they are what was announced."""
    return Card(
        slug=published.slug,
        date=published.issue_date,
        title=issue.title,
        summary=compose_summary(issue),
        language=issue.language,
        contents=tuple(
            (section.title, tuple(_list(entry, published.slug) for entry in section.entries))
            for section in issue.sections
            if section.entries
        ),
        source_hash=published.source_hash,
        published_at=published.published_at,
        updated_at=published.updated_at,
    )


def _list(entry: Entry, slug: str) -> Listed:
    return Listed(entry.work_in(slug), entry.anchor, entry.title)


def compose_summary(issue: Issue) -> str:
    """Return a line or two about an issue: its subtitle, else its intro's beginning, else its sections."""
    if issue.subtitle:
        return issue.subtitle
    if intro := shorten(render_summary(issue.intro, issue.references)):
        return intro
    titles = [section.title.rstrip(" .!") for section in issue.sections if section.entries]
    count = sum(1 for _ in issue.entries)
    noun = "paper" if all(entry.page_slug for entry in issue.entries) else "entry"
    plural = noun if count == 1 else {"paper": "papers", "entry": "entries"}[noun]
    return shorten(f"{count} {plural}: {', '.join(titles)}.") if titles else ""


def render_feed_content(issue: Issue, settings: Settings, environment: Environment) -> Markup:
    """Return the whole issue as HTML for feed readers: no styles of its own, every address absolute."""
    base = settings.publication.url
    values = {
        "issue": issue,
        "rules": settings.issues,
        "html": partial(render_html, references=issue.references, medium=Medium.FEED),
        "shown_title": partial(render_title, medium=Medium.FEED),
        "entry_url": partial(entry_url, base, issue.slug),
    }
    content = render_template(in_language(environment, issue.language), "site/feed_content.html", values)
    return resolve_links(Markup(content), issue_url(base, issue.slug))  # noqa: S704 - a template escaped it


def compose_feed_item(issue: Issue, card: Card, settings: Settings, environment: Environment) -> FeedItem:
    """Return an issue as a feed item."""
    publication = settings.publication
    sections = (section.title for section in issue.sections if section.entries)
    return FeedItem(
        id=compose_item_id(settings.site.id_url or publication.url, card.slug, card.published_at),
        url=issue_url(publication.url, card.slug),
        title=render_plain_title(card.title),
        summary=card.summary,
        html=str(render_feed_content(issue, settings, environment)),
        authors=issue.authors or (publication.editor or publication.title,),
        categories=tuple(dict.fromkeys((*issue.topics, *sections))),
        language=card.language,
        published_at=whole_second(card.published_at),
        updated_at=whole_second(card.updated_at),
    )


def shorten(text: str, length: int = 200) -> str:
    """Return at most `length` characters, cut between words."""
    if len(text) <= length:
        return text
    return text[: length - 1].rsplit(" ", 1)[0].rstrip(" ,;:.–—") + "…"
