from pathlib import Path

import pytest

from newsletter.cli.run import run_command


def test_an_issue_that_cant_be_written_tells_a_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "issues").touch()
    assert run_command(["new", "2024-05-26"]) == 1
    assert "Make the folder writable, or name another in [issues] folder." in capsys.readouterr().err


def test_an_issue_in_the_way_of_another_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command(["new", "2024-05-26"]) == 0
    (tmp_path / "issues" / "2024-05-26.md").write_text("mine")
    assert run_command(["new", "2024-05-26"]) == 1
    assert "there already" in capsys.readouterr().err
    assert (tmp_path / "issues" / "2024-05-26.md").read_text() == "mine"
