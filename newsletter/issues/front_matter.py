"""Front matter: the YAML between `---` lines at the top of an issue file.

Owns the keys and what each may hold. Scalars are read as they are written: `2301.00010` stays `2301.00010`, `no` stays
`no`. Refuses unknown and repeated keys, anchors, aliases, tags and nesting, each with its place. What can be read is
read, whatever else is wrong.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import yaml

from newsletter.issues.findings import Findings, compose_guess, shorten
from newsletter.issues.names import parse_names
from newsletter.issues.yaml_nodes import place_of, read_pairs

KEYS = ("title", "subtitle", "date", "authors", "draft", "topics", "language", "slug")
MAX_TEXT = 300
"""Characters of a title, subtitle or any single name or topic."""
MAX_ITEMS = 100
"""Authors or topics."""
MAX_LINES = 200

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,79}")
_LANGUAGE = re.compile(r"[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*")
_YEARS = range(1900, 3000)
_INLINE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")

Nodes = dict[str, yaml.Node]


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """What the front matter says; anything absent or unusable is empty. `day` is its date.

    `lines` is where each key stands. `height` counts the lines it takes, both `---` included.
    """

    title: str = ""
    subtitle: str = ""
    day: date | None = None
    authors: tuple[str, ...] = ()
    draft: bool = False
    topics: tuple[str, ...] = ()
    language: str = ""
    slug: str = ""
    lines: Mapping[str, int] = field(default_factory=dict)
    height: int = 0


def parse_front_matter(source: str, findings: Findings) -> FrontMatter:
    """Read the front matter of a file's cleaned text and note everything that is wrong with it."""
    height, text = _cut(source.split("\n"), findings)
    if height == 0:
        return FrontMatter()
    nodes, places = _read_nodes(text, findings)
    _check_missing(nodes, text, findings)
    return FrontMatter(
        title=_read_line(nodes, "title", findings),
        subtitle=_read_line(nodes, "subtitle", findings),
        day=_read_date(nodes, findings),
        authors=_read_authors(nodes, findings),
        draft=_read_draft(nodes, findings),
        topics=_read_list(nodes, "topics", findings),
        language=_read_pattern(nodes, "language", _LANGUAGE, "a language tag (RFC 5646), like en or pt-BR", findings),
        slug=_read_pattern(nodes, "slug", _SLUG, "lower-case letters, digits and hyphens, at most 80", findings),
        lines=places,
        height=height,
    )


def _cut(lines: list[str], findings: Findings) -> tuple[int, str]:
    """Return how many lines the front matter takes, and its YAML."""
    if lines[0].rstrip() != "---":
        first = next((number for number, line in enumerate(lines, 1) if line.strip()), 1)
        hint = "Start the file with a line `---`, then title: and date:, then another line `---`."
        if lines[first - 1].strip() == "---":
            hint = "Remove the empty lines above it: it counts only at the very top."
        elif lines[first - 1].strip() == "+++":
            hint = "Front matter is YAML here: use `---` instead of `+++`, and `key: value` lines."
        findings.error((1, 1), "missing-front-matter", "The file doesn't start with front matter.", hint)
        return 0, ""
    for number, line in enumerate(lines[1:MAX_LINES], 1):
        if line.rstrip() in ("---", "..."):
            return number + 1, "\n".join(lines[1:number])
    findings.error((1, 1), "unclosed-front-matter", "The front matter never ends.", "End it with a line `---`.")
    end = next((number for number, line in enumerate(lines[:MAX_LINES]) if number and _ends(line)), len(lines))
    return end, "\n".join(lines[1:end])


def _ends(line: str) -> bool:
    return not line.strip() or line.startswith("#")


def _read_nodes(text: str, findings: Findings) -> tuple[Nodes, dict[str, int]]:
    """Return the value of each known key, and the line of each key."""
    nodes: Nodes = {}
    places: dict[str, int] = {}
    for key, value in read_pairs(text, KEYS, findings):
        if not isinstance(key, yaml.ScalarNode):
            findings.error(
                place_of(key), "bad-front-matter", "A key must be a single word.", f"Known: {', '.join(KEYS)}."
            )
        elif key.value not in KEYS:
            hint = compose_guess(key.value, KEYS) or f"Known: {', '.join(KEYS)}."
            findings.error(place_of(key), "unknown-key", f"{shorten(key.value)!r} is not a front matter key.", hint)
        elif key.value in nodes:
            first = places[key.value]
            message = f"{key.value} is given twice; the first is on line {first}."
            findings.error(place_of(key), "duplicate-key", message, "Keep one of them.")
        else:
            places[key.value] = place_of(key)[0]
            nodes[key.value] = value
            _check_comment(key.value, value, text, findings)
    return nodes, places


def _check_comment(key: str, node: yaml.Node, text: str, findings: Findings) -> None:
    """Warn when ` #` cuts a title short: YAML takes the rest for a comment."""
    if key not in ("title", "subtitle") or not isinstance(node, yaml.ScalarNode) or node.style or not node.end_mark:
        return
    rest = text.split("\n")[node.end_mark.line][node.end_mark.column :]
    if rest.lstrip().startswith("#"):
        place = (node.end_mark.line + 2, node.end_mark.column + 1 + len(rest) - len(rest.lstrip()))
        message = f"YAML takes everything from the # on for a comment, so the {key} ends before it."
        findings.warning(place, "comment-in-value", message, f'Put the {key} in quotes: {key}: "…"')


def _check_missing(nodes: Nodes, text: str, findings: Findings) -> None:
    for key, example in (("title", "title: What is new"), ("date", "date: 2024-05-25")):
        # A key that stands there and couldn't be read has its own message.
        if key not in nodes and not re.search(rf"^\s*{key}\s*:", text, re.MULTILINE):
            findings.error((1, 1), f"missing-{key}", f"The front matter has no {key}.", f"Add a line `{example}`.")


def _read_line(nodes: Nodes, key: str, findings: Findings) -> str:
    """Return a value that is one line of text, or ''."""
    node = nodes.get(key)
    if node is None:
        return ""
    if not isinstance(node, yaml.ScalarNode):
        kind = "a list" if isinstance(node, yaml.SequenceNode) else "a table"
        findings.error(place_of(node), "wrong-shape", f"{key} must be one line of text, not {kind}.", f"Write {key}: …")
        return ""
    return _line(node, key, findings)


def _line(node: yaml.ScalarNode, key: str, findings: Findings) -> str:
    text = str(node.value).strip()
    if _INLINE.search(text):
        message = f"{key} holds a line break or control character, which no mail header may carry."
        findings.error(place_of(node), "line-break", message, "Write it on one line.")
        text = " ".join(_INLINE.sub(" ", text).split())
    if len(text) > MAX_TEXT:
        message = f"{key} has {len(text):,} characters; at most {MAX_TEXT} fit."
        findings.error(place_of(node), "too-long", message, "Shorten it.")
        text = text[:MAX_TEXT]
    if not text and key in ("title", "date"):
        findings.error(place_of(node), f"missing-{key}", f"{key} is empty.", f"Write it after `{key}:`.")
    return text


def _read_date(nodes: Nodes, findings: Findings) -> date | None:
    text = _read_line(nodes, "date", findings)
    if not text:
        return None
    place = place_of(nodes["date"])
    if not _DATE.fullmatch(text):
        message = f"{shorten(text)!r} is not a date."
        findings.error(place, "bad-date", message, "Write it as YYYY-MM-DD, like 2024-05-25.")
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        findings.error(place, "bad-date", f"There is no day {text}.", "Check the month and the day.")
        return None
    if day.year not in _YEARS:
        findings.error(place, "bad-date", f"The year of {text} can't be meant.", "Check the year.")
    return day


def _read_draft(nodes: Nodes, findings: Findings) -> bool:
    text = _read_line(nodes, "draft", findings)
    if text.lower() not in ("", "true", "false"):
        findings.error(place_of(nodes["draft"]), "bad-draft", f"draft is {shorten(text)!r}.", "Write true or false.")
        return True
    return text.lower() == "true"


def _read_pattern(nodes: Nodes, key: str, pattern: re.Pattern[str], wanted: str, findings: Findings) -> str:
    text = _read_line(nodes, key, findings)
    if text and not pattern.fullmatch(text):
        findings.error(place_of(nodes[key]), f"bad-{key}", f"{shorten(text)!r} can't be a {key}.", f"Use {wanted}.")
        return ""
    return text


def _read_authors(nodes: Nodes, findings: Findings) -> tuple[str, ...]:
    node = nodes.get("authors")
    if isinstance(node, yaml.ScalarNode):
        return parse_names(_line(node, "authors", findings))
    return _read_list(nodes, "authors", findings)


def _read_list(nodes: Nodes, key: str, findings: Findings) -> tuple[str, ...]:
    node = nodes.get(key)
    if node is None:
        return ()
    if isinstance(node, yaml.MappingNode):
        findings.error(place_of(node), "wrong-shape", f"{key} must be a list.", f"Write {key}: [one, two]")
        return ()
    items = node.value if isinstance(node, yaml.SequenceNode) else [node]
    if len(items) > MAX_ITEMS:
        findings.error(
            place_of(node), "too-long", f"{key} has {len(items)} items; at most {MAX_ITEMS} fit.", "Shorten it."
        )
    found: list[str] = []
    for item in items[:MAX_ITEMS]:
        _add_item(item, key, found, findings)
    return tuple(found)


def _add_item(item: yaml.Node, key: str, found: list[str], findings: Findings) -> None:
    if not isinstance(item, yaml.ScalarNode):
        message = f"An item of {key} must be plain text."
        findings.error(
            place_of(item), "wrong-shape", message, "An item that holds `: ` or starts with [ or { needs quotes."
        )
        return
    text = _line(item, key, findings)
    if text in found:
        findings.warning(place_of(item), "duplicate-item", f"{shorten(text)!r} stands in {key} twice.", "Keep one.")
    elif text:
        found.append(text)
