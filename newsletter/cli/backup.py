"""`newsletter backup`: copy the database while it is in use."""

from datetime import UTC, datetime
from pathlib import Path

import click

from newsletter.app import App
from newsletter.cli.terminal import print_json, short
from newsletter.restoring import make_backup, rotate

EPILOG = """\b
Examples:
  newsletter backup                      into the folder [database] backups
  newsletter backup /mnt/usb/daily.db    into a file of your choice

To put one back: newsletter restore FILE
"""


@click.command("backup", epilog=EPILOG, short_help="Copy the database while it is in use.")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def command(config: Path | None, file: Path | None, as_json: bool) -> int:
    """Copy the SQLite file while it is in use, and check the copy.

    Without a FILE the copy goes into the folder of backups, where older ones are deleted as [backup] says. The
    scheduler does the same by itself. Keep newsletter.secret, too: links in mail that is out need it.
    """
    with App.load(config) as app:
        path = make_backup(app, datetime.now(UTC), file.absolute() if file else None)
        gone = [] if file else rotate(app)
    if as_json:
        print_json({"file": path, "bytes": path.stat().st_size, "deleted": gone})
    else:
        click.echo(f"{short(path)}, {path.stat().st_size / 1e6:,.1f} MB")
        for old in gone:
            click.echo(f"{short(old)} deleted")
    return 0
