# ruff: noqa: E501 - in a table of messages, one case a line reads best
from collections.abc import Callable

import pytest

from newsletter.model.problem import Problem
from tests.issues.conftest import HEAD, Check

P = "issues/2024-05-25.md"
CheckEntry = Callable[[str], list[Problem]]


@pytest.mark.parametrize(
    ("body", "word", "line", "column"),
    [
        ("Text TK more.\n", "TK", 9, 6),
        ("**Why?** TKTK\n", "TKTK", 9, 10),
        ("- a\n- TODO: b\n", "TODO", 10, 3),
        ("See [FIXME](https://x.org/TODO)\n", "FIXME", 9, 6),
        ("`TK` XXX\n", "XXX", 9, 6),
        ("Lorem ipsum dolor\n", "Lorem ipsum", 9, 1),
        ("| a |\n|---|\n| **TK** |\n", "TK", 11, 5),
        ("**Authors** Ann, TK\n\nText.\n", "TK", 9, 18),
    ],
)
def test_a_placeholder_is_an_error(check_entry: CheckEntry, body: str, word: str, line: int, column: int) -> None:
    assert [str(problem) for problem in check_entry(body)] == [
        f"{P}:{line}:{column}: error: {word} is a placeholder. Write what is meant. In backticks (`{word}`) it counts as "
        "text. [placeholder]"
    ]


@pytest.mark.parametrize(
    "body",
    ["`TODO` ``TK``\n", "```\nTODO\n```\n", "    TODO\n", "TKs TODOs todo tk TK-1 XXXL\n", "[x](https://x.org/TK)\n", "<https://x.org/TODO>\n", "![a](https://x.org/TK.png)\n"],
)  # fmt: skip
def test_placeholders_in_code_addresses_and_longer_words_are_none(check_entry: CheckEntry, body: str) -> None:
    assert check_entry("Text.\n\n" + body) == []


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ("So[^1] it is[^1].\n\n[^1]: A note.\n", ["9:3 [^1]"]),
        ("So[^1] and[^note-2].\n\n[^1]: https://x.org/y\n", ["9:3 [^1]", "9:11 [^note-2]"]),
        ("**Why?** So[^1].\n\n- Also[^1].\n", ["9:12 [^1]"]),
        ("`[^1]`, \\[^1], $x_{[^1]}$, [^a-z] and [^1](https://x.org/y).\n", []),
    ],
)
def test_a_footnote_is_a_warning_where_it_is_first_met(check_entry: CheckEntry, body: str, places: list[str]) -> None:
    begin, end = "There are no footnotes here: readers see ", " as it stands."
    found = [problem for problem in check_entry(body) if problem.code == "footnote"]
    said = [problem.message.removeprefix(begin).removesuffix(end) for problem in found]
    assert [f"{each.line}:{each.column} {text}" for each, text in zip(found, said, strict=True)] == places


def test_a_footnote_in_a_heading_is_a_warning_too(check: Check) -> None:
    problems = check("## A[^1]\n\n### [T](https://x.org/y)\n\nx\n")
    assert [(problem.line, problem.column, problem.code) for problem in problems] == [(5, 5, "footnote")]


def test_placeholders_in_front_matter_and_headings_are_errors(check: Check) -> None:
    body = "## TK\n\n### [T TODO](https://x.org/TK)\n\nx\n"
    problems = check(body, head=HEAD.replace("Title", "Title TK").replace("date", "subtitle: TK\ndate"))
    assert [(problem.line, problem.column) for problem in problems] == [(2, 14), (3, 11), (6, 4), (8, 8), (8, 28)]
    assert {problem.code for problem in problems} == {"placeholder"}


def test_a_heading_jump_is_a_warning(check_entry: CheckEntry) -> None:
    body = "#### a\n\n##### b\n\n#### c\n\n###### d\n"
    assert [str(problem) for problem in check_entry(body)] == [
        f"{P}:15:1: warning: The heading jumps from level 4 to 6; who listens to it thinks one is missing. Use #####. "
        "[heading-jump]"
    ]


def test_the_first_heading_below_an_entry_is_of_level_4(check_entry: CheckEntry) -> None:
    assert [(problem.line, problem.code) for problem in check_entry("##### a\n")] == [(9, "heading-jump")]


def test_a_heading_of_the_issue_s_own_levels_in_a_quote_is_a_warning(check_entry: CheckEntry) -> None:
    assert [str(problem) for problem in check_entry("> ## a\n")] == [
        f"{P}:9:3: warning: A heading of level 2 within a list or quote: levels 1 to 3 are the issue's own. Use #### or "
        "bold text. [heading-level]"
    ]


def test_text_nested_so_deep_that_it_would_be_lost_is_an_error(check_entry: CheckEntry) -> None:
    assert [str(problem) for problem in check_entry(">" * 120 + " lost\n")] == [
        f"{P}:9:1: error: Lists and quotes are nested 90 deep here; text below 100 would be lost. Nest less. "
        "[deep-nesting]"
    ]
    assert check_entry("> " * 20 + "kept\n") == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("A <font>b</font>\n", f"{P}:9:3: warning: No reader gets <font>; the text in it stays. Use Markdown, or remove it. [raw-html]"),
        ('A <b onclick="x">b</b>\n', f"{P}:9:3: warning: No reader gets the attribute onclick of <b>; the text in it stays. Use Markdown, or remove it. [raw-html]"),
        ("<div>\n<script>x</script>\n</div>\n", f"{P}:10:1: error: No reader gets <script> and everything in it: it is dropped from mail, pages and feeds. Remove it, or link to a page that has it. [raw-html]"),
        ("> <p>\n> <iframe>\n", f"{P}:10:3: error: No reader gets <iframe> and everything in it: it is dropped from mail, pages and feeds. Remove it, or link to a page that has it. [raw-html]"),
        ("A <![CDATA[x]]>\n", f"{P}:9:3: warning: No reader gets a declaration (<![…]>); the text in it stays. Use Markdown, or remove it. [raw-html]"),
    ],
)  # fmt: skip
def test_raw_html_that_readers_would_not_get_is_explained(check_entry: CheckEntry, body: str, message: str) -> None:
    assert [str(problem) for problem in check_entry("" + body)] == [message]


@pytest.mark.parametrize(
    "body", ["H<sub>2</sub>O<br>\n", "<details><summary>s</summary>t</details>\n", "x <!-- note --> y\n"]
)
def test_raw_html_that_readers_get_is_left_alone(check_entry: CheckEntry, body: str) -> None:
    assert check_entry("Text.\n\n" + body) == []
