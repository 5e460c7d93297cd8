"""`newsletter status`: say who got an issue, and prove that nobody was forgotten."""

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path

import click

from newsletter.app import App
from newsletter.cli.overview import load_overviews, open_publications, print_overview, watch_overviews
from newsletter.cli.terminal import print_json, say
from newsletter.cli.words import parse_name
from newsletter.errors import NotFoundError, UsageError
from newsletter.model.control import Control, ControlState
from newsletter.model.delivery import Audit, DeliveryState, Reply, ReplyCount
from newsletter.model.edition import EditionKind
from newsletter.store.database import Connection
from newsletter.store.deliveries import count_deliveries, count_replies, list_deliveries
from newsletter.store.editions import EditionLine, list_editions, list_named
from newsletter.watching import Overview

EPILOG = """\b
Examples:
  newsletter status                 what comes next, what is under way, what needs you, the newest editions
  newsletter status --watch         the same, again every second
  newsletter status 2024-05-25      one edition, with the servers' reasons and why readers are excluded
  newsletter status weekly-2024-W21 what a week brought (newsletter rollup)
  newsletter status 2024-05-25 --list failed      who, and what their servers said
  newsletter status --json          for machines

Exit code 1 says that an audit does not hold: some reader is not accounted for.
"""

COLOURS = {"sent": "green", "deferred": "yellow", "failed": "red", "unknown": "magenta"}
PARTS = ("sent", "queued", "deferred", "failed", "cancelled", "unknown", "excluded")


@dataclass(frozen=True, slots=True)
class _Line:
    publication: str
    edition: EditionLine
    audit: Audit
    replies: tuple[ReplyCount, ...]
    config: Path | None


@click.command("status", epilog=EPILOG, short_help="Say who got an issue.")
@click.argument("name", required=False, metavar="[DATE]")
@click.option("--limit", type=click.IntRange(1), default=10, show_default=True, help="How many editions to show.")
@click.option(
    "--list",
    "listed",
    type=click.Choice([state.value for state in DeliveryState]),
    help="List the readers in a state, one a line.",
)
@click.option("--watch", is_flag=True, help="Show it again every second, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def command(config: Path | None, name: str | None, limit: int, listed: str | None, watch: bool, as_json: bool) -> int:
    """Say for each edition where every reader due at publish stands.

    audience = sent + queued + deferred + failed + cancelled + unknown + excluded, at any time. An unknown reader's
    server was given the whole mail and its answer was not heard: he may have it. Excluded readers were due, but there
    was nothing for them in it, or they are paused.
    """
    if listed and not name:
        raise UsageError("--list goes with the DATE of an issue.")
    if watch:
        _refuse_what_cannot_be_watched(name, as_json)
    with open_publications(config) as opened:
        apps = _choose_begun(opened)
        if watch:
            return watch_overviews(apps)
        found = [_load(app, parse_name(name, app.settings) if name else None, limit) for app in apps]
        if name and not any(found):
            raise NotFoundError(f"{name} was never published. `newsletter status` lists what was.")
        if listed:
            return _list(apps, found, DeliveryState(listed), as_json)
        overviews = [] if name else load_overviews(apps)
    holds = all(line.audit.holds for lines in found for line in lines)
    if as_json:
        shown = {} if name else {"publications": [asdict(view) for view in overviews]}
        print_json({"editions": [_plain(line) for lines in found for line in lines], "holds": holds, **shown})
    else:
        _print_all(found, overviews)
    return 0 if holds else 1


def _choose_begun(apps: Sequence[App]) -> list[App]:
    """Return the publications that have a database; say which don't, and raise NotFoundError if none does."""
    begun = [app for app in apps if app.begun]
    if not begun:
        apps[0].look()
    for app in apps:
        if not app.begun:
            click.echo(f"{app.settings.publication.title}: there is nothing yet.", err=True)
    return begun


def _refuse_what_cannot_be_watched(name: str | None, as_json: bool) -> None:
    if name or as_json:
        raise UsageError("--watch shows everything that is under way; leave out the rest.")
    if not sys.stdout.isatty():
        raise UsageError("--watch draws on a terminal, and this is none. `newsletter status --json` is for machines.")


def _load(app: App, name: str | None, limit: int) -> list[_Line]:
    with app.look().read() as connection:
        editions = list_named(connection, name) if name else list_editions(connection, limit)
        return [
            _Line(
                app.settings.publication.title,
                edition,
                count_deliveries(connection, edition.id),
                tuple(count_replies(connection, edition.id)) if name else (),
                app.settings.file,
            )
            for edition in editions
        ]


def _list(apps: Sequence[App], found: Sequence[list[_Line]], state: DeliveryState, as_json: bool) -> int:
    """Print a reader a line: address, and what the server said."""
    for app, lines in zip(apps, found, strict=True):
        with app.look().read() as connection:
            for line in lines:
                _list_edition(connection, line.edition.id, state, as_json)
    return 0


def _list_edition(connection: Connection, edition_id: int, state: DeliveryState, as_json: bool) -> None:
    last = 0
    while page := list_deliveries(connection, edition_id, state, last):
        last = page[-1].id
        for delivery in page:
            if as_json:
                print_json({**delivery._asdict(), "reply": delivery.reply and delivery.reply._asdict()}, one_line=True)
            else:
                click.echo(f"{delivery.address}\t{format_reply(delivery.reply)}".rstrip())


def format_reply(reply: Reply | None) -> str:
    """Return what a server said, on one line; empty for nothing."""
    parts = (str(reply.code or ""), reply.enhanced, reply.text) if reply else ()
    return " ".join(part for part in parts if part)


def _plain(line: _Line) -> dict[str, object]:
    audit = {**asdict(line.audit), "holds": line.audit.holds}
    return {
        "publication": line.publication,
        **asdict(line.edition),
        "audit": audit,
        "replies": [asdict(reply) for reply in line.replies],
    }


def _print_all(found: Sequence[list[_Line]], overviews: Sequence[Overview]) -> None:
    """Print one publication after another, each with its name where there are several."""
    for lines, view in zip_longest(found, overviews):
        if view:
            print_overview(view, named=len(found) > 1)
        elif len(found) > 1 and lines:
            click.echo(click.style(lines[0].publication, bold=True))
        if view or lines:
            _print(lines)


def _print(lines: list[_Line]) -> None:
    if not lines:
        say("Nothing was published yet. `newsletter publish DATE` publishes an issue.")
    for line in lines:
        edition = line.edition
        state = f"published {edition.published_at:%Y-%m-%d %H:%M} UTC"
        if edition.audience is None:
            state = "frozen: nobody has been mailed; publish it again to go on"
        revision = f", revision {edition.revision}" if edition.revision > 1 else ""
        click.echo(f"{click.style(edition.slug, bold=True)}  {edition.title}")
        kind = "" if edition.kind is EditionKind.ISSUE else f"{edition.kind} roll-up, "
        click.echo(f"    {kind}{state}{revision}")
        if not edition.control.runs:
            control = click.style(format_control(edition.slug, edition.control), fg="yellow", bold=True)
            say(f"    {control}", line.config)
        click.echo(f"    {format_audit(line.audit)}")
        for reply in line.replies:
            words = " ".join(part for part in (str(reply.code or ""), reply.enhanced, reply.example) if part)
            click.echo(f"    {reply.count:>9,} {reply.state:<9} {words}")
        if line.audit.unknown:
            say(f"    who is unknown, and what you can do: newsletter unknown list {edition.slug}", line.config)


def format_control(slug: str, control: Control) -> str:
    """Say since when an edition is stopped, why, and how it goes on; empty for one that runs."""
    if control.runs or control.changed_at is None:
        return ""
    since = f"{control.changed_at:%Y-%m-%d %H:%M} UTC"
    why = f": {control.reason.rstrip('.')}." if control.reason else "."
    if control.state is ControlState.CANCELLED:
        return f"cancelled for good at {since}{why}"
    return f"{control.state} since {since}{why} To go on: newsletter resume {slug}"


def format_audit(audit: Audit) -> str:
    """Return the audit as an equation, and whether it holds."""
    parts = [(part, getattr(audit, part)) for part in PARTS]
    terms = [click.style(f"{part} {n:,}", fg=COLOURS.get(part) if n else None) for part, n in parts]
    verdict = click.style("✓", fg="green") if audit.holds else click.style("DOES NOT HOLD", fg="red", bold=True)
    return f"audience {audit.audience:,} = {' + '.join(terms)}  {verdict}"
