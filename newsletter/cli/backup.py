"""`newsletter backup`: copy the database while it is in use."""

from datetime import UTC, datetime
from pathlib import Path

import click

from newsletter.app import App
from newsletter.cli.terminal import print_json, say, short
from newsletter.errors import NewsletterError, UsageError
from newsletter.restoring import make_backup, name_by_hand, rotate

EPILOG = """\b
Examples:
  newsletter backup                      into the folder [database] backups
  newsletter backup /mnt/usb/daily.db    into a file of your choice
  newsletter backup --rotate             by cron, where no scheduler runs: older ones are deleted

To put one back: newsletter restore FILE
"""

STAYS = "It stays until you delete it. By cron: newsletter backup --rotate, which deletes older ones as [backup] says."


@click.command("backup", epilog=EPILOG, short_help="Copy the database while it is in use.")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--rotate", "rotated", is_flag=True, help="Count it among the daily copies, which [backup] deletes.")
@click.option("--force", is_flag=True, help="Overwrite the FILE if it is there already.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def command(config: Path | None, file: Path | None, rotated: bool, force: bool, as_json: bool) -> int:
    """Copy the SQLite file while it is in use, and check the copy.

    Without a FILE the copy goes into the folder of backups, and stays there until you delete it: by cron, without
    --rotate, they become ever more. The scheduler makes daily ones by itself, and deletes older ones of those as
    [backup] says; so does --rotate. Keep newsletter.secret, too: links in mail that is out need it.
    """
    if file and rotated:
        raise UsageError("A FILE of your choice isn't rotated: leave out --rotate, or the FILE.")
    if file and file.exists() and not force:
        raise NewsletterError(f"{short(file)} is there already. Name another file, or overwrite it with --force.")
    now = datetime.now(UTC)
    with App.load(config) as app:
        app.look()
        target = file.absolute() if file else None if rotated else name_by_hand(app, now)
        path = make_backup(app, now, target)
        gone = rotate(app) if rotated else []
    if as_json:
        print_json({"file": path, "bytes": path.stat().st_size, "deleted": gone})
    else:
        click.echo(f"{short(path)}, {path.stat().st_size / 1e6:,.1f} MB")
        for old in gone:
            click.echo(f"{short(old)} deleted")
        if not (file or rotated):
            say(STAYS)
    return 0
