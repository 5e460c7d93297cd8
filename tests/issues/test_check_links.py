# ruff: noqa: E501 - in a table of messages, one case a line reads best
from collections.abc import Callable

import pytest

from newsletter.model.problem import Problem
from tests.issues.conftest import Check

P = "issues/2024-05-25.md"
CheckEntry = Callable[[str], list[Problem]]
RELATIVE = (
    "is relative: in a mail or a feed it leads nowhere. Write the full address, https:// and all. [relative-link]"
)


def places(problems: list[Problem]) -> list[tuple[int, int, str]]:
    return [(problem.line, problem.column, problem.code) for problem in problems]


@pytest.mark.parametrize(
    ("body", "line", "column"),
    [
        ("Text [x](y) more.\n", 9, 6),
        ("**Why?** Text [x](y).\n", 9, 15),
        ("**Why?** 2024. Text [x](y).\n", 9, 21),
        ("One\ntwo\n  three [x](y)\n", 11, 9),
        ("> quote\n> and [x](y)\n", 10, 7),
        ("- item\n  - deeper [x](y)\n", 10, 12),
        ("| a | b |\n|---|---|\n| 1 | [x](y) |\n", 11, 7),
        ("**[x](y)** bold\n", 9, 3),
        ("Text [x][r].\n\n[r]: y\n", 9, 6),
        ("Intro\n\n#### See [x](y)\n", 11, 10),
        ('A <a href="y">raw</a>\n', 9, 3),
        ('<div>\n<p><a href="y">raw</a>\n</div>\n', 10, 4),
        ("[![alt](https://x.org/i.png)](y)\n", 9, 1),
        ("`code` and\t[x](y)\n", 9, 12),
    ],
)
def test_a_relative_link_is_an_error_at_its_true_place(
    check_entry: CheckEntry, body: str, line: int, column: int
) -> None:
    assert [str(problem) for problem in check_entry(body)] == [f"{P}:{line}:{column}: error: y {RELATIVE}"]


def test_links_in_intro_and_section_are_checked_as_well(check: Check) -> None:
    body = "[a](b)\n\n## S\n\n[c](d)\n\n### [T](https://x.org)\n\nx\n"
    assert places(check(body)) == [(5, 1, "relative-link"), (9, 1, "relative-link")]


def test_the_heading_s_link_and_the_code_link_are_checked(check: Check) -> None:
    body = "## S\n\n### [T](paper.html)\n\n**Code** <https://bit.ly/c>\n\nx\n"
    assert places(check(body)) == [(7, 9, "relative-link"), (9, 11, "shortened-link")]


def test_a_heading_s_link_without_address_is_an_error(check: Check) -> None:
    assert (7, 1, "malformed-link") in places(check("## S\n\n### [T]()\n\nx\n"))


@pytest.mark.parametrize(
    ("heading", "column"),
    [("### [T](javascript:alert(1))", 5), ("### [T](<data:text/html,x>)", 5), ("## [S](vbscript:x)\n\n### T", 4)],
)
def test_a_heading_whose_link_would_be_dropped_is_an_error(check: Check, heading: str, column: int) -> None:
    (problem,) = [each for each in check(f"## S\n\n{heading}\n\nx\n") if each.code == "malformed-link"]
    assert (problem.line, problem.column, problem.severity) == (7, column, "error")
    assert "is dropped before anything is sent" in problem.hint


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("See [x](https://x.org/a b).\n", f"{P}:9:5: error: [x](https://x.org/a b) isn't read as a link. An address can't hold a space: write %20, or check where it ends. [malformed-link]"),
        ("See [x](javascript:alert()).\n", f"{P}:9:5: error: [x](javascript:alert isn't read as a link. A link that starts with javascript: is dropped before anything is sent. Use one of http, https, mailto. [malformed-link]"),
        ("See [x](https://x.org\n", f"{P}:9:5: error: [x](https://x.org isn't read as a link. Check its brackets and parentheses. [malformed-link]"),
        ("See [x](some words).\n", f"{P}:9:5: warning: [x](some words) isn't read as a link. If it is none, write \\[ for the bracket. [malformed-link]"),
        ("See [x][nope].\n", f"{P}:9:5: warning: [x][nope] names a link that is defined nowhere. Add a line [nope]: https://… at the end of the file. [undefined-reference]"),
        ("See https://x.org/a.\n", f"{P}:9:5: warning: https://x.org/a is plain text, which many readers can't click. Write <https://x.org/a>. [bare-link]"),
    ],
)  # fmt: skip
def test_what_was_meant_to_be_a_link_is_explained(check_entry: CheckEntry, body: str, message: str) -> None:
    assert [str(problem) for problem in check_entry(body)] == [message]


@pytest.mark.parametrize(
    "body",
    [
        "[x](https://x.org) <https://x.org> <mailto:a@x.org> [m](mailto:a@x.org)\n",
        "`[x](y z)` and `https://x.org`\n",
        "```\n[x](y z) https://x.org ![](i.png)\n```\n",
        "$f[a](b c)$ and $$\nf[a](b c)\n$$\n",
        "An \\[x](y z) and a list[0][1]...\n",
        "[x][r]\n\n[r]: https://x.org\n",
        '<a href="https://x.org">x</a> <img src="https://x.org/i.png" alt="">\n',
        "![A plot](https://x.org/i.png)\n",
    ],
)
def test_links_in_order_and_links_in_code_are_left_alone(check_entry: CheckEntry, body: str) -> None:
    assert [problem for problem in check_entry(body) if problem.code != "undefined-reference"] == []


@pytest.mark.parametrize(
    ("body", "column", "hint"),
    [
        ("An ![](https://x.org/i.png)\n", 4, 'Describe it: ![what it shows](https://…); if it is only decoration, write <img src="https://…" alt="">.'),
        ("An ![ ](https://x.org/i.png)\n", 4, 'Describe it: ![what it shows](https://…); if it is only decoration, write <img src="https://…" alt="">.'),
        ('An <img src="https://x.org/i.png">\n', 4, 'Add alt="…"; alt="" if it is only decoration.'),
    ],
)  # fmt: skip
def test_an_image_without_a_description_is_an_error(check_entry: CheckEntry, body: str, column: int, hint: str) -> None:
    assert [str(problem) for problem in check_entry(body)] == [
        f"{P}:9:{column}: error: A reader who can't see the image is told nothing about it. {hint} [missing-alt]"
    ]


def test_each_of_several_broken_links_is_found_at_its_place(check_entry: CheckEntry) -> None:
    body = "[a](https://x.org/ 1) [a](https://x.org/ 1)\n\n[ok](https://x.org) [b](c) ![](d)\n"
    assert places(check_entry(body)) == [
        (9, 1, "malformed-link"),
        (9, 23, "malformed-link"),
        (11, 21, "relative-link"),
        (11, 28, "missing-alt"),
        (11, 28, "relative-link"),
    ]
