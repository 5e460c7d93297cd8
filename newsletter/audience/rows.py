"""CSV files as people really have them: rows with the line each begins on, and the broken ones put aside.

Owns quoting, line numbers and limits. One broken row costs that row alone: a quote that is never closed doesn't swallow
what follows it. Reads a stream once and holds one row at a time.
"""

import csv
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO

MAX_ROW = 65_536
"""Characters of one row."""

MAX_LINES = 100
"""Lines of one row, with line breaks inside quotes."""

_DELIMITERS = ",;\t"


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its cells, the line it begins on (from 1), and its text as it stands in the file."""

    line: int
    cells: list[str]
    text: str


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that can't be used: the line it begins on (from 1), its text without line end, and why."""

    line: int
    text: str
    reason: str


def read_rows(stream: TextIO) -> Iterator[Row | BadRow]:
    """Yield every row that isn't blank; the first one tells the delimiter.

    `stream` must keep line ends as they are (`newline=""`). A row that is too long or never ends is yielded as a BadRow
    of its first line, and reading goes on with the next line.
    """
    lines = _Lines(stream)
    delimiter = sniff_delimiter(lines.peek())
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    while True:
        lines.begin_row()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except (_RowError, csv.Error) as error:
            yield BadRow(lines.first, lines.give_up(), str(error))
            reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
            continue
        if any(cells):
            yield Row(lines.first, cells, lines.text)


def sniff_delimiter(line: str) -> str:
    """Return the one of comma, semicolon and tab that a line uses most outside quotes; comma if it uses none."""
    bare = re.sub(r'"[^"]*"', "", line)
    return max(_DELIMITERS, key=bare.count)


class _RowError(Exception):
    """The row being read can't be finished."""


class _Lines:
    """Feeds csv's reader line by line; a reader that asks for another line has a quote open."""

    def __init__(self, stream: TextIO) -> None:
        self.first = 1
        self._stream = stream
        self._row: list[str] = []
        self._size = 0
        self._again: deque[str] = deque()

    def peek(self) -> str:
        """Return the first line that isn't blank, and leave it to be read."""
        skipped = [self._read()]
        while skipped[-1] and not skipped[-1].strip():
            skipped.append(self._read())
        self._again.extend(line for line in skipped if line)
        return skipped[-1]

    def begin_row(self) -> None:
        """Forget the row before."""
        self.first += len(self._row)
        self._row.clear()
        self._size = 0

    @property
    def text(self) -> str:
        """Return the row as it stands in the file, without its line end."""
        text = self._row[0] if len(self._row) == 1 else "".join(self._row)
        return text.rstrip("\r\n")

    def give_up(self) -> str:
        """Put back all but the first line of a broken row, and return that line."""
        self._again.extendleft(reversed(self._row[1:]))
        del self._row[1:]
        return self.text[:MAX_ROW]

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self._row) == MAX_LINES:
            raise _RowError(f'a quote (") is opened and not closed within {MAX_LINES} lines.')
        line = self._again.popleft() if self._again else self._read()
        if not line:
            if self._row:
                raise _RowError('a quote (") is opened and never closed.')
            raise StopIteration
        self._row.append(line)
        self._size += len(line)
        if self._size > MAX_ROW:
            raise _RowError(f"the row is longer than {MAX_ROW:,} characters.")
        return line

    def _read(self) -> str:
        """Read a line, but of one that is too long no more than shows it."""
        line = self._stream.readline(MAX_ROW + 1)
        piece = line
        while len(piece) > MAX_ROW and not piece.endswith(("\n", "\r")):
            piece = self._stream.readline(MAX_ROW + 1)
        return line
