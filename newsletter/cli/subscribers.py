"""`newsletter subscribers`: add, list, remove, import and export readers."""

import csv
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, TextIO

import click

from newsletter.app import App
from newsletter.audience.rows import BadRow
from newsletter.audience.service import (
    ImportReport,
    add_subscriber,
    export_subscribers,
    import_subscribers,
    remove_subscriber,
)
from newsletter.cli.terminal import count, print_json, short, show_progress
from newsletter.errors import NewsletterError, UsageError
from newsletter.model.subscriber import Admission, Subscriber, SubscriberState
from newsletter.store.subscribers import count_subscribers, walk_subscribers

EPILOG = """\b
Examples:
  newsletter subscribers add you@example.org
  newsletter subscribers import readers.csv --rejects rejects.csv
  newsletter subscribers list --state left
  newsletter subscribers remove you@example.org
  newsletter subscribers export > readers.csv
"""

SAID = {
    Admission.NEW: "added",
    Admission.KNOWN: "was there already",
    Admission.BACK: "is back",
    Admission.SUPPRESSED: "stays out: the address left or was suppressed. If its owner asks, add it with --lift",
}
SHOWN = 20
"""Bad rows that are printed; --rejects keeps all of them."""

State = click.Choice([state.value for state in SubscriberState])


@click.group("subscribers", epilog=EPILOG, short_help="Add, list, remove, import and export readers.")
def command() -> None:
    """Add, list, remove, import and export readers."""


@command.command("add", epilog="\b\nExample:\n  newsletter subscribers add you@example.org --name 'Ada Lovelace'")
@click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS...")
@click.option("--name", default="", help="The reader's name, shown in the mail's To.")
@click.option("--lift", is_flag=True, help="Let in an address that left or was suppressed: its owner has asked.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def add(config: Path | None, addresses: tuple[str, ...], name: str, lift: bool, as_json: bool) -> int:
    """Add readers by hand. Doing it twice changes nothing. Exit code 1: an address stays out."""
    if name and len(addresses) > 1:
        raise UsageError("--name goes with one address.")
    now = datetime.now(UTC)
    with App.load(config) as app:
        answers = [(text, *add_subscriber(app.database, text, now, name=name, lift=lift)) for text in addresses]
    if as_json:
        print_json([{"address": text, "result": said, "subscriber": _plain(reader)} for text, said, reader in answers])
    else:
        for text, said, _ in answers:
            click.echo(f"{text} {SAID[said]}.")
    return 1 if any(said is Admission.SUPPRESSED for _, said, _ in answers) else 0


@command.command("remove", epilog="\b\nExample:\n  newsletter subscribers remove you@example.org")
@click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS...")
@click.pass_obj
def remove(config: Path | None, addresses: tuple[str, ...]) -> int:
    """Let readers leave at once, mail that still waits for them included. Later imports keep them out."""
    now = datetime.now(UTC)
    with App.load(config) as app:
        for text in addresses:
            departure = remove_subscriber(app.database, text, now)
            if departure is None:
                click.echo(f"{text} was no reader; it stays out of later imports.")
            else:
                mails = f"; {count(departure.cancelled, 'waiting mail')} cancelled" if departure.cancelled else ""
                click.echo(f"{text} {'has left' if departure.changed else 'had left before'}{mails}.")
    return 0


@command.command("list", epilog="\b\nExamples:\n  newsletter subscribers list\n  newsletter subscribers list --count")
@click.option("--state", type=State, help="Only readers in this state.")
@click.option("--count", "counted", is_flag=True, help="Only say how many there are, by state.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document for each reader, one a line.")
@click.pass_obj
def show(config: Path | None, state: str | None, counted: bool, as_json: bool) -> int:
    """List readers, one a line: address, state, since when, name."""
    with App.load(config) as app, app.database.read() as connection:
        if counted:
            _print_counts({str(key): number for key, number in count_subscribers(connection).items()}, as_json)
            return 0
        for reader in walk_subscribers(connection, SubscriberState(state) if state else None):
            if as_json:
                print_json(_plain(reader), one_line=True)
            else:
                click.echo(f"{reader.address}\t{reader.state}\t{reader.joined_at:%Y-%m-%d}\t{reader.name}".rstrip())
    return 0


@command.command("import", epilog="\b\nExample:\n  newsletter subscribers import readers.csv --rejects rejects.csv")
@click.argument("path", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path), metavar="FILE")
@click.option("--rejects", type=click.Path(dir_okay=False, path_type=Path), help="Write the rows that were bad here.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def load(config: Path | None, path: Path, rejects: Path | None, as_json: bool) -> int:
    """Import readers from a CSV file with a heading, or from one address a line; `-` reads standard input.

    Whoever is known stays as he is, and whoever has left stays out. Bad rows are reported with their line and nothing
    else is lost. Running it again is safe. Exit code 1: there were bad rows.
    """
    with App.load(config) as app, ExitStack() as stack:
        on_bad = stack.enter_context(_open_rejects(rejects)) if rejects else _drop
        stream = stack.enter_context(_open_input(path))
        size = path.stat().st_size if path.is_file() else 0
        progress = stack.enter_context(show_progress("Importing"))
        try:
            report = import_subscribers(
                app.database,
                stream,
                datetime.now(UTC),
                lambda done: progress(done, _estimate(stream, size, done)),
                source=f"import of {path.name}" if path.is_file() else "import",
                on_bad=on_bad,
            )
        except UsageError as error:
            raise UsageError(f"{'standard input' if str(path) == '-' else short(path)}: {error}") from None
    if as_json:
        print_json(asdict(report))
    else:
        _print_report(path, report, rejects)
    return 1 if report.bad_total else 0


@command.command("export", epilog="\b\nExample:\n  newsletter subscribers export --state active > readers.csv")
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path), required=False, metavar="[FILE]")
@click.option("--state", type=State, help="Only readers in this state.")
@click.pass_obj
def save(config: Path | None, path: Path | None, state: str | None) -> int:
    """Export readers as CSV, to a file or standard output. An import takes it back unchanged."""
    chosen = SubscriberState(state) if state else None
    with App.load(config) as app:
        if path is None:
            export_subscribers(app.database, sys.stdout, chosen)
        else:
            with _open_private(path) as file:
                written = export_subscribers(app.database, file, chosen)
            click.echo(f"{short(path)} holds {count(written, 'reader')}.", err=True)
    return 0


def _open_private(path: Path) -> TextIO:
    """Open a file of addresses so that only its owner can read it."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        way_out = "Make the folder writable, or name a file in another one."
        raise NewsletterError(f"{short(path)} can't be written: {error.strerror}. {way_out}") from None
    return os.fdopen(descriptor, "w", encoding="utf-8", newline="")


@contextmanager
def _open_input(path: Path) -> Iterator[BinaryIO]:
    if str(path) == "-":
        yield sys.stdin.buffer
    else:
        with path.open("rb") as stream:
            yield stream


@contextmanager
def _open_rejects(path: Path) -> Iterator[Callable[[BadRow], None]]:
    """Write bad rows as CSV: where it stood, what is wrong, and the row as it was."""
    with _open_private(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["line", "reason", "row"])
        yield lambda bad: writer.writerow([bad.line, bad.reason, bad.text])


def _drop(_bad: BadRow) -> None:
    """Keep nothing of a bad row but what the report keeps."""


def _estimate(stream: BinaryIO, size: int, done: int) -> int:
    """Guess how many rows there are from how far the file was read; 0 when nobody can."""
    if not size or not stream.seekable():
        return 0
    return max(done, round(done * size / max(1, min(stream.tell(), size))))


def _print_report(path: Path, report: ImportReport, rejects: Path | None) -> None:
    for bad in report.bad[:SHOWN]:
        click.echo(f"{short(path)}:{bad.line}: {bad.reason}", err=True)
    if report.bad_total > SHOWN and rejects is None:
        click.echo(f"… and {report.bad_total - SHOWN:,} more; --rejects FILE keeps them all.", err=True)
    if report.ignored:
        click.echo(f"Columns that were not kept: {', '.join(report.ignored)}", err=True)
    where = f", kept in {short(rejects)}" if rejects and report.bad_total else ""
    click.echo(
        f"{report.added:,} added, {report.known:,} known already, {report.suppressed:,} stay out, "
        f"{count(report.bad_total, 'bad row')}{where}."
    )


def _print_counts(counts: dict[str, int], as_json: bool) -> None:
    if as_json:
        print_json(counts)
    else:
        for state, number in counts.items():
            click.echo(f"{number:>11,} {state}")


def _plain(reader: Subscriber | None) -> dict[str, object] | None:
    return asdict(reader) if reader else None
