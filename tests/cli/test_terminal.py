import json
from pathlib import Path

import pytest

from newsletter.cli.terminal import count, print_problems
from newsletter.model.problem import Problem, Severity
from tests.cli.conftest import Office

PROBLEMS = [
    Problem("issues/b.md", 3, 7, Severity.WARNING, "missing-alt", "An image has no description.", "Write one."),
    Problem("issues/a.md", 12, 1, Severity.ERROR, "bad-date", "100% wrong,\nreally: yes."),
]


def test_text_stands_in_reading_order_with_the_way_out_below(capsys: pytest.CaptureFixture[str]) -> None:
    print_problems(PROBLEMS, "text")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "issues/a.md:12:1: error: 100% wrong,"
    assert lines[2] == "issues/b.md:3:7: warning: An image has no description. [missing-alt]"
    assert lines[3] == "    Write one."


def test_github_annotations_escape_what_would_end_them(capsys: pytest.CaptureFixture[str]) -> None:
    print_problems(PROBLEMS, "github")
    assert capsys.readouterr().out.splitlines() == [
        "::error file=issues/a.md,line=12,col=1,title=bad-date::100%25 wrong,%0Areally: yes.",
        "::warning file=issues/b.md,line=3,col=7,title=missing-alt::An image has no description. Write one.",
    ]


def test_json_counts_and_holds_everything(capsys: pytest.CaptureFixture[str]) -> None:
    print_problems(PROBLEMS, "json")
    document = json.loads(capsys.readouterr().out)
    assert (document["errors"], document["warnings"]) == (1, 1)
    assert document["problems"][0]["hint"] == "Write one."


def test_numbers_come_with_their_noun() -> None:
    assert [count(1, "file"), count(2000, "file"), count(2, "entry", "entries")] == [
        "1 file",
        "2,000 files",
        "2 entries",
    ]


def test_commands_to_paste_name_a_config_that_is_not_the_one_here(office: Office) -> None:
    office.publish(readers=2)
    Path("other.toml").write_text('[database]\nurl = "sqlite:///newsletter.db"\n', encoding="utf-8")
    Path("config.toml").write_bytes(Path("other.toml").read_bytes())
    paused = office.run("--config", "other.toml", "pause", "2024-05-25")
    assert "To go on: newsletter --config other.toml resume 2024-05-25" in paused
    assert "newsletter --config other.toml resume" in office.run("--config", "other.toml", "status", "2024-05-25")
    wrong = office.run("--config", "other.toml", "status", "2024-05-26", code=1)
    assert "`newsletter --config other.toml status` lists what was." in wrong
    assert "To go on: newsletter resume" in office.run("--config", "config.toml", "status", "2024-05-25")


def test_a_config_named_by_the_environment_is_named_too(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("other.toml").write_text('[database]\nurl = "sqlite:///newsletter.db"\n', encoding="utf-8")
    monkeypatch.setenv("NEWSLETTER_CONFIG", "other.toml")
    assert "`newsletter --config other.toml status`" in office.run("status", "2024-05-26", code=1)
