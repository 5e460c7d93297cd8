import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.audience.rows import MAX_LINES, MAX_ROW, BadRow, Row, read_rows, sniff_delimiter


def _read(text: str) -> list[Row | BadRow]:
    return list(read_rows(io.StringIO(text, newline="")))


def _cells(text: str) -> list[list[str]]:
    return [row.cells for row in _read(text) if isinstance(row, Row)]


def test_rows_know_the_line_they_begin_on() -> None:
    rows = _read('a,b\r\n\r\n"1\n2",x\n3,"4""5"\n')
    assert rows == [
        Row(1, ["a", "b"], "a,b"),
        Row(3, ["1\n2", "x"], '"1\n2",x'),
        Row(5, ["3", '4"5'], '3,"4""5"'),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_counts_as_one_line(end: str) -> None:
    assert [row.line for row in _read(end.join(("a", "b", "", "c")))] == [1, 2, 4]


@pytest.mark.parametrize(
    ("line", "delimiter"),
    [("a,b;c,d", ","), ("a;b,c;d", ";"), ("a\tb", "\t"), ("alone", ","), ("", ","), ('"a,b,c,d";e', ";")],
)
def test_the_delimiter_is_what_the_first_line_uses_most_outside_quotes(line: str, delimiter: str) -> None:
    assert sniff_delimiter(line) == delimiter


def test_the_first_line_that_is_not_blank_tells_the_delimiter() -> None:
    assert _read("\n\na;b\n1;2\n") == [Row(3, ["a", "b"], "a;b"), Row(4, ["1", "2"], "1;2")]


def test_a_quote_that_is_never_closed_costs_its_own_row_only() -> None:
    rows = _read('a,b\n1,"2\n3,4\n5,6\n')
    assert rows[1] == BadRow(2, '1,"2', 'a quote (") is opened and never closed.')
    assert [(row.line, row.cells) for row in rows if isinstance(row, Row)] == [
        (1, ["a", "b"]),
        (3, ["3", "4"]),
        (4, ["5", "6"]),
    ]


def test_a_quote_that_is_closed_too_late_costs_its_own_row_only() -> None:
    lines = ["a,b", '1,"2', *(f"{number},x" for number in range(MAX_LINES + 20)), '9,"z"']
    rows = _read("\n".join(lines))
    bad = [row for row in rows if isinstance(row, BadRow)]
    assert bad == [BadRow(2, '1,"2', f'a quote (") is opened and not closed within {MAX_LINES} lines.')]
    assert [row.line for row in rows] == list(range(1, len(lines) + 1))
    assert _cells("\n".join(lines))[-1] == ["9", "z"]


def test_two_quotes_left_open_cost_two_rows() -> None:
    lines = ["a", '"1', *["x"] * MAX_LINES, '"2', "3"]
    rows = _read("\n".join(lines))
    assert [row.line for row in rows if isinstance(row, BadRow)] == [2, MAX_LINES + 3]
    assert len(rows) == len(lines)


def test_a_row_that_is_too_long_is_put_aside_and_the_next_is_read() -> None:
    rows = _read("a\n" + "x" * (3 * MAX_ROW) + "\nb\n")
    assert [row.line for row in rows] == [1, 2, 3]
    long = rows[1]
    assert isinstance(long, BadRow)
    assert (len(long.text), long.reason) == (MAX_ROW, "the row is longer than 65,536 characters.")
    assert rows[2] == Row(3, ["b"], "b")


def test_a_row_of_exactly_the_limit_is_read() -> None:
    (row,) = _read("x" * (MAX_ROW - 1) + "\n")
    assert isinstance(row, Row)


def test_a_quote_open_before_a_line_that_is_too_long_costs_both_rows() -> None:
    rows = _read('"a\n' + "x" * (MAX_ROW + 1) + "\nb\n")
    assert [(type(row), row.line) for row in rows] == [(BadRow, 1), (BadRow, 2), (Row, 3)]


def test_a_quote_inside_a_cell_is_a_character() -> None:
    assert _cells('Bob 5" disk,b\nc,d\n') == [['Bob 5" disk', "b"], ["c", "d"]]


CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@given(st.lists(st.lists(CELL, min_size=2, max_size=4), min_size=1, max_size=8))
def test_what_the_csv_module_writes_is_read_back(table: list[list[str]]) -> None:
    stream = io.StringIO(newline="")
    csv.writer(stream, quoting=csv.QUOTE_ALL).writerows([["first", "row"], *table])
    rows = _read(stream.getvalue())
    assert [row.cells for row in rows if isinstance(row, Row)] == [
        ["first", "row"],
        *(row for row in table if any(row)),
    ]
    lines = stream.getvalue().splitlines(keepends=True)
    assert all(isinstance(row, Row) for row in rows)
    assert len(lines) >= len(rows)


@given(st.text('a",;\t\r\n ', max_size=80))
def test_any_text_is_read_to_its_end_with_rising_lines(text: str) -> None:
    lines = [row.line for row in _read(text)]
    assert lines == sorted(set(lines))
    physical = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    assert all(1 <= line <= len(physical) for line in lines)
