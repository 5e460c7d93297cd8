from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.config import Issues
from newsletter.issues.check_works import EarlierWork, title_key
from newsletter.issues.parse import parse_issue
from newsletter.issues.scan import scan_slug, scan_works
from newsletter.issues.source import clean_source
from newsletter.model.problem import Severity
from tests.issues.conftest import HEAD

DAY = date(2024, 5, 25)
PATH = "issues/2024-05-25.md"


def scan(body: str) -> dict[str, EarlierWork]:
    return scan_works((HEAD + body).encode(), PATH, DAY)


def test_each_work_is_found_by_its_key_and_its_title() -> None:
    work = EarlierWork("2024-05-25", DAY, "A Paper", PATH, 7, "v2")
    assert scan("## S\n\n### [A Paper](https://arxiv.org/abs/2405.00001v2) {#x}\n\nText.\n") == {
        "arxiv:2405.00001": work,
        "title:a paper": work,
    }


@pytest.mark.parametrize(
    "body",
    [
        "```\n### [A](https://x.org/a)\n```\n",
        "~~~~\n```\n~~~\n### [A](https://x.org/a)\n~~~~\n",
        "<!--\n### [A](https://x.org/a)\n-->\n",
        "#### [A](https://x.org/a)\n",
        "    ### [A](https://x.org/a)\n",
    ],
)
def test_what_is_no_heading_of_an_entry_is_passed_over(body: str) -> None:
    assert scan("## S\n\n" + body) == {}


def test_headings_after_code_and_comments_keep_their_line() -> None:
    works = scan("## S\n\n```\nx\n```\n\n<!--\n\n-->\n### [A](https://x.org/a)\n")
    assert [work.line for work in works.values()] == [14, 14]


@pytest.mark.parametrize(
    "heading", ["[TK: the title](https://x.org/a)", "[A](https://arxiv.org/abs/TK)", "[*A* b](https://x.org/?id=TODO)"]
)
def test_what_is_still_a_placeholder_is_no_work(heading: str) -> None:
    works = scan(f"## S\n\n### {heading}\n\n**Identifier** doi:10.1000/b\n\n### [C](https://x.org/c)\n")
    assert list(works) == ["url:https://x.org/c", "title:c"]


def test_an_identifier_line_goes_before_the_link() -> None:
    works = scan(
        "## S\n\n### [A](https://x.org/a)\n\n**Identifier:** <https://doi.org/10.1000/B>\n\n### [C](https://x.org/c)\n"
    )
    assert [key for key in works if not key.startswith("title:")] == ["doi:10.1000/b", "url:https://x.org/c"]


@pytest.mark.parametrize(
    ("head", "slug"),
    [
        ("---\nslug: own-name\n---\n", "own-name"),
        ('\ufeff---\ntitle: x\nslug: "own-name"  # why\n---\n', "own-name"),
        ("---\r\nslug: own-name\r\n---\r\n", "own-name"),
        ("---\ntitle: x\n---\nslug: not-here\n", ""),
        ("slug: not-here\n", ""),
    ],
)
def test_a_slug_is_found_in_the_front_matter_only(head: str, slug: str) -> None:
    assert scan_slug(head.encode()) == slug


def test_a_file_that_is_not_utf_8_is_scanned_as_well_as_it_goes() -> None:
    assert list(scan_works(b"---\n---\n### [A\xff](https://x.org/a)\n", PATH, DAY)) == [
        "url:https://x.org/a",
        "title:a",
    ]


PIECES = (
    "## S\n\n",
    "### [One](https://arxiv.org/abs/2405.00001v1)\n\n",
    "### [*Two* `x`](https://doi.org/10.1000/x) {#two}\n\n",
    "### Three &amp; more\n\n",
    "###  [Four](https://x.org/4)\n\n",
    "**Identifier** arxiv:2405.00009v3\n\n",
    "**Authors** A\n**Identifier** doi:10.1000/y\n\n",
    "```\n### [No](https://x.org/no)\n```\n\n",
    "~~~ py\n### [No](https://x.org/no)\n~~~~\n\n",
    "<!-- ### [No](https://x.org/no)\n\n### [No](https://x.org/no)\n-->\n\n",
    "`x ``` y` and ``` z ```\n\n",
    "Text.\n\n",
    "#### Deep\n\n",
    "- item\n\n",
    "- ```\n  x\n  ```\n\n",
    "1. y\n\n   ```\n   ### [No](https://x.org/no)\n   ```\n\n",
    "> ```\n> ### [No](https://x.org/no)\n> ```\n\n",
    "`<!--` and `-->`\n\n",
)


@given(st.lists(st.sampled_from(PIECES), max_size=14), st.sampled_from(["\n", "\r\n"]))
def test_scanning_agrees_with_parsing_where_parsing_finds_no_error(pieces: list[str], end: str) -> None:
    source = (HEAD + "## S\n\n" + "".join(pieces)).replace("\n", end)
    parsed = parse_issue(source, PATH, labels=Issues().labels)
    assert parsed.issue is not None
    if any(problem.severity is Severity.ERROR for problem in parsed.problems):
        return
    expected: dict[str, EarlierWork] = {}
    for entry in parsed.issue.entries:
        version = entry.identifier.version if entry.identifier else ""
        work = EarlierWork(parsed.issue.slug, DAY, entry.title, PATH, entry.line, version)
        for key in (entry.identifier.key if entry.identifier else "", title_key(entry.title)):
            if key:
                expected.setdefault(key, work)
    assert scan_works(source.encode(), PATH, DAY) == expected


@given(st.binary(max_size=300))
def test_no_bytes_break_the_scanner(raw: bytes) -> None:
    lines = clean_source(raw.decode("utf-8", "replace")).split("\n")
    assert all(1 <= work.line <= len(lines) for work in scan_works(raw, PATH, DAY).values())
