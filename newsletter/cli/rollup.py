"""`newsletter rollup`: mail what a week or a month brought."""

from dataclasses import asdict
from pathlib import Path

import click

from newsletter.app import App
from newsletter.cli.sending import (
    describe_sending,
    explain_audit,
    find_next_try,
    judge_refusals,
    tell_of_run,
    telling_trouble,
)
from newsletter.cli.status import format_audit
from newsletter.cli.terminal import print_json, say_line, show_progress
from newsletter.cli.words import parse_day
from newsletter.errors import UsageError
from newsletter.model.edition import EditionKind
from newsletter.model.rollup import Period, period_of
from newsletter.rollups import RolledUp, publish_rollup
from newsletter.schedule.calendar import find_opening
from newsletter.schedule.planning import load_calendar
from newsletter.store.database import read_clock
from newsletter.store.editions import load_edition

EPILOG = """\b
Examples:
  newsletter rollup weekly                the week that yesterday was in: on a Monday, the one that is over
  newsletter rollup weekly 2024-05-25     the week from 20 to 26 May 2024
  newsletter rollup monthly 2024-05-01    May 2024
  newsletter rollup weekly today --now    this week, as far as it has come
"""


@click.command("rollup", epilog=EPILOG, short_help="Mail what a week or a month brought.")
@click.argument("kind", type=click.Choice([EditionKind.WEEKLY.value, EditionKind.MONTHLY.value]))
@click.argument("day", default="yesterday", metavar="[DATE]")
@click.option("--now", "early", is_flag=True, help="Also before the week or the month is over.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def command(config: Path | None, kind: str, day: str, early: bool, as_json: bool) -> int:
    """Mail what the week (Monday to Sunday) or the month of a DATE brought, to the readers who want it so.

    It is made from the issues that were published, by section, and nobody gets a paper in it that he has had already.
    Running it again mails nobody twice: it goes on with whoever is left. What is published later for the same days is
    in the next one. Before it is over, or before its time by [rollups], it is refused. Exit code 1 also when mail is
    left that nobody is sending, or when it is unknown whether it arrived.
    """
    with App.load(config) as app:
        period = period_of(EditionKind(kind), parse_day(day, app.settings))
        if not early:
            _refuse_unfinished(app, period)
        with telling_trouble(app, period.slug), show_progress("Sending") as progress:
            done = publish_rollup(app, period.kind, period.first, progress=progress)
        judge_refusals(app, done)
        if as_json:
            print_json(_summarise(app, done))
        else:
            _report(app, done)
        tell_of_run(app, done)
    return 0 if done.complete else 1


def _refuse_unfinished(app: App, period: Period) -> None:
    """Refuse one that isn't over and wasn't published; one that was goes on with whoever is left. Raises UsageError."""
    calendar = load_calendar(app.settings)
    opening = find_opening(calendar, period)
    if read_clock() >= opening:
        return
    with app.database.read() as connection:
        stored = load_edition(connection, period.slug)
    if stored is None or stored.audience is None:
        raise UsageError(
            f"What {period.first} to {period.last} brought ({period.slug}) goes out from "
            f"{opening.astimezone(calendar.zone):%Y-%m-%d %H:%M %Z} on; by then more may come. To send what is there "
            f"now: --now. The one before it: newsletter rollup {period.kind} {period.previous.last}"
        )


def _report(app: App, done: RolledUp) -> None:
    if done.stored is None or done.audit is None:
        click.echo(f"{done.period.slug}: not sent: {done.why}.")
        return
    slug = done.stored.edition.slug
    say_line("title", done.stored.edition.title)
    say_line("days", f"{done.period.first} to {done.period.last} ({slug})")
    if done.audit.audience:
        say_line("mail", describe_sending(app, slug, done, "run this again"))
    say_line("audit", format_audit(done.audit))
    for line in explain_audit(slug, done.audit):
        say_line("", line)


def _summarise(app: App, done: RolledUp) -> dict[str, object]:
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
        "next_try_at": find_next_try(app, done),
        "audit": {**asdict(done.audit), "holds": done.audit.holds} if done.audit else None,
    }
