"""Checks formulas: what opens in one and isn't closed, and dollars that look like a formula and aren't read as one."""

import re
from dataclasses import dataclass

from newsletter.issues.check_links import mask_unseen
from newsletter.issues.findings import Findings, shorten
from newsletter.issues.runs import File, Place, Run
from newsletter.markup import INLINE_MATHS, Token
from newsletter.model.issue import Issue

_PARTS = re.compile(r"\\(?:begin|end)\s*\{[^{}]*\}|\\(?:left|right)(?![A-Za-z])|\\.|[{}^_]", re.DOTALL)

_NOTHING = re.compile(r"\s*(?:\}|$)")
_DELIMITED = frozenset({r"\left", r"\right"})

_TEX = r"[\^_\\{}]"
_LEFT_OVER = re.compile(
    r"(?<!\\)\$\$"
    rf"|(?<!\\)\$(?!\d)(?=[^$\n]*?{_TEX})[^$\n]*+(?<!\\)\$"
    rf"|(?<![\\\w])\$(?![A-Z][A-Z0-9_]+\b)(?=[A-Za-z](?![A-Za-z])|[^\s$]*?{_TEX})[^\s$\d][^\s$]*+"
    rf"|(?<![^\s$])(?=[^\s$]*?{_TEX})[^\s$]++(?<!\\)\$(?!\w)"
)
"""Doubled dollars; a pair with TeX between them; an opening, and a closing one beside TeX. Prices are none of these."""

_OPEN_HINT = "Mend it: as it is, readers see the TeX. A brace to be seen is written \\{ or \\}."
_LEFT_HINT = (
    "A formula ends with $ in its own paragraph, without a space inside its dollars or a digit beside them. A dollar "
    "sign is written \\$, and code goes into backticks."
)


@dataclass(frozen=True, slots=True)
class _Fault:
    """What keeps a formula from being one, and where in its TeX."""

    offset: int
    what: str


def check_run_maths(run: Run, findings: Findings) -> None:
    """Note formulas that aren't whole, and what was meant to be one."""
    for token in run.tokens:
        if token.type.startswith("math_block") and (fault := find_fault(token.content)):
            _note(token.content, fault, run.place(token, fault.offset), findings)
    for inline in run.inlines:
        for child in inline.children or []:
            if child.type.startswith("math_") and (fault := find_fault(child.content)):
                start = child.meta["at"][0] + len(child.markup)
                _note(child.content, fault, run.place(inline, start + fault.offset), findings)
        _check_dollars(run, inline, findings)


def check_title_maths(issue: Issue, file: File, findings: Findings) -> None:
    """Note the same in title and subtitle, which are plain text with `$…$`."""
    for key, text in (("title", issue.title), ("subtitle", issue.subtitle)):
        line = issue.lines.get(key, 1)
        for match in INLINE_MATHS.finditer(text):
            if fault := find_fault(match[1]):
                _note(match[1], fault, file.find(match[0], line, line), findings)
        for match in _LEFT_OVER.finditer(INLINE_MATHS.sub(lambda found: " " * len(found[0]), text)):
            _note_dollar(match[0], file.find(match[0], line, line), findings)


def find_fault(tex: str) -> _Fault | None:
    """Return the first thing in TeX that closes nothing, is never closed, or has nothing behind it."""
    opened: list[tuple[str, str, int]] = []
    for match in _PARTS.finditer(tex):
        part = "".join(match[0].split())
        if part in _DELIMITED and _NOTHING.match(tex, match.end()):
            return _Fault(match.start(), f"{part} has nothing behind it")
        closing = _closing(part)
        if closing:
            opened.append((part, closing, match.start()))
        elif part in ("^", "_"):
            if _NOTHING.match(tex, match.end()):
                return _Fault(match.start(), f"{part} has nothing behind it")
        elif _closes(part) and (not opened or opened.pop()[1] != part):
            return _Fault(match.start(), f"{part} closes nothing")
    return _Fault(opened[-1][2], f"{opened[-1][0]} is never closed") if opened else None


def _closing(part: str) -> str:
    """Return what closes a part; empty for one that opens nothing."""
    if part.startswith(r"\begin{"):
        return part.replace(r"\begin", r"\end", 1)
    return {"{": "}", r"\left": r"\right"}.get(part, "")


def _closes(part: str) -> bool:
    return part in ("}", r"\right") or part.startswith(r"\end{")


def _note(tex: str, fault: _Fault, place: Place, findings: Findings) -> None:
    findings.error(place, "broken-maths", f"The formula {shorten(tex)} isn't whole: {fault.what}.", _OPEN_HINT)


def _check_dollars(run: Run, inline: Token, findings: Findings) -> None:
    """Note the first dollar of a paragraph that is left over: those after it are often only its echo."""
    if "$" in inline.content and (match := _LEFT_OVER.search(mask_unseen(inline))):
        _note_dollar(match[0], run.place(inline, match.start()), findings)


def _note_dollar(text: str, place: Place, findings: Findings) -> None:
    findings.warning(place, "unread-maths", f"{shorten(text)} isn't read as a formula.", _LEFT_HINT)
