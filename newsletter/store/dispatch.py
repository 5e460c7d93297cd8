"""Which editions there is something to send of, how far each is, and of which the editor was told: what a worker and
its watchers ask the ledger."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, exists, func, literal_column, or_, select, update

from newsletter.model.delivery import PACED
from newsletter.model.subscriber import Cadence
from newsletter.store.schema import deliveries, editions, slots, subscribers


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in all editions that run: how many, and since when the one that waits longest could be sent."""

    queued: int
    deferred: int
    sending: int
    unknown: int
    oldest_at: datetime | None


def list_due_editions(
    connection: Connection, now: datetime, is_dead: Callable[[str], bool], newer_than: datetime | None = None
) -> list[str]:
    """Return the slugs of the editions that run and have somebody who can be tried now, newest first.

    Who is held by a sender that is dead, or whose lease is over, can be. With `newer_than` only those count that were
    published after it.
    """
    owners = connection.execute(select(deliveries.c.owner).where(_is("sending")).distinct()).scalars()
    dead = [owner for owner in owners if is_dead(owner)]
    lost = and_(_is("sending"), or_(deliveries.c.lease_until <= now, deliveries.c.owner.in_(dead)))
    due = (_is("queued"), and_(_is("deferred"), deliveries.c.next_attempt_at <= now), lost)
    any_due = or_(*(exists().where(deliveries.c.edition_id == editions.c.id, rows) for rows in due))
    runs = and_(editions.c.state == "published", editions.c.control == "running")
    statement = select(editions.c.slug).where(runs, any_due)
    if newer_than is not None:
        statement = statement.where(editions.c.published_at > newer_than)
    return list(connection.execute(statement.order_by(editions.c.published_at.desc())).scalars())


def list_open_editions(connection: Connection) -> list[str]:
    """Return the slugs of published editions of which somebody still waits, newest first."""
    waiting = or_(
        *(exists().where(deliveries.c.edition_id == editions.c.id, _is(state)) for state in ("queued", "deferred")),
        exists().where(deliveries.c.edition_id == editions.c.id, _is("sending")),
    )
    statement = select(editions.c.slug).where(editions.c.state == "published", waiting)
    return list(connection.execute(statement.order_by(editions.c.published_at.desc())).scalars())


def count_unserved(connection: Connection, cadence: Cadence, since: datetime) -> int:
    """Return how many active readers want roll-ups of a kind of which none was published since a time."""
    published = exists().where(editions.c.kind == str(cadence), editions.c.published_at > since)
    wanting = and_(subscribers.c.state == "active", subscribers.c.cadence == str(cadence), ~published)
    return int(connection.execute(select(func.count()).select_from(subscribers).where(wanting)).scalar_one())


def list_halted_editions(connection: Connection) -> list[int]:
    """Return the numbers of editions that halted by themselves."""
    return list(connection.execute(select(editions.c.id).where(editions.c.control == "halted")).scalars())


def has_readers_served(connection: Connection, edition_id: int) -> bool:
    """Return whether a relay took an edition's mail to anybody."""
    sent = select(1).where(deliveries.c.edition_id == edition_id, _is("sent")).limit(1)
    return connection.execute(sent).one_or_none() is not None


def list_unknown_editions(connection: Connection) -> list[tuple[str, int]]:
    """Return the slug of each edition with readers who may or may not have it, and how many, newest first."""
    statement = (
        select(editions.c.slug, func.count())
        .select_from(deliveries.join(editions, editions.c.id == deliveries.c.edition_id))
        .where(_is("unknown"))
        .group_by(editions.c.id, editions.c.slug)
        .order_by(editions.c.id.desc())
    )
    return [(slug, count) for slug, count in connection.execute(statement)]


def list_unreported_editions(connection: Connection) -> list[int]:
    """Return the numbers of the editions of which the editor hasn't been told what became of them.

    They were committed, or belong to a slot that is published: without readers its edition stays frozen.
    """
    of_slot = exists().where(slots.c.edition_id == editions.c.id)
    out = and_(editions.c.reported_at.is_(None), or_(editions.c.state == "published", of_slot))
    return list(connection.execute(select(editions.c.id).where(out).order_by(editions.c.id)).scalars())


def note_reported(connection: Connection, edition_id: int, now: datetime) -> bool:
    """Write down that the editor is told what became of an edition; return False if he was already."""
    unreported = and_(editions.c.id == edition_id, editions.c.reported_at.is_(None))
    return connection.execute(update(editions).where(unreported).values(reported_at=now)).rowcount == 1


def is_reported(connection: Connection, edition_id: int) -> bool:
    """Return whether the editor was told what became of an edition."""
    told = select(1).where(editions.c.id == edition_id, editions.c.reported_at.is_not(None))
    return connection.execute(told).one_or_none() is not None


def load_span(connection: Connection, edition_id: int) -> tuple[datetime | None, datetime | None]:
    """Return when an edition's readers were committed, and when the last answer came that was final."""
    times = select(func.min(deliveries.c.queued_at), func.max(deliveries.c.settled_at))
    began_at, ended_at = connection.execute(times.where(deliveries.c.edition_id == edition_id)).one()
    return began_at, ended_at


def count_paced(connection: Connection, edition_id: int) -> int:
    """Return how many of an edition were never tried and only wait for their turn."""
    waiting = and_(deliveries.c.edition_id == edition_id, _is("deferred"), deliveries.c.reply_text == PACED)
    return int(connection.execute(select(func.count()).select_from(deliveries).where(waiting)).scalar_one())


def next_attempt_at(connection: Connection, edition_id: int) -> datetime | None:
    """Return when the first of those who were put off is tried again; None where nobody was."""
    statement = select(func.min(deliveries.c.next_attempt_at))
    waiting = and_(deliveries.c.edition_id == edition_id, _is("deferred"))
    return connection.execute(statement.where(waiting)).scalar()


def count_settled_since(connection: Connection, edition_id: int, since: datetime) -> int:
    """Return how many readers of an edition were sent it since a time."""
    recent = and_(deliveries.c.edition_id == edition_id, deliveries.c.settled_at >= since, _is("sent"))
    return int(connection.execute(select(func.count()).select_from(deliveries).where(recent)).scalar_one())


def count_backlog(connection: Connection, now: datetime) -> Backlog:
    """Count what waits, in editions that run."""
    runs = deliveries.join(editions, and_(editions.c.id == deliveries.c.edition_id, editions.c.control == "running"))
    counts = {}
    for state in ("queued", "deferred", "sending", "unknown"):
        statement = select(func.count()).select_from(runs if state != "unknown" else deliveries).where(_is(state))
        counts[state] = int(connection.execute(statement).scalar_one())
    since_queued = select(func.min(deliveries.c.queued_at)).select_from(runs).where(_is("queued"))
    again = and_(_is("deferred"), deliveries.c.next_attempt_at <= now)
    since_due = select(func.min(deliveries.c.next_attempt_at)).select_from(runs).where(again)
    oldest = [connection.execute(statement).scalar() for statement in (since_queued, since_due)]
    return Backlog(**counts, oldest_at=min((at for at in oldest if at is not None), default=None))


def _is(state: str) -> ColumnElement[bool]:
    """Compare with a literal: only then are the indexes of rows that wait used."""
    return deliveries.c.state == literal_column(f"'{state}'")
