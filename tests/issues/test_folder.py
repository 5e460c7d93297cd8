# ruff: noqa: E501 - in a table of messages, one case a line reads best
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from newsletter.config import Issues
from newsletter.errors import NotFoundError
from newsletter.issues.folder import (
    earlier_works,
    list_clashing_files,
    list_issue_files,
    list_misnamed_files,
    load_file,
    load_issue,
    load_works,
    show_path,
)
from tests.issues.conftest import ENTRY, HEAD

Write = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder `issues`, seen from the folder above it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "issues").mkdir()
    return tmp_path / "issues"


@pytest.fixture
def write(folder: Path) -> Write:
    """Write an issue file; its date is the name's."""

    def run(name: str, body: str = ENTRY + "Text.\n", extra: str = "") -> Path:
        path = folder / name
        path.write_text(HEAD.replace("2024-05-25", name[:10]).replace("---\n", f"---\n{extra}", 1) + body, "utf-8")
        return path

    return run


def slug_of(folder: Path, name: str) -> str:
    parsed = load_issue(Issues(folder=folder), name)
    assert parsed.issue is not None
    return parsed.issue.slug


def test_an_issue_is_found_by_date_slug_and_path(folder: Path, write: Write) -> None:
    write("2024-05-25.md")
    write("2024-05-26-extra.md")
    write("2024-05-27.md", extra="slug: special\n")
    for name in ("2024-05-25", "2024-05-25.md", "issues/2024-05-25.md", str(folder / "2024-05-25.md")):
        assert slug_of(folder, name) == "2024-05-25"
    for name in ("2024-05-26", "2024-05-26-extra", "2024-05-26-extra.md"):
        assert slug_of(folder, name) == "2024-05-26-extra"
    for name in ("special", "2024-05-27"):
        assert slug_of(folder, name) == "special"


def test_paths_in_messages_are_relative_to_where_the_editor_is(folder: Path, write: Write, tmp_path: Path) -> None:
    write("2024-05-25.md")
    parsed = load_issue(Issues(folder=folder), "2024-05-25")
    assert parsed.issue is not None
    assert parsed.issue.path == "issues/2024-05-25.md"
    assert show_path(tmp_path.parent / "x.md") == str(tmp_path.parent / "x.md")


def test_the_language_is_the_publication_s_unless_the_issue_names_one(folder: Path, write: Write) -> None:
    write("2024-05-25.md")
    write("2024-05-26.md", extra="language: fr\n")
    rules = Issues(folder=folder)
    issues = [load_issue(rules, name, "de").issue for name in ("2024-05-25", "2024-05-26")]
    assert [issue.language for issue in issues if issue] == ["de", "fr"]


def test_the_file_named_by_the_date_alone_goes_before_others_of_that_day(folder: Path, write: Write) -> None:
    write("2024-05-25-extra.md")
    write("2024-05-25.md")
    assert slug_of(folder, "2024-05-25") == "2024-05-25"


def test_two_files_of_one_day_are_named_and_not_guessed_between(folder: Path, write: Write) -> None:
    write("2024-05-25-a.md")
    write("2024-05-25-b.md")
    with pytest.raises(NotFoundError) as caught:
        load_issue(Issues(folder=folder), "2024-05-25")
    assert str(caught.value) == (
        "2024-05-25 can mean several issues: 2024-05-25-a.md, 2024-05-25-b.md. Give the file's name."
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("2024-05-21", "There is no issue 2024-05-21 in issues. The nearest are: 2024-05-18, 2024-05-19, 2024-05-20, 2024-05-22, 2024-05-23, 2024-05-24."),
        ("2024-05-21.md", "There is no file 2024-05-21.md. The nearest are: 2024-05-18, 2024-05-19, 2024-05-20, 2024-05-22, 2024-05-23, 2024-05-24."),
        ("word", "There is no issue word in issues. The latest are: 2024-05-25, 2024-05-26, 2024-05-27, 2024-05-28, 2024-05-29, 2024-05-30."),
        ("issues/", "issues is a folder. Give the date of an issue, or the path of its file."),
        ("x" * 300 + ".md", f"There is no file {'x' * 300}.md. The latest are: 2024-05-25, 2024-05-26, 2024-05-27, 2024-05-28, 2024-05-29, 2024-05-30."),
    ],
)  # fmt: skip
def test_a_name_that_means_nothing_is_answered_with_what_there_is(
    folder: Path, write: Write, name: str, message: str
) -> None:
    for day in range(1, 31):
        if day != 21:
            write(f"2024-05-{day:02}.md")
    with pytest.raises(NotFoundError) as caught:
        load_issue(Issues(folder=folder), name)
    assert str(caught.value) == message


def test_an_empty_or_missing_folder_says_how_to_start(folder: Path) -> None:
    for place in (folder, folder / "none"):
        with pytest.raises(NotFoundError, match=r"There are no issues yet; `newsletter new DATE` starts one\."):
            load_issue(Issues(folder=place), "2024-05-25")


def test_issue_files_are_listed_oldest_first_and_other_files_are_not(folder: Path, write: Write) -> None:
    for name in ("2024-05-26.md", "2023-01-01-x.md", "2024-05-26-b.md", "2024-02-30.md", "README.md", ".2024-05-01.md"):
        write(name)
    (folder / "2024-05-27.txt").write_text("x")
    (folder / "2024-05-28.md").mkdir()
    assert [path.name for path in list_issue_files(folder)] == ["2023-01-01-x.md", "2024-05-26-b.md", "2024-05-26.md"]
    assert list_issue_files(folder / "none") == []


def test_a_badly_named_file_is_reported(folder: Path, write: Write) -> None:
    for name in ("2024-02-30.md", "notes.md", "README.md", ".hidden.md", "2024-05-25.md"):
        write(name)
    hint = "Rename it to YYYY-MM-DD.md, or move it out of the folder. [file-name]"
    assert list(map(str, list_misnamed_files(folder))) == [
        f"issues/{name}:1:1: warning: {name} is not read as an issue: its name doesn't start with a date. {hint}"
        for name in ("2024-02-30.md", "notes.md")
    ]


def test_two_issues_of_one_slug_are_an_error(folder: Path, write: Write) -> None:
    write("2024-05-25.md")
    write("2024-05-26.md", extra="slug: 2024-05-25\n")
    write("2024-05-25-extra.md")
    assert list(map(str, list_clashing_files(folder))) == [
        "issues/2024-05-26.md:1:1: error: The slug 2024-05-25 is issues/2024-05-25.md's already, so both would have one "
        "address. Give one of them another slug in its front matter. [duplicate-slug]"
    ]


def test_bytes_that_are_not_utf_8_are_a_problem_and_the_rest_is_read(folder: Path) -> None:
    path = folder / "2024-05-25.md"
    path.write_bytes(HEAD.encode() + "é caf".encode() + b"\xe9\n")
    parsed = load_file(path, Issues())
    assert list(map(str, parsed.problems)) == [
        "issues/2024-05-25.md:5:6: error: The byte 0xe9 here is not UTF-8 text. Save the file as UTF-8. [not-utf-8]"
    ]
    assert parsed.issue is not None
    assert parsed.issue.intro.source == "é caf\ufffd"


def test_a_file_that_is_no_text_is_one_problem(folder: Path) -> None:
    path = folder / "2024-05-25.md"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9)
    parsed = load_file(path, Issues())
    assert parsed.issue is None
    assert list(map(str, parsed.problems)) == [
        "issues/2024-05-25.md:1:1: error: The file isn't text. An issue is Markdown, saved as UTF-8. [not-text]"
    ]


def test_utf_16_is_named(folder: Path) -> None:
    path = folder / "2024-05-25.md"
    path.write_text(HEAD, "utf-16")
    parsed = load_file(path, Issues())
    assert parsed.issue is None
    assert list(map(str, parsed.problems)) == [
        "issues/2024-05-25.md:1:1: error: The file is UTF-16 text. Save it as UTF-8. [not-utf-8]"
    ]


def test_a_file_over_the_limit_is_not_read_whole(folder: Path) -> None:
    path = folder / "2024-05-25.md"
    path.write_bytes(b"\xc3\xa9" * 2_000_000)
    assert [problem.code for problem in load_file(path, Issues()).problems] == ["too-large"]


def test_a_file_that_can_t_be_read_is_a_problem(folder: Path) -> None:
    (folder / "2024-05-25.md").mkdir()
    parsed = load_file(folder / "2024-05-25.md", Issues())
    assert parsed.issue is None
    assert [problem.code for problem in parsed.problems] == ["unreadable"]


def test_earlier_works_are_those_of_earlier_days_and_the_last_place_counts(folder: Path, write: Write) -> None:
    for name in ("2024-05-23.md", "2024-05-24.md", "2024-05-25.md"):
        write(name)
    works = earlier_works(folder, date(2024, 5, 25))
    assert {key: (work.slug, work.path, work.line) for key, work in works.items()} == {
        "arxiv:2405.00001": ("2024-05-24", "issues/2024-05-24.md", 7),
        "title:paper": ("2024-05-24", "issues/2024-05-24.md", 7),
    }
    assert earlier_works(folder / "none", date(2024, 5, 25)) == {}


def test_a_file_is_not_earlier_than_itself_whatever_its_name_says(folder: Path, write: Write) -> None:
    path = write("2024-05-23.md")
    assert earlier_works(folder, date(2024, 5, 25), path.absolute()) == {}
    assert len(earlier_works(folder, date(2024, 5, 25), folder / "2024-05-22.md")) == 2


def test_the_works_of_a_file_that_is_missing_or_has_no_date_are_none(folder: Path, write: Write) -> None:
    assert load_works(folder / "2024-05-25.md") == {}
    assert load_works(write("notes.md")) == {}


def test_the_works_of_many_issues_are_found_fast(folder: Path, write: Write) -> None:
    text = "".join(f"### [Title {n}](https://arxiv.org/abs/2405.{n:05}v1)\n\n{'word ' * 180}\n\n" for n in range(20))
    for number in range(400):
        write(f"{date(2020, 1, 1) + timedelta(number)}.md", body=f"## S\n\n{text}")
    started = time.process_time()
    assert len(earlier_works(folder, date(2030, 1, 1))) == 40
    # A tenth of 4,000 issues of 20 kB; they take about a second, so this leaves a slow machine ten times that.
    assert time.process_time() - started < 1
