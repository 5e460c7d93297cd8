"""What readers agreed to: lines are only ever added, but for what an erasure takes out of them.

Every function works inside the caller's transaction.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Row, case, insert, literal, select, update

from newsletter.model.consent import Consent, ConsentEvent, Origin
from newsletter.model.subscriber import NewSubscriber
from newsletter.store.batches import tabulate
from newsletter.store.schema import consents, subscribers


def record_consents(connection: Connection, lines: Sequence[Consent]) -> None:
    """Add lines to readers' records, in this order."""
    if lines:
        connection.execute(insert(consents), [_values(line) for line in lines])


def record_consent(
    connection: Connection, subscriber_id: int, event: ConsentEvent, origin: Origin, at: datetime, detail: str = ""
) -> None:
    """Add one line to a reader's record."""
    record_consents(connection, [Consent(subscriber_id, event, at, origin, detail)])


def record_imports(
    connection: Connection,
    are_new: ColumnElement[bool],
    keys: Sequence[str],
    readers: Sequence[NewSubscriber],
    now: datetime,
) -> None:
    """Begin the records of readers who were just added in bulk: where from, and what was known of how they agreed.

    `are_new` is the condition for them; `keys` and `readers` are of everybody in the bulk.
    """
    source = case((subscribers.c.source == "", "import"), else_=subscribers.c.source)
    fixed = (subscribers.c.id, literal(ConsentEvent.IMPORTED), literal(now, consents.c.at.type), source)
    if any(new.opted_in_at or new.client for new in readers):
        # Of two with one address the first was added: in a dict, the last one stays.
        first = dict(zip(reversed(keys), reversed(readers), strict=True))
        rows = [(key, new.client, _describe_import(new)) for key, new in first.items()]
        batch = tabulate(connection, (subscribers.c.address_key, consents.c.client, consents.c.detail), rows)
        chosen = select(*fixed, batch["client"], batch["detail"])
        chosen = chosen.where(subscribers.c.address_key == batch["address_key"])
    else:
        chosen = select(*fixed, literal(""), literal(""))
    chosen = chosen.where(are_new)
    names = ["subscriber_id", "event", "at", "source", "client", "detail"]
    connection.execute(insert(consents).from_select(names, chosen))


def _describe_import(new: NewSubscriber) -> str:
    return f"opted in on {new.opted_in_at:%Y-%m-%d at %H:%M:%S} UTC" if new.opted_in_at else ""


def list_consents(connection: Connection, subscriber_id: int) -> list[Consent]:
    """Return a reader's record, oldest line first."""
    statement = select(consents).where(consents.c.subscriber_id == subscriber_id).order_by(consents.c.id)
    return [_read(row) for row in connection.execute(statement)]


def join_consents(connection: Connection, from_id: int, to_id: int) -> int:
    """Give one row's record to another row of the same person; return how many lines that were."""
    statement = update(consents).where(consents.c.subscriber_id == from_id).values(subscriber_id=to_id)
    return connection.execute(statement).rowcount


def erase_consents(connection: Connection, subscriber_id: int) -> int:
    """Forget where each line came from, but not that there was one, when, and what it said; return how many lines."""
    statement = update(consents).where(consents.c.subscriber_id == subscriber_id).values(client="", detail="")
    return connection.execute(statement).rowcount


def _values(line: Consent) -> dict[str, object]:
    return {
        "subscriber_id": line.subscriber_id,
        "event": line.event,
        "at": line.at,
        "source": line.origin.source,
        "client": line.origin.client,
        "wording": line.origin.wording,
        "detail": line.detail,
    }


def _read(row: Row[tuple[object, ...]]) -> Consent:
    origin = Origin(row.source, row.client, row.wording)
    return Consent(row.subscriber_id, ConsentEvent(row.event), row.at, origin, row.detail)
