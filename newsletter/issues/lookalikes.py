"""What looks like structure and isn't, or swallows it: an open code block, `##Title`, a setext underline.

Owns these messages. They matter because Markdown never complains: the text would simply end up somewhere else.
"""

import re
from collections.abc import Sequence

from newsletter.issues.findings import Findings, shorten
from newsletter.issues.labels import check_loose, match_label
from newsletter.markup import Token

_STRUCTURE = re.compile(r"\s*#{2,3}\s+\S")
_UNSPACED = re.compile(r" {0,3}(?P<signs>#{2,3})(?P<text>[^#\s].*)")

Known = dict[str, tuple[str, bool]]


def check_lookalikes(tokens: Sequence[Token], lines: Sequence[str], known: Known, findings: Findings) -> None:
    """Note everything at the top level of the file that probably isn't what it was meant to be."""
    for token in tokens:
        if token.level or not token.map or token.nesting < 0:
            continue
        start, end = token.map
        if token.type == "fence":
            _check_fence(token, lines, findings)
        elif token.type in ("html_block", "code_block"):
            _check_opaque(token, lines, known, findings)
        elif token.type == "table_open" and (found := match_label(lines[start], known)):
            message = f"The label {found[0]} is part of a table here."
            findings.error((start + 1, 1), "label-in-table", message, "Put an empty line between label and table.")
        elif token.type == "heading_open" and token.markup.startswith("####"):
            check_loose(lines[start], start, known, findings)
        elif token.type == "paragraph_open":
            _check_unspaced(lines, start, end, findings)


def check_setext(token: Token, lines: Sequence[str], findings: Findings) -> bool:
    """Note a heading made by a line of `===` or `---` under text, and return whether it was one."""
    if token.markup.startswith("#") or not token.map:
        return False
    start, end = token.map
    message = (
        f"The line of {token.markup}{token.markup}{token.markup} turns {shorten(lines[start], 30)!r} into a heading."
    )
    hint = "Put an empty line above it if it is a rule; write a section's heading as `## Title`."
    findings.error((end, 1), "setext-heading", message, hint)
    return True


def _check_fence(token: Token, lines: Sequence[str], findings: Findings) -> None:
    start, end = token.map or [0, 0]
    closing = lines[end - 1].strip()
    if end - 1 > start and closing.startswith(token.markup) and not closing.strip(token.markup[0]):
        return
    message = "This code block never ends, so everything below it is code."
    findings.error((start + 1, 1), "unclosed-code", message, f"End it with a line {token.markup}.")


def _check_opaque(token: Token, lines: Sequence[str], known: Known, findings: Findings) -> None:
    """Warn about headings and labels inside raw HTML or indented code, where they are only text."""
    start, end = token.map or [0, 0]
    if token.content.lstrip().startswith("<!--"):
        if "-->" not in token.content:
            message = "This comment never ends, so everything below it is left out."
            findings.error((start + 1, 1), "unclosed-comment", message, "End it with -->.")
        return
    what = "raw HTML" if token.type == "html_block" else "indented code"
    hint = "Put an empty line above it." if token.type == "html_block" else "Remove the spaces or the tab before it."
    for number in range(start, end):
        if _STRUCTURE.match(lines[number]) or match_label(lines[number].lstrip(), known):
            message = f"This line belongs to {what}, so it is shown as it is written."
            findings.warning((number + 1, 1), "structure-in-block", message, hint)
            return


def _check_unspaced(lines: Sequence[str], start: int, end: int, findings: Findings) -> None:
    for number in range(start, end):
        match = _UNSPACED.match(lines[number])
        if match:
            message = f"{shorten(lines[number].strip(), 30)!r} is no heading: a space is missing."
            hint = f"Write {match['signs']} {shorten(match['text'], 30)}"
            findings.error((number + 1, 1), "heading-space", message, hint)
