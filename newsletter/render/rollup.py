"""What a week or a month brought as a mail: much of it, and briefly.

Owns what is said of an entry (its title and one sentence), and what gives way when there is too much of it for one
mail: first the sentences, then the ends of the longest sections. A pure function of issues, settings and templates.
"""

import re
from collections.abc import Callable
from functools import partial

from jinja2 import Environment

from newsletter.config import Settings
from newsletter.errors import NewsletterError
from newsletter.model.edition import Edition
from newsletter.model.issue import Entry, Issue
from newsletter.model.rollup import Chapter, Item, Rollup
from newsletter.model.variant import Rendering, VariantKey
from newsletter.render.content import shorten
from newsletter.render.digest import cut_chapters, works_of
from newsletter.render.edition import fill_html, fill_text, sender_of, shorten_preheader
from newsletter.render.environment import in_language, render_template
from newsletter.render.language import direction_of
from newsletter.render.maths import render_plain_title
from newsletter.render.text import render_summary
from newsletter.render.view import (
    EntryView,
    Form,
    HtmlForm,
    MailView,
    Origin,
    SectionView,
    TextForm,
    one_line,
    web_address,
)
from newsletter.urls import RSS_PATH, archive_url, issue_url, preferences_url, unsubscribe_url

HTML_TEMPLATE = "email/rollup.html"
TEXT_TEMPLATE = "email/rollup.txt"
TITLE_TEMPLATE = "email/rollup_title.txt"

SENTENCE_LENGTH = 240
"""Characters of the sentence about an entry."""

_KILOBYTE = 1000
_LEAST = 30  # characters; what ends before is an abbreviation or says nothing
_END = re.compile(r"[.!?…][\"'”’)\]]*(?=\s|$)|[。！？]")
_ABBREVIATIONS = re.compile(r"(?:^|[\s(])(?:[A-Za-z]|e\.g|i\.e|et al|al|cf|vs|etc|resp|approx|Fig|Eq|Sec|No|St|Dr)\.$")


def render_rollup(rollup: Rollup, key: VariantKey, settings: Settings, environment: Environment) -> Rendering:
    """Return what the readers of a variant get: `rollup` is compiled for it, and has something in it.

    `works` of the rendering are those that there was room for. Raises NewsletterError for a template that fails, or
    that leaves no room at all.
    """
    environment = in_language(environment, settings.publication.language)
    draw = partial(_draw, chosen=bool(key.topics), settings=settings, environment=environment)
    limit = settings.issues.html_error_kb * _KILOBYTE
    shown, edition = fit_rollup(rollup, limit, draw)
    return Rendering(key, edition, works_of(shown))


def fit_rollup(rollup: Rollup, limit: int, draw: Callable[[Rollup, bool], Edition]) -> tuple[Rollup, Edition]:
    """Return as much of a roll-up as fits into `limit` bytes of HTML, and how it looks.

    `draw` shows one, with sentences or (True) as titles alone. What has no room for titles loses the ends of its
    longest sections, so that something of each remains. Raises NewsletterError when nothing fits.
    """
    edition = draw(rollup, False)
    if _size(edition) <= limit:
        return rollup, edition
    edition = draw(rollup, True)
    most = max(len(chapter.items) for chapter in rollup.chapters)
    shown = rollup
    while _size(edition) > limit:
        most = min(most - 1, most * limit // _size(edition))
        if most < 1:
            raise NewsletterError(
                f"{rollup.period.slug}: not even one title of each section fits into [issues] html_error_kb. "
                "Raise it, or shorten the templates email/rollup.html and email/issue.html."
            )
        shown = cut_chapters(rollup, most)
        edition = draw(shown, True)
    return shown, edition


def compose_sentence(entry: Entry, issue: Issue) -> str:
    """Return the first sentence that an entry says, on one line; empty when it says nothing."""
    runs = (entry.lead, *(field.body for field in entry.fields))
    said = next((text for run in runs if (text := render_summary(run, issue.references))), "")
    for match in _END.finditer(said):
        kept = said[: match.end()]
        if len(kept) >= _LEAST and not _ABBREVIATIONS.search(kept):
            return shorten(kept, SENTENCE_LENGTH)
    return shorten(said, SENTENCE_LENGTH)


def _size(edition: Edition) -> int:
    return len(edition.html.encode())


def _draw(rollup: Rollup, brief: bool, *, chosen: bool, settings: Settings, environment: Environment) -> Edition:
    title = _title(rollup, settings, environment)
    preheader = shorten_preheader(" · ".join(render_plain_title(one_line(item.entry.title)) for item in rollup.items))
    page_url = archive_url(settings.publication.url, rollup.issues[-1].date.year)

    def view(form: Form) -> MailView:
        return _compose_view(rollup, form, settings, title, preheader, page_url, brief=brief, chosen=chosen)

    return Edition(
        slug=rollup.period.slug,
        issue_date=rollup.period.last,
        title=title,
        subject=title,
        preheader=preheader,
        language=settings.publication.language,
        page_url=page_url,
        html=fill_html(HTML_TEMPLATE, view(HtmlForm({}, page_url)), environment),
        text=fill_text(TEXT_TEMPLATE, view(TextForm({}, page_url)), environment),
        sender=sender_of(settings),
    )


def _title(rollup: Rollup, settings: Settings, environment: Environment) -> str:
    values = {
        "kind": rollup.period.kind,
        "first": rollup.issues[0].date,
        "last": rollup.issues[-1].date,
        "month": rollup.period.first,
        "count": len(rollup.items) + sum(chapter.more for chapter in rollup.chapters),
        "publication": settings.publication.title,
    }
    return one_line(render_template(environment, TITLE_TEMPLATE, values))


def _compose_view(
    rollup: Rollup,
    form: Form,
    settings: Settings,
    title: str,
    preheader: str,
    page_url: str,
    *,
    brief: bool,
    chosen: bool,
) -> MailView:
    publication, base = settings.publication, settings.publication.url
    sections = tuple(_section(chapter, form, base, brief=brief) for chapter in rollup.chapters)
    return MailView(
        subject=title,
        preheader=preheader,
        language=publication.language,
        direction=direction_of(publication.language),
        date=rollup.period.last,
        title=form.title(title),
        subtitle="",
        authors=(),
        intro="",
        links=(),
        sections=sections,
        publication=publication.title,
        editor=publication.editor,
        postal_address=publication.postal_address,
        reason=publication.reason,
        empty_text=settings.issues.empty_text,
        site_url=f"{base}/",
        page_url=page_url,
        feed_url=f"{base}/{RSS_PATH}",
        unsubscribe_url=unsubscribe_url(base),
        preferences_url=preferences_url(base),
        selection=tuple(section.title for section in sections) if chosen else (),
        issues=tuple(_origin(issue, base) for issue in rollup.issues),
        brief=brief,
    )


def _section(chapter: Chapter, form: Form, base: str, *, brief: bool) -> SectionView:
    entries = tuple(_entry(item, at, form, base, brief=brief) for at, item in enumerate(chapter.items, 1))
    return SectionView(form.title(chapter.title), "", "", (), entries, empty=False, more=chapter.more)


def _entry(item: Item, number: int, form: Form, base: str, *, brief: bool) -> EntryView:
    entry = item.entry
    issue = _origin(item.issue, base)
    place = Origin(issue.day, f"{issue.url}#{entry.anchor}")
    own = web_address(entry.url) or (web_address(entry.identifier.url) if entry.identifier else "")
    return EntryView(
        number=number,
        title=form.title(entry.title),
        url=own or place.url,
        identifier=None,
        code_url="",
        authors=(),
        more_authors=0,
        lead="" if brief else form.title(compose_sentence(entry, item.issue)),
        fields=(),
        links=(),
        origin=issue if brief else place,
    )


def _origin(issue: Issue, base: str) -> Origin:
    return Origin(issue.date, issue_url(base, issue.slug))
