"""Checks that an issue's works are new: within the issue, and against earlier issues."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from newsletter.issues.anchors import ANCHOR
from newsletter.issues.findings import Findings, shorten
from newsletter.issues.identifiers import normalise_title
from newsletter.model.issue import Entry, Identifier, Issue


@dataclass(frozen=True, slots=True)
class EarlierWork:
    """Where a work was in an earlier issue: the issue's slug and day, the entry's title, path and line (from 1).

    `version` is the arXiv version it had then, or empty.
    """

    slug: str
    day: date
    title: str
    path: str
    line: int
    version: str = ""


def title_key(title: str) -> str:
    """Return the key under which a title is remembered; '' for a title without letters."""
    words = normalise_title(title)
    return f"title:{words}" if words else ""


def check_identity(issue: Issue, findings: Findings) -> None:
    """Note entries that can't be told apart: missing or repeated ids, anchors and titles."""
    ids: dict[str, Entry] = {}
    titles: dict[str, Entry] = {}
    of_works = any(_is_work(entry) for entry in issue.entries)
    for entry in issue.entries:
        place, words = (entry.line, 1), title_key(entry.title)
        if not entry.id:
            findings.error(place, "missing-id", "The entry has no id.", "Give it a link or an identifier.")
        elif entry.id in ids:
            message = f"{_named(entry)} stands in this issue twice; the first is on line {ids[entry.id].line}."
            findings.error(place, "duplicate-entry", message, "Keep one, or correct its link.")
        elif words and words in titles:
            message = f"Line {titles[words].line} has an entry of the same title, {shorten(entry.title)!r}."
            findings.warning(place, "duplicate-title", message, "Keep one, if they are the same work.")
        if of_works and entry.id and entry.identifier is None and not entry.url:
            message = "The entry has no link, so nothing but its place in this issue names it."
            hint = "Write ### [Title](https://…), or add a line **Identifier** doi:…"
            findings.warning(place, "missing-link", message, hint)
        ids.setdefault(entry.id, entry)
        titles.setdefault(words, entry)
    _check_anchors(issue, findings)


def _is_work(entry: Entry) -> bool:
    """Return whether an entry is about something that is elsewhere, too; where none is, headings need no links."""
    return bool(entry.url or entry.identifier or entry.authors or entry.code_url or entry.fields)


def check_earlier(issue: Issue, earlier: Mapping[str, EarlierWork], findings: Findings) -> None:
    """Note works that an earlier issue has had. A newer version, a web page or an equal title may be meant."""
    for entry in issue.entries:
        before = earlier.get(entry.identifier.key) if entry.identifier else None
        if before and entry.identifier:
            _note_earlier(entry, entry.identifier, before, findings)
        elif (words := title_key(entry.title)) and (alike := earlier.get(words)):
            message = f"An entry of the same title was in {alike.day} already ({alike.path}:{alike.line})."
            findings.warning((entry.line, 1), "already-published", message, "Remove it, if it is the same work.")


def _note_earlier(entry: Entry, identifier: Identifier, before: EarlierWork, findings: Findings) -> None:
    message = f"{_named(entry)} was in {before.day} already ({before.path}:{before.line})."
    place = (entry.line, 1)
    if identifier.scheme == "url":
        findings.warning(place, "already-published", message, "Remove it, unless the page is news again.")
    elif identifier.version and before.version and identifier.version != before.version:
        hint = f"It had {before.version} then; say what is new in {identifier.version}, or remove it."
        findings.warning(place, "already-published", message, hint)
    else:
        findings.error(place, "already-published", message, "Remove the entry, or correct its link.")


def _check_anchors(issue: Issue, findings: Findings) -> None:
    """Reading a file makes anchors right; an issue made in another way is held to the same."""
    seen: set[str] = set()
    for line, anchor in sorted(
        [(section.line, section.anchor) for section in issue.sections]
        + [(entry.line, entry.anchor) for entry in issue.entries]
    ):
        if not ANCHOR.fullmatch(anchor):
            message = f"{anchor!r} can't be an anchor." if anchor else "There is no anchor to link to."
            findings.error((line, 1), "bad-anchor", message, "Write {#name} at the end of the heading.")
        elif anchor in seen:
            message = f"The anchor {anchor} is given twice."
            findings.error((line, 1), "duplicate-anchor", message, "Give one of them another name.")
        seen.add(anchor)


def _named(entry: Entry) -> str:
    return entry.identifier.key if entry.identifier else shorten(entry.id)
