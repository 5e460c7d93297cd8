"""What the mail's templates are given: an issue's parts, already rendered for HTML or for plain text.

Owns which parts are shown and in which form, so that templates decide only where they stand. Refuses addresses that
are not http(s): a heading may hold any.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, Protocol
from unicodedata import category

from markupsafe import Markup

from newsletter.config import Settings
from newsletter.markup import References
from newsletter.model.issue import Entry, Issue, Markdown, Section
from newsletter.render.language import direction_of
from newsletter.render.links import resolve_link, resolve_links
from newsletter.render.markdown import Medium, render_html, render_title
from newsletter.render.maths import render_plain_title
from newsletter.render.text import render_text
from newsletter.render.wrap import COLUMNS
from newsletter.urls import RSS_PATH, issue_url, preferences_url, unsubscribe_url

SHOWN_AUTHORS = 8
"""An entry with more authors names all but the last of these in HTML, and says how many others there are."""

ENTRY_INDENT = 4
"""Columns by which the text template indents what an entry says."""


@dataclass(frozen=True, slots=True)
class Link:
    """An address and what stands for it: a label in HTML, a number in text."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class FieldView:
    """A labelled part of an entry."""

    label: str
    content: str


@dataclass(frozen=True, slots=True)
class EntryView:
    """An entry; `number` counts from 1 through the whole issue, `more_authors` are those not named in `authors`.

    `links` are what its text refers to by number; empty in HTML. `origin` is, in a roll-up, the issue it is from.
    """

    number: int
    title: str
    url: str
    identifier: Link | None
    code_url: str
    authors: tuple[str, ...]
    more_authors: int
    lead: str
    fields: tuple[FieldView, ...]
    links: tuple[Link, ...]
    origin: "Origin | None" = None


@dataclass(frozen=True, slots=True)
class Origin:
    """The issue that an entry is from."""

    day: date
    url: str


@dataclass(frozen=True, slots=True)
class SectionView:
    """A section; `url` is its place on the issue's page, `empty` tells that there is nothing in it.

    `more` entries are left out of a roll-up that would be too large.
    """

    title: str
    url: str
    intro: str
    links: tuple[Link, ...]
    entries: tuple[EntryView, ...]
    empty: bool
    more: int = 0


@dataclass(frozen=True, slots=True)
class MailView:
    """A whole mail; strings are plain text unless they are Markup. Addresses are absolute.

    `selection` names the sections that its readers chose, when that isn't everything. `issues` are what a roll-up is
    made from; `brief` says that its entries are titles alone.
    """

    subject: str
    preheader: str
    language: str
    direction: Literal["ltr", "rtl"]
    date: date
    title: str
    subtitle: str
    authors: tuple[str, ...]
    intro: str
    links: tuple[Link, ...]
    sections: tuple[SectionView, ...]
    publication: str
    editor: str
    postal_address: str
    reason: str
    empty_text: str
    site_url: str
    page_url: str
    feed_url: str
    unsubscribe_url: str
    preferences_url: str
    selection: tuple[str, ...] = ()
    issues: tuple[Origin, ...] = ()
    brief: bool = False


class Form(Protocol):
    """How an issue's texts are shown; `links` hands out, once, what was referred to by number since the last call."""

    authors: int | None

    def title(self, title: str) -> str:
        """Return a plain text title in this form."""

    def body(self, body: Markdown, under: int) -> str:
        """Return a Markdown run below a heading of level `under`."""

    def links(self) -> tuple[Link, ...]:
        """Return the numbered links since the last call."""


class HtmlForm:
    """Shows texts as safe HTML, every address absolute."""

    authors: int | None = SHOWN_AUTHORS

    def __init__(self, references: References, page_url: str) -> None:
        self._references = references
        self._page_url = page_url

    def title(self, title: str) -> Markup:
        """Return a title with its maths in italics."""
        return render_title(one_line(title), medium=Medium.MAIL)

    def body(self, body: Markdown, under: int) -> Markup:
        """Return sanitised HTML."""
        return resolve_links(render_html(body, self._references, medium=Medium.MAIL, under=under), self._page_url)

    def links(self) -> tuple[Link, ...]:
        """Return nothing: links in HTML carry their address."""
        return ()


class TextForm:
    """Shows texts as plain text; numbers links through the whole mail."""

    authors: int | None = None

    def __init__(self, references: References, page_url: str) -> None:
        self._references = references
        self._page_url = page_url
        self._next = 1
        self._links: list[Link] = []

    def title(self, title: str) -> str:
        """Return a title with its maths in Unicode."""
        return render_plain_title(one_line(title))

    def body(self, body: Markdown, under: int) -> str:
        """Return wrapped text; what stands in an entry leaves room for its indent."""
        columns = COLUMNS - (ENTRY_INDENT if under > _SECTION_LEVEL else 0)
        run = render_text(body, self._references, columns=columns, first_link=self._next)
        addresses = (resolve_link(address, self._page_url) for address in run.links)
        self._links += [Link(str(self._next + at), address) for at, address in enumerate(addresses)]
        self._next += len(run.links)
        return run.text

    def links(self) -> tuple[Link, ...]:
        """Return the links since the last call, labelled with their number."""
        links, self._links = tuple(self._links), []
        return links


_SECTION_LEVEL = 2
_ENTRY_LEVEL = 3


def compose_view(
    issue: Issue, settings: Settings, form: Form, subject: str, preheader: str, *, chosen: bool = False
) -> MailView:
    """Return everything the mail's template shows, in reading order so that links are numbered in it.

    `chosen`: these are the sections that its readers chose, and not the whole issue.
    """
    publication, base = settings.publication, settings.publication.url
    intro = form.body(issue.intro, 1)
    return MailView(
        subject=subject,
        preheader=preheader,
        language=issue.language,
        direction=direction_of(issue.language),
        date=issue.date,
        title=form.title(issue.title),
        subtitle=form.title(issue.subtitle),
        authors=tuple(map(one_line, issue.authors)),
        intro=intro,
        links=form.links(),
        sections=tuple(_sections(issue, settings, form)),
        publication=publication.title,
        editor=publication.editor,
        postal_address=publication.postal_address,
        reason=publication.reason,
        empty_text=settings.issues.empty_text,
        site_url=f"{base}/",
        page_url=issue_url(base, issue.slug),
        feed_url=f"{base}/{RSS_PATH}",
        unsubscribe_url=unsubscribe_url(base),
        preferences_url=preferences_url(base),
        selection=_name_sections(issue, settings, form) if chosen else (),
    )


def one_line(text: str) -> str:
    """Return a text without control characters and line breaks of any kind."""
    return " ".join("".join(" " if category(one) in ("Cc", "Zl", "Zp") else one for one in text).split())


def shown_sections(sections: Iterable[Section], empty_sections: Literal["show", "omit"]) -> tuple[Section, ...]:
    """Return the sections that are shown: `omit` leaves out those with nothing in them."""
    return tuple(section for section in sections if empty_sections == "show" or not section.is_empty)


def _name_sections(issue: Issue, settings: Settings, form: Form) -> tuple[str, ...]:
    shown = shown_sections(issue.sections, settings.issues.empty_sections)
    return tuple(form.title(section.title) for section in shown)


def _sections(issue: Issue, settings: Settings, form: Form) -> Iterable[SectionView]:
    number = 1
    page = issue_url(settings.publication.url, issue.slug)
    for section in shown_sections(issue.sections, settings.issues.empty_sections):
        intro = form.body(section.intro, _SECTION_LEVEL)
        links = form.links()
        entries = tuple(_entry(entry, number + at, form) for at, entry in enumerate(section.entries))
        number += len(entries)
        url = f"{page}#{section.anchor}"
        yield SectionView(form.title(section.title), url, intro, links, entries, section.is_empty)


def _entry(entry: Entry, number: int, form: Form) -> EntryView:
    identifier = entry.identifier
    lead = form.body(entry.lead, _ENTRY_LEVEL)
    fields = tuple(
        FieldView(one_line(field.label), form.body(field.body, _ENTRY_LEVEL)) for field in entry.fields if field.body
    )
    authors = _named(entry.authors, form.authors)
    return EntryView(
        number=number,
        title=form.title(entry.title),
        url=web_address(entry.url) or (web_address(identifier.url) if identifier else ""),
        identifier=Link(identifier.label, identifier.url) if identifier and web_address(identifier.url) else None,
        code_url=web_address(entry.code_url),
        authors=tuple(map(one_line, authors)),
        more_authors=len(entry.authors) - len(authors),
        lead=lead,
        fields=fields,
        links=form.links(),
    )


def _named(authors: Sequence[str], limit: int | None) -> Sequence[str]:
    """Return the authors that are named; one name is never hidden behind "and 1 others"."""
    return authors if limit is None or len(authors) <= limit else authors[: limit - 1]


def web_address(url: str) -> str:
    """Return an address that a reader may follow, or nothing."""
    return url if re.fullmatch(r"https?://[^\s<>\"]+", url) else ""
