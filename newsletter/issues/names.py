"""Lists of people's names as editors write them: `A, B and C`, or `Last, First; Last, First`."""

import re

_SUFFIX = re.compile(r"(?:Jr|Sr|II|III|IV|Ph\.?D|M\.?D)\.?", re.IGNORECASE)
_AND = re.compile(r"\s+(?:and|&)\s+", re.IGNORECASE)


def parse_names(text: str) -> tuple[str, ...]:
    """Return the names in a line of text.

    With a `;` anywhere only that separates, so that names may hold commas; otherwise `,` separates, outside of
    parentheses, and `and` or `&` before the last. `Jr.` and the like stay with the name before them.
    """
    parts = re.split(r"[;；]", text) if re.search(r"[;；]", text) else _split_commas(text)
    names: list[str] = []
    for part in parts:
        name = " ".join(part.split())
        if names and _SUFFIX.fullmatch(name):
            names[-1] += f", {name}"
        elif name:
            names.append(name)
    if names:
        names[-1:] = _AND.split(re.sub(r"^(?:and|&)\s+", "", names[-1], flags=re.IGNORECASE))
    return tuple(name for name in names if name)


def _split_commas(text: str) -> list[str]:
    parts, depth = [""], 0
    for character in text:
        depth += (character in "([") - (character in ")]")
        if character in ",，、" and depth <= 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts
