# ruff: noqa: E501 - in a table of messages, one case a line reads best
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from newsletter.config import Issues
from newsletter.issues.check import check_edition, check_issue
from newsletter.model.edition import Edition, Sender
from newsletter.model.issue import Entry, Issue, Markdown, Section
from newsletter.model.problem import Problem
from tests.issues.conftest import ENTRY, HEAD, Check

FINE = ENTRY + "Text.\n"
P = "issues/2024-05-25.md"


def said(problems: list[Problem]) -> list[str]:
    return [str(problem) for problem in problems]


def test_an_issue_in_order_has_no_problems(check: Check) -> None:
    assert check(FINE) == []


def test_the_date_must_be_the_one_in_the_file_name(check: Check) -> None:
    assert said(check(FINE, path="a/2024-05-26-extra.md")) == [
        "a/2024-05-26-extra.md:3:7: error: The date is 2024-05-25, but the file is named 2024-05-26-extra.md. Write date: "
        "2024-05-26, or rename the file to 2024-05-25-extra.md. [date-mismatch]"
    ]


def test_a_file_name_without_a_date_is_a_warning(check: Check) -> None:
    assert said(check(FINE, path="notes.md")) == [
        "notes.md:1:1: warning: notes.md doesn't say the issue's date, so it isn't found by it. Rename it to 2024-05-25.md. "
        "[file-name]"
    ]


def test_a_long_title_is_cut_in_inboxes(check: Check) -> None:
    head = HEAD.replace("Title", "x" * 79)
    assert said(check(FINE, head=head)) == [
        f"{P}:2:1: warning: The title has 79 characters; as a subject, phones and inboxes cut it after 78. Shorten it, and "
        "say the rest in the subtitle. [subject-length]"
    ]
    assert check(FINE, head=HEAD.replace("Title", "x" * 78)) == []


def test_an_unknown_topic_is_an_error_where_it_stands(check: Check) -> None:
    rules = Issues(topics=("llm", "safety"))
    head = "---\ntitle: T\ndate: 2024-05-25\ntopics:\n  - llm\n  - safty\n  - art\n---\n"
    assert said(check(FINE, head=head, rules=rules)) == [
        f"{P}:6:5: error: 'safty' is not a topic of this publication. Did you mean safety? Topics are set in [issues] "
        "topics. [unknown-topic]",
        f"{P}:7:5: error: 'art' is not a topic of this publication. Known: llm, safety. Topics are set in [issues] topics. "
        "[unknown-topic]",
    ]


def test_any_topic_is_fine_when_the_config_names_none(check: Check) -> None:
    assert check(FINE, head=HEAD.replace("---\n", "---\ntopics: [any]\n", 1)) == []


def test_a_section_that_is_not_one_of_the_fixed_ones_is_a_warning(check: Check) -> None:
    assert said(check(FINE, rules=Issues(sections=("Paper", "Tools")))) == [
        f"{P}:5:1: warning: 'Papers' is not one of the fixed sections, so no reader can choose it. Did you mean Paper? [unknown-section]"
    ]
    assert said(check(FINE, rules=Issues(sections=("News",)))) == [
        f"{P}:5:1: warning: 'Papers' is not one of the fixed sections, so no reader can choose it. Known: News. [unknown-section]"
    ]


def test_two_sections_of_one_name_are_a_warning(check: Check) -> None:
    assert said(check(FINE + "\n## Papers\n")) == [
        f"{P}:11:1: warning: There are two sections 'Papers'; the first is on line 5. Join them, or rename one. "
        "[duplicate-section]"
    ]


def test_an_issue_without_entries_is_a_warning_and_without_any_text_an_error(check: Check) -> None:
    hint = "Add `## Section`, and below it `### [Title](https://…)`."
    assert said(check("Only text.\n")) == [
        f"{P}:1:1: warning: The issue has no entries, only text. {hint} [no-entries]"
    ]
    assert said(check("## Empty\n")) == [f"{P}:1:1: error: The issue has no entries and no text. {hint} [no-entries]"]


def test_an_entry_without_text_is_a_warning(check: Check) -> None:
    assert said(check(ENTRY)) == [f"{P}:7:1: warning: 'Paper' has no text. Say why it is here. [empty-entry]"]


def test_an_entry_that_holds_only_a_comment_has_no_text(check: Check) -> None:
    assert [problem.code for problem in check(ENTRY + "<!-- later -->\n")] == ["empty-entry"]


def test_problems_come_in_the_order_of_the_file(check: Check) -> None:
    problems = check(ENTRY + "TODO\n\n[x](y)\n\n## Papers\n\n### [](TK)\n", head=HEAD.replace("Title", "TK"))
    assert problems == sorted(problems)
    assert [problem.line for problem in problems] == sorted(problem.line for problem in problems)


def test_an_issue_made_by_hand_is_checked_too(plain_issue: Issue) -> None:
    entry = Entry(id="", anchor="Not One", title="T", lead=Markdown("x"), line=3)
    issue = replace(plain_issue, sections=(Section("S", "", entries=(entry,), line=2),))
    assert [(problem.line, problem.code) for problem in check_issue(issue, Issues(), {})] == [
        (2, "bad-anchor"),
        (3, "bad-anchor"),
        (3, "missing-id"),
    ]


@pytest.fixture
def edition() -> Callable[[int], Edition]:
    """An edition whose HTML has a size in bytes, in characters of two bytes."""
    sender = Sender("N", "n@example.org", "", "example.org", "", "list.example.org", "N", "https://example.org")

    def build(size: int) -> Edition:
        return Edition(
            "s", date(2024, 5, 25), "T", "T", "", "en", "https://example.org/", "é" * (size // 2), "", sender
        )

    return build


def test_a_mail_is_warned_about_above_80_kilobytes_and_refused_above_95(
    plain_issue: Issue, edition: Callable[[int], Edition]
) -> None:
    assert check_edition(plain_issue, edition(80_000), Issues()) == ()
    assert list(map(str, check_edition(plain_issue, edition(80_100), Issues()))) == [
        f"{P}:1:1: warning: The mail's HTML is 80.1 kB; above 95 kB it is refused. Shorten entries, or move some to another "
        "issue. [mail-size]"
    ]
    assert list(map(str, check_edition(plain_issue, edition(95_100), Issues()))) == [
        f"{P}:1:1: error: The mail's HTML is 95.1 kB; above 95 kB Gmail would cut it off. Shorten entries, or move some to "
        "another issue. [mail-size]"
    ]


def test_the_limits_of_a_mail_are_the_config_s(plain_issue: Issue, edition: Callable[[int], Edition]) -> None:
    rules = Issues(html_warn_kb=10, html_error_kb=20)
    assert [problem.severity for problem in check_edition(plain_issue, edition(15_000), rules)] == ["warning"]
    assert [problem.severity for problem in check_edition(plain_issue, edition(25_000), rules)] == ["error"]
