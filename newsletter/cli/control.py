"""What `pause`, `resume` and `cancel` share: finding the issue, giving the order, and saying what came of it."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from newsletter.app import App
from newsletter.cli.status import format_audit
from newsletter.cli.terminal import print_json, say
from newsletter.cli.words import parse_name
from newsletter.model.control import ControlChange
from newsletter.model.delivery import Audit
from newsletter.model.edition import EditionKind
from newsletter.store.deliveries import count_deliveries
from newsletter.store.editions import EditionLine, find_edition

Order = Callable[..., ControlChange]
"""Takes a connection, an edition's number and the time: `store.controls.pause_edition` and its like."""


@dataclass(frozen=True, slots=True)
class Ordered:
    """Which edition an order was about, what it changed, and where its readers stood right after."""

    edition: EditionLine
    change: ControlChange
    audit: Audit


def give_order(config: Path | None, name: str, order: Order) -> Ordered:
    """Find an edition, change its control, and count where its readers stand. Raises NewsletterError."""
    with App.load(config) as app:
        edition = find_named(app, name)
        with app.database.transaction() as connection:
            change = order(connection, edition.id, datetime.now(UTC))
        with app.database.read() as connection:
            return Ordered(edition, change, count_deliveries(connection, edition.id))


def find_named(app: App, name: str) -> EditionLine:
    """Return the edition that a word on the command line means. Raises NotFoundError and UsageError."""
    with app.look().read() as connection:
        return find_edition(connection, parse_name(name, app.settings))


def name_sending(edition: EditionLine) -> str:
    """Return the command that sends whoever is left of an edition."""
    if edition.kind is EditionKind.ISSUE:
        return f"newsletter publish {edition.slug}"
    return f"newsletter rollup {edition.kind} {edition.issue_date}"


def print_ordered(ordered: Ordered, as_json: bool, sentence: str) -> int:
    """Print what came of an order; return the exit code: 1 if the audit doesn't hold."""
    if as_json:
        change = ordered.change
        print_json(
            {
                "slug": ordered.edition.slug,
                "control": asdict(change.after),
                "before": asdict(change.before),
                "changed": change.changed,
                "cancelled": change.cancelled,
                "audit": {**asdict(ordered.audit), "holds": ordered.audit.holds},
            }
        )
    else:
        say(sentence)
        click.echo(format_audit(ordered.audit))
    return 0 if ordered.audit.holds else 1
