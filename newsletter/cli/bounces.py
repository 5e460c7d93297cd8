"""`newsletter bounces`: what came back, why readers were suspended, and how to undo it."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from newsletter.app import App
from newsletter.cli.terminal import count, print_json
from newsletter.errors import NotFoundError
from newsletter.model.bounce import Reason
from newsletter.model.verdict import Bounce, StoredReport

EPILOG = """\b
Examples:
  newsletter bounces list                      the newest
  newsletter bounces list --reason mailbox_full --days 30
  newsletter bounces list --kept               mails that nobody could read
  newsletter bounces show 17                   one, with what the server said
  newsletter bounces retry you@example.org     let a suspended reader back in
  newsletter bounces poll                      look into the mailbox now
"""

Json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.group("bounces", epilog=EPILOG, short_help="What came back, and what was decided.")
def command() -> None:
    """See what came back and what was decided about readers, and undo it."""


@command.command("list", epilog="\b\nExample:\n  newsletter bounces list --reason user_unknown")
@click.option("--reason", type=click.Choice([reason.value for reason in Reason]), help="Only those for this reason.")
@click.option("--days", type=click.IntRange(1), help="Only those of the last so many days.")
@click.option("--reader", metavar="ADDRESS", help="Only those of this reader.")
@click.option("--kept", is_flag=True, help="Mails that nobody could read, instead: they wait for you.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="How many.")
@Json
@click.pass_obj
def show_list(
    config: Path | None, reason: str | None, days: int | None, reader: str | None, kept: bool, limit: int, as_json: bool
) -> int:
    """List bounces, newest first: number, time, reader, verdict, reason, what the server said."""
    from newsletter.store.bounces import list_bounces, list_reports

    with App.load(config) as app, app.look().read() as connection:
        if kept:
            return _print_kept(list_reports(connection, kept=True, limit=limit), as_json)
        since = datetime.now(UTC) - timedelta(days=days) if days else None
        number = _find_reader(app, reader) if reader else None
        found = list_bounces(connection, subscriber_id=number, reason=reason, since=since, limit=limit)
    if as_json:
        print_json({"bounces": [_plain(bounce) for bounce in found]})
        return 0
    for bounce in found:
        undone = " (undone)" if bounce.undone_at else ""
        click.echo(
            f"{bounce.id}\t{bounce.at:%Y-%m-%d %H:%M} UTC\t{bounce.address}\t{bounce.verdict}{undone}\t"
            f"{bounce.reason} ({bounce.severity})\t{bounce.said[:120]}"
        )
    if not found:
        click.echo("Nothing came back.", err=True)
    return 0


@command.command("show", epilog="\b\nExamples:\n  newsletter bounces show 17\n  newsletter bounces show --kept 3")
@click.argument("number", type=click.IntRange(1))
@click.option("--kept", is_flag=True, help="NUMBER is of a kept mail; print it as it came.")
@Json
@click.pass_obj
def show(config: Path | None, number: int, kept: bool, as_json: bool) -> int:
    """Show one bounce with all that is known of it, or a kept mail as it came."""
    from newsletter.store.bounces import load_bounce, load_report

    with App.load(config) as app, app.look().read() as connection:
        if kept:
            report = load_report(connection, number)
            if report is None or report.raw is None:
                raise NotFoundError(f"There is no kept mail {number}. `newsletter bounces list --kept` lists them.")
            sys.stdout.buffer.write(report.raw)
            return 0
        bounce = load_bounce(connection, number)
    if bounce is None:
        raise NotFoundError(f"There is no bounce {number}. `newsletter bounces list` lists them.")
    if as_json:
        print_json(_plain(bounce))
        return 0
    facts = _plain(bounce)
    for name, value in facts.items():
        if value not in (None, "", 0):
            click.echo(f"{name:<12} {value}")
    return 0


@command.command("retry", epilog="\b\nExample:\n  newsletter bounces retry you@example.org")
@click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS...")
@Json
@click.pass_obj
def retry(config: Path | None, addresses: Sequence[str], as_json: bool) -> int:
    """Overrule what was decided: a suspended reader is active again, and nothing that came back counts any more.

    Who has left of his own will stays away; who complained is let in again only by this.
    """
    from newsletter.bounces.undo import restore

    with App.load(config) as app:
        restored = [restore(app.look(), address, datetime.now(UTC)) for address in addresses]
    if as_json:
        print_json({"restored": [address for address, done in zip(addresses, restored, strict=True) if done]})
    for address, done in zip(addresses, restored, strict=True):
        if not as_json:
            told = "is active again" if done else "was not suspended; nothing that came back counts any more"
            click.echo(f"{address} {told}.")
    return 0


@command.command("poll", epilog="\b\nExample:\n  newsletter bounces poll")
@Json
@click.pass_obj
def poll(config: Path | None, as_json: bool) -> int:
    """Look into the configured Maildir and mailbox now, and judge what servers refused while sending."""
    from newsletter.bounces.poll import poll_bounces

    with App.load(config) as app:
        rules = app.settings.bounces
        if not (rules.maildir or rules.imap_host or as_json):
            click.echo("No mailbox is configured (bounces.maildir, bounces.imap_host).", err=True)
        polled = poll_bounces(app.intake, rules, app.imap_password)
    if as_json:
        print_json(polled)
        return 0
    click.echo(
        f"{count(polled['mails'], 'mail')} taken in, {polled['ended']:,} of them ended a reader's mail; "
        f"{count(polled['refusals'], 'refusal')} judged."
    )
    return 0


def _print_kept(reports: Sequence[StoredReport], as_json: bool) -> int:
    shown = [
        {"number": one.id, "arrived_at": one.arrived_at, "sender": one.sender, "subject": one.subject, "size": one.size}
        for one in reports
    ]
    if as_json:
        print_json({"kept": shown})
        return 0
    for one in shown:
        click.echo(f"{one['number']}\t{one['arrived_at']:%Y-%m-%d %H:%M} UTC\t{one['sender']}\t{one['subject']}")
    if not shown:
        click.echo("No mail waits for you.", err=True)
    return 0


def _find_reader(app: App, address: str) -> int:
    from newsletter.audience.service import find_subscriber

    found = find_subscriber(app.look(), address)
    if found is None:
        raise NotFoundError(f"Nobody has the address {address}.")
    return found.id


def _plain(bounce: Bounce) -> dict[str, object]:
    names = ("id", "at", "address", "verdict", "reason", "severity", "code", "status", "diagnostic", "edition_id")
    return {**{name: getattr(bounce, name) for name in names}, "undone_at": bounce.undone_at}
