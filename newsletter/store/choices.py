"""What readers change about themselves: to read, what they chose, their address, and to be forgotten.

Owns what a row looks like whose reader was erased: the ledger still counts it, and it names nobody. Every function
works inside the caller's transaction.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, case, literal_column, select, update
from sqlalchemy.dialects import postgresql, sqlite

from newsletter.mail.address import fold_address
from newsletter.model.subscriber import Cadence, Subscriber, SubscriberState, SuppressionReason
from newsletter.store.consents import erase_consents, join_consents
from newsletter.store.deliveries import cancel_deliveries
from newsletter.store.notices import erase_notices
from newsletter.store.requests import drop_requests
from newsletter.store.schema import bounces, deliveries, editions, join_topics, reports, subscribers, suppressions
from newsletter.store.subscribers import ERASED_DOMAIN, change_subscriber, lock_subscriber
from newsletter.store.suppression import find_reason, hash_key, suppress


def is_erased(subscriber: Subscriber) -> bool:
    """Return whether a row's reader was erased, or gave way to another row of his."""
    return subscriber.address.endswith(f"@{ERASED_DOMAIN}")


def find_standing(connection: Connection, address: str) -> tuple[Subscriber | None, SuppressionReason | None]:
    """Return an address's reader, locked, and why it stays out, if it does."""
    return lock_subscriber(connection, address), find_reason(connection, fold_address(address))


def add_pending(connection: Connection, address: str, source: str, now: datetime) -> int | None:
    """Keep an address in mind whose owner hasn't confirmed; return its number, or None if there is a row already."""
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    values = {
        "address": address,
        "address_key": fold_address(address),
        "name": "",
        "state": SubscriberState.PENDING,
        "language": "",
        "joined_at": now,
        "source": source,
    }
    statement = dialect.insert(subscribers).values(values).on_conflict_do_nothing().returning(subscribers.c.id)
    number = connection.execute(statement).scalar_one_or_none()
    return None if number is None else int(number)


def change_choices(
    connection: Connection,
    subscriber_id: int,
    *,
    topics: Collection[str],
    cadence: Cadence,
    language: str,
    paused_until: datetime | None,
    name: str,
) -> Subscriber:
    """Write down all that a reader chooses, and return him."""
    changes = {"cadence": cadence, "language": language, "paused_until": paused_until, "name": name}
    return change_subscriber(connection, subscriber_id, {**changes, "topics": join_topics(topics)})


def make_active(connection: Connection, subscriber: Subscriber, source: str, now: datetime) -> Subscriber:
    """Let a reader read; one who was pending has joined now, and one who comes back keeps the time he first joined."""
    changes: dict[str, Any] = {"state": SubscriberState.ACTIVE, "left_at": None}
    if subscriber.state is SubscriberState.PENDING:
        changes |= {"joined_at": now, "source": source}
    return change_subscriber(connection, subscriber.id, changes)


def move_subscriber(connection: Connection, subscriber: Subscriber, address: str, now: datetime) -> Subscriber:
    """Give a reader another address, which nobody has; mail that waits goes there, and what came back is forgiven.

    The old address stays out of later imports, known by its digest only.
    """
    hide_address(connection, subscriber.address, None, now)
    waiting = deliveries.c.state.in_([literal_column("'queued'"), literal_column("'deferred'")])
    mine = update(deliveries).where(deliveries.c.subscriber_id == subscriber.id, waiting)
    connection.execute(mine.values(address=address))
    against = update(bounces).where(bounces.c.subscriber_id == subscriber.id, bounces.c.undone_at.is_(None))
    connection.execute(against.values(undone_at=now))
    return change_subscriber(connection, subscriber.id, {"address": address, "address_key": fold_address(address)})


def give_way(connection: Connection, subscriber: Subscriber, to_id: int, now: datetime) -> None:
    """Free the address of a row that no mail goes to, for another row of the same person; his record goes with him."""
    join_consents(connection, subscriber.id, to_id)
    _bury(connection, subscriber, now)


def erase_subscriber(connection: Connection, subscriber: Subscriber, now: datetime) -> int:
    """Take out everything that says who a reader was; return how many mails that cancelled.

    His row and the ledger's stay, so that every edition's count holds, and name nobody. His address stays out, known by
    its digest only.
    """
    hide_address(connection, subscriber.address, SuppressionReason.ERASED, now)
    drop_requests(connection, subscriber.id, subscriber.address, confirmed=True)
    erase_notices(connection, subscriber.id, subscriber.address)
    erase_consents(connection, subscriber.id)
    return _bury(connection, subscriber, now)


def hide_address(connection: Connection, address: str, reason: SuppressionReason | None, now: datetime) -> None:
    """Keep an address out, known by its digest only.

    `reason` None keeps the reason it is kept out for already. That somebody complained is never forgotten.
    """
    key = fold_address(address)
    suppress(connection, [(key, address)], SuppressionReason.LEFT, now)
    complained = suppressions.c.reason == SuppressionReason.COMPLAINED
    kept = case((complained, suppressions.c.reason), else_=reason) if reason else suppressions.c.reason
    mine = update(suppressions).where(suppressions.c.address_hash == hash_key(key))
    connection.execute(mine.values(address=None, reason=kept))


def _bury(connection: Connection, subscriber: Subscriber, now: datetime) -> int:
    """Leave of a row what the ledger rests on; return how many mails that cancelled."""
    nobody = f"erased-{subscriber.id}@{ERASED_DOMAIN}"
    cancelled = cancel_deliveries(connection, subscriber.id, now)
    _erase_deliveries(connection, subscriber.id, nobody)
    _erase_reports(connection, subscriber.id)
    changes: dict[str, Any] = dict.fromkeys(("name", "language", "topics"), "")
    changes |= {"address": nobody, "address_key": nobody, "cadence": Cadence.EACH, "paused_until": None}
    changes |= {"state": SubscriberState.LEFT, "left_at": subscriber.left_at or now, "source": "erased"}
    change_subscriber(connection, subscriber.id, changes)
    return cancelled


def _erase_deliveries(connection: Connection, subscriber_id: int, nobody: str) -> None:
    """A server's words may name the reader: its codes stay."""
    # The index begins with the edition: named as one of a set, a reader's rows are found by it.
    mine = (deliveries.c.subscriber_id == subscriber_id) & deliveries.c.edition_id.in_(select(editions.c.id))
    said = case((deliveries.c.reply_code == 0, deliveries.c.reply_text), else_="")
    connection.execute(update(deliveries).where(mine).values(address=nobody, name="", reply_text=said))


def _erase_reports(connection: Connection, subscriber_id: int) -> None:
    connection.execute(update(bounces).where(bounces.c.subscriber_id == subscriber_id).values(diagnostic="", domain=""))
    mine = update(reports).where(reports.c.subscriber_id == subscriber_id)
    connection.execute(mine.values(sender="", subject="", raw=None, state="read"))
