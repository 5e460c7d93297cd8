"""`newsletter cancel`: end an issue for good that is being sent."""

from functools import partial
from pathlib import Path

import click

from newsletter.app import App
from newsletter.cli.control import Ordered, find_named, give_order, print_ordered
from newsletter.cli.terminal import ask_first, count
from newsletter.model.control import ControlState
from newsletter.store.controls import cancel_edition
from newsletter.store.deliveries import count_deliveries

EPILOG = """\b
Examples:
  newsletter cancel 2024-05-25
  newsletter cancel 2024-05-25 --yes --reason "sent to the wrong list"
"""


@click.command("cancel", epilog=EPILOG, short_help="End an issue for good: whoever waits gets no mail.")
@click.argument("name", metavar="DATE")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option("--reason", default="", help="Why, for whoever looks at the status.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def command(config: Path | None, name: str, yes: bool, reason: str, as_json: bool) -> int:
    """End an issue for good: whoever still waits gets no mail. It can't be undone.

    Also while another process is sending it: that one finishes what is on the wire and ends. The page and the feeds
    stay as they are.
    """
    if not yes:
        _confirm(config, name)
    ordered = give_order(config, name, partial(cancel_edition, reason=reason))
    code = print_ordered(ordered, as_json, _tell(ordered))
    if ordered.change.changed:
        from newsletter.cli.sending import tell_editor

        with App.load(config) as app:
            tell_editor(app)
    return code


def _confirm(config: Path | None, name: str) -> None:
    """Ask with what is at stake, unless nothing is."""
    with App.load(config) as app:
        edition = find_named(app, name)
        with app.database.read() as connection:
            waiting = count_deliveries(connection, edition.id).open
    if edition.control.state is not ControlState.CANCELLED:
        question = f"{count(waiting, 'reader')} will never get {edition.slug}. Cancel it for good?"
        ask_first(question, "A cancelled issue can't be resumed")


def _tell(ordered: Ordered) -> str:
    slug, audit, change = ordered.edition.slug, ordered.audit, ordered.change
    if not change.changed:
        return f"{slug} was cancelled already."
    held = (
        f"A sender holds {audit.queued:,}: what is on the wire goes out, the rest is cancelled. "
        if audit.queued
        else ""
    )
    return (
        f"{slug} is cancelled for good: {count(change.cancelled, 'reader')} won't get it, {audit.sent:,} did. {held}"
        "The page and the feeds stay."
    )
