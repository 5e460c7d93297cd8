"""`newsletter site`: write the site and the feeds again, where something changed."""

from dataclasses import asdict
from pathlib import Path

import click

from newsletter.app import App
from newsletter.cli.terminal import count, print_json, short, show_progress
from newsletter.indexing import update_index
from newsletter.publishing import update_site
from newsletter.telling import Untold, tell_hubs

EPILOG = """\b
Examples:
  newsletter site          after a template or a setting changed, or the folder was lost
"""


@click.command("site", epilog=EPILOG, short_help="Write the site and the feeds again, where something changed.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def command(config: Path | None, as_json: bool) -> int:
    """Write the site and the feeds again from what was published, and bring the search up to date.

    Files that would be the same are not touched.
    """
    with App.load(config) as app:
        site = update_site(app)
        told = tell_hubs(app.settings)
        with show_progress("Indexing") as progress:
            index = update_index(app, progress)
        untold = told()
    if as_json:
        counts = {"written": site.written, "unchanged": site.unchanged, "removed": site.removed}
        left_alone = [str(path) for path in site.left_alone]
        hubs = [asdict(hub) for hub in untold]
        print_json(
            {"folder": site.folder, **counts, "left_alone": left_alone, "untold": hubs, "indexed": index.indexed}
        )
    else:
        click.echo(
            f"{short(site.folder)}: {count(site.written, 'file')} written, {site.unchanged:,} unchanged, "
            f"{site.removed:,} removed"
        )
        if index.indexed:
            click.echo(f"{count(index.indexed, 'issue')} made searchable again.")
        for slug in index.unreadable:
            click.echo(
                f"{slug} can't be read any more, so a search doesn't find it. Publish it with --correct.", err=True
            )
        for hub in untold:
            click.echo(say_untold(hub))
    return 0


def say_untold(hub: Untold) -> str:
    """Say which hub wasn't reached, why, and that nothing has to be done about it."""
    return f"{hub.hub} was not told of {count(hub.feeds, 'feed')}: {hub.reason}; the next publish tries again"
