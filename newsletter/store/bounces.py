"""What came back, once each, and what is known of a reader's mail: the past that a verdict is decided from.

Owns what counts as having reached a reader, and the ways a reader is suspended and restored. Decides no verdict
(`bounces.policy`). Every function works inside the caller's transaction.

What has reached him: an edition that was sent, has not come back, and has had the time to. All that came back before
it is forgiven, and so is all that the operator has undone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, bindparam, delete, func, select, update

from newsletter.mail.address import fold_address
from newsletter.model.bounce import Finding, Reason, Report, ReportKind, Severity
from newsletter.model.subscriber import Subscriber, SubscriberState, SuppressionReason
from newsletter.model.verdict import Bounce, Miss, Past, StoredReport, Verdict, Way
from newsletter.store.returns import Arrival, NewBounce, record_bounces, record_reports, suspend_readers
from newsletter.store.schema import bounces, deliveries, editions, reports, subscribers
from newsletter.store.subscribers import load_subscriber
from newsletter.store.suppression import lift_suppression

_EDITIONS = 60
"""How many of the newest editions are looked at for one that reached a reader."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A delivery that its server refused while it was sent, and that nobody has judged yet."""

    delivery_id: int
    subscriber_id: int
    edition_id: int
    address: str
    settled_at: datetime
    code: int
    status: str
    text: str


def record_report(
    connection: Connection,
    digest: str,
    report: Report,
    way: Way,
    size: int,
    now: datetime,
    raw: bytes | None = None,
    reader: Subscriber | None = None,
) -> int | None:
    """Write down that a mail came in, and return its number; None for one that came before.

    `digest` is the SHA-256 (hex) of the mail. `raw` is kept for a human. `reader` is whom it names.
    """
    arrival = Arrival(digest, report, way, size, raw, reader)
    return record_reports(connection, [arrival], now)[0]


def keep_report(connection: Connection, report_id: int, state: str, raw: bytes | None = None) -> None:
    """Change what is done about a mail: `read`, `kept` with its text for a human, or `forwarded`."""
    connection.execute(update(reports).where(reports.c.id == report_id).values(state=state, raw=raw))


def lock_reader(connection: Connection, subscriber_id: int) -> Subscriber | None:
    """Return a reader who nobody else changes before this transaction ends; None if there is none."""
    return load_subscriber(connection, subscriber_id, lock=True)


def load_past(connection: Connection, subscriber_id: int, quiet_since: datetime) -> Past:
    """Return what counts against one reader (`load_pasts`)."""
    return load_pasts(connection, [subscriber_id], quiet_since).get(subscriber_id, Past())


def load_pasts(
    connection: Connection,
    subscriber_ids: Sequence[int],
    quiet_since: datetime,
    returning: Mapping[int, int | None] | None = None,
) -> dict[int, Past]:
    """Return what counts against readers: what came back softly since anything reached each of them, oldest first.

    Mail that was sent before `quiet_since` and hasn't come back has reached him. A warning that hasn't come back by
    then has, too. Of whom nothing came back nothing is returned. `returning` is each reader's edition that is coming
    back now, however late.
    """
    if not subscriber_ids:
        return {}
    found: dict[int, list[Any]] = {}
    for row in connection.execute(_AGAINST, {"readers": list(subscriber_ids)}):
        found.setdefault(row.subscriber_id, []).append(row)
    late = returning or {}
    return {reader: _weigh(connection, reader, rows, quiet_since, late.get(reader)) for reader, rows in found.items()}


def _weigh(
    connection: Connection, subscriber_id: int, rows: Sequence[Any], quiet_since: datetime, returning: int | None
) -> Past:
    """Return what of a reader's bounces still counts."""
    wanted = {"reader": subscriber_id, "quiet_since": quiet_since, "returning": returning or 0}
    reached_at: datetime | None = connection.execute(_REACHED, wanted).scalar_one()
    rows = [row for row in rows if reached_at is None or row.sent_at > reached_at]
    stages = [row for row in rows if row.verdict in (Verdict.WARN, Verdict.PROBE)]
    if stages and stages[-1].at < quiet_since:
        reached_at = stages[-1].at
        rows, stages = [row for row in rows if row.at > reached_at], []
    misses = tuple(Miss(row.edition_id, row.at) for row in rows)
    last = stages[-1] if stages else None
    return Past(misses, Verdict(last.verdict) if last else None, last.at if last else None)


def record_bounce(
    connection: Connection,
    reader: Subscriber,
    edition_id: int | None,
    finding: Finding,
    verdict: Verdict,
    now: datetime,
    *,
    report_id: int | None = None,
    delivery_id: int | None = None,
) -> int:
    """Write down what was decided about one reader; return its number. It came by a report or by a delivery."""
    record_bounces(connection, [NewBounce(reader, edition_id, finding, verdict, report_id, delivery_id)], now)
    return int(connection.execute(select(func.max(bounces.c.id))).scalar_one())


def suspend_reader(connection: Connection, reader: Subscriber, reason: SuppressionReason, now: datetime) -> bool:
    """End one reader's mail, as `returns.suspend_readers` does; return whether it was new."""
    return reader.id in suspend_readers(connection, [reader], reason, now)


def restore_reader(connection: Connection, reader: Subscriber, now: datetime) -> bool:
    """Overrule what was decided about a reader: active again, and nothing counts against him. Return if he was out.

    Who has left of his own will stays so: only he can come back, or `subscribers add --lift`.
    """
    undone = update(bounces).where(bounces.c.subscriber_id == reader.id, bounces.c.undone_at.is_(None))
    connection.execute(undone.values(undone_at=now))
    if reader.state is not SubscriberState.SUSPENDED:
        return False
    lift_suppression(connection, fold_address(reader.address))
    connection.execute(update(subscribers).where(subscribers.c.id == reader.id).values(state=SubscriberState.ACTIVE))
    return True


def list_refusals(connection: Connection, limit: int) -> list[Refusal]:
    """Return up to `limit` deliveries that were refused while being sent and that nobody has judged."""
    judged = select(1).where(bounces.c.delivery_id == deliveries.c.id).exists()
    statement = (
        select(deliveries)
        .where(deliveries.c.state == "failed", ~judged)
        .order_by(deliveries.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [
        Refusal(
            row.id,
            row.subscriber_id,
            row.edition_id,
            row.address,
            row.settled_at,
            row.reply_code,
            row.reply_enhanced,
            row.reply_text,
        )
        for row in connection.execute(statement)
    ]


def list_bounces(
    connection: Connection,
    *,
    subscriber_id: int | None = None,
    reason: str | None = None,
    since: datetime | None = None,
    limit: int = 100,
) -> list[Bounce]:
    """Return bounces, newest first."""
    statement = select(bounces, subscribers.c.address).join(subscribers, subscribers.c.id == bounces.c.subscriber_id)
    if subscriber_id is not None:
        statement = statement.where(bounces.c.subscriber_id == subscriber_id)
    if reason is not None:
        statement = statement.where(bounces.c.reason == reason)
    if since is not None:
        statement = statement.where(bounces.c.at >= since)
    return [_read(row) for row in connection.execute(statement.order_by(bounces.c.id.desc()).limit(limit))]


def load_bounce(connection: Connection, bounce_id: int) -> Bounce | None:
    """Return one bounce, or None."""
    statement = select(bounces, subscribers.c.address).join(subscribers, subscribers.c.id == bounces.c.subscriber_id)
    row = connection.execute(statement.where(bounces.c.id == bounce_id)).one_or_none()
    return None if row is None else _read(row)


def list_reports(connection: Connection, *, kept: bool = False, limit: int = 100) -> list[StoredReport]:
    """Return mails that came in, newest first; with `kept` those that wait for a human."""
    statement = select(reports)
    if kept:
        statement = statement.where(reports.c.state == "kept")
    return [_read_report(row) for row in connection.execute(statement.order_by(reports.c.id.desc()).limit(limit))]


def load_report(connection: Connection, report_id: int) -> StoredReport | None:
    """Return one mail that came in, or None."""
    row = connection.execute(select(reports).where(reports.c.id == report_id)).one_or_none()
    return None if row is None else _read_report(row)


def count_kept(connection: Connection) -> int:
    """Return how many mails wait for a human."""
    return int(connection.execute(select(func.count()).where(reports.c.state == "kept")).scalar_one())


def count_forwarded(connection: Connection, since: datetime) -> int:
    """Return how many mails were forwarded that came since a time."""
    recent = and_(reports.c.state == "forwarded", reports.c.arrived_at > since)
    return int(connection.execute(select(func.count()).where(recent)).scalar_one())


def list_missed(connection: Connection, subscriber_id: int, limit: int = 20) -> list[tuple[str, str]]:
    """Return title and page of the newest issues that came back from a reader, oldest first."""
    back = and_(bounces.c.edition_id == editions.c.id, bounces.c.subscriber_id == subscriber_id)
    counts = and_(bounces.c.severity != Severity.NONE, bounces.c.undone_at.is_(None))
    statement = select(editions.c.title, editions.c.page_url).where(select(1).where(back, counts).exists())
    rows = connection.execute(statement.order_by(editions.c.id.desc()).limit(limit)).all()
    return [(row.title, row.page_url) for row in reversed(rows)]


def prune_reports(connection: Connection, before: datetime) -> int:
    """Forget the mails that arrived before, and which no bounce rests on; return how many.

    Of those that a bounce rests on, the text is forgotten. A mail that comes again after that counts again.
    """
    old = reports.c.arrived_at < before
    used = select(1).where(bounces.c.report_id == reports.c.id).exists()
    gone = connection.execute(delete(reports).where(old, ~used)).rowcount
    connection.execute(update(reports).where(old, reports.c.raw.is_not(None)).values(raw=None, state="read"))
    return gone


def _select_reached() -> Select[Any]:
    """Return the statement for when the last mail was sent that has reached a reader."""
    back = and_(bounces.c.subscriber_id == deliveries.c.subscriber_id, bounces.c.edition_id == deliveries.c.edition_id)
    came_back = select(1).where(back, bounces.c.severity != Severity.NONE).exists()
    recent = select(editions.c.id).order_by(editions.c.id.desc()).limit(_EDITIONS).scalar_subquery()
    return select(func.max(deliveries.c.settled_at)).where(
        deliveries.c.edition_id.in_(recent),
        deliveries.c.subscriber_id == bindparam("reader"),
        deliveries.c.state == "sent",
        deliveries.c.settled_at <= bindparam("quiet_since", type_=deliveries.c.settled_at.type),
        deliveries.c.edition_id != bindparam("returning"),
        ~came_back,
    )


def _select_against() -> Select[Any]:
    """Return the statement for what came back softly and counts, oldest first, each with when its mail was sent."""
    sent = and_(deliveries.c.subscriber_id == bounces.c.subscriber_id, deliveries.c.edition_id == bounces.c.edition_id)
    counts = bounces.c.verdict.in_([Verdict.COUNTED, Verdict.WARN, Verdict.PROBE])
    sent_at = func.coalesce(deliveries.c.settled_at, bounces.c.at, type_=bounces.c.at.type).label("sent_at")
    return (
        select(bounces.c.subscriber_id, bounces.c.edition_id, bounces.c.at, bounces.c.verdict, sent_at)
        .select_from(bounces.outerjoin(deliveries, sent))
        .where(bounces.c.subscriber_id.in_(bindparam("readers", expanding=True)), counts, bounces.c.undone_at.is_(None))
        .order_by(bounces.c.id)
    )


# Made once: a bounce takes the database less time than SQLAlchemy takes to put a statement together.
_REACHED = _select_reached()
_AGAINST = _select_against()


def _read(row: Row[Any]) -> Bounce:
    plain = ("id", "subscriber_id", "address", "edition_id", "at", "code", "status", "diagnostic", "domain")
    return Bounce(
        **{name: row._mapping[name] for name in plain},
        reason=Reason(row.reason),
        severity=Severity(row.severity),
        verdict=Verdict(row.verdict),
        report_id=row.report_id,
        undone_at=row.undone_at,
    )


def _read_report(row: Row[Any]) -> StoredReport:
    plain = ("id", "arrived_at", "form", "state", "subscriber_id", "edition_id", "sender", "subject", "size", "raw")
    values = {name: row._mapping[name] for name in plain}
    return StoredReport(**values, way=Way(row.way), kind=ReportKind(row.kind))
