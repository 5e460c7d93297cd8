"""Where this database stands among its copies, and what a restored one must not send again.

Owns the epoch: a count that moves with every page that a sender writes, in the same transaction. And what becomes of
readers who may have been sent an issue by the database that was replaced: they are `unknown`, and an operator decides.
Every function works inside the caller's transaction.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, literal_column, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from newsletter.model.ledger import LedgerMark, Reconciled, Restoration
from newsletter.store.schema import deliveries, editions, fenced, ledgers, marks

MAYBE_SENT: Final = "may have been sent before the database was restored"


def load_ledger(connection: Connection) -> LedgerMark | None:
    """Return where the database stands; None where nobody has sent from it."""
    row = connection.execute(select(ledgers)).one_or_none()
    if row is None:
        return None
    lives = tuple((str(life), int(epoch)) for life, epoch in row.lives)
    return LedgerMark(row.line, row.life, row.epoch, lives, row.copied_at)


def open_ledger(connection: Connection, line: str, life: str) -> LedgerMark:
    """Return where the database stands, giving it these names if it has none yet."""
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    values = {"id": 1, "line": line, "life": life, "epoch": 0, "lives": []}
    connection.execute(dialect.insert(ledgers).values(values).on_conflict_do_nothing())
    found = load_ledger(connection)
    assert found is not None  # noqa: S101 - it was written just now
    return found


def advance_ledger(connection: Connection, life: str) -> int | None:
    """Count one more page and return the epoch; None where the database has another life by now: it was restored.

    Two senders wait for each other here, so it comes last in a transaction.
    """
    statement = update(ledgers).where(ledgers.c.life == life).values(epoch=ledgers.c.epoch + 1)
    return connection.execute(statement.returning(ledgers.c.epoch)).scalar_one_or_none()


def note_copy(connection: Connection, now: datetime) -> None:
    """Write into a copy when it was made."""
    connection.execute(update(ledgers).values(copied_at=now))


def last_known(connection: Connection) -> datetime | None:
    """Return a time up to which this database surely was in use; None for an empty one."""
    mark = load_ledger(connection)
    if mark and mark.copied_at:
        return mark.copied_at
    times = [
        connection.execute(select(func.max(column))).scalar()
        for column in (marks.c.at, editions.c.updated_at, deliveries.c.queued_at)
    ]
    return max((time for time in times if time is not None), default=None)


def reconcile_ledger(
    connection: Connection, mark: LedgerMark, restoration: Restoration, days: Iterable[str], now: datetime
) -> Reconciled:
    """Make unknown whoever may have been sent what he waits for, fence what isn't in the ledger, begin the next life.

    `days` (ISO dates) are fenced, too: an issue of theirs that isn't in the ledger may have been sent. Idempotent.
    """
    lines = connection.execute(select(editions.c.id, editions.c.slug, editions.c.state)).all()
    published = {row.slug: row.id for row in lines if row.state == "published"}
    chosen = published if restoration.everything else [slug for slug in restoration.slugs if slug in published]
    unknown = {slug: _doubt_waiting(connection, published[slug], now) for slug in chosen}
    keys = [f"slug:{slug}" for slug in restoration.slugs if slug not in published] + [f"day:{day}" for day in days]
    _fence(connection, keys, now)
    lives = [*map(list, mark.lives)]
    if restoration.life != mark.life:
        lives.append([mark.life, mark.epoch])
    values = {"life": restoration.life, "epoch": restoration.epoch, "lives": lives, "copied_at": None}
    connection.execute(update(ledgers).values(values))
    return Reconciled({slug: count for slug, count in unknown.items() if count}, tuple(keys))


def hold_fenced(connection: Connection, edition_id: int, now: datetime) -> int:
    """Make unknown the readers of an edition that was published just now, if it may have been sent before a restore.

    Belongs into the transaction that publishes it. Return how many. A slug's fence is used up by it.
    """
    row = connection.execute(select(editions.c.slug, editions.c.issue_date).where(editions.c.id == edition_id)).one()
    keys = [f"slug:{row.slug}", f"day:{row.issue_date}"]
    if not connection.execute(select(fenced.c.key).where(fenced.c.key.in_(keys))).all():
        return 0
    connection.execute(delete(fenced).where(fenced.c.key == keys[0]))
    return _doubt_waiting(connection, edition_id, now)


def list_fenced(connection: Connection) -> list[str]:
    """Return what is fenced: `slug:…` and `day:…`."""
    return list(connection.execute(select(fenced.c.key).order_by(fenced.c.key)).scalars())


_WAITING: Sequence[str] = ("queued", "deferred", "sending")


def _doubt_waiting(connection: Connection, edition_id: int, now: datetime) -> int:
    states: list[ColumnElement[bool]] = [deliveries.c.state == literal_column(f"'{state}'") for state in _WAITING]
    waiting = and_(deliveries.c.edition_id == edition_id, or_(*states))
    values = {"state": "unknown", "settled_at": now, "next_attempt_at": None, "owner": None, "lease_until": None}
    reply = {"reply_code": 0, "reply_enhanced": "", "reply_text": MAYBE_SENT}
    return connection.execute(update(deliveries).where(waiting).values(values | reply)).rowcount


def _fence(connection: Connection, keys: Sequence[str], now: datetime) -> None:
    known = set(list_fenced(connection))
    rows = [{"key": key, "noted_at": now} for key in dict.fromkeys(keys) if key not in known]
    if rows:
        connection.execute(insert(fenced), rows)
