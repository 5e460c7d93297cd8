# ruff: noqa: E501 - in a table of messages, one case a line reads best
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.issues.check_maths import find_fault
from newsletter.model.problem import Problem
from tests.issues.conftest import HEAD, Check

P = "issues/2024-05-25.md"
CheckEntry = Callable[[str], list[Problem]]
HINT = "Mend it: as it is, readers see the TeX. A brace to be seen is written \\{ or \\}."


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("So $\\frac{a}{b$ is.\n", f"9:13: error: The formula \\frac{{a}}{{b isn't whole: {{ is never closed. {HINT}"),
        ("**Why?** So $a}$ is.\n", f"9:15: error: The formula a}} isn't whole: }} closes nothing. {HINT}"),
        ("$$\nx\n\\sum_{i=1\n$$\n", f"11:6: error: The formula x \\sum_{{i=1 isn't whole: {{ is never closed. {HINT}"),
        ("| a |\n|---|\n| $\\left(x$ |\n", f"11:4: error: The formula \\left(x isn't whole: \\left is never closed. {HINT}"),
        ("$\\begin{a}{x\\end{a}}$\n", f"9:13: error: The formula \\begin{{a}}{{x\\end{{a}}}} isn't whole: \\end{{a}} closes nothing. {HINT}"),
        ("- $$x^$$ is\n", f"9:6: error: The formula x^ isn't whole: ^ has nothing behind it. {HINT}"),
        ("So $\\left(x\\right$ is.\n", f"9:12: error: The formula \\left(x\\right isn't whole: \\right has nothing behind it. {HINT}"),
    ],
)  # fmt: skip
def test_a_formula_that_is_not_whole_is_an_error(check_entry: CheckEntry, body: str, message: str) -> None:
    assert [str(problem) for problem in check_entry(body)] == [f"{P}:{message} [broken-maths]"]


@pytest.mark.parametrize(
    ("body", "text", "column"),
    [
        ("An $x^2 here.\n", "$x^2", 4),
        ("An x_1$ here.\n", "x_1$", 4),
        ("An $x is.\n", "$x", 4),
        ("An $ x^2 $ is.\n", "$ x^2 $", 4),
        ("Of 2$x^2$ it is.\n", "$x^2$", 5),
        ("**Why?** $\\alpha of $y$.\n", "$\\alpha", 10),
        ("An $$x^2 is.\n", "$$", 4),
    ],
)
def test_what_was_meant_to_be_a_formula_is_a_warning(
    check_entry: CheckEntry, body: str, text: str, column: int
) -> None:
    problem = check_entry(body)[0]
    assert str(problem).startswith(f"{P}:9:{column}: warning: {text} isn't read as a formula. A formula ends with $ ")


@pytest.mark.parametrize(
    "body",
    [
        "It costs $5, US$10 or $1.5m, not $20 (A$3).\n",
        "Set $HOME and $MY_PATH; `$x_1` is code, and \\$x_1 is none.\n",
        "$x^2$ and $\\{a\\}$, $\\left\\{b\\right.$ and\n\n$$\n\\begin{aligned}a_{i^{2}}\\end{aligned}\n$$\n",
        "[x](https://x.org/a_b$) <https://x.org/$a_b>\n",
    ],
)
def test_prices_code_and_formulas_in_order_are_left_alone(check_entry: CheckEntry, body: str) -> None:
    assert check_entry("Text.\n\n" + body) == []


def test_formulas_in_titles_and_headings_are_checked(check: Check) -> None:
    body = "## On $a{$\n\n### [Of $x^2 now](https://x.org)\n\nx\n"
    problems = check(body, head=HEAD.replace("Title", "On $b{$"))
    assert [(each.line, each.column, each.code) for each in problems] == [
        (2, 11, "broken-maths"),
        (5, 9, "broken-maths"),
        (7, 9, "unread-maths"),
    ]


@given(st.recursive(st.sampled_from(["x", r"\{", r"\alpha ", "^2", ""]), lambda inner: st.tuples(inner, inner).map("{%s}%s".__mod__), max_leaves=12))  # fmt: skip
def test_what_is_nested_in_order_is_whole_until_a_brace_is_lost(tex: str) -> None:
    assert find_fault(tex) is None
    assert (find_fault(tex + "{") is None, find_fault(tex + "}") is None) == (False, False)
