"""`newsletter new`: start the issue file of a date."""

from pathlib import Path

import click

from newsletter.app import App
from newsletter.cli.terminal import say, short
from newsletter.cli.words import parse_day
from newsletter.errors import NewsletterError
from newsletter.issues.template import compose_new_issue

EPILOG = """\b
Examples:
  newsletter new 2024-05-26
  newsletter new tomorrow
"""


@click.command("new", epilog=EPILOG, short_help="Start the issue file of a date.")
@click.argument("day", metavar="DATE")
@click.pass_obj
def command(config: Path | None, day: str) -> int:
    """Start the issue file of a date, with the fixed sections and one entry to fill in.

    An existing file is never overwritten.
    """
    with App.load(config) as app:
        settings = app.settings
    date = parse_day(day, settings)
    path = settings.issues.folder / f"{date}.md"
    text = compose_new_issue(settings.issues, date, settings.publication.title)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        if path.exists():
            raise NewsletterError(f"{short(path)} is there already; edit it, or remove it first.") from None
        way_out = "Make the folder writable, or name another in [issues] folder."
        raise NewsletterError(f"{short(path)} can't be written: {error.strerror}. {way_out}") from None
    say(f"{short(path)} is yours to fill in. See it as you write: newsletter preview {date}")
    return 0
