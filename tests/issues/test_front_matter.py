# ruff: noqa: E501 - in a table of messages, one case a line reads best
from datetime import date

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from newsletter.issues.findings import Findings
from newsletter.issues.front_matter import FrontMatter, parse_front_matter
from newsletter.issues.source import UNPRINTABLE


def read(yaml_lines: str) -> tuple[FrontMatter, list[str]]:
    findings = Findings("f")
    matter = parse_front_matter(f"---\n{yaml_lines}\n---\nBody\n", findings)
    return matter, [str(problem) for problem in findings.problems]


FULL = """title: "One: two"
subtitle: Sub
date: 2024-05-25
authors: [Ann, Bo]
draft: true
topics:
  - llm
  - safety
language: pt-BR
slug: special-issue"""


def test_every_key_is_read_with_its_line() -> None:
    matter, problems = read(FULL)
    assert problems == []
    assert matter == FrontMatter(
        title="One: two",
        subtitle="Sub",
        day=date(2024, 5, 25),
        authors=("Ann", "Bo"),
        draft=True,
        topics=("llm", "safety"),
        language="pt-BR",
        slug="special-issue",
        lines={
            "title": 2,
            "subtitle": 3,
            "date": 4,
            "authors": 5,
            "draft": 6,
            "topics": 7,
            "language": 10,
            "slug": 11,
        },
        height=12,
    )


@pytest.mark.parametrize(
    "scalar", ["2301.00010", "9:30", "no", "null", "0x10", "1_000", "2024-05-25", "~", "+1", ".inf"]
)
def test_scalars_stay_as_they_are_written(scalar: str) -> None:
    matter, problems = read(f"title: {scalar}\ndate: 2024-05-25\nauthors: [{scalar}]\ntopics: [{scalar}]")
    assert (matter.title, matter.authors, matter.topics) == (scalar, (scalar,), (scalar,))
    assert problems == []


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=80))
def test_any_title_that_yaml_can_write_is_read_back(title: str) -> None:
    if not title.strip() or UNPRINTABLE.search(title):
        return
    written = yaml.safe_dump({"title": title, "date": "2024-05-25"}, allow_unicode=True, width=10_000)
    matter, problems = read(written.rstrip("\n"))
    assert matter.title == title.strip()
    assert problems == []


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text: str) -> None:
    findings = Findings("f")
    matter = parse_front_matter(f"---\n{text}\n---\n", findings)
    assert matter.height >= 2


@given(st.lists(st.sampled_from(["title:", "date:", " a", "- b", "[", "]", "{", "}", ": ", "#", '"', "'", "*x", "&x", "|", "\n", "\t", "!!x", "? ", "%Y", "--- ", "<<"]), max_size=30))  # fmt: skip
def test_no_heap_of_yaml_signs_breaks_the_reader(parts: list[str]) -> None:
    findings = Findings("f")
    source = f"---\n{''.join(parts)}\n---\n"
    parse_front_matter(source, findings)
    lines = source.split("\n")
    assert all(1 <= problem.line <= len(lines) for problem in findings.problems)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("titl: x", "f:2:1: error: 'titl' is not a front matter key. Did you mean title? [unknown-key]"),
        (
            "colour: x",
            "f:2:1: error: 'colour' is not a front matter key. Known: title, subtitle, date, authors, draft, topics, "
            "language, slug. [unknown-key]",
        ),
        (
            "slug: a\nslug: b",
            "f:3:1: error: slug is given twice; the first is on line 2. Keep one of them. [duplicate-key]",
        ),
        (
            "subtitle: [a, b]",
            "f:2:11: error: subtitle must be one line of text, not a list. Write subtitle: … [wrong-shape]",
        ),
        ("topics: {a: b}", "f:2:9: error: topics must be a list. Write topics: [one, two] [wrong-shape]"),
        (
            "authors: [a, [b]]",
            "f:2:14: error: An item of authors must be plain text. An item that holds `: ` or starts with [ or { needs "
            "quotes. [wrong-shape]",
        ),
        ("topics: [a, a]", "f:2:13: warning: 'a' stands in topics twice. Keep one. [duplicate-item]"),
        ("draft: yes", "f:2:8: error: draft is 'yes'. Write true or false. [bad-draft]"),
        (
            "slug: A b",
            "f:2:7: error: 'A b' can't be a slug. Use lower-case letters, digits and hyphens, at most 80. [bad-slug]",
        ),
        (
            "language: englisch!",
            "f:2:11: error: 'englisch!' can't be a language. Use a language tag (RFC 5646), like en or pt-BR. "
            "[bad-language]",
        ),
        (
            'subtitle: "a\\nb"',
            "f:2:11: error: subtitle holds a line break or control character, which no mail header may carry. Write it "
            "on one line. [line-break]",
        ),
        (
            "subtitle: C #1 of all",
            "f:2:13: warning: YAML takes everything from the # on for a comment, so the subtitle ends before it. Put "
            'the subtitle in quotes: subtitle: "…" [comment-in-value]',
        ),
        (
            f"subtitle: {'x' * 301}",
            "f:2:11: error: subtitle has 301 characters; at most 300 fit. Shorten it. [too-long]",
        ),
        (
            "subtitle: &a x",
            "f:2:11: error: Front matter can't hold an anchor (&name). Write the value out; if it is text, put it in "
            "quotes. [unsupported-yaml]",
        ),
        (
            "subtitle: *a",
            "f:2:11: error: Front matter can't hold an alias (*name). Write the value out; if it is text, put it in "
            "quotes. [unsupported-yaml]",
        ),
        (
            "subtitle: !!int 3",
            "f:2:11: error: Front matter can't hold a tag (tag:yaml.org,2002:int). Write the value out; if it is text, "
            "put it in quotes. [unsupported-yaml]",
        ),
        (
            "topics: [[[a]]]",
            "f:2:11: error: Front matter can't hold lists within lists. Write the value out; if it is text, put it in "
            "quotes. [unsupported-yaml]",
        ),
        (
            "subtitle: a: b",
            "f:2:12: error: The front matter isn't valid YAML: mapping values are not allowed here. A value that holds "
            '`: ` must stand in quotes: title: "One: two". [bad-front-matter]',
        ),
        (
            "\tsubtitle: a",
            "f:2:1: error: The front matter isn't valid YAML: found character '\\t' that cannot start any token. A tab "
            "can't indent YAML: use spaces. [bad-front-matter]",
        ),
        (
            "subtitle: @a",
            "f:2:11: error: The front matter isn't valid YAML: found character '@' that cannot start any token. Put "
            "the value in quotes. [bad-front-matter]",
        ),
        (
            "? [a]\n: b",
            "f:2:3: error: A key must be a single word. Known: title, subtitle, date, authors, draft, topics, language, slug. [bad-front-matter]",
        ),
    ],
)
def test_a_problem_is_said_with_its_place_and_the_way_out(source: str, message: str) -> None:
    problems = read(f"{source}\ntitle: T\ndate: 2024-05-25")[1]
    assert problems == [message]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("25.5.2024", "f:2:7: error: '25.5.2024' is not a date. Write it as YYYY-MM-DD, like 2024-05-25. [bad-date]"),
        ("20240525", "f:2:7: error: '20240525' is not a date. Write it as YYYY-MM-DD, like 2024-05-25. [bad-date]"),
        ("2024-02-30", "f:2:7: error: There is no day 2024-02-30. Check the month and the day. [bad-date]"),
        ("0024-05-25", "f:2:7: error: The year of 0024-05-25 can't be meant. Check the year. [bad-date]"),
        ("", "f:2:6: error: date is empty. Write it after `date:`. [missing-date]"),
    ],
)
def test_a_date_that_is_none_is_an_error(written: str, message: str) -> None:
    assert read(f"date: {written}\ntitle: T")[1] == [message]


def test_title_and_date_must_be_there() -> None:
    assert read("draft: false")[1] == [
        "f:1:1: error: The front matter has no date. Add a line `date: 2024-05-25`. [missing-date]",
        "f:1:1: error: The front matter has no title. Add a line `title: What is new`. [missing-title]",
    ]


def test_broken_yaml_still_gives_its_plain_lines_and_their_problems() -> None:
    matter, problems = read("title: One: two\ndate: 2024-13-01\nslug: fine")
    assert (matter.title, matter.slug, matter.day) == ("One: two", "fine", None)
    assert [problem.rsplit(" ", 1)[-1] for problem in problems] == ["[bad-front-matter]", "[bad-date]"]


@pytest.mark.parametrize(
    ("source", "code", "hint"),
    [
        (
            "Hello",
            "missing-front-matter",
            "Start the file with a line `---`, then title: and date:, then another line `---`.",
        ),
        (
            "",
            "missing-front-matter",
            "Start the file with a line `---`, then title: and date:, then another line `---`.",
        ),
        (
            "\n---\ntitle: x\n---",
            "missing-front-matter",
            "Remove the empty lines above it: it counts only at the very top.",
        ),
        (
            "+++\ntitle = 'x'\n+++",
            "missing-front-matter",
            "Front matter is YAML here: use `---` instead of `+++`, and `key: value` lines.",
        ),
        ("---\ntitle: x\ndate: 2024-05-25\n\n## S", "unclosed-front-matter", "End it with a line `---`."),
    ],
)
def test_front_matter_that_is_missing_or_never_ends_is_explained(source: str, code: str, hint: str) -> None:
    findings = Findings("f")
    parse_front_matter(source, findings)
    assert [(problem.line, problem.code, problem.hint) for problem in findings.problems] == [(1, code, hint)]


def test_unclosed_front_matter_is_read_up_to_the_first_empty_line() -> None:
    matter = parse_front_matter("---\ntitle: x\ndate: 2024-05-25\n\n## S", Findings("f"))
    assert (matter.title, matter.height) == ("x", 3)


def test_one_author_or_a_line_of_them_may_stand_without_brackets() -> None:
    assert read("title: T\ndate: 2024-05-25\nauthors: Ann, Bo and Cy")[0].authors == ("Ann", "Bo", "Cy")


def test_yaml_as_large_as_a_bomb_is_refused_before_it_is_read() -> None:
    problems = read("title: T\ndate: 2024-05-25\nsubtitle: " + "[" * 30_000)[1]
    assert problems == [
        "f:1:1: error: The front matter is longer than 20,000 characters. The text of the issue belongs below it. [too-long]"
    ]
