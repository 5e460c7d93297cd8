"""Labelled lines: `**Why?** text`. Finds them, and what was probably meant to be one.

Owns how a label may be spelt: in bold at the start of a line of a paragraph, in any case, with or without `?`, `:` or
`.`, inside or after the bold. Refuses labels within lists, quotes, tables and code: those are content.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from newsletter.issues.findings import Findings
from newsletter.markup import Token, parse_inline

AUTHORS, CODE, IDENTIFIER = "Authors", "Code", "Identifier"

_METADATA = {"authors": AUTHORS, "author": AUTHORS, "code": CODE, "identifier": IDENTIFIER}
_BOLD = re.compile(r" {0,3}(?P<mark>\*\*|__)(?P<label>[^\s*_](?:[^*_]{0,58}[^\s*_])?)(?P=mark)[?:.]*(?P<gap>\s*)")
_LOOSE = re.compile(
    r" {0,3}(?:#{4,6} |(?P<mark>[*_]))?(?P<label>[^\W_][^*_#:]{0,40}?)(?P<end>[?:.]*)(?(mark)(?P=mark))[:.?]?(?:\s|$)"
)


@dataclass(frozen=True, slots=True)
class Label:
    """A label in the text; `line` and `end` (the end of its paragraph) from 0, `column` where its text starts.

    `is_field` tells a field of the config from metadata. `first` says that it starts its paragraph.
    """

    name: str
    is_field: bool
    line: int
    end: int
    column: int
    first: bool


def normalise_label(text: str) -> str:
    """Return what two spellings of a label share."""
    return " ".join(text.casefold().split()).strip("?:. ")


def known_labels(labels: Sequence[str]) -> dict[str, tuple[str, bool]]:
    """Return normalised label -> (name as shown, whether it is a field); the config's go before metadata."""
    metadata = {key: (name, False) for key, name in _METADATA.items()}
    return metadata | {normalise_label(label): (label, True) for label in labels}


def match_label(line: str, known: dict[str, tuple[str, bool]]) -> tuple[str, bool, int] | None:
    """Return name, whether it is a field, and where its text starts, if a line starts with a label."""
    match = _BOLD.match(line)
    found = known.get(normalise_label(match["label"])) if match else None
    return (*found, match.end()) if match and found else None


def find_labels(
    lines: Sequence[str], start: int, end: int, known: dict[str, tuple[str, bool]], findings: Findings
) -> list[Label]:
    """Return the labels of the paragraph in `lines[start:end]`, and warn about what comes near one."""
    found: list[Label] = []
    real = None
    for number in range(start, end):
        line = lines[number]
        if not _BOLD.match(line):
            if number == start:
                check_loose(line, number, known, findings)
            continue
        matched = match_label(line, known)
        if matched is None:
            _check_typo(line, number, known, findings)
            continue
        if number > start:
            real = _bold_starts("\n".join(lines[start:end])) if real is None else real
            if normalise_label(_BOLD.match(line)["label"]) not in real:  # type: ignore[index] # matched above
                continue
        name, is_field, column = matched
        found.append(Label(name, is_field, number, end, column, number == start))
    return found


def _bold_starts(paragraph: str) -> set[str]:
    """Return the bold words at line starts: `**Why?**` in a code span over two lines is none of them."""
    tokens = [Token("softbreak", "", 0), *parse_inline(paragraph)]
    tokens = [token for token in tokens if token.type != "text" or token.content]
    starts: set[str] = set()
    for before, bold, text in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if before.type in ("softbreak", "hardbreak") and bold.type == "strong_open":
            starts.add(normalise_label(text.content))
    return starts


def _check_typo(line: str, number: int, known: dict[str, tuple[str, bool]], findings: Findings) -> None:
    match = _BOLD.match(line)
    if match is None:
        return
    marked = match[0].rstrip().endswith(("?", ":")) or match["label"].endswith(("?", ":"))
    near = nearest_label(normalise_label(match["label"]), known, marked=marked)
    if near:
        message = f"{match['label']!r} is not a label, so it stays part of the text before it."
        place = (number + 1, match.start("mark") + 1)
        findings.warning(place, "unknown-label", message, f"Did you mean **{near}**?")


def check_loose(line: str, number: int, known: dict[str, tuple[str, bool]], findings: Findings) -> None:
    """Warn when a line (`number` from 0) starts with a label that isn't bold: `*Why?* …`, `Why? …`, `#### Why?`."""
    match = _LOOSE.match(line)
    found = known.get(normalise_label(match["label"])) if match else None
    if not match or not found:
        return
    # A word such as "Code" or "Why" starts many a sentence; only the mark after it makes it a label.
    asks = found[0].endswith("?") and bool(match["end"])
    if asks or match["mark"] or line.lstrip().startswith("#") or ":" in match[0]:
        message = f"This looks like the label {found[0]}, but a label is bold at the start of a paragraph."
        findings.warning((number + 1, 1), "unknown-label", message, f"Write **{found[0]}** and the text after it.")


def nearest_label(word: str, known: dict[str, tuple[str, bool]], *, marked: bool) -> str:
    """Return the label that `word` misspells, or ''. `marked` says that it ends like a label (`?`, `:`)."""
    for key, (name, _) in known.items():
        if word == key or not word:
            continue
        size = len(key)
        allowed = 2 if size >= 7 else 1
        distance = _distance(word, key, allowed)
        if distance <= allowed and (size > 4 or marked or sorted(word) == sorted(key)):
            return name
    return ""


def _distance(one: str, other: str, limit: int) -> int:
    """Return how many letters must be put in, taken out, changed or swapped; `limit + 1` if more than `limit`."""
    if abs(len(one) - len(other)) > limit:
        return limit + 1
    rows = [list(range(len(other) + 1))]
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, target in enumerate(other, 1):
            cost = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (letter != target))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == target:
                cost = min(cost, rows[-2][j - 2] + 1)
            row.append(cost)
        rows.append(row)
    return rows[-1][-1]
