"""What an operator sees and does about one reader."""

import io
import json
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from newsletter.app import App
from newsletter.audience.joining import ask_to_join
from newsletter.audience.policy_joining import JoinForm
from newsletter.cli.run import run_command
from newsletter.model.consent import Origin

CONFIG = """
[publication]
title = "Daily"
url = "https://news.example.org"
time_zone = "Europe/Berlin"

[issues]
sections = ["LLM agents", "Benchmarks"]
[rollups]
by_hand = ["weekly"]
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NEWSLETTER_DATABASE_URL", raising=False)
    (tmp_path / "config.toml").write_text(CONFIG)
    assert run_command(["subscribers", "add", "ann@example.org", "--name", "Ann"]) == 0
    return tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> "Run":
    return Run(capsys)


class Run:
    """Types commands, and returns what they print."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        capsys.readouterr()

    def __call__(self, *words: str, code: int = 0) -> str:
        assert run_command(words) == code
        printed = self._capsys.readouterr()
        return printed.out + printed.err


def test_a_reader_is_shown_with_his_choices_and_his_record(run: Run) -> None:
    run("subscribers", "set", "ann@example.org", "--cadence", "weekly", "--topic", "LLM agents", "--language", "de")
    shown = run("subscribers", "show", "ANN@example.org")
    assert shown.splitlines()[0].startswith("ann@example.org (Ann): active since ")
    for said in ("topics: llm-agents", "cadence: weekly", "language: de", "added      by hand", "changed    by hand"):
        assert said in shown
    kept = json.loads(run("subscribers", "show", "ann@example.org", "--json"))
    assert kept["reader"]["topics"] == ["llm-agents"]
    assert [line["event"] for line in kept["consents"]] == ["added", "changed"]


def test_what_is_not_named_stays_as_it_is(run: Run) -> None:
    run("subscribers", "set", "ann@example.org", "--topic", "benchmarks", "--cadence", "weekly")
    said = run("subscribers", "set", "ann@example.org", "--name", "Anna", "--json")
    after = json.loads(said)["subscriber"]
    assert (after["name"], after["cadence"], after["topics"]) == ("Anna", "weekly", ["benchmarks"])
    assert "as before" in run("subscribers", "set", "ann@example.org", "--name", "Anna")
    assert "topics: everything" in run("subscribers", "set", "ann@example.org", "--everything")


def test_a_pause_ends_where_the_publications_day_begins(run: Run) -> None:
    day = (datetime.now(UTC) + timedelta(days=40)).date()
    said = json.loads(run("subscribers", "set", "ann@example.org", "--pause-until", str(day), "--json"))
    until = datetime.fromisoformat(said["subscriber"]["paused_until"])
    assert until.hour in (22, 23)
    assert until.date() == day - timedelta(days=1)
    assert "paused" not in run("subscribers", "set", "ann@example.org", "--no-pause")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--topic", "Gossip"], "The sections are LLM agents, Benchmarks."),
        (["--topic", "Benchmarks", "--everything"], "Say --topic or --everything, not both."),
        (["--pause-until", "2999-01-01"], "A pause lasts a year at most."),
        (["--pause-until", "2020-01-01"], "is over"),
        (["--pause-until", "soon"], "is not a date"),
        (["--pause-until", "2999-01-01", "--no-pause"], "not both"),
        (["--cadence", "monthly"], "No monthly mail is sent. Give it a time in [rollups]"),
        (["--language", "x"], "'x' is no language of letters. They are en, de."),
        (["--name", "a\x07"], "This is not a name."),
    ],
)
def test_what_cannot_be_chosen_is_told(run: Run, options: list[str], said: str) -> None:
    assert said in run("subscribers", "set", "ann@example.org", *options, code=2)


@pytest.mark.parametrize("word", ["show", "set", "erase", "export-one"])
def test_nobody_is_told_as_such(run: Run, word: str) -> None:
    assert "bob@example.org is no reader." in run("subscribers", word, "bob@example.org", code=1)
    assert "is not a mail address" in run("subscribers", word, "bob", code=2)


def test_who_left_has_nothing_to_choose(run: Run) -> None:
    run("subscribers", "remove", "ann@example.org")
    assert "has left" in run("subscribers", "set", "ann@example.org", "--cadence", "weekly", code=1)
    assert "stays out: left" in run("subscribers", "show", "ann@example.org")


def test_erasing_asks_first_and_leaves_nothing(
    run: Run, monkeypatch: pytest.MonkeyPatch, answer: Callable[[str], None]
) -> None:
    answer("n")
    assert "stopped" in run("subscribers", "erase", "ann@example.org", code=130)
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert "nobody can be asked here: say --yes" in run("subscribers", "erase", "ann@example.org", code=2)
    run("subscribers", "show", "ann@example.org")
    assert json.loads(run("subscribers", "erase", "ann@example.org", "--yes", "--json")) == {
        "erased": True,
        "cancelled": 0,
    }
    run("subscribers", "show", "ann@example.org", code=1)
    assert "stays out" in run("subscribers", "add", "ann@example.org", code=1)


def test_all_that_is_kept_goes_to_a_file_that_only_its_owner_can_read(run: Run, folder: Path) -> None:
    run("subscribers", "export-one", "ann@example.org", "ann.json")
    kept = json.loads((folder / "ann.json").read_text())
    assert stat.S_IMODE((folder / "ann.json").stat().st_mode) == 0o600
    assert kept == json.loads(run("subscribers", "export-one", "ann@example.org"))
    assert kept["reader"]["address"] == "ann@example.org"


def test_letters_wait_and_are_sent_on_demand(run: Run, folder: Path) -> None:
    with App.load(None) as app:
        origin = Origin("form", "192.0.2.1", "Yes.")
        ask_to_join(app.database, app.reception, JoinForm("bob@example.org"), origin, datetime.now(UTC))
    assert "queued\tconfirm-join\tbob@example.org" in run("notices", "list")
    assert "1 letter sent, 0 put off, 0 failed." in run("notices", "send")
    (mail,) = (folder / "outbox" / "notices").iterdir()
    assert "https://news.example.org/c/" in mail.read_text()
    listed = json.loads(run("notices", "list", "--json"))
    assert (listed["counts"]["sent"], listed["notices"][0]["state"]) == (1, "sent")
    assert json.loads(run("notices", "send", "--json"))["sent"] == 0
    assert run("notices", "list", "--state", "failed") == "0 queued, 0 sending, 1 sent, 0 failed\n"
