"""What is kept of one reader, gathered from every table: for himself, and for the operator whom he asks.

Every function works inside the caller's transaction, and only reads.
"""

from typing import Any

from sqlalchemy import Connection, select

from newsletter.store.schema import bounces, deliveries, editions, notices, reports

_BOUNCE = ("at", "reason", "severity", "verdict", "code", "status", "diagnostic", "undone_at")
_REPORT = ("arrived_at", "way", "kind", "sender", "subject", "size")


def list_deliveries_to(connection: Connection, subscriber_id: int, limit: int | None = None) -> list[dict[str, Any]]:
    """Return a reader's rows of the ledger, the newest edition first: what he was due, and what became of it."""
    rows = select(
        editions.c.slug,
        editions.c.kind,
        editions.c.title,
        deliveries.c.address,
        deliveries.c.name,
        deliveries.c.state,
        deliveries.c.attempts,
        deliveries.c.variant,
        deliveries.c.queued_at,
        deliveries.c.settled_at,
        deliveries.c.reply_code,
        deliveries.c.reply_enhanced,
        deliveries.c.reply_text,
    ).select_from(editions.join(deliveries, deliveries.c.edition_id == editions.c.id))
    # The index begins with the edition: named as one of a set, a reader's rows are found by it.
    found = (deliveries.c.subscriber_id == subscriber_id) & deliveries.c.edition_id.in_(select(editions.c.id))
    mine = rows.where(found).order_by(editions.c.id.desc()).limit(limit)
    return [dict(row._mapping) for row in connection.execute(mine)]


def list_notices_to(connection: Connection, subscriber_id: int) -> list[dict[str, Any]]:
    """Return the letters to a reader, oldest first; the words of those that were sent are gone."""
    names = ("kind", "address", "subject", "text", "language", "state", "created_at", "settled_at", "reply")
    statement = select(*(notices.c[name] for name in names)).where(notices.c.subscriber_id == subscriber_id)
    return [dict(row._mapping) for row in connection.execute(statement.order_by(notices.c.id))]


def list_bounces_of(connection: Connection, subscriber_id: int) -> list[dict[str, Any]]:
    """Return what was decided about a reader's mail that came back, oldest first."""
    statement = select(*(bounces.c[name] for name in _BOUNCE)).where(bounces.c.subscriber_id == subscriber_id)
    return [dict(row._mapping) for row in connection.execute(statement.order_by(bounces.c.id))]


def list_reports_of(connection: Connection, subscriber_id: int) -> list[dict[str, Any]]:
    """Return the mails that came in and name a reader, oldest first."""
    statement = select(*(reports.c[name] for name in _REPORT)).where(reports.c.subscriber_id == subscriber_id)
    return [dict(row._mapping) for row in connection.execute(statement.order_by(reports.c.id))]
