# ruff: noqa: E501 - heaps of signs read best on few lines
"""Whatever is written: reading and checking never raise, never point outside the file, and lose no word."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.config import Issues
from newsletter.issues.check import check_issue
from newsletter.issues.parse import parse_issue
from newsletter.issues.source import clean_source
from newsletter.model.issue import Issue
from tests.issues.conftest import HEAD

LABELS = Issues().labels

PIECES = (
    "---\n", "title: T\n", "date: 2024-05-25\n", "## S\n", "### [T](https://arxiv.org/abs/2405.00001)\n", "### T {#a}\n",
    "#### deep\n", "# H\n", "**Why?** x\n", "**Authors** A, B\n", "**Code** <https://x.org>\n", "**Identifier** doi:10.1/x\n",
    "**Reults** y\n", "```\n", "~~~\n", "$$\n", "$x$ ", "$x^{2$ ", "$a_ ", "$$", "| c |\n", "|--|--|--|\n", "> ", "- ", "1. ", "\n", "\n\n", "\t", "    ", "| a | b |\n|--|--|\n",
    "<!-- ", "-->\n", "<div>\n", "</div>\n", "<b>", "<script>", "===\n", "---\n", "![](x)", "[a](b c)", "[a][b]", "[b]: /x\n",
    "`", "``", "\\\n", "  \n", "\r\n", "\r", "\0", "\ufeff", "\u2028", "é", "TODO ", "[x](<", ")", "{#a}", "<!", "<![CDATA[", "&#0;",
)  # fmt: skip


def lines_of(source: str) -> list[str]:
    return clean_source(source).split("\n")


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=40), st.booleans())
def test_nothing_written_breaks_reading_or_checking_and_every_place_is_in_the_file(
    pieces: list[str], head: bool
) -> None:
    source = (HEAD if head else "") + "".join(pieces)
    parsed = parse_issue(source, "2024-05-25.md", labels=LABELS)
    assert parsed.issue is not None
    lines = lines_of(source)
    for problem in [*parsed.problems, *check_issue(parsed.issue, Issues(), {})]:
        assert 1 <= problem.line <= len(lines), problem
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1, problem
        assert problem.message.endswith((".", "!", "?")), problem
    assert_true_lines(parsed.issue, lines)


def assert_true_lines(issue: Issue, lines: list[str]) -> None:
    runs = [issue.intro, *(section.intro for section in issue.sections)]
    runs += [run for entry in issue.entries for run in (entry.lead, *(each.body for each in entry.fields))]
    for run in runs:
        if run:
            first = run.source.split("\n")[0]
            # A backslash may have been put in so that text stays text.
            assert first.replace("\\", "").strip() in lines[run.line - 1].replace("\\", ""), run


@given(st.text())
def test_no_text_at_all_breaks_the_reader(text: str) -> None:
    assert parse_issue(text, "2024-05-25.md", labels=LABELS).issue is not None


WORDS = st.lists(st.sampled_from(["alpha", "beta", "gamma", "delta"]), min_size=1, max_size=6).map(" ".join)


@given(
    st.lists(
        st.tuples(st.sampled_from(["", "**Why?** ", "**How?** ", "**Results** ", "- ", "> ", "| "]), WORDS), max_size=12
    )
)
def test_every_word_of_an_entry_is_in_its_lead_or_a_field(paragraphs: list[tuple[str, str]]) -> None:
    body = "\n\n".join(f"{mark}{words} {number}end" for number, (mark, words) in enumerate(paragraphs))
    parsed = parse_issue(f"{HEAD}## S\n\n### T\n\n{body}\n", "2024-05-25.md", labels=LABELS)
    assert parsed.issue is not None
    (entry,) = parsed.issue.entries
    said = " ".join([entry.lead.source, *(each.body.source for each in entry.fields)])
    assert sorted(word for word in said.split() if word.isalnum()) == sorted(
        word for word in body.split() if word.isalnum()
    )


@pytest.mark.parametrize(
    "body",
    [
        "### a\n\n" * 5_000,
        "**Why?** x\n" * 5_000,
        "- " * 5_000,
        "> " * 50_000,
        "a\n" * 100_000,
        "**" * 50_000,
        "`" * 100_000,
        "|" * 20_000,
    ],
    ids=["entries", "labels", "lists", "quotes", "lines", "stars", "ticks", "pipes"],
)
def test_a_hostile_file_is_read_in_linear_time(body: str) -> None:
    started = time.process_time()
    parse_issue(f"{HEAD}## S\n\n### T\n\n{body}", "2024-05-25.md", labels=LABELS)
    assert time.process_time() - started < 8
