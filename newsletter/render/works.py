"""A paper, or another entry, by itself: as an item of feeds, with the issues that it was in. Pure.

Owns that a work is one item however many issues have it: its id and first publication stay, and what is shown is the
latest.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from markupsafe import Markup

from newsletter.model.issue import Entry, Issue, Markdown
from newsletter.render.content import Card, shorten
from newsletter.render.environment import in_language, render_template
from newsletter.render.feed import FeedItem, compose_work_id, whole_second
from newsletter.render.frame import Frame
from newsletter.render.links import resolve_links
from newsletter.render.markdown import Medium, render_html, render_title
from newsletter.render.maths import render_plain_title
from newsletter.render.text import render_summary
from newsletter.urls import entry_url, issue_url


@dataclass(frozen=True, slots=True)
class Appearance:
    """One paper in one issue."""

    card: Card
    issue: Issue
    entry: Entry


SHOWN = 5
"""Issues that an item looks back at: a link that every issue has must not make a publish read them all."""


def compose_work_item(frame: Frame, work: str, cards: Sequence[Card], find: Callable[[Card], Appearance]) -> FeedItem:
    """Return a work (Listed.work) as a feed item; `cards` are the issues that have it, newest first (at least one).

    `find` returns its appearance in one of them. It was published with the first issue that has it, and changes with
    each that has it. **Limit.** A correction of one of these issues counts as a change of the work, whatever was
    corrected.
    """
    latest = find(cards[0])
    shown = cards[:SHOWN]
    authors = latest.entry.authors or next((names for card in shown[1:] if (names := find(card).entry.authors)), ())
    sections = [section.title for section in latest.issue.sections if latest.entry in section.entries]
    return FeedItem(
        id=compose_work_id(frame.settings.site.id_url or frame.base, work),
        url=entry_url(frame.base, latest.card.slug, latest.entry),
        title=render_plain_title(latest.entry.title),
        summary=summarise_entry(latest),
        html=str(_render_content(frame, latest, authors, shown)),
        authors=authors,
        categories=tuple(dict.fromkeys(sections)),
        language=latest.card.language,
        published_at=whole_second(min(card.published_at for card in cards)),
        updated_at=whole_second(max(card.updated_at for card in cards)),
    )


def authors_of(appearances: Sequence[Appearance]) -> tuple[str, ...]:
    """Return a work's authors, as the latest issue names them that names any."""
    return next((one.entry.authors for one in appearances if one.entry.authors), ())


def summarise_entry(appearance: Appearance) -> str:
    """Return a line or two about an entry: the beginning of its text."""
    entry = appearance.entry
    body = entry.lead or next((field.body for field in entry.fields if field.body), Markdown(""))
    return shorten(render_summary(body, appearance.issue.references))


def _render_content(frame: Frame, latest: Appearance, authors: Sequence[str], cards: Sequence[Card]) -> Markup:
    values = {
        "entry": latest.entry,
        "authors": authors,
        "cards": cards,
        "html": partial(render_html, references=latest.issue.references, medium=Medium.FEED, under=2),
        "shown_title": partial(render_title, medium=Medium.FEED),
        "issue_url": partial(issue_url, frame.base),
    }
    environment = in_language(frame.environment, latest.card.language)
    content = render_template(environment, "site/feed_paper.html", values)
    return resolve_links(Markup(content), issue_url(frame.base, latest.card.slug))  # noqa: S704 - a template escaped it
