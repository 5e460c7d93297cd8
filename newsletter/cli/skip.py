"""`newsletter skip`: put a day down, so that nothing goes out for it by itself."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from newsletter.app import App
from newsletter.cli.terminal import print_json, say
from newsletter.cli.words import parse_day
from newsletter.model.edition import EditionKind
from newsletter.model.slot import SlotChange, SlotKey, Why
from newsletter.schedule.events import compose_command
from newsletter.store.database import Connection
from newsletter.store.editions import EditionState, list_editions_of
from newsletter.store.slots import skip_slot, unskip_slot

EPILOG = """\b
Examples:
  newsletter skip 2024-05-25                   a day that is held, or is to come in the next three days
  newsletter skip tomorrow --reason holiday
  newsletter skip 2024-05-26 --kind weekly     the roll-up that is due on that day
  newsletter skip 2024-05-25 --undo            it is due again
"""


@click.command("skip", epilog=EPILOG, short_help="Put a day down: nothing goes out for it by itself.")
@click.argument("day", metavar="DATE")
@click.option(
    "--kind", type=click.Choice([kind.value for kind in EditionKind]), default="issue", help="What is due that day."
)
@click.option("--reason", default="", help="Why, for whoever looks at the schedule.")
@click.option("--undo", is_flag=True, help="Take it back: it is due again.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def command(config: Path | None, day: str, kind: str, reason: str, undo: bool, as_json: bool) -> int:
    """Put down what is due on a DATE by the schedule: readers get nothing, and nobody is alarmed.

    Also while a scheduler is publishing it: one of both is first, and the other one changes nothing. Whoever changes
    his mind can still publish by hand. Exit code 1: there is no such day in the schedule, or it is published.
    """
    with App.load(config) as app:
        zone = ZoneInfo(app.settings.publication.time_zone)
        key, now = SlotKey(EditionKind(kind), parse_day(day, app.settings)), datetime.now(UTC)
        with app.database.transaction() as connection:
            change = unskip_slot(connection, key, now) if undo else skip_slot(connection, key, now, reason)
            shown = _has_page(connection, key)
    if as_json:
        print_json(_summarise(change, shown))
    else:
        say(_tell_undone(change, zone) if undo else _tell(change, shown))
    return 0


def _has_page(connection: Connection, key: SlotKey) -> bool:
    """Return whether its site was written already, though nobody was mailed."""
    lines = list_editions_of(connection, key.kind, key.day) if key.kind is EditionKind.ISSUE else []
    return any(line.state is EditionState.FROZEN for line in lines)


def _tell(change: SlotChange, shown: bool) -> str:
    slot = change.after
    if not change.changed:
        why = "an operator said so" if slot.why is Why.OPERATOR else slot.why
        return f"{slot.key} was skipped already: {why}."
    page = " Its page is on the site already, for it was about to be published." if shown else ""
    return f"{slot.key} is skipped: nobody is mailed.{page} To send it after all: {compose_command(slot)}"


def _tell_undone(change: SlotChange, zone: ZoneInfo) -> str:
    slot = change.after
    if not change.changed:
        return f"{slot.key} wasn't skipped: it is {slot.state}."
    return f"{slot.key} is due again, at {slot.due_at.astimezone(zone):%Y-%m-%d %H:%M %Z}."


def _summarise(change: SlotChange, shown: bool) -> dict[str, object]:
    slot = change.after
    return {
        "kind": slot.key.kind,
        "day": slot.key.day,
        "due_at": slot.due_at,
        "state": slot.state,
        "why": slot.why,
        "reason": slot.detail,
        "before": change.before.state,
        "changed": change.changed,
        "page": shown,
    }
