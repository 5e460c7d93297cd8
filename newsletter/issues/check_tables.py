"""Checks tables: rows that have more or fewer cells than the head, and tables that aren't read as one."""

import re

from newsletter.issues.findings import Findings
from newsletter.issues.runs import Run
from newsletter.markup import Token

_PIPE = re.compile(r"(?<!\\)\|")
_CELL = r"[ \t]*+:?-++:?[ \t]*+"
_RULE = re.compile(rf"^[ \t]*+\|?{_CELL}(?:\|{_CELL})++(?:\|[ \t]*+)?$", re.MULTILINE)


def check_run_tables(run: Run, findings: Findings) -> None:
    """Note rows that don't have as many cells as their head, and heads that don't fit the line below them."""
    head = 0
    for token in run.tokens:
        if token.type == "table_open":
            head = 0
        elif token.type == "tr_open":
            cells = split_row(token.meta["row"])
            if head and len(cells) != head:
                _note_row(run, token, cells, head, findings)
            head = head or len(cells)
        elif token.type == "inline":
            _check_unread(run, token, findings)


def split_row(row: str) -> list[tuple[int, str]]:
    """Return the cells of a table's row, as GFM counts them, each with its offset in the row."""
    starts = [0, *(match.end() for match in _PIPE.finditer(row))]
    ends = [*(match.start() for match in _PIPE.finditer(row)), len(row)]
    cells = [(start, row[start:end]) for start, end in zip(starts, ends, strict=True)]
    if cells and not cells[0][1]:
        del cells[0]
    if cells and not cells[-1][1]:
        del cells[-1]
    return cells


def _note_row(run: Run, row: Token, cells: list[tuple[int, str]], head: int, findings: Findings) -> None:
    number = run.place(row)[0]
    text = row.meta["row"]
    if len(cells) > head:
        place = (number, run.file.column(number, text, cells[head][0]))
        message = f"The row has {len(cells)} cells and its table's head {head}: readers don't get the rest."
        hint = "Give the head and the line below it more cells, or the row fewer. A | within a cell is written \\|."
        findings.error(place, "table-cells", message, hint)
    else:
        cells_are = "1 cell" if len(cells) == 1 else f"{len(cells)} cells"
        message = f"The row has {cells_are} and its table's head {head}: the last stay empty."
        findings.warning((number, run.file.column(number, text)), "table-cells", message, "Write them, if only as | |.")


def _check_unread(run: Run, inline: Token, findings: Findings) -> None:
    """Note a line like `|---|---|` in plain text: it was to make a table of the line above it."""
    for match in _RULE.finditer(inline.content) if "|" in inline.content else ():
        above = inline.content[: match.start()].rstrip("\n").rpartition("\n")[2].strip()
        if "|" in above:
            asked, given = len(split_row(match[0].strip())), len(split_row(above))
            message = f"This isn't read as a table: its head has {given} cells, the line below it {asked}."
            place = run.place(inline, match.start() + len(match[0]) - len(match[0].lstrip()))
            findings.error(place, "unread-table", message, "Give both as many.")
