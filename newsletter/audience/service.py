"""Adding, removing, importing and exporting readers.

Owns the transactions: one for each reader by hand, one for each batch of an import. Decides through `audience.policy`.
An import that is interrupted keeps its finished batches; running it again goes on, because who is known stays as he is.
A rehearsal tells what an import would come to, and writes nothing.
"""

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import BinaryIO, TextIO

from newsletter.audience.policy import (
    HEADER,
    LISTMONK_HEADER,
    Columns,
    describe_standing,
    parse_header,
    parse_line,
    parse_row,
    render_listmonk_row,
    render_row,
)
from newsletter.audience.policy_services import PLAIN, Service
from newsletter.audience.rows import BadRow, Row, read_rows
from newsletter.errors import UsageError
from newsletter.mail.address import Address, AddressError, fold_address, normalise_address
from newsletter.model.consent import ConsentEvent, Origin
from newsletter.model.subscriber import Admission, NewSubscriber, Subscriber, SubscriberState
from newsletter.store import subscribers as store
from newsletter.store.consents import record_consent
from newsletter.store.database import Database

BATCH = 20_000
"""Readers in one transaction of an import: few enough to keep publishing from waiting, many enough to be fast."""

BAD_ROWS_SHOWN = 20
COUNTS = ("added", "kept_out", "known", "suppressed", "ended")
"""What an import counts of readers, batch by batch; the names are ImportReport's and the store's."""

BY_HAND = Origin("by hand")

_EVENTS = {Admission.NEW: ConsentEvent.ADDED, Admission.BACK: ConsentEvent.RESTORED}

_OTHER_FILES = (
    ("\udcff\udcfe", "is in UTF-16"),
    ("\udcfe\udcff", "is in UTF-16"),
    ("PK\x03\x04", "is a spreadsheet, or a ZIP archive that can't be looked into from here"),
)


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of every row: `added + kept_out + known + suppressed + bad_total` is all of them.

    `added` read from now on, or are asked to; `kept_out` are new, too, and stay out by what the list says of them;
    `suppressed` stay out by what is known here. `ended` are those who read here until this list said that they left,
    bounced or complained. `service` is whose file it is, as people call it; `standings` says how those who can be read
    stand in it: active, pending, left, suspended, bounced, complained. `bad` holds the first few of `bad_total`.
    `ignored` are the headings of columns that were not kept.
    """

    added: int
    known: int
    suppressed: int
    bad: tuple[BadRow, ...]
    bad_total: int
    ignored: tuple[str, ...]
    ended: int = 0
    kept_out: int = 0
    service: str = PLAIN.title
    standings: Mapping[str, int] = field(default_factory=dict)


Add = Callable[[Database, Sequence[NewSubscriber], datetime], store.BulkCount]
"""Adds a batch of readers, or only says what that would come to."""


@dataclass(slots=True)
class _Running:
    """The counts of an import under way."""

    on_bad: Callable[[BadRow], None]
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    standings: Counter[str] = field(default_factory=Counter)
    bad: list[BadRow] = field(default_factory=list)
    bad_total: int = 0
    line: int = 0

    def put_aside(self, bad: BadRow) -> None:
        row = replace(bad, text=_printable(bad.text))
        self.bad_total += 1
        if len(self.bad) < BAD_ROWS_SHOWN:
            self.bad.append(row)
        self.on_bad(row)


def add_subscriber(
    database: Database, text: str, now: datetime, *, name: str = "", language: str = "", lift: bool = False
) -> tuple[Admission, Subscriber | None]:
    """Add the reader whose address is `text`, by the operator's hand.

    `lift` lets in an address that stays out; without it the answer is SUPPRESSED, and the reader, if any, unchanged.
    Raises UsageError for what is no address or no name.
    """
    try:
        new = NewSubscriber(
            normalise_address(text).wire, parse_line(name, "name"), language=language, source=BY_HAND.source
        )
    except ValueError as error:
        raise UsageError(_sentence(error)) from None
    with database.transaction() as connection:
        admission, subscriber = store.add_subscriber(connection, new, now, lift=lift)
        event = _EVENTS.get(admission)
        if event and subscriber:
            record_consent(connection, subscriber.id, event, BY_HAND, now)
    return admission, subscriber


def remove_subscriber(database: Database, text: str, now: datetime) -> store.Departure | None:
    """Let a reader leave at once, and keep the address out of later imports.

    None means that nobody has this address; it stays out from now on all the same. Raises UsageError.
    """
    address = _parse_address(text)
    with database.transaction() as connection:
        departure = store.mark_left(connection, address.wire, now)
        if departure and departure.changed:
            record_consent(connection, departure.subscriber.id, ConsentEvent.LEFT, BY_HAND, now)
    return departure


def find_subscriber(database: Database, text: str) -> Subscriber | None:
    """Return the reader with this address, or None. Raises UsageError for what is no address."""
    address = _parse_address(text)
    with database.read() as connection:
        return store.find_subscriber(connection, address.wire)


def add_batch(database: Database, batch: Sequence[NewSubscriber], now: datetime) -> store.BulkCount:
    """Add a batch in one transaction."""
    with database.transaction() as connection:
        return store.add_subscribers(connection, batch, now)


class Rehearsal:
    """Says what adding batches would come to, one after the other, and writes nothing.

    Takes some 100 bytes of memory for each reader, to know who came twice.
    """

    def __init__(self) -> None:
        self._joined: dict[int, datetime | None] = {}
        self._out: set[int] = set()

    def __call__(self, database: Database, batch: Sequence[NewSubscriber], now: datetime) -> store.BulkCount:
        """Judge a batch as `add_batch` would, after all that were judged before."""
        with database.read() as connection:
            judged = store.judge_subscribers(connection, batch)
        counts: Counter[Admission] = Counter()
        kept_out = 0
        gone: list[tuple[int, NewSubscriber]] = []
        for new, judgement in zip(batch, judged, strict=True):
            key = hash(fold_address(new.address))
            admission = self._admit(key, new, judgement, now)
            counts[admission] += 1
            kept_out += admission is Admission.NEW and not store.reads(new)
            if admission is not Admission.SUPPRESSED and store.is_gone(new):
                gone.append((key, new))
        ended = self._keep_out(gone)
        added, known, suppressed = (counts[each] for each in (Admission.NEW, Admission.KNOWN, Admission.SUPPRESSED))
        return store.BulkCount(added - kept_out, known, suppressed, ended, kept_out)

    def _admit(self, key: int, new: NewSubscriber, judgement: store.Judgement, now: datetime) -> Admission:
        if judgement.admission is Admission.SUPPRESSED or key in self._out:
            return Admission.SUPPRESSED
        if key in self._joined:
            return Admission.KNOWN
        reads_since = judgement.reads_since
        if judgement.admission is Admission.NEW and store.reads(new):
            reads_since = new.joined_at or now
        self._joined[key] = reads_since
        return judgement.admission

    def _keep_out(self, gone: Sequence[tuple[int, NewSubscriber]]) -> int:
        """Remember who is kept out from now on, and return how many of them read."""
        ended: set[int] = set()
        for key, new in gone:
            reads_since = self._joined[key]
            if reads_since is not None and not store.ends_reading(reads_since, new):
                continue
            self._out.add(key)
            if reads_since is not None:
                ended.add(key)
        return len(ended)


def import_subscribers(
    database: Database,
    stream: BinaryIO,
    now: datetime,
    on_progress: Callable[[int], None],
    *,
    source: str = "import",
    service: Service | None = None,
    offered: frozenset[str] = frozenset(),
    add: Add = add_batch,
    on_bad: Callable[[BadRow], None] = lambda _row: None,
) -> ImportReport:
    """Import a CSV file, in batches and in bounded memory; `stream` is read once and left open.

    `service` says whose export it is, else its headings do; `offered` are the topics, by key, that its tags may name.
    With a Rehearsal as `add` nothing is written. `on_progress` is told how many lines are done, `on_bad` every row
    that can't be used, as it is met. Raises UsageError for a file that can't be understood at all; nothing is imported
    from it then.
    """
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        rows = read_rows(text)
        running = _Running(on_bad)
        columns, first = _read_header(rows, service, offered)
        if not columns.service.own_source:
            source = f"{source} from {columns.service.title}"
        readers = _parse_rows(rows if first is None else _chain(first, rows), columns, source, running)
        for batch in _batches(readers, BATCH):
            count = add(database, batch, now)
            for name in running.counts:
                running.counts[name] += getattr(count, name)
            on_progress(running.line)
        on_progress(running.line)
    finally:
        text.detach()
    return ImportReport(
        **running.counts,
        bad=tuple(running.bad),
        bad_total=running.bad_total,
        ignored=tuple(map(_printable, columns.ignored)),
        service=columns.service.title,
        standings=dict(sorted(running.standings.items())),
    )


def export_subscribers(database: Database, stream: TextIO, state: SubscriberState | None = None) -> int:
    """Write readers as CSV, as they are at one moment; return how many. An import takes the file back unchanged.

    `stream` must not translate line ends (`newline=""`).
    """
    return _write(database, stream, state, HEADER, render_row)


def export_to_listmonk(database: Database, stream: TextIO, state: SubscriberState | None = None) -> int:
    """Write readers as listmonk imports them, as they are at one moment; return how many.

    listmonk decides by the choice at its import how everybody in the file stands, so export one state at a time.
    """
    return _write(database, stream, state, LISTMONK_HEADER, render_listmonk_row)


def _write(
    database: Database,
    stream: TextIO,
    state: SubscriberState | None,
    header: Sequence[str],
    render: Callable[[Subscriber], list[str]],
) -> int:
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    written = 0
    with database.read() as connection:
        for written, subscriber in enumerate(store.walk_subscribers(connection, state), 1):  # noqa: B007 - the count
            writer.writerow(render(subscriber))
    return written


def _parse_address(text: str) -> Address:
    try:
        return normalise_address(text)
    except AddressError as error:
        raise UsageError(_sentence(error)) from None


def _read_header(
    rows: Iterator[Row | BadRow], service: Service | None, offered: frozenset[str]
) -> tuple[Columns, Row | None]:
    """Return the columns, and the first row where it is a reader already."""
    row = next(rows, None)
    if row is None:
        raise UsageError("The file is empty. It needs a line that names its columns, such as: address,name")
    for sign, kind in _OTHER_FILES:
        if row.text.startswith(sign):
            raise UsageError(f"The file {kind}. Save it as CSV in UTF-8, and import that.")
    if isinstance(row, BadRow):
        raise UsageError(f"Line {row.line}: {row.reason} This line must name the columns, such as: address,name")
    columns = parse_header(row, service, offered)
    return columns, None if columns.has_header else row


def _parse_rows(
    rows: Iterable[Row | BadRow], columns: Columns, source: str, running: _Running
) -> Iterator[NewSubscriber]:
    """Yield the readers, and put the rows aside that describe none."""
    for row in rows:
        running.line = row.line
        parsed = row if isinstance(row, BadRow) else parse_row(row, columns, source)
        if isinstance(parsed, BadRow):
            running.put_aside(parsed)
        else:
            running.standings[describe_standing(parsed)] += 1
            yield parsed


def _chain(first: Row, rest: Iterable[Row | BadRow]) -> Iterator[Row | BadRow]:
    yield first
    yield from rest


def _batches(readers: Iterable[NewSubscriber], size: int) -> Iterator[list[NewSubscriber]]:
    batch: list[NewSubscriber] = []
    for reader in readers:
        batch.append(reader)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _printable(text: str) -> str:
    """Return a text with U+FFFD for each byte that isn't UTF-8: it must not break whoever prints it."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _sentence(error: ValueError) -> str:
    text = str(error)
    return text[0].upper() + text[1:]
