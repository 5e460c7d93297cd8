"""`newsletter check`: find the problems in issue files."""

from pathlib import Path

import click

from newsletter.app import App
from newsletter.cli.terminal import count, print_problems, say, short, show_progress
from newsletter.cli.words import parse_name
from newsletter.errors import NotFoundError
from newsletter.model.problem import Severity
from newsletter.publishing import check_issues

EPILOG = """\b
Examples:
  newsletter check                    every issue file
  newsletter check 2024-05-25         one issue, by its date
  newsletter check issues/draft.md    one file
  newsletter check --format github    annotations in a GitHub workflow
"""


@click.command("check", epilog=EPILOG, short_help="Find the problems in issue files.")
@click.argument("names", nargs=-1, metavar="[DATE|FILE]...")
@click.option("--json", "form", flag_value="json", help="Print one JSON document.")
@click.option("--format", "form", type=click.Choice(["text", "github", "json"]), default="text", show_default=True)
@click.pass_obj
def command(config: Path | None, names: tuple[str, ...], form: str) -> int:
    """Find the problems in issue files: all of them, each with file, line, column and the way out.

    Without arguments every file in the issues folder is checked. Errors stop a publish (exit code 1), warnings don't.
    """
    with App.load(config) as app:
        folder = app.settings.issues.folder
        if not names and not folder.is_dir():
            raise NotFoundError(
                f"There is no issues folder {short(folder)}. `newsletter new DATE` makes it with a first issue; "
                "`newsletter init` writes a config as well; [issues] folder names another."
            )
        return _check(app, names, form)


def _check(app: App, names: tuple[str, ...], form: str) -> int:
    with show_progress("Checking") as progress:
        number, problems = check_issues(app, [parse_name(name, app.settings) for name in names], progress)
    print_problems(problems, form)
    errors = sum(problem.severity is Severity.ERROR for problem in problems)
    if form == "text" and not number:
        where = short(app.settings.issues.folder)
        say(f"There is no issue file in {where} yet; `newsletter new DATE` starts one.", err=True)
    elif form == "text":
        summary = f"{count(errors, 'error')}, {count(len(problems) - errors, 'warning')}"
        click.echo(f"{count(number, 'issue file')} checked: {summary if problems else 'no problems'}.", err=True)
    return 1 if errors else 0
