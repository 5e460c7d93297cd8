import json

import pytest

from newsletter.cli.terminal import count, print_problems
from newsletter.model.problem import Problem, Severity

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
