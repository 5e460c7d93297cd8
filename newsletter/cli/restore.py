"""`newsletter restore`: put a copy of the database back, so that nothing is sent a second time."""

import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from newsletter.app import App
from newsletter.cli.terminal import count, print_json, say, short
from newsletter.errors import UsageError
from newsletter.model.ledger import describe_fenced
from newsletter.restoring import Restored, check_copy, hold_still, reconcile_database, restore_copy

EPILOG = """\b
Examples:
  newsletter restore backups/newsletter-20240525T030000Z.db
  newsletter restore                     after a copy was put back by other means (pg_restore, cp)

Afterwards `newsletter unknown list` shows who may or may not have had his mail.
"""


@click.command("restore", epilog=EPILOG, short_help="Put a copy of the database back.")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option("--only-sender", is_flag=True, help="PostgreSQL: no other machine sends from this database.")
@click.option("--force", is_flag=True, help="Also while a service or a sender of this machine is at work with it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def command(config: Path | None, file: Path | None, yes: bool, only_sender: bool, force: bool, as_json: bool) -> int:
    """Put a copy of the database back, and compare it with what was sent since it was made.

    The journal folder keeps how far each issue was sent. Readers whose mail the copy believes to be waiting, and who
    may have had it since, become unknown; an issue that was sent after the copy was made has all its readers unknown
    when it is published again. Nobody is mailed twice by itself: `newsletter unknown` decides. What is replaced is kept
    in the folder of backups, and whoever has left since stays out.

    End `newsletter serve` and all that sends before: while one of this machine is at work with the database, it is
    refused. Other machines' aren't seen.
    """
    from newsletter.schedule.ticks import Role

    if file and not yes:
        check_copy(file)
        _confirm(file)
    now = datetime.now(UTC)
    with App.load(config) as app, hold_still(app, list(Role), force=force):
        if file:
            done = restore_copy(app, file.absolute(), now, only_sender=only_sender)
        else:
            done = reconcile_database(app, now, only_sender=only_sender)
    if as_json:
        print_json(asdict(done))
    else:
        _tell(done, file)
    return 0


def _confirm(file: Path) -> None:
    if not sys.stdin.isatty():
        raise UsageError("A restore replaces the database, and nobody can be asked here: say --yes.")
    click.confirm(f"Put {short(file)} in the database's place? What is there now is kept.", abort=True, err=True)


def _tell_joined(replaced: Path) -> str:
    return (
        "Who joined since is only there. To take them in, export with "
        f"NEWSLETTER_DATABASE_URL=sqlite:///{replaced.absolute()} set, and import without:\n"
        "  newsletter subscribers export since.csv\n  newsletter subscribers import since.csv"
    )


def _tell(done: Restored, file: Path | None) -> None:
    since = f" It knows nothing since {done.copied_at:%Y-%m-%d %H:%M} UTC." if done.copied_at else ""
    click.echo(f"{short(file)} is in its place.{since}" if file else f"The database can send again.{since}")
    if done.replaced:
        click.echo(f"What it replaced: {short(done.replaced)}")
        say(_tell_joined(done.replaced))
    if done.carried:
        click.echo(f"{count(done.carried, 'address', 'addresses')} that left since then stay out.")
    if not done.compared:
        click.echo("There was no note of what was sent since, so everybody who waited may have been sent his mail.")
    for slug, number in done.reconciled.unknown.items():
        say(f"{slug}: {count(number, 'reader')} unknown. newsletter unknown list {slug}")
    for what in describe_fenced(done.reconciled.fenced):
        named = f"{what[0].upper()}{what[1:]}"
        click.echo(f"{named} may have been sent since: published again, its readers are unknown and get no mail.")
