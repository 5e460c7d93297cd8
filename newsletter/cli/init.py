"""`newsletter init`: ask a few questions and write a config and an issues folder."""

import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import click

from newsletter.cli.terminal import short
from newsletter.config import DEFAULT_NAME, Settings, load_settings, parse_settings, render_config
from newsletter.errors import ConfigError, NewsletterError, UsageError
from newsletter.issues.template import compose_new_issue

Answers = dict[tuple[str, str], object]

EPILOG = """\b
Examples:
  newsletter init                    ask, and write into this folder
  newsletter init my-newsletter      make the folder, ask, and write into it
  newsletter init demo --yes         take every default; no questions
"""

QUESTIONS = (
    ("publication", "title", "The newsletter's name"),
    ("publication", "tagline", "One line under it"),
    ("publication", "url", "The site's public address"),
    ("publication", "language", "Language (en, de, pt-BR …)"),
    ("publication", "time_zone", "Time zone (Europe/Berlin, UTC …)"),
    ("publication", "postal_address", "A postal address for the footer (bulk-mail law wants one)"),
    ("mail", "from_address", "The address mail comes from"),
    ("smtp", "host", "Your mail relay's host name (empty: write mail to a folder for now)"),
)


GITIGNORE = """\
# readers, keys and what `newsletter` makes: none of it belongs into git
/newsletter.secret
/webhook.secret
/newsletter.db*
/backups/
/dkim/
/journal/
/outbox/
/public/
"""


@click.command("init", epilog=EPILOG, short_help="Ask a few questions and write a config and an issues folder.")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=Path())
@click.option("--yes", is_flag=True, help="Ask nothing and take every default.")
def command(folder: Path, yes: bool) -> int:
    """Ask a few questions and write a config and an issues folder with a first issue to fill in.

    Nothing that is there already is overwritten.
    """
    path = folder / DEFAULT_NAME
    if path.exists():
        raise NewsletterError(f"{short(path)} is there already; edit it, or remove it first.")
    answers = {} if yes else _ask_somebody()
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(render_config(answers), encoding="utf-8")
    _write_gitignore(folder / ".gitignore")
    settings = load_settings(path)
    issue = _write_first_issue(settings)
    day = issue.stem
    click.echo(f"{short(path)} holds your settings, {short(issue)} is your first issue.")
    where = "" if folder == Path() else f"cd {shlex.quote(str(folder))} && "
    click.echo(f"Next: {where}newsletter preview {day}")
    return 0


def _ask_somebody() -> Answers:
    """Ask at a terminal, or whatever is piped in for as long as it answers. Raises UsageError where nobody does."""
    try:
        return _ask()
    except click.Abort:
        if sys.stdin.isatty():
            raise
    click.echo(err=True)
    raise UsageError("init asks questions, and nobody answers here: say --yes for every default, and edit them later.")


def _ask() -> Answers:
    """Ask question by question; a wrong answer is explained and asked again."""
    answers: Answers = {}
    for table, key, question in QUESTIONS:
        _ask_one(answers, table, key, question)
    if answers["smtp", "host"]:
        answers["smtp", "user"] = click.prompt("User name at the relay (empty: none)", default="", show_default=False)
    while problems := _find_problems(answers):  # a relay makes some questions matter that didn't
        for table, key, question in QUESTIONS:
            if f"{table}.{key}" in problems:
                click.echo(f"{table}.{key} {problems[f'{table}.{key}']}.")
                _ask_one(answers, table, key, question)
    return answers


def _ask_one(answers: Answers, table: str, key: str, question: str) -> None:
    default = _suggestion(answers, table, key)
    while True:
        answer = click.prompt(question, default=default, show_default=bool(default))
        problem = _find_problems({(table, key): answer}).get(f"{table}.{key}")
        if not problem:
            answers[table, key] = answer
            return
        click.echo(f"  That {problem}.")


def _suggestion(answers: Answers, table: str, key: str) -> str:
    """Return the default, with what was answered before in mind."""
    if (table, key) == ("mail", "from_address"):
        address = f"news@{urlsplit(str(answers['publication', 'url'])).hostname}"
        if not _find_problems({(table, key): address}):  # a host without a name can have no mail
            return address
    return str(getattr(getattr(Settings(), table), key))


def _find_problems(answers: Answers) -> dict[str, str]:
    """Return what is wrong with the answers, by key."""
    tables: dict[str, dict[str, object]] = {}
    for (table, name), value in answers.items():
        tables.setdefault(table, {})[name] = value
    try:
        parse_settings(tables, DEFAULT_NAME)
    except ConfigError as error:
        return dict(error.problems)
    return {}


def _write_gitignore(path: Path) -> None:
    if not path.exists():
        path.write_text(GITIGNORE, encoding="utf-8")


def _write_first_issue(settings: Settings) -> Path:
    day = datetime.now(UTC).date()
    path = settings.issues.folder / f"{day}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_text(compose_new_issue(settings.issues, day, settings.publication.title), encoding="utf-8")
    return path
