"""`newsletter pause`: stop an issue that is being sent, until it is resumed."""

from functools import partial
from pathlib import Path

import click

from newsletter.cli.control import Ordered, give_order, print_ordered
from newsletter.cli.terminal import count
from newsletter.model.control import ControlState
from newsletter.store.controls import pause_edition

EPILOG = """\b
Examples:
  newsletter pause 2024-05-25
  newsletter pause today --reason "a link is wrong"
"""


@click.command("pause", epilog=EPILOG, short_help="Stop sending an issue, until it is resumed.")
@click.argument("name", metavar="DATE")
@click.option("--reason", default="", help="Why, for whoever looks at the status.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def command(config: Path | None, name: str, reason: str, as_json: bool) -> int:
    """Stop sending an issue, also while another process is sending it.

    That process finishes what is on the wire and ends. Nobody is lost: `newsletter resume` lets it go on.
    """
    ordered = give_order(config, name, partial(pause_edition, reason=reason))
    return print_ordered(ordered, as_json, _tell(ordered))


def _tell(ordered: Ordered) -> str:
    slug, change = ordered.edition.slug, ordered.change
    if change.after.state is ControlState.HALTED:
        return f"{slug} was halted already: {change.after.reason} To go on: newsletter resume {slug}"
    done = "is paused" if change.changed else "was paused already"
    waiting = f"{count(ordered.audit.open, 'reader')} still {'waits' if ordered.audit.open == 1 else 'wait'}"
    return (
        f"{slug} {done}; {waiting} for it. A sender at work finishes what is on the wire and ends. "
        f"To go on: newsletter resume {slug}"
    )
