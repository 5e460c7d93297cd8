import importlib
import subprocess
import sys
from pathlib import Path

import click
import pytest

from newsletter.cli.commands import COMMANDS, render_help
from newsletter.cli.run import run_command


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "newsletter", *words], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("words", [("--help",), ("-h",), ("help",)])
def test_help_lists_every_command_with_examples(words: tuple[str, ...]) -> None:
    done = run(*words)
    assert done.returncode == 0
    for name, line in COMMANDS.items():
        assert f"  {name}" in done.stdout
        assert line.summary in done.stdout
    assert "Examples:" in done.stdout


def test_no_words_at_all_is_wrong_usage_and_shows_the_help() -> None:
    done = run()
    assert done.returncode == 2
    assert done.stdout == render_help() + "\n"


def test_the_front_page_imports_nothing_heavy() -> None:
    code = "import sys; from newsletter.cli import main; main(['--help']); print(sorted(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    for heavy in ("'click'", "'pydantic'", "'sqlalchemy'", "'jinja2'", "'asyncio'"):
        assert heavy not in done.stderr


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_help_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command([name, "--help"]) == 0
    printed = capsys.readouterr().out
    assert "Example" in printed
    assert f"newsletter {name}" in printed
    assert "\t" not in printed


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_says_the_same_of_itself_in_both_places(name: str) -> None:
    command = importlib.import_module(COMMANDS[name].module).command
    assert isinstance(command, click.Command)
    assert command.name == name


def test_the_version_is_printed_alone() -> None:
    assert run("--version").stdout.startswith("newsletter 0.")


def test_an_unknown_command_is_wrong_usage() -> None:
    done = run("publsh")
    assert done.returncode == 2
    assert "No such command 'publsh'. Did you mean 'publish'?" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("statsu",), "'status'"),
        (("subscribers", "imprt"), "'import'"),
        (("publish", "--corect", "today"), "'--correct'"),
        (("--confg", "x", "publish"), "'--config'"),
    ],
)
def test_what_is_mistyped_is_guessed(words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(words) == 2
    assert f"Did you mean {said}?" in capsys.readouterr().err


def test_a_closed_standard_input_is_an_empty_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", None)
    assert run_command(["init"]) == 2
    assert run_command(["cancel", "today"]) == 1
    sys.stdin.close()
