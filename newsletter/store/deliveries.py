"""The ledger: claim deliveries, settle them, give them back, recover what a dead worker held, and count.

Owns every change of a delivery's state (ARCHITECTURE.md, "The ledger") but for its birth, which is `publish_edition`,
and what an operator does about unknown ones (`controls`). Decides nothing about replies: a Settlement says what to
write. Every function works inside the caller's transaction.

In a cancelled edition nothing waits: what would go back to the queue, or wait for another try, is cancelled with it.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Update,
    and_,
    case,
    func,
    literal_column,
    or_,
    select,
    update,
)

from newsletter.errors import NotFoundError
from newsletter.model.control import ControlState, Stage
from newsletter.model.delivery import PACED, Audit, Delivery, DeliveryState, Reply, ReplyCount, Settlement
from newsletter.store.batches import is_among, tabulate
from newsletter.store.schema import deliveries, editions, subscribers
from newsletter.store.suppression import is_suppressed

REPLY_LENGTH = 500
"""Characters of a server's reply that are kept."""

NO_LONGER_DUE = "the reader left before it was sent"
EDITION_CANCELLED = "the edition was cancelled before it was sent"
NEVER_HEARD = "the worker stopped before the server's answer was recorded"


def _is(state: DeliveryState) -> ColumnElement[bool]:
    """Compare with a literal: only then does an engine see that a partial index answers the question."""
    return deliveries.c.state == literal_column(f"'{state}'")


_RESTING = case((deliveries.c.next_attempt_at.is_(None), DeliveryState.QUEUED), else_=DeliveryState.DEFERRED)
"""The state that a claimed row came from."""

_EXPLAINED = (DeliveryState.FAILED, DeliveryState.DEFERRED, DeliveryState.UNKNOWN, DeliveryState.EXCLUDED)

_AGAIN = (DeliveryState.DEFERRED, DeliveryState.QUEUED)

_SETTLED = tuple(
    deliveries.c[name]
    for name in (
        "id",
        "state",
        "attempts",
        "next_attempt_at",
        "settled_at",
        "reply_code",
        "reply_enhanced",
        "reply_text",
    )
)
"""What a settlement writes, in the order of `_values`."""

_CLAIMED = tuple(
    deliveries.c[name]
    for name in (
        "id",
        "edition_id",
        "subscriber_id",
        "address",
        "name",
        "attempts",
        "queued_at",
        "next_attempt_at",
        "settled_at",
        "variant",
        "reply_code",
        "reply_enhanced",
        "reply_text",
    )
)
"""What a Delivery is read from, in the order of `_read`; its state is known, or comes last."""


def claim_deliveries(
    connection: Connection,
    edition_id: int,
    owner: str,
    lease_until: datetime,
    now: datetime,
    limit: int,
    stage: int = Stage.REST,
) -> list[Delivery]:
    """Claim up to `limit` deliveries for `owner` until `lease_until`: those due again first, then those untried.

    Only rows up to `stage`, earlier stages first, and none unless the edition is running. No row is given to two
    owners. Rows of readers who have left, or are suppressed, become `cancelled` on the way. Fewer than `limit` rows
    mean that nothing else is due now.
    """
    claimed: list[Delivery] = []
    if _hold_controls(connection, [edition_id]).get(edition_id, (None,))[0] != ControlState.RUNNING:
        return claimed
    for waiting in (_due_again(edition_id, now, stage), _untried(edition_id, stage)):
        while len(claimed) < limit:
            rows = connection.execute(waiting.limit(limit - len(claimed))).all()
            if not rows:
                break
            _cancel(connection, [row.id for row in rows if not row.due], now, NO_LONGER_DUE)
            due = [_read(row, DeliveryState.SENDING) for row in rows if row.due]
            _hold(connection, [delivery.id for delivery in due], owner, lease_until)
            claimed += due
    return claimed


def settle_deliveries(connection: Connection, owner: str, settlements: Sequence[Settlement]) -> list[Settlement]:
    """Write down what was learned; return the settlements whose rows `owner` no longer held, which changed nothing."""
    waiting = [settlement.delivery_id for settlement in settlements if settlement.state in _AGAIN]
    dropped = _list_dropped(connection, owner, waiting) if waiting else set()
    kept = [_drop(settlement) if settlement.delivery_id in dropped else settlement for settlement in settlements]
    written = _write_settled(connection, owner, kept) if kept else set()
    return [settlement for settlement in settlements if settlement.delivery_id not in written]


def release_deliveries(connection: Connection, owner: str, ids: Sequence[int]) -> int:
    """Give back claimed deliveries that were never begun, to the state they came from; return how many."""
    return _give_back(connection, _list_held(connection, owner, ids)) if ids else 0


def postpone_deliveries(connection: Connection, owner: str, returns: Sequence[tuple[int, datetime]]) -> int:
    """Give back claimed deliveries that were never begun, each not to be claimed before its time; return how many.

    What their servers said at an earlier try is kept. It is no try: `attempts` stays. In a cancelled edition nobody
    waits: there they are cancelled.
    """
    if not returns:
        return 0
    dropped = _list_dropped(connection, owner, [delivery_id for delivery_id, _ in returns])
    given = release_deliveries(connection, owner, sorted(dropped))
    waiting = [(delivery_id, due_at) for delivery_id, due_at in returns if delivery_id not in dropped]
    return given + (_put_off(connection, owner, waiting) if waiting else 0)


def _put_off(connection: Connection, owner: str, returns: Sequence[tuple[int, datetime]]) -> int:
    batch = tabulate(connection, (deliveries.c.id, deliveries.c.next_attempt_at), returns)
    unheard = and_(deliveries.c.reply_code == 0, deliveries.c.reply_text == "")
    statement = (
        update(deliveries)
        .where(deliveries.c.id == batch["id"], _is_owned_by(owner))
        .values(state=DeliveryState.DEFERRED, next_attempt_at=batch["next_attempt_at"], owner=None, lease_until=None)
        .values(reply_text=case((unheard, PACED), else_=deliveries.c.reply_text))
    )
    return connection.execute(statement).rowcount


def hasten_deliveries(connection: Connection, edition_id: int, now: datetime) -> int:
    """Let who only waits for his turn be claimed at once, since a run that begins judges anew; return how many."""
    waiting = and_(_is(DeliveryState.DEFERRED), deliveries.c.next_attempt_at > now, deliveries.c.reply_text == PACED)
    statement = update(deliveries).where(deliveries.c.edition_id == edition_id, waiting).values(next_attempt_at=now)
    return connection.execute(statement).rowcount


def renew_leases(connection: Connection, owner: str, lease_until: datetime) -> int:
    """Keep all that `owner` holds until `lease_until`; return how many deliveries that are."""
    statement = update(deliveries).where(_held_by(owner)).values(lease_until=lease_until)
    return connection.execute(statement).rowcount


def list_departed(connection: Connection, owner: str) -> list[int]:
    """Return which deliveries that `owner` holds are of readers who have left or were suspended since."""
    gone = subscribers.c.state != "active"
    statement = select(deliveries.c.id).join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
    return list(connection.execute(statement.where(_held_by(owner), gone)).scalars())


def list_claimed(connection: Connection, owner: str) -> list[Delivery]:
    """Return what `owner` has claimed and not settled, in the order of their numbers."""
    rows = connection.execute(select(*_CLAIMED).where(_held_by(owner)).order_by(deliveries.c.id))
    return [_read(row, DeliveryState.SENDING) for row in rows]


def recover_deliveries(
    connection: Connection, now: datetime, is_dead: Callable[[str], bool], landing: DeliveryState
) -> int:
    """Take claimed deliveries from owners that are dead or whose lease is over; return how many.

    `landing` UNKNOWN: the mail may be out, so only the operator decides. `landing` QUEUED: the transport can't have
    repeated it, so each row goes back to where it was claimed from. Raises ValueError for any other state.
    """
    if landing not in (DeliveryState.UNKNOWN, DeliveryState.QUEUED):
        raise ValueError(f"a recovered delivery can't become {landing}")
    owners = connection.execute(select(deliveries.c.owner).where(_is(DeliveryState.SENDING)).distinct()).scalars()
    dead = [owner for owner in owners if is_dead(owner)]
    lost = and_(_is(DeliveryState.SENDING), or_(deliveries.c.owner.in_(dead), deliveries.c.lease_until <= now))
    if landing is DeliveryState.QUEUED:
        found = select(deliveries.c.id, deliveries.c.edition_id).where(lost).with_for_update()
        return _give_back(connection, connection.execute(found).all())
    statement = update(deliveries).where(lost).values(owner=None, lease_until=None, next_attempt_at=None)
    statement = statement.values(state=landing, settled_at=now, reply_code=0, reply_enhanced="", reply_text=NEVER_HEARD)
    return connection.execute(statement).rowcount


def cancel_deliveries(connection: Connection, subscriber_id: int, now: datetime) -> int:
    """Cancel what still waits for a reader who leaves; return how many. What is being sent can't be called back."""
    return cancel_deliveries_to(connection, [subscriber_id], now)


def cancel_deliveries_to(connection: Connection, subscriber_ids: Sequence[int], now: datetime) -> int:
    """Cancel what still waits for readers; return how many."""
    waiting = deliveries.c.state.in_([literal_column("'queued'"), literal_column("'deferred'")])
    theirs = is_among(connection, deliveries.c.subscriber_id, subscriber_ids)
    return connection.execute(_cancelled(now, NO_LONGER_DUE).where(theirs, waiting)).rowcount


def cancel_waiting(connection: Connection, edition_id: int, now: datetime) -> int:
    """Cancel what is queued and deferred of an edition that is being cancelled; return how many."""
    cancelled = 0
    for state in _AGAIN:
        waiting = and_(deliveries.c.edition_id == edition_id, _is(state))
        cancelled += connection.execute(_cancelled(now, EDITION_CANCELLED).where(waiting)).rowcount
    return cancelled


def count_deliveries(connection: Connection, edition_id: int) -> Audit:
    """Count an edition's rows by state against its audience (0 before it is published). Raises NotFoundError."""
    edition = connection.execute(select(editions.c.audience).where(editions.c.id == edition_id)).one_or_none()
    if edition is None:
        raise NotFoundError(f"There is no edition with the number {edition_id}.")
    counts = [func.count().filter(_is(state)).label(state) for state in DeliveryState]  # grouped, all would be sorted
    statement = select(*counts).where(deliveries.c.edition_id == edition_id)
    found: dict[str, int] = dict(connection.execute(statement).one()._mapping)
    queued = found.pop("sending") + found.pop("queued")
    return Audit(audience=edition.audience or 0, queued=queued, **found)


def count_replies(connection: Connection, edition_id: int, limit: int = 20) -> list[ReplyCount]:
    """Return why readers of an edition failed, wait, are unknown or excluded: the `limit` most frequent, most first."""
    ours = case((_is(DeliveryState.EXCLUDED), deliveries.c.reply_text), else_="")  # servers write each as they please
    grouped = (deliveries.c.state, deliveries.c.reply_code, deliveries.c.reply_enhanced, ours)
    statement = (
        select(*grouped[:3], func.min(deliveries.c.reply_text), func.count())
        .where(deliveries.c.edition_id == edition_id, deliveries.c.state.in_(_EXPLAINED))
        .group_by(*grouped)
        .order_by(func.count().desc(), *grouped)
        .limit(limit)
    )
    rows = connection.execute(statement)
    return [ReplyCount(DeliveryState(state), code, enhanced, text, n) for state, code, enhanced, text, n in rows]


def list_deliveries(
    connection: Connection, edition_id: int, state: DeliveryState | None = None, after_id: int = 0, limit: int = 1000
) -> list[Delivery]:
    """Return up to `limit` deliveries with a number above `after_id`, in the order of their numbers."""
    statement = select(*_CLAIMED, deliveries.c.state)
    statement = statement.where(deliveries.c.edition_id == edition_id, deliveries.c.id > after_id)
    if state is not None:
        statement = statement.where(_is(state))
    rows = connection.execute(statement.order_by(deliveries.c.id).limit(limit))
    return [_read(row, DeliveryState(row.state)) for row in rows]


def _candidates(edition_id: int) -> Select[Any]:
    due = and_(subscribers.c.state == "active", ~is_suppressed(subscribers.c.address_key))
    return (
        select(*_CLAIMED, due.label("due"))
        .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        .where(deliveries.c.edition_id == edition_id)
        .with_for_update(of=deliveries, skip_locked=True)
    )


def _due_again(edition_id: int, now: datetime, stage: int) -> Select[Any]:
    due = and_(_is(DeliveryState.DEFERRED), deliveries.c.next_attempt_at <= now, deliveries.c.stage <= stage)
    return _candidates(edition_id).where(due).order_by(deliveries.c.next_attempt_at, deliveries.c.id)


def _untried(edition_id: int, stage: int) -> Select[Any]:
    waiting = and_(_is(DeliveryState.QUEUED), deliveries.c.stage <= stage)
    return _candidates(edition_id).where(waiting).order_by(deliveries.c.stage, deliveries.c.id)


def _hold_controls(
    connection: Connection, edition_ids: Collection[int]
) -> dict[int, tuple[ControlState, datetime | None]]:
    """Return each edition's control and since when; nobody changes it before this transaction ends.

    Without that, PostgreSQL would let a row go back into the queue of an edition that is being cancelled.
    """
    columns = (editions.c.id, editions.c.control, editions.c.control_at)
    statement = select(*columns).where(editions.c.id.in_(edition_ids)).order_by(editions.c.id)
    rows = connection.execute(statement.with_for_update(read=True))
    return {row.id: (ControlState(row.control), row.control_at) for row in rows}


def _list_cancelled(connection: Connection, edition_ids: Collection[int]) -> dict[int, datetime]:
    """Return which of the editions are cancelled, and since when."""
    if not edition_ids:
        return {}
    found = _hold_controls(connection, edition_ids)
    return {key: at for key, (state, at) in found.items() if state is ControlState.CANCELLED and at is not None}


def _list_held(connection: Connection, owner: str, ids: Sequence[int]) -> Sequence[Row[int, int]]:
    """Return number and edition of those deliveries that `owner` holds, and keep them for this transaction."""
    columns = select(deliveries.c.id, deliveries.c.edition_id)
    statement = columns.where(is_among(connection, deliveries.c.id, ids), _is_owned_by(owner))
    return connection.execute(statement.with_for_update()).all()


def _list_dropped(connection: Connection, owner: str, ids: Sequence[int]) -> set[int]:
    """Return which of those that `owner` holds can't wait for another try: their edition is cancelled."""
    held = _list_held(connection, owner, ids)
    cancelled = _list_cancelled(connection, {row.edition_id for row in held})
    return {row.id for row in held if row.edition_id in cancelled}


def _write_settled(connection: Connection, owner: str, settlements: Sequence[Settlement]) -> set[int]:
    """Write settlements into those rows that `owner` holds; return the numbers of these rows."""
    batch = tabulate(connection, _SETTLED, [_values(settlement) for settlement in settlements])
    mine = and_(deliveries.c.id == batch.pop("id"), _is_owned_by(owner))
    statement = update(deliveries).where(mine).values(batch).values(owner=None, lease_until=None)
    return set(connection.execute(statement.returning(deliveries.c.id)).scalars())


def _give_back(connection: Connection, rows: Sequence[Row[int, int]]) -> int:
    """Return claimed rows to the state they came from, or cancel them where their edition was; return how many."""
    cancelled = _list_cancelled(connection, {row.edition_id for row in rows})
    resting = [row.id for row in rows if row.edition_id not in cancelled]
    if resting:
        statement = update(deliveries).where(is_among(connection, deliveries.c.id, resting))
        connection.execute(statement.values(state=_RESTING, owner=None, lease_until=None))
    for edition_id, cancelled_at in cancelled.items():
        _cancel(connection, [row.id for row in rows if row.edition_id == edition_id], cancelled_at, EDITION_CANCELLED)
    return len(rows)


def _hold(connection: Connection, ids: Sequence[int], owner: str, lease_until: datetime) -> None:
    if ids:
        statement = update(deliveries).where(is_among(connection, deliveries.c.id, ids))
        connection.execute(statement.values(state=DeliveryState.SENDING, owner=owner, lease_until=lease_until))


def _cancel(connection: Connection, ids: Sequence[int], now: datetime, reason: str) -> None:
    if ids:
        connection.execute(_cancelled(now, reason).where(is_among(connection, deliveries.c.id, ids)))


def _cancelled(now: datetime, reason: str) -> Update:
    gone = update(deliveries).values(owner=None, lease_until=None, next_attempt_at=None, settled_at=now)
    return gone.values(state=DeliveryState.CANCELLED, reply_code=0, reply_enhanced="", reply_text=reason)


def _drop(settlement: Settlement) -> Settlement:
    """Cancel what would be tried again; what its server said is kept."""
    return settlement._replace(state=DeliveryState.CANCELLED, next_attempt_at=None)


def _held_by(owner: str) -> ColumnElement[bool]:
    return and_(_is(DeliveryState.SENDING), deliveries.c.owner == owner)


def _is_owned_by(owner: str) -> ColumnElement[bool]:
    """Say the same of rows that are named already, in a way that keeps SQLite from walking all that `owner` holds."""
    return func.coalesce(deliveries.c.owner, "") == owner


def _values(settlement: Settlement) -> tuple[Any, ...]:
    """Return the columns of a settled row; a row that will be tried again isn't settled for good."""
    again = settlement.state in _AGAIN
    reply = settlement.reply
    return (
        settlement.delivery_id,
        settlement.state,
        settlement.attempts,
        settlement.next_attempt_at,
        None if again else settlement.settled_at,
        reply.code,
        reply.enhanced,
        reply.text.replace("\0", "")[:REPLY_LENGTH],  # PostgreSQL takes no NUL
    )


def _read(row: Sequence[Any], state: DeliveryState) -> Delivery:
    """Read the columns of `_CLAIMED` at the head of a row."""
    number, edition_id, subscriber_id, address, name, attempts, queued_at, *later = row[:13]
    next_attempt_at, settled_at, variant, code, enhanced, text = later
    reply = Reply(code, enhanced, text) if code or text else None
    ids = (number, edition_id, subscriber_id)
    return Delivery(*ids, address, name, state, attempts, queued_at, next_attempt_at, settled_at, reply, variant)
