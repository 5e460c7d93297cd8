"""Readers: adding, leaving, finding and walking them.

Owns the rule that an address that stays out never becomes a reader again unless the operator says so, and that leaving
takes effect at once, for queued mail too. Every function works inside the caller's transaction.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from newsletter.mail.address import fold_address
from newsletter.model.consent import ConsentEvent, Origin
from newsletter.model.subscriber import (
    Admission,
    Cadence,
    NewSubscriber,
    Subscriber,
    SubscriberState,
    SuppressionReason,
)
from newsletter.store.batches import is_among
from newsletter.store.consents import record_consent, record_imports
from newsletter.store.deliveries import cancel_deliveries
from newsletter.store.notices import cancel_notices
from newsletter.store.requests import drop_requests
from newsletter.store.schema import UtcTime, subscribers
from newsletter.store.schema import join_topics as join_topics
from newsletter.store.suppression import find_suppressed, lift_suppression, suppress

ERASED_DOMAIN = "invalid"
"""Stands for the domain of who was erased; no mailbox can have it (RFC 2606, 2)."""

_READING = (SubscriberState.ACTIVE, SubscriberState.PENDING)
_CHUNK = 5000
"""Addresses asked about in one statement."""

_is_erased = subscribers.c.address.like(f"%@{ERASED_DOMAIN}")
_COLUMNS = [column.name for column in subscribers.c if column.name != "id"]
_TIMES = {column.name for column in subscribers.c if isinstance(column.type, UtcTime)}
_ARRAYS = [bindparam(name, type_=postgresql.ARRAY(subscribers.c[name].type)) for name in _COLUMNS]
_BY_ID = select(subscribers).where(subscribers.c.id == bindparam("number"))
_BY_ID_LOCKED = _BY_ID.with_for_update()
_BY_IDS_LOCKED = (
    select(subscribers)
    .where(subscribers.c.id.in_(bindparam("numbers", expanding=True)))
    .order_by(subscribers.c.id)  # two who lock the same readers must not wait for each other
    .with_for_update()
)
_INSERT_ARRAYS = (
    postgresql.insert(subscribers)
    .from_select(_COLUMNS, select(func.unnest(*_ARRAYS).table_valued(*_COLUMNS).render_derived()))
    .on_conflict_do_nothing()
    .returning(subscribers.c.id)
)


@dataclass(frozen=True, slots=True)
class Departure:
    """What leaving came to: the reader afterwards, whether anything changed, and how many mails it cancelled."""

    subscriber: Subscriber
    changed: bool
    cancelled: int


@dataclass(frozen=True, slots=True)
class BulkCount:
    """What a batch came to: `added`, who read now or are asked to, `known`, `suppressed` here, and new `kept_out`.

    These four add up to it. `ended`: how many who read here read no more.
    """

    added: int
    known: int
    suppressed: int
    ended: int = 0
    kept_out: int = 0


@dataclass(frozen=True, slots=True)
class Judgement:
    """What adding somebody would come to; `reads_since`: when he joined, if the address has a reader who reads."""

    admission: Admission
    reads_since: datetime | None = None


def add_subscriber(
    connection: Connection, new: NewSubscriber, now: datetime, *, lift: bool = False
) -> tuple[Admission, Subscriber | None]:
    """Add a reader, or say why there is nothing to add; doing it twice changes nothing.

    NEW, or KNOWN and unchanged, or BACK: was gone and reads again, with the new name and language where given.
    SUPPRESSED: the address stays out, unless `lift`, the operator's word that its owner has asked. A reader who is
    suspended comes back only by `lift` too.
    """
    key = fold_address(new.address)
    if lift:
        lift_suppression(connection, key)
    elif find_suppressed(connection, [key]):
        return Admission.SUPPRESSED, find_subscriber(connection, new.address)
    row = connection.execute(_insert(connection).returning(subscribers), _values(new, now)).one_or_none()
    if row is not None:
        return Admission.NEW, _read(row)
    return _readmit(connection, key, new, lift=lift)


def find_subscriber(connection: Connection, address: str) -> Subscriber | None:
    """Return the reader with this address, given in wire form and any case, or None."""
    key = fold_address(address)
    row = connection.execute(select(subscribers).where(subscribers.c.address_key == key)).one_or_none()
    return None if row is None else _read(row)


def load_subscriber(connection: Connection, subscriber_id: int, *, lock: bool = False) -> Subscriber | None:
    """Return the reader with this number, or None; with `lock` nobody else changes him before this transaction ends."""
    row = connection.execute(_BY_ID_LOCKED if lock else _BY_ID, {"number": subscriber_id}).one_or_none()
    return None if row is None else _read(row)


def lock_subscriber(connection: Connection, address: str) -> Subscriber | None:
    """Return the reader with this address, whom nobody else changes before this transaction ends, or None."""
    row = connection.execute(_locked(fold_address(address))).one_or_none()
    return None if row is None else _read(row)


def lock_subscribers(connection: Connection, numbers: Sequence[int]) -> list[Subscriber]:
    """Return the readers with these numbers, in that order, whom nobody else changes before this transaction ends."""
    rows = connection.execute(_BY_IDS_LOCKED, {"numbers": list(numbers)})
    return [_read(row) for row in rows]


def walk_subscribers(
    connection: Connection, state: SubscriberState | None = None, after_id: int = 0, batch: int = 2000
) -> Iterator[Subscriber]:
    """Yield readers in the order of their numbers, above `after_id`; holds `batch` of them at a time.

    Who was erased is nobody.
    """
    statement = select(subscribers).where(~_is_erased).order_by(subscribers.c.id).limit(batch)
    if state is not None:
        statement = statement.where(subscribers.c.state == state)
    rows = _page(connection, statement, after_id)
    while rows:
        yield from map(_read, rows)
        rows = _page(connection, statement, rows[-1].id) if len(rows) == batch else []


def mark_left(connection: Connection, address: str, now: datetime) -> Departure | None:
    """Let a reader leave: no mail that still waits goes out, and the address stays out when a list is imported again.

    What he has asked for and not confirmed is dropped, too, and so are letters that wait. Idempotent. None means that
    nobody has this address; it is kept out all the same.
    """
    subscriber = lock_subscriber(connection, address)
    suppress(connection, [(fold_address(address), address)], SuppressionReason.LEFT, now)
    drop_requests(connection, subscriber.id if subscriber else 0, address)
    cancel_notices(connection, subscriber.id if subscriber else 0, address)
    if subscriber is None:
        return None
    cancelled = cancel_deliveries(connection, subscriber.id, now)
    if subscriber.state is SubscriberState.LEFT:
        return Departure(subscriber, changed=False, cancelled=cancelled)
    changes = {"state": SubscriberState.LEFT, "left_at": now}
    return Departure(change_subscriber(connection, subscriber.id, changes), changed=True, cancelled=cancelled)


def add_subscribers(connection: Connection, batch: Sequence[NewSubscriber], now: datetime) -> BulkCount:
    """Add many readers at once; whoever is known stays as he is, and whoever is suppressed stays out.

    Whoever is new gets the first line of his record. A reader who comes as `left` or `kept_out` is kept out from now
    on; if he reads here, that ends, unless he joined here after he left there (`ends_reading`).
    """
    rows = [_values(new, now) for new in batch]
    out = find_suppressed(connection, (row["address_key"] for row in rows))
    pairs = [pair for pair in zip(rows, batch, strict=True) if pair[0]["address_key"] not in out] if out else None
    wanted, readers = ([row for row, _ in pairs], [new for _, new in pairs]) if pairs is not None else (rows, batch)
    added = kept_out = ended = 0
    if wanted:
        added, are_new = _insert_many(connection, wanted)
        record_imports(connection, are_new, [row["address_key"] for row in wanted], readers, now)
        gone = [(row["address_key"], new) for row, new in zip(wanted, readers, strict=True) if is_gone(new)]
        kept_out = 0 if all(map(reads, readers)) else _count_gone(connection, are_new)
        ended = _keep_out(connection, gone, now) if gone else 0
    known, suppressed = len(wanted) - added, len(batch) - len(wanted)
    return BulkCount(added - kept_out, known, suppressed, ended, kept_out)


def is_gone(new: NewSubscriber) -> bool:
    """Return whether somebody comes as one who is kept out from now on."""
    return new.kept_out is not None or new.state is SubscriberState.LEFT


def reads(new: NewSubscriber) -> bool:
    """Return whether somebody comes as a reader, or as one who may become one."""
    return new.state in _READING


def ends_reading(reads_since: datetime, gone: NewSubscriber) -> bool:
    """Return whether a list's word that somebody left ends his reading here: not if he joined here after that."""
    return gone.left_at is None or reads_since <= gone.left_at


def judge_subscribers(connection: Connection, batch: Sequence[NewSubscriber]) -> list[Judgement]:
    """Return what adding each of many readers would come to, one by one: NEW, KNOWN or SUPPRESSED. Writes nothing."""
    keys = [fold_address(new.address) for new in batch]
    out = find_suppressed(connection, keys)
    known = _find_many(connection, keys)
    return [_judge(known.get(key), suppressed=key in out) for key in keys]


def _judge(known: Row[Any] | None, *, suppressed: bool) -> Judgement:
    if suppressed:
        return Judgement(Admission.SUPPRESSED)
    if known is None:
        return Judgement(Admission.NEW)
    return Judgement(Admission.KNOWN, known.joined_at if known.state in _READING else None)


def count_subscribers(connection: Connection) -> dict[SubscriberState, int]:
    """Return how many readers are in each state; every state is there. Who was erased is nobody."""
    statement = select(subscribers.c.state, func.count()).where(~_is_erased).group_by(subscribers.c.state)
    counts: dict[str, int] = dict(connection.execute(statement).all())
    return {state: counts.get(state, 0) for state in SubscriberState}


def _readmit(
    connection: Connection, key: str, new: NewSubscriber, *, lift: bool
) -> tuple[Admission, Subscriber | None]:
    """Decide about an address that is already there."""
    row = connection.execute(_locked(key)).one()
    if row.state == new.state or row.state == SubscriberState.ACTIVE:
        return Admission.KNOWN, _read(row)
    if row.state in (SubscriberState.LEFT, SubscriberState.SUSPENDED) and not lift:
        return Admission.SUPPRESSED, _read(row)
    changes: dict[str, Any] = {"state": new.state, "left_at": None}
    changes |= {name: value for name, value in (("name", new.name), ("language", new.language)) if value}
    return Admission.BACK, change_subscriber(connection, row.id, changes)


def _locked(key: str) -> Select[Any]:
    return select(subscribers).where(subscribers.c.address_key == key).with_for_update()


def _insert(connection: Connection) -> Any:
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    return dialect.insert(subscribers).on_conflict_do_nothing().execution_options(preserve_rowcount=True)


def _insert_many(connection: Connection, rows: Sequence[dict[str, Any]]) -> tuple[int, ColumnElement[bool]]:
    """Insert whoever isn't known, by what is fastest on each engine; return how many, and the condition for those."""
    if connection.dialect.name == "postgresql":
        arrays = {name: [row[name] for row in rows] for name in _COLUMNS}
        numbers = connection.execute(_INSERT_ARRAYS, arrays).scalars().all()
        return len(numbers), is_among(connection, subscribers.c.id, numbers)
    # Numbers only grow, and nobody else writes meanwhile: whoever has a higher one is new.
    highest = connection.execute(select(func.coalesce(func.max(subscribers.c.id), 0))).scalar_one()
    # Binding a million rows takes SQLAlchemy as long as storing them takes SQLite.
    compiled = _insert(connection).compile(connection, column_keys=_COLUMNS)
    convert = UtcTime().bind_processor(connection.dialect) or (lambda value: value)
    tuples = [tuple([convert(row[name]) if name in _TIMES else row[name] for name in _COLUMNS]) for row in rows]
    return connection.exec_driver_sql(str(compiled), tuples).rowcount, subscribers.c.id > highest


def _count_gone(connection: Connection, are_new: ColumnElement[bool]) -> int:
    gone = subscribers.c.state.not_in(_READING)
    return connection.execute(select(func.count()).select_from(subscribers).where(are_new, gone)).scalar_one()


def _keep_out(connection: Connection, gone: Sequence[tuple[str, NewSubscriber]], now: datetime) -> int:
    """Suppress those who are gone; end the mail of those who read here, and return how many."""
    readers = {
        key: row for key, row in _find_many(connection, [key for key, _ in gone]).items() if row.state in _READING
    }
    reasons: dict[SuppressionReason, list[tuple[str, str]]] = {}
    ending: dict[str, NewSubscriber] = {}
    for key, new in gone:
        if key in readers and not ends_reading(readers[key].joined_at, new):
            continue
        reasons.setdefault(new.kept_out or SuppressionReason.LEFT, []).append((key, new.address))
        if key in readers:
            ending.setdefault(key, new)
    for reason, addresses in reasons.items():
        suppress(connection, addresses, reason, now)
    for key, new in ending.items():
        _end(connection, readers[key], new, now)
    return len(ending)


def _end(connection: Connection, reader: Row[Any], gone: NewSubscriber, now: datetime) -> None:
    """End the mail of a reader of whom another list says that he is gone."""
    origin = Origin(gone.source or "import")
    if gone.state is SubscriberState.LEFT:
        mark_left(connection, reader.address, now)
        record_consent(connection, reader.id, ConsentEvent.LEFT, origin, now)
        return
    cancel_notices(connection, reader.id, reader.address)
    cancel_deliveries(connection, reader.id, now)
    change_subscriber(connection, reader.id, {"state": SubscriberState.SUSPENDED})
    record_consent(connection, reader.id, ConsentEvent.SUSPENDED, origin, now, gone.kept_out or "")


def _find_many(connection: Connection, address_keys: Sequence[str]) -> dict[str, Row[Any]]:
    """Return what there is of many addresses, by key."""
    columns = [subscribers.c[name] for name in ("id", "address", "address_key", "state", "joined_at")]
    found: dict[str, Row[Any]] = {}
    for start in range(0, len(address_keys), _CHUNK):
        keys = address_keys[start : start + _CHUNK]
        rows = connection.execute(select(*columns).where(subscribers.c.address_key.in_(keys)))
        found.update((row.address_key, row) for row in rows)
    return found


def _values(new: NewSubscriber, now: datetime) -> dict[str, Any]:
    return {
        "address": new.address,
        "address_key": fold_address(new.address),
        "name": new.name,
        "state": new.state,
        "language": new.language,
        "joined_at": new.joined_at or now,
        "left_at": (new.left_at or now) if new.state is SubscriberState.LEFT else None,
        "source": new.source,
        "topics": join_topics(new.topics),
        "cadence": new.cadence,
        "paused_until": new.paused_until,
    }


def change_subscriber(connection: Connection, subscriber_id: int, changes: Mapping[str, Any]) -> Subscriber:
    """Write columns of a reader's row, and return him."""
    statement = update(subscribers).where(subscribers.c.id == subscriber_id).values(changes).returning(subscribers)
    return _read(connection.execute(statement).one())


def _page(connection: Connection, statement: Select[Any], after_id: int) -> Sequence[Row[Any]]:
    return connection.execute(statement.where(subscribers.c.id > after_id)).all()


def _read(row: Row[Any]) -> Subscriber:
    return Subscriber(
        id=row.id,
        address=row.address,
        name=row.name,
        state=SubscriberState(row.state),
        language=row.language,
        joined_at=row.joined_at,
        left_at=row.left_at,
        source=row.source,
        topics=frozenset(row.topics.split()),
        cadence=Cadence(row.cadence),
        paused_until=row.paused_until,
    )
