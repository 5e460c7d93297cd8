"""Headings that give an issue its structure: `## Section` and `### [Title](address) {#anchor}`.

Owns what a heading's text means. Refuses nothing: a heading that isn't a link still has a title.
"""

import re
from dataclasses import dataclass

from newsletter.issues.anchors import ANCHOR, compose_anchor
from newsletter.issues.findings import Findings, shorten
from newsletter.markup import References, Token, parse_inline, plain_text

_EXPLICIT = re.compile(r"\s*\{#([^{}]*)\}\s*$")


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of level 2 or 3 as written; `line` from 1, `height` in lines. `anchor` is empty unless given."""

    level: int
    line: int
    height: int
    title: str
    url: str
    anchor: str


def parse_heading(
    level: int, content: str, place: tuple[int, int], height: int, references: References, findings: Findings
) -> Heading:
    """Read the text of a heading that starts at `place`; `content` is its Markdown without the number signs."""
    explicit = _EXPLICIT.search(content)
    text = content[: explicit.start()] if explicit else content
    tokens = parse_inline(text, references)
    title = " ".join(plain_text(tokens).split())
    if not title:
        kind = "Section" if level == 2 else "Entry"
        hint = "Write its title after the number signs." if level == 2 else "Write `### [Title](https://…)`."
        findings.error(place, "empty-heading", f"{kind} heading without a title.", hint)
    if level == 3:
        _check_link(tokens, place, findings)
    url = next((str(token.attrs.get("href", "")) for token in tokens if token.type == "link_open"), "")
    anchor = _read_anchor(explicit[1], title, place, findings) if explicit else ""
    return Heading(level, place[0], height, title or "Untitled", url, anchor)


def _read_anchor(text: str, title: str, place: tuple[int, int], findings: Findings) -> str:
    if ANCHOR.fullmatch(text):
        return text
    message = (
        f"{shorten(text)!r} can't be an anchor: it takes lower-case letters, digits, dots and hyphens, at most 100."
    )
    findings.error(place, "bad-anchor", message, f"Write {{#{compose_anchor(text or title)}}}.")
    return ""


def _check_link(tokens: list[Token], place: tuple[int, int], findings: Findings) -> None:
    """Warn about an entry's heading that is only partly a link."""
    links = [token for token in tokens if token.type == "link_open"]
    if not links:
        return
    outside, depth = "", 0
    for token in tokens:
        depth += (token.type == "link_open") - (token.type == "link_close")
        outside += "" if depth or token.type == "link_close" else plain_text([token])
    if len(links) > 1:
        message = "The heading holds several links; only the first counts as the entry's."
        findings.warning(place, "heading-links", message, "Keep one, and move the others into the text.")
    elif outside.strip():
        message = f"The heading is more than its link: {shorten(outside)!r} stands outside."
        findings.warning(
            place, "heading-links", message, "Write the whole title in the brackets: ### [Title](https://…)"
        )
