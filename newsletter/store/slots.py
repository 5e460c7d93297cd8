"""Slots: when something is due, and what became of it. A slot is decided once, whoever comes first.

Owns the conditions under which a slot may change: every change is one statement that finds the slot as it was when the
change was decided, or changes nothing and says so. A published slot never changes again, but for its report. Every
function works inside the caller's transaction.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from newsletter.errors import NewsletterError, NotFoundError
from newsletter.model.edition import EditionKind
from newsletter.model.slot import OPEN, Plan, Slot, SlotChange, SlotKey, SlotState, Why
from newsletter.store.schema import editions, slots


def load_slots(connection: Connection, since: datetime) -> list[Slot]:
    """Return every slot that is due from an instant on, and every open one, in the order of their times."""
    return _list(connection, or_(slots.c.due_at >= since, _is_open()))


def list_open_slots(connection: Connection) -> list[Slot]:
    """Return the slots that are due or held, in the order of their times."""
    return _list(connection, _is_open())


def list_unreported_slots(connection: Connection) -> list[Slot]:
    """Return the published slots that aren't over: the editor hasn't had the report of their editions."""
    return _list(connection, and_(slots.c.state == SlotState.PUBLISHED, slots.c.reported_at.is_(None)))


def find_slot(connection: Connection, key: SlotKey) -> Slot | None:
    """Return a slot, or None where none was planned."""
    return next(iter(_list(connection, _named(key))), None)


def find_slot_of(connection: Connection, edition_id: int) -> Slot | None:
    """Return the slot that an edition was published for, or None."""
    return next(iter(_list(connection, slots.c.edition_id == edition_id)), None)


def is_overtaken(connection: Connection, slot: Slot, now: datetime) -> bool:
    """Return whether the next slot of a kind has come."""
    later = and_(slots.c.kind == slot.key.kind, slots.c.due_at > slot.due_at, slots.c.due_at <= now)
    return connection.execute(select(1).where(later).limit(1)).one_or_none() is not None


def plan_slots(
    connection: Connection, new: Iterable[Plan], moved: Iterable[Plan], gone: Iterable[SlotKey], now: datetime
) -> None:
    """Make slots, and move or take away those that are still to come; what another process planned first stands."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    rows = [{**_plan_values(plan, now), "kind": plan.key.kind, "day": plan.key.day} for plan in new]
    if rows:
        made = dialect.insert(slots).on_conflict_do_nothing()
        connection.execute(made, [{**row, "state": SlotState.DUE} for row in rows])
    for plan in moved:
        changes = {**_plan_values(plan, now), "warned_at": None}
        connection.execute(update(slots).where(_named(plan.key), _is_coming(now)).values(changes))
    for key in gone:
        connection.execute(delete(slots).where(_named(key), _is_coming(now)))


def claim_slot(
    connection: Connection,
    slot: Slot,
    owner: str,
    lease_until: datetime,
    now: datetime,
    is_dead: Callable[[str], bool],
) -> bool:
    """Take a slot in order to publish it; return False if it has changed since, or another has it and lives.

    The claim keeps others from doing the same work. That nobody does it twice rests on `publish_slot`.
    """
    row = connection.execute(select(slots).where(_named(slot.key), _is_open()).with_for_update()).one_or_none()
    if row is None:
        return False
    held = row.owner not in (None, owner) and row.lease_until > now and not is_dead(row.owner)
    if held:
        return False
    connection.execute(update(slots).where(_named(slot.key)).values(owner=owner, lease_until=lease_until))
    return True


def publish_slot(connection: Connection, key: SlotKey, edition_id: int, now: datetime, owner: str) -> bool:
    """Write down that a slot is published; False: `owner` no longer has it, so nothing may be published for it.

    Belongs into the transaction that publishes the edition: both are kept, or neither.
    """
    values = {"state": SlotState.PUBLISHED, "edition_id": edition_id, "decided_at": now, **_WITHOUT_WHY, **_FREE}
    statement = update(slots).where(_named(key), _is_open(), slots.c.owner == owner)
    return connection.execute(statement.values(values)).rowcount == 1


def adopt_slot(connection: Connection, slot: Slot, edition_id: int, now: datetime) -> bool:
    """Write down that a slot's edition was published otherwise; return False if the slot has changed since."""
    values = {"state": SlotState.PUBLISHED, "edition_id": edition_id, "decided_at": now, **_WITHOUT_WHY, **_FREE}
    unpublished = slots.c.state != SlotState.PUBLISHED
    return connection.execute(update(slots).where(_as_it_was(slot, now), unpublished).values(values)).rowcount == 1


def settle_slot(connection: Connection, slot: Slot, state: SlotState, why: Why, detail: str, now: datetime) -> bool:
    """Write down that a slot isn't published, and why; return False if it has changed since, or is being published."""
    values = {"state": state, "why": why, "detail": detail.replace("\0", ""), "decided_at": now, **_FREE}
    return connection.execute(update(slots).where(_as_it_was(slot, now), _is_open()).values(values)).rowcount == 1


def give_back_slot(
    connection: Connection, key: SlotKey, owner: str, state: SlotState, why: Why, detail: str, now: datetime
) -> bool:
    """Give back a slot that `owner` couldn't publish, in another state; False if he no longer had it."""
    values = {"state": state, "why": why, "detail": detail.replace("\0", ""), "decided_at": now}
    statement = update(slots).where(_named(key), _is_open(), slots.c.owner == owner)
    return connection.execute(statement.values({**values, **_FREE})).rowcount == 1


def reopen_slot(connection: Connection, slot: Slot, now: datetime) -> bool:
    """Make a slot due again that was given up or held; return False if it has changed since."""
    values = {"state": SlotState.DUE, "decided_at": None, "told": "", "told_at": None, **_WITHOUT_WHY, **_FREE}
    unpublished = slots.c.state != SlotState.PUBLISHED
    statement = update(slots).where(_as_it_was(slot, now), unpublished)
    return connection.execute(statement.values(values)).rowcount == 1


def skip_slot(connection: Connection, key: SlotKey, now: datetime, reason: str = "") -> SlotChange:
    """Put a slot down in an operator's name: nothing goes out for it by itself any more. Twice changes nothing.

    Whoever is about to publish it finds in `publish_slot` that it is his no more. Raises NotFoundError, and
    NewsletterError for one that is published.
    """
    before = _lock(connection, key)
    if before.state is SlotState.PUBLISHED:
        raise NewsletterError(_describe_published(connection, before))
    if before.state is not SlotState.SKIPPED:
        detail = reason.replace("\0", "")
        values = {"state": SlotState.SKIPPED, "why": Why.OPERATOR, "detail": detail, "decided_at": now, **_FREE}
        connection.execute(update(slots).where(_named(key)).values(values))
    return SlotChange(before, _lock(connection, key))


def unskip_slot(connection: Connection, key: SlotKey, now: datetime) -> SlotChange:
    """Make a slot due again that an operator has put down; one that is open stays as it is.

    Raises NotFoundError, and NewsletterError for one that is over for another reason.
    """
    before = _lock(connection, key)
    if not before.open:
        if (before.state, before.why) != (SlotState.SKIPPED, Why.OPERATOR):
            raise NewsletterError(f"{key} is {before.state}, and by no operator's word, so there is nothing to undo.")
        reopen_slot(connection, before, now)
    return SlotChange(before, _lock(connection, key))


def note_warning(connection: Connection, slot: Slot, now: datetime) -> bool:
    """Write down that the editor is warned of a slot; return False if he was already."""
    statement = update(slots).where(_named(slot.key), slots.c.warned_at.is_(None), slots.c.state == SlotState.DUE)
    return connection.execute(statement.values(warned_at=now)).rowcount == 1


def note_telling(connection: Connection, slot: Slot, told: str, now: datetime) -> bool:
    """Write down a digest of what the editor is told of a slot; return False if another process was first."""
    statement = update(slots).where(_named(slot.key), slots.c.told == slot.told)
    return connection.execute(statement.values(told=told, told_at=now)).rowcount == 1


def note_report(connection: Connection, slot: Slot, now: datetime) -> bool:
    """Write down that a slot is over, its edition being reported; return False if it was already."""
    unreported = and_(slots.c.state == SlotState.PUBLISHED, slots.c.reported_at.is_(None))
    return connection.execute(update(slots).where(_named(slot.key), unreported).values(reported_at=now)).rowcount == 1


_FREE: dict[str, Any] = {"owner": None, "lease_until": None}
_WITHOUT_WHY: dict[str, Any] = {"why": Why.NONE, "detail": ""}


def _plan_values(plan: Plan, now: datetime) -> dict[str, Any]:
    return {"due_at": plan.due_at, "rule": plan.rule, "time_zone": plan.time_zone, "planned_at": now}


def _named(key: SlotKey) -> ColumnElement[bool]:
    return and_(slots.c.kind == key.kind, slots.c.day == key.day)


def _is_open() -> ColumnElement[bool]:
    return slots.c.state.in_(OPEN)


def _is_coming(now: datetime) -> ColumnElement[bool]:
    return and_(slots.c.state == SlotState.DUE, slots.c.due_at > now, slots.c.owner.is_(None))


def _lock(connection: Connection, key: SlotKey) -> Slot:
    row = connection.execute(select(slots).where(_named(key)).with_for_update()).one_or_none()
    if row is None:
        raise NotFoundError(
            f"No slot {key} is planned. `newsletter scheduler` and `newsletter serve` plan them by [schedule] and "
            "[rollups], three days ahead; `newsletter status` shows them."
        )
    return _read(row)


def _describe_published(connection: Connection, slot: Slot) -> str:
    slug = connection.execute(select(editions.c.slug).where(editions.c.id == slot.edition_id)).scalar_one()
    return f"{slot.key} is published. To end it for whoever still waits: newsletter cancel {slug}"


def _as_it_was(slot: Slot, now: datetime) -> ColumnElement[bool]:
    """Match a slot that nobody has decided since it was read, and that nobody is publishing."""
    same = and_(slots.c.state == slot.state, slots.c.why == slot.why, slots.c.due_at == slot.due_at)
    return and_(_named(slot.key), same, or_(slots.c.owner.is_(None), slots.c.lease_until <= now))


def _list(connection: Connection, which: ColumnElement[bool]) -> list[Slot]:
    rows = connection.execute(select(slots).where(which).order_by(slots.c.due_at, slots.c.kind, slots.c.day))
    return [_read(row) for row in rows]


def _read(row: Row[Any]) -> Slot:
    plan = Plan(SlotKey(EditionKind(row.kind), row.day), row.due_at, row.rule, row.time_zone)
    names = ("detail", "decided_at", "edition_id", "owner", "lease_until", "warned_at", "told", "told_at")
    rest = {name: row._mapping[name] for name in names}
    return Slot(plan, SlotState(row.state), Why(row.why), **rest, reported_at=row.reported_at)
