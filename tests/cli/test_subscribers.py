import csv
import json
import stat
import zipfile
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


GHOST = (
    "id,email,name,note,subscribed_to_emails,complimentary_plan,created_at,deleted_at,labels\n"
    "1,ann@example.org,Ann,,true,false,2021-03-01T10:00:00.000Z,,News\n"
    "2,bob@example.org,,,false,false,2021-03-02T10:00:00.000Z,,\n"
    "3,nobody,,,true,false,2021-03-02T10:00:00.000Z,,\n"
)


def test_a_dry_run_says_what_would_happen_and_writes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "members.csv").write_text(GHOST)
    run("import", "members.csv", "--dry-run", code=1)
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        "members.csv is from Ghost: 1 active, 1 left.",
        "1 would be added, 0 known already, 1 stay out (1 by what this list says, 0 by what is known here), 1 bad row.",
        "Nothing was written.",
    ]
    assert "members.csv:4: 'nobody' is not a mail address" in printed.err
    assert "Columns that would not be kept: id, note, complimentary_plan, labels" in printed.err
    assert [path.name for path in folder.iterdir()] == ["members.csv"]


def test_labels_become_topics_where_there_is_a_section_of_that_name(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "config.toml").write_text('[issues]\nsections = ["News", "Reviews"]\n')
    (folder / "members.csv").write_text(GHOST)
    run("import", "members.csv", code=1)
    run("export", "--state", "active")
    assert "from Ghost,news,each," in capsys.readouterr().out


def test_an_import_for_machines_is_one_document(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "members.csv").write_text(GHOST)
    run("import", "members.csv", "--json", code=1)
    said = json.loads(capsys.readouterr().out)
    assert (said["service"], said["dry_run"], said["bad_total"]) == ("Ghost", False, 1)
    assert (said["added"], said["kept_out"], said["suppressed"]) == (1, 1, 0)
    assert said["standings"] == {"active": 1, "left": 1}
    assert said["bad"][0]["line"] == 4


def test_an_archive_of_lists_is_imported_whole(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = "Email Address,OPTIN_TIME,MEMBER_RATING"
    with zipfile.ZipFile(folder / "audience.zip", "w") as archive:
        archive.writestr("subscribed.csv", f"{head}\nann@example.org,2020-01-01 00:00:00,2\nnobody,,\n")
        archive.writestr("cleaned.csv", f"{head},CLEAN_TIME\nbob@example.org,2020-01-01 00:00:00,1,2021-01-01\n")
        archive.writestr("nonsubscribed.csv", f"{head}\ncas@example.org,,\n")
    run("import", "audience.zip", "--from", "mailchimp", code=1)
    printed = capsys.readouterr()
    assert "audience.zip/cleaned.csv is from Mailchimp: 1 bounced." in printed.out
    assert "audience.zip/subscribed.csv is from Mailchimp: 1 active." in printed.out
    assert "audience.zip/subscribed.csv:3: 'nobody' is not a mail address" in printed.err
    assert "Left alone in the archive: nonsubscribed.csv" in printed.err
    run("import", "audience.zip", "--json", "--dry-run", code=1)
    said = json.loads(capsys.readouterr().out)
    assert (said["added"], said["known"], said["suppressed"], said["bad_total"]) == (0, 1, 1, 1)
    assert [one["name"] for one in said["lists"]] == ["cleaned.csv", "subscribed.csv"]
    assert said["left_alone"] == ["nonsubscribed.csv"]


def test_listmonk_gets_active_readers_unless_told_otherwise(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("add", "ann@example.org", "bob@example.org")
    run("remove", "bob@example.org")
    capsys.readouterr()
    run("export", "--format", "listmonk")
    assert [row["email"] for row in csv.DictReader(capsys.readouterr().out.splitlines())] == ["ann@example.org"]
    run("export", "--format", "listmonk", "--state", "left")
    assert [row["email"] for row in csv.DictReader(capsys.readouterr().out.splitlines())] == ["bob@example.org"]


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
    assert [reader["topics"] for reader in readers] == [[], []]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("add", "nonsense"), "nonsense"),
        (("add", "a@example.org", "b@example.org", "--name", "Ann"), "--name goes with one address"),
        (("import", "none.csv"), "none.csv"),
        (("remove",), "ADDRESS"),
        (("import", "x.csv", "--from", "pigeons"), "pigeons"),
        (("export", "--format", "pigeons"), "pigeons"),
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
    run("add", "a@example.org")
    run("export", "file/readers.csv", code=1)
    assert "can't be written: Not a directory. Make the folder writable, or name" in capsys.readouterr().err
