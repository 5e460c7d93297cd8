"""The body of an entry: lead, labelled fields and metadata lines.

Owns what belongs to which label. A field runs to the next label; a metadata line (`**Authors**`, `**Code**`,
`**Identifier**`) takes the rest of its paragraph and leaves a gap where it stood, so that line numbers stay true.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from newsletter.issues.findings import Findings, shorten
from newsletter.issues.identifiers import parse_identifier
from newsletter.issues.labels import AUTHORS, CODE, IDENTIFIER, Label, find_labels
from newsletter.issues.names import parse_names
from newsletter.markup import References, parse_inline, plain_text
from newsletter.model.issue import Field, Identifier, Markdown

Known = dict[str, tuple[str, bool]]

_LINK = re.compile(
    r"<(?P<angle>https?:[^<>\s]+)>|\]\((?P<inline>https?:[^\s()]+(?:\([^\s()]*\)[^\s()]*)*)|(?P<bare>https?:[^\s<>)\]]+)"
)
_BLOCK_START = re.compile(
    r"(?P<bullet>[-+*](?=\s))|(?P<number>[0-9]{1,9})(?P<point>[.)](?=\s))|(?P<other>#{1,6}(?=\s|$)|>)"
)


@dataclass(frozen=True, slots=True)
class Block:
    """A top-level block of the file: `paragraph`, `bullet_list`, `fence`…; lines from 0, `end` not included."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Body:
    """What stands below an entry's heading."""

    lead: Markdown
    fields: tuple[Field, ...]
    authors: tuple[str, ...]
    code_url: str
    identifier: Identifier | None


@dataclass(slots=True)
class _Metadata:
    authors: tuple[str, ...] = ()
    code_url: str = ""
    identifier: Identifier | None = None
    seen: dict[str, int] = field(default_factory=dict)


Edits = dict[int, str]
"""Lines (from 0) that read differently once labels and metadata are taken out."""


def parse_body(
    lines: Sequence[str],
    blocks: Sequence[Block],
    span: tuple[int, int],
    known: Known,
    references: References,
    findings: Findings,
) -> Body:
    """Read `lines[start:end]` (`span`), whose top-level blocks are `blocks`."""
    start, end = span
    edits: Edits = {}
    metadata = _Metadata()
    marks: list[Label] = []
    for block, after in zip(blocks, [*blocks[1:], None], strict=False):
        if block.kind != "paragraph":
            continue
        labels = find_labels(lines, block.start, block.end, known, findings)
        labels = [label for label in labels if label.is_field or _is_metadata(label, lines, findings)]
        list_follows = after is not None and after.kind.endswith("_list") and after.start == block.end
        for label, following in zip(labels, [*labels[1:], None], strict=False):
            stop = _end_of(label, following)
            edits |= _trim_break(lines, label, edits)
            if label.is_field:
                rest = lines[label.line][label.column :]
                edits[label.line] = _as_text(rest, list_follows and stop == label.line + 1)
            else:
                _read_metadata(label, lines, stop, metadata, references, findings)
                edits |= dict.fromkeys(range(label.line, stop), "")
        marks += [label for label in labels if label.is_field]
    lead = cut_markdown(lines, start, marks[0].line if marks else end, edits)
    fields = _read_fields(lines, marks, end, edits, findings)
    return Body(lead, _in_order(fields, known), metadata.authors, metadata.code_url, metadata.identifier)


def _end_of(label: Label, following: Label | None) -> int:
    """Return the line after a label's part of its paragraph; an identifier is one word and never goes on."""
    if label.name == IDENTIFIER and not label.is_field:
        return label.line + 1
    return following.line if following else label.end


def cut_markdown(
    lines: Sequence[str], start: int, end: int, edits: Mapping[int, str] = MappingProxyType({})
) -> Markdown:
    """Return `lines[start:end]` with `edits` and without empty lines around it; its `line` counts from 1."""
    run = [edits.get(number, lines[number]) for number in range(start, end)]
    full = [index for index, line in enumerate(run) if line.strip()]
    return Markdown("\n".join(run[full[0] : full[-1] + 1]), start + full[0] + 1) if full else Markdown("")


def _read_fields(
    lines: Sequence[str], marks: Sequence[Label], end: int, edits: Edits, findings: Findings
) -> list[Field]:
    fields: list[Field] = []
    seen: dict[str, int] = {}
    for mark, following in zip(marks, [*marks[1:], None], strict=False):
        body = cut_markdown(lines, mark.line, following.line if following else end, edits)
        place = (mark.line + 1, 1)
        if mark.name in seen:
            message = f"The entry has {mark.name} twice; the first is on line {seen[mark.name]}."
            findings.error(place, "duplicate-label", message, "Join the two under one label.")
        seen.setdefault(mark.name, mark.line + 1)
        if body:
            fields.append(Field(mark.name, body))
        else:
            hint = "Write it, or delete the label: a label may be missing."
            findings.warning(place, "empty-field", f"{mark.name} has no text.", hint)
    return fields


def _in_order(fields: Sequence[Field], known: Mapping[str, tuple[str, bool]]) -> tuple[Field, ...]:
    order = [name for name, is_field in known.values() if is_field]
    return tuple(sorted(fields, key=lambda each: order.index(each.label)))


def _trim_break(lines: Sequence[str], label: Label, edits: Edits) -> Edits:
    """Drop a hard break (backslash, spaces) before a label in the middle of a paragraph: nothing follows it now."""
    if label.first:
        return {}
    above = label.line - 1
    return {above: re.sub(r"(?<!\\)\\$|\s+$", "", edits.get(above, lines[above]))}


def _as_text(rest: str, starts_list: bool) -> str:
    """Escape what would start a block only because the label before it was cut off: `2024. It` is no list."""
    match = _BLOCK_START.match(rest)
    if not match or (starts_list and not match["other"]):
        return rest
    if match["number"]:
        return f"{match['number']}\\{rest[match.end('number') :]}"
    return f"\\{rest}"


def _is_metadata(label: Label, lines: Sequence[str], findings: Findings) -> bool:
    """Return whether a Code label is one: `**Code** generation is …` starts a sentence."""
    if label.name != CODE or _LINK.search(lines[label.line]):
        return True
    place = (label.line + 1, 1)
    message = "The label Code is followed by no link, so the line stays part of the text."
    findings.warning(
        place, "code-without-link", message, "Write **Code** <https://…>, or don't start with a bold Code."
    )
    return False


def _read_metadata(
    label: Label, lines: Sequence[str], stop: int, metadata: _Metadata, references: References, findings: Findings
) -> None:
    value = "\n".join([lines[label.line][label.column :], *lines[label.line + 1 : stop]]).strip()
    value = re.sub(r"\\$", "", value, flags=re.MULTILINE)
    place = (label.line + 1, 1)
    if label.name in metadata.seen:
        message = f"The entry has {label.name} twice; the first is on line {metadata.seen[label.name]}."
        findings.error(place, "duplicate-label", message, "Keep one.")
        return
    metadata.seen[label.name] = label.line + 1
    if not value:
        findings.warning(place, "empty-field", f"{label.name} has no text.", "Write it, or delete the line.")
    elif label.name == AUTHORS:
        metadata.authors = parse_names(plain_text(parse_inline(value, references)))
    elif label.name == CODE:
        metadata.code_url = _read_code(value, place, findings)
    elif label.name == IDENTIFIER:
        metadata.identifier = _read_identifier(value, (label.line + 1, label.column + 1), findings)


def _read_code(value: str, place: tuple[int, int], findings: Findings) -> str:
    links = [match["angle"] or match["inline"] or match["bare"] for match in _LINK.finditer(value)]
    links = list(dict.fromkeys(links))
    if len(links) > 1:
        message = f"Code holds {len(links)} links; only the first is shown."
        findings.warning(place, "code-links", message, "Keep one, and move the others into the text.")
    return links[0] if links else ""


def _read_identifier(value: str, place: tuple[int, int], findings: Findings) -> Identifier | None:
    link = _LINK.search(value)
    text = (link["angle"] or link["inline"] or link["bare"]) if link else value.strip("<>`")
    found = parse_identifier(text)
    if found is None:
        message = f"{shorten(text)!r} is no identifier."
        findings.error(place, "bad-identifier", message, "Write arxiv:2405.16325v1, doi:10.1145/3442188 or https://….")
    return found
