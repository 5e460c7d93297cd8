"""Files get into the folder whole or not at all."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import NewsletterError
from newsletter.site.files import find_marked, is_safe_path, remove_file, size_of, write_file


def test_equal_bytes_are_left_alone_and_keep_their_time(tmp_path: Path) -> None:
    assert write_file(tmp_path, "a/b.html", b"one")
    os.utime(tmp_path / "a/b.html", (1, 1))
    assert not write_file(tmp_path, "a/b.html", b"one")
    assert (tmp_path / "a/b.html").stat().st_mtime == 1
    assert write_file(tmp_path, "a/b.html", b"two")
    assert (tmp_path / "a/b.html").read_bytes() == b"two"


def test_a_reader_who_has_the_old_file_open_reads_it_to_the_end(tmp_path: Path) -> None:
    write_file(tmp_path, "page.html", b"old")
    with (tmp_path / "page.html").open("rb") as reader:
        write_file(tmp_path, "page.html", b"something new")
        assert reader.read() == b"old"


def test_a_leftover_of_a_killed_build_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / ".page.html.new").write_bytes(b"hal")
    write_file(tmp_path, "page.html", b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_a_refusal_of_the_disk_names_the_file_and_leaves_no_rest(tmp_path: Path) -> None:
    (tmp_path / "page.html").mkdir()
    (tmp_path / "page.html/inside").write_text("x")
    with pytest.raises(NewsletterError, match=r"page\.html.*build again"):
        write_file(tmp_path, "page.html", b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_removing_takes_empty_folders_along_and_no_others(tmp_path: Path) -> None:
    write_file(tmp_path, "a/b/c.html", b"1")
    write_file(tmp_path, "a/d.html", b"2")
    assert remove_file(tmp_path, "a/b/c.html")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "d.html"]
    assert not remove_file(tmp_path, "a/b/c.html")
    assert remove_file(tmp_path, "a/d.html")
    assert list(tmp_path.iterdir()) == []


def test_sizes_tell_what_is_missing(tmp_path: Path) -> None:
    write_file(tmp_path, "page.html", b"12345")
    assert size_of(tmp_path, "page.html") == 5
    assert size_of(tmp_path, "other.html") == -1


def test_the_mark_is_found_near_the_beginning_of_files_that_could_be_ours(tmp_path: Path) -> None:
    write_file(tmp_path, "a/ours.html", b"<html>MARK")
    write_file(tmp_path, "theirs.html", b"<html>")
    write_file(tmp_path, "late.html", b" " * 10_000 + b"MARK")
    (tmp_path / ".hidden").write_bytes(b"MARK")
    assert find_marked(tmp_path, b"MARK") == ["a/ours.html"]


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", ".x", "a/.x", "a//x", "x/", "", "a\\x", "a\0b", "x\n"])
def test_no_path_leads_out_of_the_folder(tmp_path: Path, path: str) -> None:
    folder = tmp_path / "public"
    folder.mkdir()
    with pytest.raises(NewsletterError, match="can't be a path of the site"):
        write_file(folder, path, b"1")
    with pytest.raises(NewsletterError, match="can't be a path of the site"):
        remove_file(folder, path)
    assert [*tmp_path.rglob("*")] == [folder]


@given(st.text("./\\ab0-_~\n\0", max_size=12))
def test_a_safe_path_stays_inside(path: str) -> None:
    if is_safe_path(path):
        assert os.path.normpath(path) == path
        assert not path.startswith("/")
        assert ".." not in path.split("/")
