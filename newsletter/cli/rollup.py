"""`newsletter rollup`: mail what a week or a month brought."""

from dataclasses import asdict
from pathlib import Path

import click

from newsletter.app import App
from newsletter.cli.sending import describe_sending, explain_audit, judge_refusals, tell_of_run, telling_trouble
from newsletter.cli.status import format_audit
from newsletter.cli.terminal import print_json, show_progress
from newsletter.cli.words import parse_day
from newsletter.model.edition import EditionKind
from newsletter.rollups import RolledUp, publish_rollup

EPILOG = """\b
Examples:
  newsletter rollup weekly                the week that yesterday was in
  newsletter rollup weekly 2024-05-25     the week from 20 to 26 May 2024
  newsletter rollup monthly 2024-05-01    May 2024
"""


@click.command("rollup", epilog=EPILOG, short_help="Mail what a week or a month brought.")
@click.argument("kind", type=click.Choice([EditionKind.WEEKLY.value, EditionKind.MONTHLY.value]))
@click.argument("day", default="yesterday", metavar="[DATE]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def command(config: Path | None, kind: str, day: str, as_json: bool) -> int:
    """Mail what the week (Monday to Sunday) or the month of a DATE brought, to the readers who want it so.

    It is made from the issues that were published, by section, and nobody gets a paper in it that he has had already.
    Running it again mails nobody twice: it goes on with whoever is left. What is published later for the same days is
    in the next one. Exit code 1 also when mail is left that nobody is sending, or when it is unknown whether it
    arrived.
    """
    with App.load(config) as app:
        with telling_trouble(app, f"the {kind} roll-up"), show_progress("Sending") as progress:
            done = publish_rollup(app, EditionKind(kind), parse_day(day, app.settings), progress=progress)
        judge_refusals(app, done)
        if as_json:
            print_json(_summarise(done))
        else:
            _report(app, done)
        tell_of_run(app, done)
    return 0 if done.complete else 1


def _report(app: App, done: RolledUp) -> None:
    if done.stored is None or done.audit is None:
        click.echo(f"{done.period.slug}: not sent: {done.why}.")
        return
    slug = done.stored.edition.slug
    _line("title", done.stored.edition.title)
    _line("days", f"{done.period.first} to {done.period.last} ({slug})")
    if done.audit.audience:
        _line("mail", describe_sending(app, slug, done, "run this again"))
    _line("audit", format_audit(done.audit))
    for line in explain_audit(slug, done.audit):
        _line("", line)


def _summarise(done: RolledUp) -> dict[str, object]:
    """Return what `_report` says, for machines."""
    stored = done.stored
    return {
        "slug": done.period.slug,
        "kind": done.period.kind,
        "first": done.period.first,
        "last": done.period.last,
        "not_sent": done.why or None,
        "title": stored.edition.title if stored else None,
        "published_at": stored.published_at if stored else None,
        "mail": asdict(done.tally) if done.tally else None,
        "audit": {**asdict(done.audit), "holds": done.audit.holds} if done.audit else None,
    }


def _line(label: str, text: str) -> None:
    click.echo(f"{click.style(f'{label:<6}', dim=True)} {text}")
