"""Plain text in lines: how wide characters are, and where a line may end.

Owns width and wrapping for the text part of a mail. Widths are columns of a terminal (Unicode Annex 11): two for East
Asian wide characters and emoji, none for combining marks. A word wider than the line, such as a URL, is never broken.
"""

import re
from unicodedata import category, east_asian_width

COLUMNS = 72
"""How wide a line of the text part may be."""

_BLANKS = re.compile(r"[ \t\n]+")


def width_of(text: str) -> int:
    """Return how many columns a text takes."""
    return sum(map(_width, text))


def wrap_text(text: str, *, first: str = "", rest: str | None = None, columns: int = COLUMNS) -> str:
    """Wrap a text; line breaks in it are kept.

    `first` stands before the first line and `rest` before the others (None: as many blanks as `first` is wide); both
    count towards `columns`.
    """
    rest = " " * width_of(first) if rest is None else rest
    lines: list[str] = []
    for paragraph in text.split("\n"):
        lines += _fill(paragraph, columns - max(width_of(first), width_of(rest)))
    return "\n".join([f"{first if at == 0 else rest}{line}".rstrip() for at, line in enumerate(lines)])


def pad_text(text: str, columns: int, align: str = "left") -> str:
    """Fill a text with blanks up to a width; `align` is `left`, `right` or `center`."""
    space = max(0, columns - width_of(text))
    before = {"right": space, "center": space // 2}.get(align, 0)
    return " " * before + text + " " * (space - before)


def _width(character: str) -> int:
    if category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if east_asian_width(character) in "WF" else 1


def _fill(text: str, columns: int) -> list[str]:
    """Fill lines greedily; an empty text is one empty line."""
    lines = [""]
    used = 0
    for word in _BLANKS.split(text.strip(" \t")):
        for at, piece in enumerate(_pieces(word)):
            gap = " " if at == 0 and lines[-1] else ""
            width = width_of(piece)
            if lines[-1] and used + len(gap) + width > columns:
                lines.append("")
                gap, used = "", 0
            lines[-1] += gap + piece
            used += len(gap) + width
    return lines


def _pieces(word: str) -> list[str]:
    """Cut a word where its script lets a line end: around wide characters, but not before closing punctuation."""
    pieces: list[str] = []
    after_wide = False
    for character in word:
        wide = east_asian_width(character) in "WF"
        closing = category(character) in ("Pe", "Pf", "Po", "Mn", "Me", "Cf", "Sk")
        opened = bool(pieces) and category(pieces[-1][-1]) in ("Ps", "Pi", "Cf")
        if pieces and (closing or opened or not (wide or after_wide)):
            pieces[-1] += character
        else:
            pieces.append(character)
        after_wide = wide or (after_wide and closing)
    return pieces
