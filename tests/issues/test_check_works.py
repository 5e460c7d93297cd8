# ruff: noqa: E501 - in a table of messages, one case a line reads best
from datetime import date

import pytest

from newsletter.issues.check_works import EarlierWork, title_key
from tests.issues.conftest import Check

P = "issues/2024-05-25.md"
BEFORE = EarlierWork("2024-05-01", date(2024, 5, 1), "Paper", "issues/2024-05-01.md", 12, "v1")


def issue(*headings: str) -> str:
    return "## S\n\n" + "".join(f"### {heading}\n\nText.\n\n" for heading in headings)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("[A](https://arxiv.org/abs/2405.00001v1)", "[B](https://arxiv.org/pdf/2405.00001v2.pdf)"),
        ("[A](https://doi.org/10.1145/AB)", "[B](https://dx.doi.org/10.1145/ab)"),
        ("[A](https://x.org/p?utm_source=a)", "[B](https://X.org/p#b)"),
    ],
)
def test_a_work_that_stands_in_the_issue_twice_is_an_error(check: Check, first: str, second: str) -> None:
    (problem,) = check(issue(first, second))
    assert (problem.line, problem.severity, problem.code) == (11, "error", "duplicate-entry")
    assert problem.message.endswith(" stands in this issue twice; the first is on line 7.")


def test_two_entries_of_one_title_are_a_warning(check: Check) -> None:
    assert [
        str(problem) for problem in check(issue("[The Paper!](https://x.org/a)", "[the paper](https://x.org/b)"))
    ] == [
        f"{P}:11:1: warning: Line 7 has an entry of the same title, 'the paper'. Keep one, if they are the same work. "
        "[duplicate-title]"
    ]


def test_an_entry_that_nothing_names_is_a_warning(check: Check) -> None:
    assert [str(problem) for problem in check(issue("A note", "[B](https://x.org/b)"))] == [
        f"{P}:7:1: warning: The entry has no link, so nothing but its place in this issue names it. Write ### "
        "[Title](https://…), or add a line **Identifier** doi:… [missing-link]"
    ]


def test_in_an_issue_about_no_works_entries_need_no_link(check: Check) -> None:
    assert check(issue("Garlic", "Tools")) == []
    assert {problem.code for problem in check("## S\n\n### A paper\n\n**Authors** Ann\n\nText.\n")} == {"missing-link"}


@pytest.mark.parametrize(
    ("link", "severity", "hint"),
    [
        ("https://arxiv.org/abs/2405.00001v1", "error", "Remove the entry, or correct its link."),
        ("https://arxiv.org/abs/2405.00001", "error", "Remove the entry, or correct its link."),
        ("https://arxiv.org/abs/2405.00001v2", "warning", "It had v1 then; say what is new in v2, or remove it."),
    ],
)
def test_a_paper_of_an_earlier_issue_is_found_whatever_its_version(
    check: Check, link: str, severity: str, hint: str
) -> None:
    problems = check(issue(f"[Other]({link})"), earlier={"arxiv:2405.00001": BEFORE})
    assert [str(problem) for problem in problems] == [
        f"{P}:7:1: {severity}: arxiv:2405.00001 was in 2024-05-01 already (issues/2024-05-01.md:12). {hint} "
        "[already-published]"
    ]


def test_a_page_of_an_earlier_issue_may_be_news_again(check: Check) -> None:
    problems = check(issue("[Other](https://x.org/p)"), earlier={"url:https://x.org/p": BEFORE})
    assert [(problem.severity, problem.hint) for problem in problems] == [
        ("warning", "Remove it, unless the page is news again.")
    ]


def test_a_paper_of_an_earlier_issue_is_found_by_its_title(check: Check) -> None:
    problems = check(issue("[PAPER: “Two”](https://x.org/p)"), earlier={title_key("Paper – two"): BEFORE})
    assert [str(problem) for problem in problems] == [
        f"{P}:7:1: warning: An entry of the same title was in 2024-05-01 already (issues/2024-05-01.md:12). Remove it, if "
        "it is the same work. [already-published]"
    ]


def test_titles_without_letters_are_never_equal(check: Check) -> None:
    assert title_key("!!!") == ""
    assert check(issue("[!!!](https://x.org/a)"), earlier={"": BEFORE}) == []
