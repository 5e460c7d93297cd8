"""What commands print: problems, progress, and relative paths. Progress and colour appear on a terminal only."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import click

from newsletter.config import DEFAULT_NAME, name_config
from newsletter.errors import UsageError
from newsletter.model.problem import Problem, Severity

Progress = Callable[[int, int], None]
"""Takes how many are done and how many there are; 0 means that nobody knows."""


@contextmanager
def show_progress(label: str) -> Iterator[Progress]:
    """Draw a bar with rate and time left on stderr, if that is a terminal."""
    if not sys.stderr.isatty():
        yield _say_nothing
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)


def _say_nothing(done: int, total: int) -> None:
    """Stand in for a bar where nobody would see it."""


def ask_first(question: str, stakes: str) -> None:
    """Ask on a terminal, and stop for a no. Raises UsageError, with what is at stake, where nobody can be asked."""
    if not sys.stdin.isatty():
        raise UsageError(f"{stakes}, and nobody can be asked here: say --yes.")
    click.confirm(question, abort=True, err=True)


def say(text: str, config: Path | None = None, *, err: bool = False) -> None:
    """Print a text; commands in it to paste name the `config` (None: this command's), unless they find it here."""
    click.echo(_name_config(text, config), err=err)


def say_line(label: str, text: str) -> None:
    """Print one line of a report; commands in it name the config."""
    click.echo(f"{click.style(f'{label:<6}', dim=True)} {_name_config(text)}")


def _name_config(text: str, config: Path | None = None) -> str:
    context = click.get_current_context(silent=True)
    chosen = config or (context.find_object(Path) if context else None)
    if chosen is None or chosen.absolute() == Path(DEFAULT_NAME).absolute():
        return text
    return name_config(text, Path(short(chosen)))


def short(path: Path | str) -> str:
    """Return a path as a person here would type it."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("../..") else relative


def print_json(value: object, *, one_line: bool = False) -> None:
    """Print one JSON document, times in ISO 8601, sets in order."""
    print(json.dumps(value, ensure_ascii=False, indent=None if one_line else 2, default=_plain))


def _plain(value: object) -> object:
    if isinstance(value, frozenset):
        return sorted(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def print_problems(problems: Sequence[Problem], form: str) -> None:
    """Print problems in reading order: `text` for people, `github` for annotations, `json` for machines."""
    if form == "json":
        counts = {f"{kind}s": sum(problem.severity is kind for problem in problems) for kind in Severity}
        print_json({**counts, "problems": [asdict(problem) for problem in problems]})
        return
    for problem in sorted(problems):
        if form == "github":
            print(_annotation(problem))
        else:
            click.echo(_text(problem))


def _text(problem: Problem) -> str:
    place = click.style(f"{short(problem.path)}:{problem.line}:{problem.column}:", bold=True)
    colour = "red" if problem.severity is Severity.ERROR else "yellow"
    first = f"{place} {click.style(problem.severity, fg=colour, bold=True)}: {problem.message} [{problem.code}]"
    return f"{first}\n    {problem.hint}" if problem.hint else first


def _annotation(problem: Problem) -> str:
    """Spell a problem as a GitHub workflow command; its properties and message have an escaping of their own."""
    text = f"{problem.message} {problem.hint}".strip().replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    path = short(problem.path).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
    place = f"file={path},line={problem.line},col={problem.column},title={problem.code}"
    return f"::{problem.severity} {place}::{text}"


def count(number: int, word: str, words: str = "") -> str:
    """Return a number with its noun: `1 paper`, `21 papers`."""
    return f"{number:,} {word if number == 1 else words or word + 's'}"
