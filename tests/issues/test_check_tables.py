# ruff: noqa: E501 - in a table of messages, one case a line reads best
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.issues.check_tables import split_row
from newsletter.markup import parse_blocks
from newsletter.model.problem import Problem

P = "issues/2024-05-25.md"
CheckEntry = Callable[[str], list[Problem]]
MORE = "Give the head and the line below it more cells, or the row fewer. A | within a cell is written \\|."


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "| a | b |\n|---|---|\n| 1 | 2 | 3 |\n",
            f"11:10: error: The row has 3 cells and its table's head 2: readers don't get the rest. {MORE} [table-cells]",
        ),
        (
            "> a | b\n> -|-\n> 1 | 2 | 3\n",
            f"11:10: error: The row has 3 cells and its table's head 2: readers don't get the rest. {MORE} [table-cells]",
        ),
        (
            "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 |\n",
            "12:1: warning: The row has 1 cell and its table's head 2: the last stay empty. Write them, if only as | |."
            " [table-cells]",
        ),
        (
            "Text.\n| a | b | c |\n|---|---|\n| 1 | 2 |\n",
            "11:1: error: This isn't read as a table: its head has 3 cells, the line below it 2. Give both as many."
            " [unread-table]",
        ),
    ],
)
def test_a_table_whose_rows_do_not_fit_is_told(check_entry: CheckEntry, body: str, message: str) -> None:
    assert [str(problem) for problem in check_entry(body)] == [f"{P}:{message}"]


@pytest.mark.parametrize(
    "body", ["| a | b |\n|:--|--:|\n| 1 \\| 2 | |\n|| 3 |\n", "a | b\n-|-\n", "One | two\n\n---\n", "```\na | b\n-|-|-\n```\n"]
)  # fmt: skip
def test_tables_in_order_and_other_lines_are_left_alone(check_entry: CheckEntry, body: str) -> None:
    assert check_entry("Text.\n\n" + body) == []


@given(st.text(alphabet="|\\ ab`$\t", max_size=12).map("a|{}".format))
def test_a_row_has_as_many_cells_as_markdown_reads_in_it(row: str) -> None:
    cells = len(split_row(row.strip()))
    for number in (cells, cells + 1):
        tokens, _ = parse_blocks(f"{row}\n{'|-' * number}|\n")
        assert sum(token.type == "th_open" for token in tokens) == (cells if number == cells else 0)
