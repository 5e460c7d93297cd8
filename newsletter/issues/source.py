"""An issue file's text before any syntax: line breaks, the byte order mark, and characters that no feed may carry.

Owns what counts as a line: only LF, CR and CRLF end one. Positions in the cleaned text are those of the file.
"""

import re

from newsletter.issues.findings import Findings

MAX_BYTES = 2_000_000
"""Larger files aren't read: no mail could carry them."""

UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
"""Controls, separators that only some programs take for line breaks, and what XML forbids (XML 1.0, 2.2)."""

_MAX_REPORTED = 20


def clean_source(source: str) -> str:
    """Return the text with LF line breaks, no byte order mark, and U+FFFD for each unprintable character."""
    return UNPRINTABLE.sub("\ufffd", _one_break(source))


def check_characters(source: str, findings: Findings) -> None:
    """Note every unprintable character, the first few of them."""
    text = _one_break(source)
    if not UNPRINTABLE.search(text):
        return
    for number, line in enumerate(text.split("\n"), 1):
        for match in UNPRINTABLE.finditer(line):
            if len(findings.problems) >= _MAX_REPORTED:
                return
            name = "NUL" if match[0] == "\0" else f"U+{ord(match[0]):04X}"
            findings.error(
                (number, match.start() + 1),
                "control-character",
                f"This line holds an invisible character ({name}) that mail and feeds can't carry.",
                "Delete it; it often comes along when text is pasted.",
            )


def _one_break(source: str) -> str:
    return source.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
