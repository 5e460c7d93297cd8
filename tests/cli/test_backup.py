"""Copies made by hand: each stays, and none takes another file's place unasked."""

from pathlib import Path

from tests.cli.conftest import Office


def test_copies_made_by_hand_stay_and_those_that_are_rotated_give_way(office: Office) -> None:
    made = [office.read("backup")["file"] for _ in range(3)]
    assert len(set(made)) == 3
    Path("backups/newsletter-20240524T030000Z.db").write_bytes(b"")
    Path("backups/newsletter-20240524T040000Z.db").write_bytes(b"")
    rotated = office.read("backup", "--rotate")
    assert [Path(name).name for name in rotated["deleted"]] == ["newsletter-20240524T030000Z.db"]
    assert all(Path(name).is_file() for name in (*made, rotated["file"]))
    assert "It stays until you delete it. By cron: newsletter backup --rotate" in office.run("backup")
    assert "It stays" not in office.run("backup", "--rotate") + office.run("backup", "mine.db")
    assert "leave out --rotate" in office.run("backup", "copy.db", "--rotate", code=2)


def test_a_file_that_is_there_is_overwritten_only_by_force_and_the_database_never(office: Office) -> None:
    copy = Path("copy.db")
    copy.write_text("precious")
    said = office.run("backup", "copy.db", code=1)
    assert "copy.db is there already. Name another file, or overwrite it with --force." in said
    assert copy.read_text() == "precious"
    office.run("backup", "copy.db", "--force")
    assert copy.read_bytes().startswith(b"SQLite format 3")
    assert "is the database itself" in office.run("backup", "newsletter.db", "--force", code=2)
