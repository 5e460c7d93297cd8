"""Skims an issue file for its works without parsing it: fast enough for thousands of files at each check.

Owns a shortcut, and is held to agree with `issues.parse` on files that parse without errors: headings at the margin,
outside of code and comments, and identifier lines.
"""

import re
from collections.abc import Iterator
from datetime import date

from newsletter.issues.check_text import PARTS, PLACEHOLDER
from newsletter.issues.check_works import EarlierWork, title_key
from newsletter.issues.identifiers import parse_identifier
from newsletter.issues.parse import default_slug
from newsletter.markup import parse_inline, plain_text
from newsletter.model.issue import Identifier

_LINE = re.compile(
    rb"\n(?:(?P<indent> {0,3})(?P<fence>`{3,}|~{3,})|(?P<signs>###?)[ \t]+(?P<heading>[^\n]*)"
    rb"|(?:\*\*|__)[Ii]dentifier[^\n*_]*(?:\*\*|__):?(?P<id>[^\n]*))"
)
_COMMENT = re.compile(rb"\n {0,3}<!--.*?-->", re.DOTALL)
_LINK = re.compile(r"\[(?P<title>[^\[\]\\`*_$<&!]+)\]\((?P<url>[^()\s<>]+)\)(?:[ \t]*\{#[^{}]*\})?[ \t]*")
_WORD = re.compile(r"\]\(\s*<?(?P<inline>[^()\s<>]+)|<(?P<angle>[^<>\s]+)>|(?P<bare>[^\s<>`]+)")
_SLUG = re.compile(rb"^slug:[ \t]*[\"']?([a-z0-9][a-z0-9-]*)[\"']?[ \t\r]*(?:#.*)?$", re.MULTILINE)


def scan_works(raw: bytes, path: str, day: date) -> dict[str, EarlierWork]:
    """Return the works of one file by identifier key and by title key; a repeated work's first place counts."""
    text = _normalise(raw)
    slug = scan_slug(raw) or default_slug(path, day)
    works: dict[str, EarlierWork] = {}
    for title, identifier, line in _scan_entries(text):
        work = EarlierWork(slug, day, title, path, line, identifier.version if identifier else "")
        for key in (identifier.key if identifier else "", title_key(title)):
            if key:
                works.setdefault(key, work)
    return works


def scan_slug(raw: bytes) -> str:
    """Return the slug in a file's front matter, or ''."""
    text = raw.removeprefix(b"\xef\xbb\xbf")
    end = text.find(b"\n---", 4) if text.startswith(b"---") else -1
    match = _SLUG.search(text, 0, end) if end > 0 else None
    return match[1].decode() if match else ""


def _normalise(raw: bytes) -> bytes:
    text = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in raw else raw
    if b"<!--" in text:
        text = _COMMENT.sub(lambda match: b"\n" * match[0].count(b"\n"), text)
    return b"\n" + text


def _scan_entries(text: bytes) -> Iterator[tuple[str, Identifier | None, int]]:
    """Yield title, identifier and line of each entry."""
    current: tuple[str, Identifier | None, int] | None = None
    fence, line, counted = b"", 1, 1
    for match in _LINE.finditer(text):
        line += text.count(b"\n", counted, match.start() + 1)
        counted = match.start() + 1
        if match["fence"]:
            fence = _next_fence(fence, match)
        elif not fence and match["heading"] is not None:
            if current:
                yield current
            is_entry = match["signs"] == b"###"
            found = _read_heading(match["heading"].decode("utf-8", "replace")) if is_entry else None
            current = (*found, line) if found else None
        elif not fence and current:
            identifier = _read_identifier(match["id"].decode("utf-8", "replace"))
            current = (current[0], identifier or current[1], current[2])
    if current:
        yield current


def _next_fence(fence: bytes, match: re.Match[bytes]) -> bytes:
    """Return the fence that is open after a line of fence marks; '' when none is.

    An indented one opens nothing: it mostly belongs to a list, where code never starts at the margin as headings do.
    """
    marks = match["fence"]
    stop = match.string.find(b"\n", match.end())
    rest = match.string[match.end() : stop if stop >= 0 else None]
    if not fence:
        return b"" if match["indent"] or (marks[:1] == b"`" and b"`" in rest) else marks
    closes = marks[:1] == fence[:1] and len(marks) >= len(fence) and not rest.strip()
    return b"" if closes else fence


def _read_heading(text: str) -> tuple[str, Identifier | None] | None:
    """Return an entry's title and identifier; None where a placeholder stands for either: that was no work yet."""
    title, url = _split_heading(text)
    if PLACEHOLDER.search(f"{title} {PARTS.sub(' ', url)}"):
        return None
    return title, parse_identifier(url)


def _split_heading(text: str) -> tuple[str, str]:
    simple = _LINK.fullmatch(text.strip())
    if simple:
        return " ".join(simple["title"].split()), simple["url"]
    tokens = parse_inline(re.sub(r"\s*\{#[^{}]*\}\s*$", "", text))
    url = next((str(token.attrs.get("href", "")) for token in tokens if token.type == "link_open"), "")
    return " ".join(plain_text(tokens).split()), url


def _read_identifier(text: str) -> Identifier | None:
    match = _WORD.search(text)
    return parse_identifier(match["inline"] or match["angle"] or match["bare"]) if match else None
