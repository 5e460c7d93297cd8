"""An issue as documents that a search can find: one for the issue itself, one for each entry. Pure.

Owns what of an issue can be found: everything a reader sees of it but the labels, which stand in every entry alike.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256

from newsletter.markup import References
from newsletter.model.document import Document, DocumentKind
from newsletter.model.issue import Entry, Issue, Markdown, Section
from newsletter.model.topic import topic_key
from newsletter.render.maths import render_plain_title
from newsletter.render.text import render_bare
from newsletter.search.words import VERSION

_COMPOSED = 1
"""Raise it when the same issue makes other documents."""


def describe_documents(labels: Sequence[str], language: str) -> str:
    """Return the version of documents: equal versions make equal documents of equal sources.

    `labels` and `language` are what issue files are read by.
    """
    read_by = sha256("\0".join([language, *labels]).encode()).hexdigest()[:16]
    return f"{_COMPOSED}.{VERSION}-{read_by}"


def compose_documents(issue: Issue) -> list[Document]:
    """Return what can be found of an issue, itself first and then its entries in their order."""
    entries = [_entry(section, entry, issue.references) for section in issue.sections for entry in section.entries]
    return [_issue(issue), *entries]


def _issue(issue: Issue) -> Document:
    intros = [issue.intro, *(section.intro for section in issue.sections)]
    body = "\n".join(filter(None, [issue.subtitle, *_texts(intros, issue.references)]))
    return Document(DocumentKind.ISSUE, render_plain_title(issue.title), body, issue.authors)


def _entry(section: Section, entry: Entry, references: References) -> Document:
    return Document(
        DocumentKind.ENTRY,
        title=render_plain_title(entry.title),
        body="\n".join(_texts([entry.lead, *(field.body for field in entry.fields)], references)),
        authors=entry.authors,
        section=render_plain_title(section.title),
        topic=topic_key(section.title),
        anchor=entry.anchor,
        page_slug=entry.page_slug,
        identifier=entry.identifier.key if entry.identifier else "",
    )


def _texts(bodies: Iterable[Markdown], references: References) -> list[str]:
    return [text for body in bodies if (text := render_bare(body, references))]
