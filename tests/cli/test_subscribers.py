import csv
import json
import stat
from pathlib import Path

import pytest

from newsletter.cli.run import run_command


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NEWSLETTER_DATABASE_URL", raising=False)
    return tmp_path


def run(*words: str, code: int = 0) -> None:
    assert run_command(["subscribers", *words]) == code


def test_adding_twice_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    run("add", "Ann@Example.org")
    run("add", "ann@example.org")
    assert capsys.readouterr().out.splitlines() == ["Ann@Example.org added.", "ann@example.org was there already."]
    run("list", "--count", "--json")
    assert json.loads(capsys.readouterr().out)["active"] == 1


def test_whoever_left_stays_out_until_the_operator_lifts_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("add", "ann@example.org")
    run("remove", "ann@example.org")
    (folder / "readers.csv").write_text("email\nann@example.org\nbob@example.org\n")
    capsys.readouterr()
    run("import", "readers.csv")
    assert "1 added, 0 known already, 1 stay out, 0 bad rows." in capsys.readouterr().out
    run("add", "ann@example.org", code=1)
    assert "--lift" in capsys.readouterr().out
    run("add", "ann@example.org", "--lift")
    assert "is back" in capsys.readouterr().out


def test_bad_rows_are_told_by_line_kept_aside_and_cost_nobody_else(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "readers.csv").write_text("email,name\nann@example.org,Ann\nnobody,X\nbob@example.org,Bob\n")
    run("import", "readers.csv", "--rejects", "rejects.csv", code=1)
    printed = capsys.readouterr()
    assert "readers.csv:3:" in printed.err
    assert "2 added" in printed.out
    with (folder / "rejects.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["line"], row["row"]) for row in rows] == [("3", "nobody,X")]
    assert stat.S_IMODE((folder / "rejects.csv").stat().st_mode) == 0o600


def test_an_export_is_taken_back_unchanged(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("add", "ann@example.org", "--name", '=Ann, "A"')
    run("add", "bob@example.org")
    run("remove", "bob@example.org")
    run("export", "out.csv")
    assert stat.S_IMODE((folder / "out.csv").stat().st_mode) == 0o600
    first = (folder / "out.csv").read_text()
    (folder / "newsletter.db").unlink()
    run("import", "out.csv")
    capsys.readouterr()
    run("export")
    assert capsys.readouterr().out == first


def test_listing_for_machines_is_one_document_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    run("add", "ann@example.org", "bob@example.org")
    capsys.readouterr()
    run("list", "--json")
    readers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [reader["address"] for reader in readers] == ["ann@example.org", "bob@example.org"]
    assert {reader["state"] for reader in readers} == {"active"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("add", "nonsense"), "nonsense"),
        (("add", "a@example.org", "b@example.org", "--name", "Ann"), "--name goes with one address"),
        (("import", "none.csv"), "none.csv"),
        (("remove",), "ADDRESS"),
    ],
)
def test_wrong_words_are_wrong_usage(words: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(*words, code=2)
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", "email\na@example.org\n".encode("utf-16")])
def test_a_file_that_cant_be_understood_is_named(
    folder: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "readers.csv").write_bytes(content)
    run("import", "readers.csv", code=2)
    assert capsys.readouterr().err.startswith("newsletter: readers.csv: ")


def test_an_export_that_cant_be_written_tells_a_way_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "file").touch()
    run("export", "file/readers.csv", code=1)
    assert "can't be written: Not a directory. Make the folder writable, or name" in capsys.readouterr().err
