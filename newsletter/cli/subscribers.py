"""`newsletter subscribers`: add, list, remove, import and export readers; one of them in `subscribers_one`."""

import csv
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, BinaryIO, cast

import click

from newsletter.app import App
from newsletter.audience.archive import ListFile, Lists, open_lists
from newsletter.audience.policy_services import SERVICES, Service
from newsletter.audience.rows import BadRow
from newsletter.audience.service import (
    Add,
    ImportReport,
    Rehearsal,
    add_batch,
    add_subscriber,
    export_subscribers,
    export_to_listmonk,
    import_subscribers,
    remove_subscriber,
)
from newsletter.cli import subscribers_one
from newsletter.cli.files import open_private
from newsletter.cli.imports import print_import, summarise_import
from newsletter.cli.terminal import Progress, count, print_json, short, show_progress
from newsletter.errors import UsageError
from newsletter.model.subscriber import Admission, Subscriber, SubscriberState
from newsletter.model.topic import topic_key
from newsletter.store.subscribers import count_subscribers, walk_subscribers

EPILOG = """\b
Examples:
  newsletter subscribers add you@example.org
  newsletter subscribers import readers.csv --rejects rejects.csv
  newsletter subscribers list --state left
  newsletter subscribers remove you@example.org
  newsletter subscribers export > readers.csv
  newsletter subscribers show you@example.org
"""

SAID = {
    Admission.NEW: "added",
    Admission.KNOWN: "was there already",
    Admission.BACK: "is back",
    Admission.SUPPRESSED: "stays out: the address left or was suppressed. If its owner asks, add it with --lift",
}
State = click.Choice([state.value for state in SubscriberState])


@click.group("subscribers", epilog=EPILOG, short_help="Add, list, remove, import and export readers.")
def command() -> None:
    """Add, list, remove, import and export readers."""


for _one in (subscribers_one.show, subscribers_one.change, subscribers_one.erase, subscribers_one.export):
    command.add_command(_one)


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
    with App.load(config) as app, app.look().read() as connection:
        if counted:
            _print_counts({str(key): number for key, number in count_subscribers(connection).items()}, as_json)
            return 0
        for reader in walk_subscribers(connection, SubscriberState(state) if state else None):
            if as_json:
                print_json(_plain(reader), one_line=True)
            else:
                click.echo(f"{reader.address}\t{reader.state}\t{reader.joined_at:%Y-%m-%d}\t{reader.name}".rstrip())
    return 0


IMPORT_EPILOG = """\b
Examples:
  newsletter subscribers import readers.csv --dry-run
  newsletter subscribers import readers.csv --rejects rejects.csv
  newsletter subscribers import audience.zip --from mailchimp
"""
EXPORT_EPILOG = """\b
Examples:
  newsletter subscribers export --state active > readers.csv
  newsletter subscribers export --format listmonk readers-for-listmonk.csv
"""


@command.command("import", epilog=IMPORT_EPILOG)
@click.argument("path", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path), metavar="FILE")
@click.option(
    "--from", "service", type=click.Choice(list(SERVICES)), help="Whose export it is; by default its columns tell."
)
@click.option("--dry-run", is_flag=True, help="Say exactly what would happen, and write nothing.")
@click.option("--rejects", type=click.Path(dir_okay=False, path_type=Path), help="Write the rows that were bad here.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def load(
    config: Path | None, path: Path, service: str | None, dry_run: bool, rejects: Path | None, as_json: bool
) -> int:
    """Import readers from a CSV file with a heading, or from one address a line; `-` reads standard input.

    Exports of beehiiv, Buttondown, Ghost, listmonk, Mailchimp and Substack are known by their columns, also packed as
    a ZIP archive. Who left, bounced or complained there stays out here. Tags, labels or lists that are called like a
    section of [issues] sections become a reader's topics.

    Whoever is known stays as he is, unless the list says that he left after he joined here, and whoever has left
    stays out. Bad rows are reported with their line and nothing
    else is lost. Running it again is safe. Exit code 1: there were bad rows.
    """
    with App.load(config) as app, ExitStack() as stack:
        on_bad = stack.enter_context(_open_rejects(rejects)) if rejects else _drop
        progress = stack.enter_context(show_progress("Reading" if dry_run else "Importing"))
        if dry_run and not app.begun:
            app.begin_in(Path(stack.enter_context(TemporaryDirectory())))
        chosen = SERVICES[service] if service else None
        try:
            lists = stack.enter_context(_open_input(path, chosen))
            reports = _import_lists(app, lists, chosen, Rehearsal() if dry_run else add_batch, on_bad, progress)
        except UsageError as error:
            raise UsageError(f"{'standard input' if str(path) == '-' else short(path)}: {error}") from None
    if as_json:
        print_json(summarise_import(reports, lists, dry_run=dry_run))
    else:
        print_import(path, reports, lists, rejects, dry_run=dry_run)
    return 1 if any(report.bad_total for _, report in reports) else 0


@command.command("export", epilog=EXPORT_EPILOG)
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path), required=False, metavar="[FILE]")
@click.option("--state", type=State, help="Only readers in this state; for listmonk by default the active ones.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "listmonk"]),
    default="csv",
    help="csv, which an import takes back, or what listmonk imports.",
)
@click.pass_obj
def save(config: Path | None, path: Path | None, state: str | None, form: str) -> int:
    """Export readers as CSV, to a file or standard output. An import takes it back unchanged.

    listmonk takes everybody in a file as subscribed, so its file holds active readers unless --state says otherwise.
    """
    chosen = SubscriberState(state) if state else SubscriberState.ACTIVE if form == "listmonk" else None
    export = export_to_listmonk if form == "listmonk" else export_subscribers
    with App.load(config) as app:
        if path is None:
            export(app.look(), sys.stdout, chosen)
        else:
            readers = app.look()
            with open_private(path) as file:
                written = export(readers, file, chosen)
            click.echo(f"{short(path)} holds {count(written, 'reader')}.", err=True)
    return 0


def _import_lists(
    app: App,
    lists: Lists,
    service: Service | None,
    add: Add,
    on_bad: Callable[[BadRow], None],
    progress: Progress,
) -> list[tuple[str, ImportReport]]:
    """Import one list after the other, and return their names and what became of each."""
    offered = frozenset(map(topic_key, app.settings.issues.sections))
    reports = []
    for one in lists.lists:
        with one.open() as stream:
            report = import_subscribers(
                app.database,
                cast(BinaryIO, stream),
                datetime.now(UTC),
                lambda done, one=one, stream=stream: progress(done, _estimate(stream, one.size, done)),  # type: ignore[misc]
                source=f"import of {one.name}" if one.name else "import",
                service=service,
                offered=offered,
                add=add,
                on_bad=on_bad,
            )
        reports.append((one.name, report))
    return reports


@contextmanager
def _open_input(path: Path, service: Service | None) -> Iterator[Lists]:
    if str(path) == "-":
        yield Lists((ListFile("", 0, lambda: nullcontext(sys.stdin.buffer)),))
    else:
        with open_lists(path, service) as lists:
            yield lists


@contextmanager
def _open_rejects(path: Path) -> Iterator[Callable[[BadRow], None]]:
    """Write bad rows as CSV: where it stood, what is wrong, and the row as it was."""
    with open_private(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["line", "reason", "row"])
        yield lambda bad: writer.writerow([bad.line, bad.reason, bad.text])


def _drop(_bad: BadRow) -> None:
    """Keep nothing of a bad row but what the report keeps."""


def _estimate(stream: IO[bytes], size: int, done: int) -> int:
    """Guess how many rows there are from how far the file was read; 0 when nobody can."""
    if not size or not stream.seekable():
        return 0
    return max(done, round(done * size / max(1, min(stream.tell(), size))))


def _print_counts(counts: dict[str, int], as_json: bool) -> None:
    if as_json:
        print_json(counts)
    else:
        for state, number in counts.items():
            click.echo(f"{number:>11,} {state}")


def _plain(reader: Subscriber | None) -> dict[str, object] | None:
    return asdict(reader) if reader else None
