# ruff: noqa: E501 - in a table of messages, one case a line reads best
from collections.abc import Callable
from datetime import date

import pytest

from newsletter.config import Issues
from newsletter.issues.parse import default_slug, parse_day, parse_issue
from newsletter.model.issue import Entry, Field, Identifier, Markdown
from tests.issues.conftest import Read

LABELS = Issues().labels
ReadEntry = Callable[[str], Entry]

WHOLE = """---
title: The title
date: 2024-05-25
---

A *short* intro with a [reference].

## First

About the section.

### [A paper](https://arxiv.org/abs/2405.16325v2)

A lead.

**Authors** Ann Author, Bo Writer and Cy Third

**Code** <https://github.com/ann/code>

**Why?** Because.

**Results**

| a | b |
|--|--|
| 1 | 2 |

### [A post](https://example.org/post) {#own}

Text.

## Empty

[reference]: https://example.org "Title"
"""


def test_an_issue_is_read_whole() -> None:
    parsed = parse_issue(WHOLE, "issues/2024-05-25.md", labels=LABELS, language="de")
    assert parsed.problems == ()
    issue = parsed.issue
    assert issue is not None
    assert (issue.slug, issue.date, issue.title, issue.language) == ("2024-05-25", date(2024, 5, 25), "The title", "de")
    assert issue.intro == Markdown("A *short* intro with a [reference].", 6)
    assert issue.references == {"REFERENCE": ("https://example.org", "Title")}
    assert issue.source == WHOLE
    first, empty = issue.sections
    assert (first.title, first.anchor, first.line, first.intro) == (
        "First",
        "first",
        8,
        Markdown("About the section.", 10),
    )
    assert (empty.title, empty.anchor, empty.entries) == ("Empty", "empty", ())
    assert first.entries == (
        Entry(
            id="arxiv:2405.16325",
            anchor="arxiv-2405.16325",
            title="A paper",
            url="https://arxiv.org/abs/2405.16325v2",
            identifier=Identifier("arxiv", "2405.16325", "v2"),
            authors=("Ann Author", "Bo Writer", "Cy Third"),
            code_url="https://github.com/ann/code",
            lead=Markdown("A lead.", 14),
            fields=(
                Field("Why?", Markdown("Because.", 20)),
                Field("Results", Markdown("| a | b |\n|--|--|\n| 1 | 2 |", 24)),
            ),
            line=12,
        ),
        Entry(
            id="url:https://example.org/post",
            anchor="own",
            title="A post",
            url="https://example.org/post",
            identifier=Identifier("url", "https://example.org/post"),
            lead=Markdown("Text.", 30),
            line=28,
        ),
    )


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_other_line_ends_and_a_byte_order_mark_change_nothing(end: str) -> None:
    parsed = parse_issue("\ufeff" + WHOLE.replace("\n", end), "issues/2024-05-25.md", labels=LABELS)
    plain = parse_issue(WHOLE, "issues/2024-05-25.md", labels=LABELS)
    assert parsed.problems == ()
    assert parsed.issue is not None
    assert plain.issue is not None
    assert parsed.issue.sections == plain.issue.sections


def test_structure_inside_code_quotes_and_lists_is_content(entry: ReadEntry) -> None:
    body = "**How?**\n\n```\n### x\n**Why?** y\n## z\n```\n\n> ### q\n> **Why?** q\n\n- ### l\n  **Why?** l\n\n#### deeper\n"
    found = entry(body)
    assert [(each.label, each.body.source) for each in found.fields] == [("How?", body[9:].strip())]


def test_fields_stand_in_the_order_of_the_config_whatever_the_order_in_the_file(entry: ReadEntry) -> None:
    assert [each.label for each in entry("**Results** c\n\n**why** a\n\n**How?** b\n").fields] == [
        "Why?",
        "How?",
        "Results",
    ]


def test_metadata_may_share_a_paragraph_with_hard_breaks(entry: ReadEntry) -> None:
    found = entry(
        "**Authors:** A, B\\\n**Code:** [repo](https://x.org/y)  \n**Identifier** doi:10.1145/ABC\n**Why?** x\n"
    )
    assert (found.authors, found.code_url) == (("A", "B"), "https://x.org/y")
    assert found.identifier == Identifier("doi", "10.1145/abc")
    assert found.fields == (Field("Why?", Markdown("x", 12)),)


def test_authors_may_wrap_over_lines_and_hold_links(entry: ReadEntry) -> None:
    assert entry("**Authors** [Ann](https://a.org),\nBo *Writer*\nand Cy\n").authors == ("Ann", "Bo Writer", "Cy")


def test_text_after_a_metadata_paragraph_goes_where_text_went_before(entry: ReadEntry) -> None:
    found = entry("Lead.\n\n**Authors** A\n\nMore lead.\n\n**Why?** x\n\n**Code** <https://x.org>\n\nMore why.\n")
    assert found.lead == Markdown("Lead.\n\n\n\nMore lead.", 9)
    assert found.fields == (Field("Why?", Markdown("x\n\n\n\nMore why.", 15)),)


@pytest.mark.parametrize(
    "link", ["<https://x.org/c_(d)>", "https://x.org/c_(d)", "[repo](https://x.org/c_(d))", "see https://x.org/c_(d)"]
)
def test_a_code_link_may_be_written_in_any_way(entry: ReadEntry, link: str) -> None:
    assert entry(f"**Code** {link}\n").code_url.removesuffix(")") == "https://x.org/c_(d"


@pytest.mark.parametrize(
    ("written", "source"),
    [
        ("**Results** 2024. It grew", "2024\\. It grew"),
        ("**Results** + 3% more", "\\+ 3% more"),
        ("**Results** # of runs", "\\# of runs"),
        ("**Results** > half", "\\> half"),
        ("**Results** 1.5 times", "1.5 times"),
        ("**Results** - one\n- two", "- one\n- two"),
        ("**Results** 1. one\n2. two", "1\\. one\n2. two"),
    ],
)
def test_text_that_follows_a_label_stays_what_it_was_on_that_line(entry: ReadEntry, written: str, source: str) -> None:
    assert entry(written).fields[0].body.source == source


def test_comments_in_paragraphs_of_their_own_are_left_out(entry: ReadEntry) -> None:
    found = entry("Lead.\n\n<!-- ### [No](https://x.org)\n\n**Why?** no\n-->\n\n**Why?** yes\n")
    assert found.lead.source == "Lead."
    assert found.fields == (Field("Why?", Markdown("yes", 16)),)


def test_a_heading_may_hold_code_maths_entities_and_a_reference(read: Read) -> None:
    parsed = read("## S\n\n### [`x` *of* $n^2$ &amp; co][r]\n\nText.\n\n[r]: https://example.org/r\n")
    assert parsed.issue is not None
    (only,) = parsed.issue.entries
    assert (only.title, only.url) == ("x of $n^2$ & co", "https://example.org/r")


def test_an_entry_without_link_has_an_id_within_its_issue(read: Read) -> None:
    parsed = read("## S\n\n### A note\n\nText.\n")
    assert parsed.issue is not None
    assert [(each.id, each.url, each.identifier) for each in parsed.issue.entries] == [("2024-05-25#a-note", "", None)]


def test_an_identifier_line_goes_before_the_link(entry: ReadEntry) -> None:
    found = entry("**Identifier** `10.1145/3442188`\n\nText.\n")
    assert (found.id, found.anchor, found.url) == (
        "doi:10.1145/3442188",
        "doi-10.1145-3442188",
        "https://arxiv.org/abs/2405.00001v1",
    )


def test_made_anchors_are_unique_and_give_way_to_given_ones(read: Read) -> None:
    parsed = read("## Same\n\n### Same\n\nx\n\n## Same\n\n### Other {#same}\n\nx\n")
    assert parsed.issue is not None
    anchors = [(section.anchor, [each.anchor for each in section.entries]) for section in parsed.issue.sections]
    assert anchors == [("same-2", ["same-3"]), ("same-4", ["same"])]


def test_an_issue_without_date_takes_the_one_in_its_file_name() -> None:
    parsed = parse_issue("---\ntitle: T\n---\n", "a/2024-05-25-extra.md", labels=LABELS)
    assert parsed.issue is not None
    assert (parsed.issue.date, parsed.issue.slug) == (date(2024, 5, 25), "2024-05-25-extra")
    assert [problem.code for problem in parsed.problems] == ["missing-date"]


def test_an_issue_without_any_date_is_none() -> None:
    parsed = parse_issue("---\ntitle: T\n---\n", "a/notes.md", labels=LABELS)
    assert parsed.issue is None
    assert [problem.code for problem in parsed.problems] == ["missing-date"]


def test_a_file_larger_than_the_limit_is_not_read() -> None:
    parsed = parse_issue("é" * 1_000_001, "a/2024-05-25.md", labels=LABELS)
    assert parsed.issue is None
    assert list(map(str, parsed.problems)) == [
        "a/2024-05-25.md:1:1: error: The file is larger than 2 MB. Split the issue. [too-large]"
    ]


def test_more_sections_and_entries_than_anyone_reads_are_an_error(read: Read) -> None:
    parsed = read("## S\n\nx\n\n" * 1001)
    assert parsed.issue is not None
    assert len(parsed.issue.sections) == 1000
    assert [(problem.line, problem.code) for problem in parsed.problems] == [(4005, "too-large")]


def test_no_text_is_lost_when_a_code_label_has_no_link(entry: ReadEntry) -> None:
    assert entry("**Code** generation is hard.\n").lead.source == "**Code** generation is hard."


@pytest.mark.parametrize(
    ("path", "day", "slug"),
    [
        ("issues/2024-05-25.md", date(2024, 5, 25), "2024-05-25"),
        ("2024-05-25-special.md", date(2024, 5, 25), "2024-05-25-special"),
        ("2024-05-25-Über.md", date(2024, 5, 25), "2024-05-25"),
    ],
)
def test_a_file_name_gives_the_day_and_the_default_slug(path: str, day: date, slug: str) -> None:
    assert parse_day(path) == day
    assert default_slug(path, day) == slug


@pytest.mark.parametrize("path", ["2024-02-30.md", "notes.md", "2024-05-25.txt", "x2024-05-25.md", ""])
def test_a_file_name_without_a_day_gives_none(path: str) -> None:
    assert parse_day(path) is None
