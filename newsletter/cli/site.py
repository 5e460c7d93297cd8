"""`newsletter site`: write the site and the feeds again, where something changed."""

from pathlib import Path

import click

from newsletter.app import App
from newsletter.cli.terminal import count, print_json, short
from newsletter.publishing import update_site

EPILOG = """\b
Examples:
  newsletter site          after a template or a setting changed, or the folder was lost
"""


@click.command("site", epilog=EPILOG, short_help="Write the site and the feeds again, where something changed.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def command(config: Path | None, as_json: bool) -> int:
    """Write the site and the feeds again from what was published. Files that would be the same are not touched."""
    with App.load(config) as app:
        site = update_site(app)
    if as_json:
        counts = {"written": site.written, "unchanged": site.unchanged, "removed": site.removed}
        print_json({"folder": site.folder, **counts, "left_alone": [str(path) for path in site.left_alone]})
    else:
        click.echo(
            f"{short(site.folder)}: {count(site.written, 'file')} written, {site.unchanged:,} unchanged, "
            f"{site.removed:,} removed"
        )
    return 0
