"""What came back, written down for many mails at once: reports, bounces, and readers whose mail ends.

A mail costs the database less time than SQLAlchemy takes to run a statement for it, so each statement here is for all
mails that are taken in together. Decides nothing. Every function works inside the caller's transaction.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, update
from sqlalchemy.dialects import postgresql, sqlite

from newsletter.mail.address import fold_address
from newsletter.model.bounce import Finding, Report
from newsletter.model.subscriber import Subscriber, SubscriberState, SuppressionReason
from newsletter.model.verdict import Verdict, Way
from newsletter.store.deliveries import cancel_deliveries_to
from newsletter.store.schema import bounces, reports, subscribers
from newsletter.store.subscribers import lock_subscribers
from newsletter.store.suppression import lift_suppressions, suppress

TEXT_LENGTH = 500


@dataclass(frozen=True, slots=True)
class Arrival:
    """A mail or a provider's event that came in; `digest` is its SHA-256 (hex). `raw` is kept for a human.

    `reader` is whom it names.
    """

    digest: str
    report: Report
    way: Way
    size: int = 0
    raw: bytes | None = None
    reader: Subscriber | None = None


@dataclass(frozen=True, slots=True)
class NewBounce:
    """What was decided about a reader. It came by a report or by a delivery: one of the numbers is there."""

    reader: Subscriber
    edition_id: int | None
    finding: Finding
    verdict: Verdict
    report_id: int | None = None
    delivery_id: int | None = None


def lock_readers(connection: Connection, numbers: Iterable[int]) -> dict[int, Subscriber]:
    """Return by number those readers whom there are; nobody else changes them before this transaction ends."""
    wanted = sorted(set(numbers))
    return {reader.id: reader for reader in lock_subscribers(connection, wanted)} if wanted else {}


def record_reports(connection: Connection, arrivals: Sequence[Arrival], now: datetime) -> list[int | None]:
    """Write down that mails came in, and return the number of each; None for one that came before."""
    if not arrivals:
        return []
    rows = [_report_values(arrival, now) for arrival in arrivals]
    new = connection.execute(_INSERT_REPORTS[connection.dialect.name], rows)
    numbers: dict[str, int] = {digest: number for number, digest in new}
    return [numbers.pop(arrival.digest, None) for arrival in arrivals]  # of two the same, the first is new


def record_bounces(connection: Connection, found: Sequence[NewBounce], now: datetime) -> None:
    """Write down what was decided, in this order."""
    if found:
        connection.execute(_INSERT_BOUNCES, [_bounce_values(one, now) for one in found])


def suspend_readers(
    connection: Connection, readers: Sequence[Subscriber], reason: SuppressionReason, now: datetime
) -> set[int]:
    """End readers' mail: suspended, kept out of later imports, queued mail cancelled. Return for whom it is new.

    Who has left stays `left`, and is kept out for the new reason, too, if he complained.
    """
    if not readers:
        return set()
    keys = [(fold_address(reader.address), reader.address) for reader in readers]
    if reason is SuppressionReason.COMPLAINED:
        lift_suppressions(connection, [key for key, _ in keys])  # a complaint outweighs any earlier reason
    suppress(connection, keys, reason, now)
    numbers = sorted({reader.id for reader in readers})
    cancel_deliveries_to(connection, numbers, now)
    return set(connection.execute(_SUSPEND, {"numbers": numbers}).scalars())


def _report_values(arrival: Arrival, now: datetime) -> dict[str, Any]:
    report, named, reader = arrival.report, arrival.report.named, arrival.reader
    return {
        "hash": arrival.digest,
        "arrived_at": now,
        "way": arrival.way,
        "kind": report.kind,
        "form": report.form[:32],
        "state": "read" if arrival.raw is None else "kept",
        "subscriber_id": reader.id if reader else None,
        "edition_id": named.edition_id if named else None,
        "named_by": named.by if named else "",
        "sender": _bounded(report.sender, 320),
        "subject": _bounded(report.subject, TEXT_LENGTH),
        "size": arrival.size,
        "raw": arrival.raw,
    }


def _bounce_values(one: NewBounce, now: datetime) -> dict[str, Any]:
    finding = one.finding
    return {
        "subscriber_id": one.reader.id,
        "edition_id": one.edition_id,
        "report_id": one.report_id,
        "delivery_id": one.delivery_id,
        "at": now,
        "reason": finding.reason,
        "severity": finding.severity,
        "verdict": one.verdict,
        "code": finding.code if 0 <= finding.code <= 999 else 0,
        "status": _bounded(finding.status, 16),
        "diagnostic": _bounded(finding.diagnostic, TEXT_LENGTH),
        "domain": one.reader.address.rpartition("@")[2].lower()[:255],
    }


def _bounded(text: str, length: int) -> str:
    return text.replace("\0", "")[:length]  # PostgreSQL takes no NUL


_INSERT_REPORTS = {
    "sqlite": sqlite.insert(reports).on_conflict_do_nothing().returning(reports.c.id, reports.c.hash),
    "postgresql": postgresql.insert(reports).on_conflict_do_nothing().returning(reports.c.id, reports.c.hash),
}
_INSERT_BOUNCES = insert(bounces)
_SUSPEND = (
    update(subscribers)
    .where(
        subscribers.c.id.in_(bindparam("numbers", expanding=True)),
        subscribers.c.state.in_([SubscriberState.ACTIVE, SubscriberState.PENDING]),
    )
    .values(state=SubscriberState.SUSPENDED)
    .returning(subscribers.c.id)
)
