"""What an editor writes: an Issue of Sections of Entries, as plain values.

Owns the shape only. Reading a file into it is `issues.parse`; showing it is `render`.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from urllib.parse import quote

_LONGEST_NAME = 100
_NO_PAGE = re.compile("[:#]")
_DOI_SAFE = "/:;().,-_~!$&'*+=@"


@dataclass(frozen=True, slots=True)
class Markdown:
    """A run of Markdown source; `line` (from 1) is where it starts in the issue file."""

    source: str
    line: int = 1

    def __bool__(self) -> bool:
        return bool(self.source.strip())


@dataclass(frozen=True, slots=True)
class Identifier:
    """What names a work for good: an arXiv id, a DOI, or a URL.

    `scheme` is `arxiv`, `doi` or `url`; `value` is normalised and bare (`2405.16325`, `10.1145/3442188`,
    `https://example.org/post`); `version` is an arXiv version (`v1`) or empty.
    """

    scheme: str
    value: str
    version: str = ""

    @property
    def key(self) -> str:
        """Return the permanent, version-insensitive key: `arxiv:2405.16325`."""
        return f"{self.scheme}:{self.value}"

    @property
    def url(self) -> str:
        """Return the address at which the work is read."""
        if self.scheme == "arxiv":
            return f"https://arxiv.org/abs/{self.value}{self.version}"
        if self.scheme == "doi":
            return f"https://doi.org/{quote(self.value, safe=_DOI_SAFE)}"
        return self.value

    @property
    def label(self) -> str:
        """Return what a reader is shown: `arXiv:2405.16325v1`, `doi:10.1145/…`, or the host of a URL."""
        if self.scheme == "arxiv":
            return f"arXiv:{self.value}{self.version}"
        if self.scheme == "doi":
            return f"doi:{self.value}"
        return self.value.split("://", 1)[-1].split("/", 1)[0].removeprefix("www.")


@dataclass(frozen=True, slots=True)
class Field:
    """One labelled part of an entry, such as Why? / How? / Results; `label` as the config spells it."""

    label: str
    body: Markdown


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of a section; a paper is an entry with an identifier and authors.

    `id` is permanent and globally meaningful (`arxiv:2405.16325`, or `<slug>#<anchor>` without identifier);
    `anchor` is unique within the issue, matches `[a-z0-9][a-z0-9.-]*`, and is the page's fragment; `title` is
    plain text; `url` is the heading's link or empty; `lead` is Markdown before the first labelled field.
    """

    id: str
    anchor: str
    title: str
    url: str = ""
    identifier: Identifier | None = None
    authors: tuple[str, ...] = ()
    code_url: str = ""
    lead: Markdown = Markdown("")
    fields: tuple[Field, ...] = ()
    line: int = 1

    @property
    def page_slug(self) -> str:
        """Return the entry's own page name on the site: `arxiv-2405.16325`, `doi-10.1145-3442188`, else ''.

        Only a work with an identifier has a page of its own that later issues may share. The name is safe as a file
        name; where that takes something away (a DOI may hold anything), a digest keeps it unique.
        """
        if self.identifier is None or self.identifier.scheme == "url":
            return ""
        plain = f"{self.identifier.scheme}-{self.identifier.value}".lower().replace("/", "-", 1)
        if len(plain) <= _LONGEST_NAME and re.fullmatch(r"[a-z0-9._-]+", plain):
            return plain
        digest = hashlib.sha256(plain.encode()).hexdigest()[:8]
        return f"{re.sub(r'[^a-z0-9._-]+', '-', plain)[:_LONGEST_NAME]}-{digest}"

    def work_in(self, slug: str) -> str:
        """Return what names the entry's work in whichever issue it is, or in the one of this slug alone.

        It is the page's name (`arxiv-2405.16325`), else `url:https://…`, else `2024-05-25#anchor`.
        """
        if self.identifier is None:
            return f"{slug}#{self.anchor}"
        return self.page_slug or self.identifier.key


def is_page_slug(work: str) -> bool:
    """Return whether a work's name is that of its own page, too (Entry.page_slug)."""
    return not _NO_PAGE.search(work)


@dataclass(frozen=True, slots=True)
class Section:
    """A `##` heading, what stands under it before the first entry, and its entries (possibly none)."""

    title: str
    anchor: str
    intro: Markdown = Markdown("")
    entries: tuple[Entry, ...] = ()
    line: int = 1

    @property
    def is_empty(self) -> bool:
        """Return whether it has neither entries nor text of its own."""
        return not self.entries and not self.intro


@dataclass(frozen=True, slots=True)
class Issue:
    """One issue, as read from its file.

    `path` is the file as given; `slug` is the permanent name in URLs and the ledger (default: the date,
    with what follows it in the file's name);
    `source` is the file's whole text; `references` are the file's Markdown link definitions
    (normalised label -> (href, title)), which every Markdown run in it may use.
    """

    path: str
    slug: str
    date: date
    title: str
    source: str
    subtitle: str = ""
    authors: tuple[str, ...] = ()
    draft: bool = False
    topics: tuple[str, ...] = ()
    language: str = "en"
    intro: Markdown = Markdown("")
    sections: tuple[Section, ...] = ()
    references: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)
    """Where each front matter key stands, for messages."""

    @property
    def entries(self) -> Iterator[Entry]:
        """Yield every entry in reading order."""
        for section in self.sections:
            yield from section.entries


def rename_issue(issue: Issue, slug: str, day: date) -> Issue:
    """Return an issue under another slug and date; what is known by its place in it goes with it."""

    def name(entry: Entry) -> Entry:
        return entry if entry.identifier else replace(entry, id=f"{slug}#{entry.anchor}")

    sections = (replace(section, entries=tuple(map(name, section.entries))) for section in issue.sections)
    return replace(issue, slug=slug, date=day, sections=tuple(sections))
