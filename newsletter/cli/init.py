"""`newsletter init`: ask a few questions and write a config and an issues folder."""

import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import click

from newsletter.cli.terminal import short
from newsletter.config import DEFAULT_NAME, Settings, load_settings, parse_settings, render_config
from newsletter.config.places import is_this_machine
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

RELAY_QUESTIONS = (
    ("smtp", "tls", "How it is spoken to: starttls (587), implicit (TLS from the start, 465), none (this machine)"),
    ("smtp", "port", "Its port"),
    ("smtp", "user", "User name at the relay (empty: none)"),
    ("alerts", "editor", "Who is told what became of each issue, and of trouble (addresses; empty: nobody)"),
)
"""Asked where there is a relay."""

PORTS = {"starttls": 587, "implicit": 465, "none": 25}

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
        for table, key, question in RELAY_QUESTIONS:
            _ask_one(answers, table, key, question)
    while problems := _find_problems(answers):  # a relay makes some questions matter that didn't
        for table, key, question in (*QUESTIONS, *RELAY_QUESTIONS):
            if problem := problems.get(f"{table}.{key}"):
                click.echo(f"{table}.{key} {problem}.")
            if problem or (key == "port" and "smtp.tls" in problems):  # the port goes with it
                _ask_one(answers, table, key, question)
    return answers


def _ask_one(answers: Answers, table: str, key: str, question: str) -> None:
    default = _suggestion(answers, table, key)
    while True:
        answer = _read_answer(key, click.prompt(question, default=default, show_default=bool(default)))
        problem = _find_problems({(table, key): answer}).get(f"{table}.{key}")
        if not problem:
            answers[table, key] = answer
            return
        click.echo(f"  That {problem}.")


def _read_answer(key: str, answer: str) -> object:
    """Return an answer as its setting has it: a number, a list, else text."""
    if key == "port" and answer.isdecimal():
        return int(answer)
    return [part.strip() for part in answer.split(",") if part.strip()] if key == "editor" else answer


def _suggestion(answers: Answers, table: str, key: str) -> str:
    """Return the default, with what was answered before in mind."""
    if (table, key) == ("smtp", "tls"):
        return "none" if is_this_machine(str(answers["smtp", "host"])) else "starttls"
    if (table, key) == ("smtp", "port"):
        return str(PORTS[str(answers["smtp", "tls"])])
    if (table, key) == ("alerts", "editor"):
        return ""
    if (table, key) == ("mail", "from_address"):
        address = f"news@{urlsplit(str(answers['publication', 'url'])).hostname}"
        if not _find_problems({(table, key): address}):  # a host without a name can have no mail
            return address
    return str(getattr(getattr(Settings(), table), key))


def _find_problems(answers: Answers) -> dict[str, str]:
    """Return what is wrong with the answers, by key; of a list's entry it is said of the list."""
    tables: dict[str, dict[str, object]] = {}
    for (table, name), value in answers.items():
        tables.setdefault(table, {})[name] = value
    try:
        parse_settings(tables, DEFAULT_NAME)
    except ConfigError as error:
        return {key.partition("[")[0]: text for key, text in error.problems}
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
