"""YAML nodes with their places: what the front matter is made of before any key means anything.

Owns the part of YAML that front matter may use, and messages for the rest. Refuses anchors, aliases, tags, further
documents and lists within lists, before anything is composed. Broken YAML still gives its plain `key: value` lines.
"""

import re
from collections.abc import Sequence

import yaml

from newsletter.issues.findings import Findings, shorten

MAX_YAML = 20_000
"""Characters of front matter."""

FIRST_LINE = 2
"""Where the YAML starts in its file: below the first `---`."""

Pair = tuple[yaml.Node, yaml.Node]


def place_of(node: yaml.Node) -> tuple[int, int]:
    """Return a node's line and column in the file, from 1."""
    return node.start_mark.line + FIRST_LINE, node.start_mark.column + 1


def read_pairs(text: str, known: Sequence[str], findings: Findings) -> list[Pair]:
    """Return the keys and values of a YAML mapping; `known` are the keys that matter, for messages and for salvage."""
    if len(text) > MAX_YAML:
        message = f"The front matter is longer than {MAX_YAML:,} characters."
        findings.error((1, 1), "too-long", message, "The text of the issue belongs below it.")
        return []
    try:
        if not _is_plain(text, findings):
            return _salvage(text, known)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        _note_syntax(error, findings)
        return _salvage(text, known)
    except yaml.YAMLError as error:
        findings.error((1, 1), "bad-front-matter", f"The front matter isn't YAML: {shorten(str(error))}.")
        return _salvage(text, known)
    if root is None:
        return []
    if not isinstance(root, yaml.MappingNode):
        findings.error(
            place_of(root),
            "bad-front-matter",
            "The front matter must be `key: value` lines.",
            f"Known: {', '.join(known)}.",
        )
        return []
    pairs: list[Pair] = root.value
    return pairs


def _is_plain(text: str, findings: Findings) -> bool:
    """Return whether the YAML may be composed: no references, tags, second documents or deep nesting."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        documents += isinstance(event, yaml.DocumentStartEvent)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        fault = _name_fault(event, depth, documents)
        if fault and event.start_mark:
            place = (event.start_mark.line + FIRST_LINE, event.start_mark.column + 1)
            hint = "Write the value out; if it is text, put it in quotes."
            findings.error(place, "unsupported-yaml", f"Front matter can't hold {fault}.", hint)
            return False
    return True


def _name_fault(event: yaml.Event, depth: int, documents: int) -> str:
    if isinstance(event, yaml.AliasEvent):
        return "an alias (*name)"
    if isinstance(event, yaml.NodeEvent) and event.anchor:
        return "an anchor (&name)"
    if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag:
        return f"a tag ({shorten(event.tag)})"
    if depth > 3:
        return "lists within lists"
    return "a second document" if documents > 1 else ""


_SYNTAX_HINTS = (
    ("mapping values are not allowed", 'A value that holds `: ` must stand in quotes: title: "One: two".'),
    ("'\\t'", "A tab can't indent YAML: use spaces."),
    ("cannot start any token", "Put the value in quotes."),
    ("found unexpected end of stream", "A quote is opened and never closed."),
    ("expected alphabetic or numeric character", "A value that starts with * or & must stand in quotes."),
    (
        "expected <block end>",
        "Text after a closing quote? Put the whole value in quotes, and double a quote inside it.",
    ),
    ("could not find expected ':'", "Each line is `key: value`; a text over several lines must stand in quotes."),
    ("expected ',' or ']'", "Close the list with ]; an item that holds a comma must stand in quotes."),
)


def _note_syntax(error: yaml.MarkedYAMLError, findings: Findings) -> None:
    mark = error.problem_mark or error.context_mark
    if error.context == "while scanning a quoted scalar":
        mark = error.context_mark
    place = (mark.line + FIRST_LINE, mark.column + 1) if mark else (1, 1)
    problem = error.problem or "can't be read"
    hint = next((hint for words, hint in _SYNTAX_HINTS if words in problem), "Each line is `key: value`.")
    findings.error(place, "bad-front-matter", f"The front matter isn't valid YAML: {problem}.", hint)


def _salvage(text: str, known: Sequence[str]) -> list[Pair]:
    """Return the plain `key: value` lines of broken YAML, so that the rest is still checked."""
    pairs: dict[str, Pair] = {}
    for number, line in enumerate(text.split("\n")):
        match = re.fullmatch(r"([a-z]+):[ \t]+([^\s\[{|>&*!#].*?)\s*", line)
        if match and match[1] in known and match[1] not in pairs:
            start, value = yaml.Mark("", 0, number, 0, None, 0), yaml.Mark("", 0, number, match.start(2), None, 0)
            pairs[match[1]] = (
                yaml.ScalarNode("", match[1], start, start),
                yaml.ScalarNode("", match[2].strip("\"'"), value, value),
            )
    return list(pairs.values())
