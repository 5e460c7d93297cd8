"""`newsletter resume`: let an issue that was paused or halted go on."""

from pathlib import Path

import click

from newsletter.cli.control import Ordered, give_order, name_sending, print_ordered
from newsletter.cli.terminal import count
from newsletter.store.controls import resume_edition

EPILOG = """\b
Examples:
  newsletter resume 2024-05-25
  newsletter resume 2024-05-25 && newsletter publish 2024-05-25
"""


@click.command("resume", epilog=EPILOG, short_help="Let a paused or halted issue go on.")
@click.argument("name", metavar="DATE")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def command(config: Path | None, name: str, as_json: bool) -> int:
    """Let an issue that was paused, or halted by itself, go on with whoever is left.

    It allows sending and doesn't send: `newsletter publish` does.
    """
    ordered = give_order(config, name, resume_edition)
    return print_ordered(ordered, as_json, _tell(ordered))


def _tell(ordered: Ordered) -> str:
    slug, waiting = ordered.edition.slug, ordered.audit.open
    done = "may go on" if ordered.change.changed else "was not stopped"
    if not waiting:
        return f"{slug} {done}; nobody waits for it."
    people = f"{count(waiting, 'reader')} {'waits' if waiting == 1 else 'wait'} for it"
    return f"{slug} {done}; {people}. To send: {name_sending(ordered.edition)}"
