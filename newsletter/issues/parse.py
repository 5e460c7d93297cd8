"""Reads an issue file: front matter, an optional intro, `##` sections of `###` entries.

An entry on a git host and here:

    ### [Title of the paper](https://arxiv.org/abs/2405.16325v1) {#own-anchor}

    **Authors** Ann Author, Bo Writer

    **Code** <https://github.com/ann/code>

    **Why?** Any Markdown, up to the next label or heading.

    **How?**

    - lists, tables, maths, code: all of it belongs to the label above.

The anchor is optional, and so is every label. Metadata (Authors, Code, Identifier) and labels may also share a
paragraph, one a line; in paragraphs of their own, as above, they read best everywhere. What names the work is the
heading's link, or a line `**Identifier** doi:10.1145/3442188` where the link leads elsewhere. Headings below `###` are
content. Comments (`<!-- -->`) in paragraphs of their own are the editor's, and no reader gets them.

Owns the structure. Never stops at a problem, and returns an issue whenever it has a date to stand under. Whether the
issue is fit to publish is `issues.check`'s to say.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import PurePath

from newsletter.issues.anchors import compose_anchor, unused_anchor
from newsletter.issues.entries import Block, Body, Known, cut_markdown, parse_body
from newsletter.issues.findings import Findings, shorten
from newsletter.issues.front_matter import FrontMatter, parse_front_matter
from newsletter.issues.headings import Heading, parse_heading
from newsletter.issues.identifiers import parse_identifier
from newsletter.issues.labels import find_labels, known_labels
from newsletter.issues.lookalikes import check_lookalikes, check_setext
from newsletter.issues.source import MAX_BYTES, check_characters, clean_source
from newsletter.markup import References, Token, parse_outline
from newsletter.model.issue import Entry, Issue, Section
from newsletter.model.problem import Problem

MAX_HEADINGS = 1000
"""Sections and entries of one issue; no reader gets that far."""

_COMMENTS = re.compile(r"\s*(?:<!--.*?-->\s*)+", re.DOTALL)
FILE_NAME = re.compile(r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})(?:-(?P<rest>.+))?\.md")
"""How issue files are named; the day may still be impossible."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a file gave: the issue, unless nothing could be made of it, and every problem, in the file's order."""

    issue: Issue | None
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class _Outline:
    """A file's lines (front matter and comments emptied), its structural headings, and its top-level blocks."""

    lines: list[str]
    headings: tuple[Heading, ...]
    blocks: tuple[Block, ...]
    references: References


def parse_issue(source: str, path: str, *, labels: Sequence[str], language: str = "en") -> Parsed:
    """Read an issue file; `labels` are the configured fields, `language` is for an issue that names none."""
    findings = Findings(path)
    if len(source) > MAX_BYTES or len(source.encode(errors="replace")) > MAX_BYTES:
        findings.error((1, 1), "too-large", f"The file is larger than {MAX_BYTES // 1_000_000} MB.", "Split the issue.")
        return Parsed(None, findings.problems)
    text = clean_source(source)
    check_characters(source, findings)
    matter = parse_front_matter(text, findings)
    known = known_labels(labels)
    outline = _read_outline(text, matter, known, findings)
    day = matter.day or parse_day(path)
    if day is None:
        return Parsed(None, findings.problems)
    issue = _build_issue(source, path, day, matter, outline, known, language, findings)
    return Parsed(issue, findings.problems)


def parse_day(path: str) -> date | None:
    """Return the date in an issue file's name, or None."""
    match = FILE_NAME.fullmatch(PurePath(path).name)
    try:
        return date.fromisoformat(match["day"]) if match else None
    except ValueError:
        return None


def default_slug(path: str, day: date) -> str:
    """Return the slug of an issue that names none: its date, with what follows the date in the file's name."""
    match = FILE_NAME.fullmatch(PurePath(path).name)
    rest = match["rest"] if match else None
    own = bool(rest and match and match["day"] == str(day) and re.fullmatch(r"[a-z0-9-]{1,60}", rest))
    return f"{day}-{rest}" if own else str(day)


def _read_outline(text: str, matter: FrontMatter, known: Known, findings: Findings) -> _Outline:
    lines = text.split("\n")
    lines[: matter.height] = [""] * matter.height
    tokens, references = parse_outline("\n".join(lines))
    check_lookalikes(tokens, lines, known, findings)
    headings: list[Heading] = []
    blocks: list[Block] = []
    for token, inline in zip(tokens, [*tokens[1:], None], strict=False):
        if token.level or token.map is None or token.nesting < 0:
            continue
        start, end = token.map
        if token.type == "html_block" and _COMMENTS.fullmatch(token.content):
            lines[start:end] = [""] * (end - start)
        elif token.type == "heading_open" and inline is not None:
            heading = _read_heading(token, inline.content, lines, references, findings)
            headings += [heading] if heading else []
        blocks.append(Block(token.type.removesuffix("_open"), start, end))
    return _Outline(lines, _unique_anchors(_limit(headings, findings), findings), tuple(blocks), references)


def _limit(headings: list[Heading], findings: Findings) -> list[Heading]:
    if len(headings) > MAX_HEADINGS:
        place = (headings[MAX_HEADINGS].line, 1)
        message = f"The issue has more than {MAX_HEADINGS:,} sections and entries."
        findings.error(place, "too-large", message, "Split the issue.")
    return headings[:MAX_HEADINGS]


def _read_heading(
    token: Token, content: str, lines: Sequence[str], references: References, findings: Findings
) -> Heading | None:
    """Return a structural heading, or None for one that is content."""
    start, end = token.map or [0, 0]
    place = (start + 1, 1)
    if check_setext(token, lines, findings):
        return None
    if token.tag == "h1":
        hint = "Delete it if it repeats the title; write ## for a section."
        message = f"{shorten(content, 30)!r} is a heading of level 1: the title belongs in the front matter."
        findings.error(place, "title-heading", message, hint)
        return None
    if token.tag not in ("h2", "h3"):
        return None
    return parse_heading(int(token.tag[1]), content, place, end - start, references, findings)


def _build_issue(
    source: str,
    path: str,
    day: date,
    matter: FrontMatter,
    outline: _Outline,
    known: Known,
    language: str,
    findings: Findings,
) -> Issue:
    slug = matter.slug or default_slug(path, day)
    first = outline.headings[0].line - 1 if outline.headings else len(outline.lines)
    _check_stray_labels(outline, matter.height, first, known, findings)
    return Issue(
        path=path,
        slug=slug,
        date=day,
        title=matter.title or str(day),
        source=source,
        subtitle=matter.subtitle,
        authors=matter.authors,
        draft=matter.draft,
        topics=matter.topics,
        language=matter.language or language,
        intro=cut_markdown(outline.lines, matter.height, first),
        sections=_build_sections(slug, outline, known, findings),
        references=outline.references,
        lines=matter.lines,
    )


def _build_sections(slug: str, outline: _Outline, known: Known, findings: Findings) -> tuple[Section, ...]:
    # Anchors that editors gave go before made ones, wherever they stand.
    taken = {heading.anchor for heading in outline.headings if heading.anchor}
    sections: list[Section] = []
    starts = [index for index, heading in enumerate(outline.headings) if heading.level == 2]
    if outline.headings and (not starts or starts[0] > 0):
        heading = outline.headings[0]
        hint = "Put a heading `## Section` above it."
        findings.error((heading.line, 1), "entry-outside-section", "This entry stands before the first section.", hint)
        loose = _build_entries(slug, outline, 0, starts[0] if starts else len(outline.headings), known, taken, findings)
        sections.append(Section("Untitled", _anchor("untitled", taken), entries=loose, line=heading.line))
    for start, end in zip(starts, [*starts[1:], len(outline.headings)], strict=False):
        sections.append(_build_section(slug, outline, start, end, known, taken, findings))
    return tuple(sections)


def _build_section(
    slug: str, outline: _Outline, start: int, end: int, known: Known, taken: set[str], findings: Findings
) -> Section:
    heading = outline.headings[start]
    above, below = _span(outline, start)
    _check_stray_labels(outline, above, below, known, findings)
    return Section(
        title=heading.title,
        anchor=heading.anchor or _anchor(compose_anchor(heading.title, kind="section"), taken),
        intro=cut_markdown(outline.lines, above, below),
        entries=_build_entries(slug, outline, start + 1, end, known, taken, findings),
        line=heading.line,
    )


def _build_entries(
    slug: str, outline: _Outline, start: int, end: int, known: Known, taken: set[str], findings: Findings
) -> tuple[Entry, ...]:
    entries: list[Entry] = []
    for index in range(start, end):
        span = _span(outline, index)
        body = parse_body(outline.lines, _blocks_in(outline, *span), span, known, outline.references, findings)
        entries.append(_build_entry(slug, outline.headings[index], body, taken))
    return tuple(entries)


def _build_entry(slug: str, heading: Heading, body: Body, taken: set[str]) -> Entry:
    identifier = body.identifier or parse_identifier(heading.url)
    anchor = heading.anchor or _anchor(compose_anchor(heading.title, identifier), taken)
    return Entry(
        id=identifier.key if identifier else f"{slug}#{anchor}",
        anchor=anchor,
        title=heading.title,
        url=heading.url,
        identifier=identifier,
        authors=body.authors,
        code_url=body.code_url,
        lead=body.lead,
        fields=body.fields,
        line=heading.line,
    )


def _anchor(wanted: str, taken: set[str]) -> str:
    anchor = unused_anchor(wanted, taken)
    taken.add(anchor)
    return anchor


def _unique_anchors(headings: Sequence[Heading], findings: Findings) -> tuple[Heading, ...]:
    """Return the headings with each given anchor once; a second of a name is an error and gets a made one."""
    first: dict[str, int] = {}
    settled: list[Heading] = []
    for heading in headings:
        if heading.anchor in first:
            message = f"The anchor {heading.anchor} is given twice; the first is on line {first[heading.anchor]}."
            findings.error((heading.line, 1), "duplicate-anchor", message, "Give one of them another name.")
            settled.append(replace(heading, anchor=""))
        else:
            settled.append(heading)
            first |= {heading.anchor: heading.line} if heading.anchor else {}
    return tuple(settled)


def _span(outline: _Outline, index: int) -> tuple[int, int]:
    """Return the lines (from 0) below a heading, up to the next."""
    heading = outline.headings[index]
    start = heading.line - 1 + heading.height
    following = outline.headings[index + 1 : index + 2]
    return start, following[0].line - 1 if following else len(outline.lines)


def _blocks_in(outline: _Outline, start: int, end: int) -> list[Block]:
    first = bisect_left(outline.blocks, start, key=lambda block: block.start)
    return list(outline.blocks[first : bisect_left(outline.blocks, end, key=lambda block: block.start)])


def _check_stray_labels(outline: _Outline, start: int, end: int, known: Known, findings: Findings) -> None:
    """Warn about labels where there is no entry that they could belong to."""
    for block in _blocks_in(outline, start, end):
        if block.kind != "paragraph":
            continue
        for label in find_labels(outline.lines, block.start, block.end, known, findings):
            message = f"The label {label.name} belongs to no entry here, so it is shown as bold text."
            hint = "An entry starts with a heading `### [Title](https://…)`."
            findings.warning((label.line + 1, 1), "label-outside-entry", message, hint)
