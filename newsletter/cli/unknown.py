"""`newsletter unknown`: decide about readers of whom nobody knows whether they got their mail."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from newsletter.app import App
from newsletter.cli.control import find_named, name_sending
from newsletter.cli.status import format_control
from newsletter.cli.terminal import count, print_json, say
from newsletter.errors import UsageError
from newsletter.model.delivery import Delivery
from newsletter.store.controls import accept_unknown, list_unknown, resend_unknown
from newsletter.store.editions import EditionLine, list_editions

EPILOG = """\b
Examples:
  newsletter unknown list
  newsletter unknown resend 2024-05-25 --all
  newsletter unknown accept 2024-05-25 you@example.org
"""

Addresses = click.argument("addresses", nargs=-1, metavar="[ADDRESS...]")
All = click.option("--all", "everybody", is_flag=True, help="Everybody who is unknown, in place of addresses.")
Json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.group("unknown", epilog=EPILOG, short_help="Decide about readers who may or may not have their mail.")
def command() -> None:
    """Decide about readers who may or may not have their mail.

    Their server was given the whole mail, and its answer was not heard: the connection or this machine broke down.
    Only you can say whether they had better get it twice or not at all, so nothing is done by itself.
    """


@command.command("list", epilog="\b\nExamples:\n  newsletter unknown list\n  newsletter unknown list 2024-05-25")
@click.argument("name", required=False, metavar="[DATE]")
@Json
@click.pass_obj
def show(config: Path | None, name: str | None, as_json: bool) -> int:
    """List who is unknown, one a line: issue, address, since when, what is known."""
    with App.load(config) as app:
        editions = [find_named(app, name)] if name else []
        with app.look().read() as connection:
            editions = editions or list_editions(connection)
            found = [(edition, row) for edition in editions for row in list_unknown(connection, edition.id)]
    if as_json:
        print_json({"unknown": [{"slug": edition.slug, **_plain(row)} for edition, row in found]})
        return 0
    for edition, row in found:
        words = row.reply.text if row.reply else ""
        click.echo(f"{edition.slug}\t{row.address}\t{row.settled_at:%Y-%m-%d %H:%M} UTC\t{words}")
    if not found:
        click.echo("Nobody is unknown.", err=True)
    return 0


@command.command("resend", epilog="\b\nExample:\n  newsletter unknown resend 2024-05-25 --all")
@click.argument("name", metavar="DATE")
@Addresses
@All
@Json
@click.pass_obj
def resend(config: Path | None, name: str, addresses: tuple[str, ...], everybody: bool, as_json: bool) -> int:
    """Queue them again: who has the mail already gets it twice, with the same Message-ID and the same bytes.

    `newsletter publish` sends it. Many mail programs show two mails with one Message-ID as one.
    """
    chosen = _choose("resend", name, addresses, everybody)
    with App.load(config) as app:
        edition = find_named(app, name)
        with app.database.transaction() as connection:
            moved = resend_unknown(connection, edition.id, datetime.now(UTC), chosen)
            left = len(list_unknown(connection, edition.id))
    stopped = f" But first: it is {format_control(edition.slug, edition.control)}" if not edition.control.runs else ""
    told = f"queued again. To send: {name_sending(edition)}.{stopped}"
    return _report(edition, moved, left, "queued", told, as_json)


@command.command("accept", epilog="\b\nExample:\n  newsletter unknown accept 2024-05-25 --all")
@click.argument("name", metavar="DATE")
@Addresses
@All
@Json
@click.pass_obj
def accept(config: Path | None, name: str, addresses: tuple[str, ...], everybody: bool, as_json: bool) -> int:
    """Take them as sent: who hasn't got the mail won't get it. The ledger notes that you said so."""
    chosen = _choose("accept", name, addresses, everybody)
    with App.load(config) as app:
        edition = find_named(app, name)
        with app.database.transaction() as connection:
            moved = accept_unknown(connection, edition.id, datetime.now(UTC), chosen)
            left = len(list_unknown(connection, edition.id))
    return _report(edition, moved, left, "sent", "taken as sent.", as_json)


def _choose(verb: str, name: str, addresses: Sequence[str], everybody: bool) -> Sequence[str] | None:
    """Return the addresses that are meant, None for everybody. Raises UsageError."""
    if "@" in name:
        raise UsageError(f"The issue's date comes before the addresses: newsletter unknown {verb} DATE {name}")
    if bool(addresses) == everybody:
        raise UsageError("Name the addresses, or say --all: one of the two.")
    return None if everybody else addresses


def _report(edition: EditionLine, moved: Sequence[Delivery], left: int, state: str, told: str, as_json: bool) -> int:
    if as_json:
        print_json({"slug": edition.slug, "state": state, "addresses": [row.address for row in moved], "unknown": left})
    elif not moved:
        click.echo(f"Nobody is unknown in {edition.slug}.")
    else:
        rest = f" {left:,} still unknown." if left else ""
        say(f"{edition.slug}: {count(len(moved), 'reader')} {told}{rest}")
    return 0


def _plain(row: Delivery) -> dict[str, object]:
    known = ("address", "name", "attempts", "settled_at")
    return {**{key: getattr(row, key) for key in known}, "reply": row.reply._asdict() if row.reply else None}
