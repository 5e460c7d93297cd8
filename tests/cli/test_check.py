from pathlib import Path

import pytest

from newsletter.cli.run import run_command


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_an_issues_folder_it_says_how_to_start(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["check"]) == 1
    assert "There is no issues folder issues. `newsletter new DATE` makes it" in capsys.readouterr().err


def test_an_empty_issues_folder_is_no_mistake(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "issues").mkdir()
    assert run_command(["check"]) == 0
    assert "There is no issue file in issues yet; `newsletter new DATE` starts one." in capsys.readouterr().err


def test_a_file_that_was_only_started_is_no_earlier_work(capsys: pytest.CaptureFixture[str]) -> None:
    for day in ("2024-05-25", "2024-05-26"):
        assert run_command(["new", day]) == 0
    assert run_command(["check"]) == 1
    printed = capsys.readouterr().out
    assert "[placeholder]" in printed
    assert "already-published" not in printed


def test_an_image_that_the_served_pages_would_not_show_is_a_warning(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "issues").mkdir()
    text = "---\ntitle: Bees\ndate: 2024-05-25\n---\nLook.\n\n![A bee](https://other.example/bee.png)\n"
    (folder / "issues/2024-05-25.md").write_text(text, encoding="utf-8")
    for web, warned in (("", True), ('image_hosts = ["https://other.example"]', False), ("enabled = false", False)):
        (folder / "config.toml").write_text(f"[web]\n{web}\n", encoding="utf-8")
        assert run_command(["check"]) == 0
        printed = capsys.readouterr().out
        assert ("issues/2024-05-25.md:7:1: warning: Mail shows this image" in printed) is warned


def test_what_looks_like_a_date_and_is_none_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["check", "2026-13-45"], ["publish", "2026-02-29"]):
        assert run_command(words) == 2
        assert f"{words[1]!r} is not a date. Write it like 2024-05-25" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("address", "code", "named"),
    [
        ("news@127.0.0.1", 2, "config.toml: mail.from_address: has no domain that mail can come from"),
        ("bücher@example.org", 1, "Mend mail.from_address in config.toml."),
    ],
)
def test_an_address_of_ours_is_not_put_down_to_the_issue(
    folder: Path, capsys: pytest.CaptureFixture[str], address: str, code: int, named: str
) -> None:
    (folder / "issues").mkdir()
    (folder / "issues/2024-05-25.md").write_text("---\ntitle: A\ndate: 2024-05-25\n---\nB.\n", encoding="utf-8")
    (folder / "config.toml").write_text(f'[mail]\nfrom_address = "{address}"\n', encoding="utf-8")
    assert run_command(["check"]) == code
    assert named in "".join(capsys.readouterr())
