"""What people do to an edition under way: pause, resume, cancel it, and decide about its unknown deliveries.

Owns the control of an edition (`model.control`) and the operator's word on who is unknown. A sender at work sees a
change at its next page of the books: no row is claimed unless the edition runs. What is being sent can't be called
back. Every function works inside the caller's transaction, whose commit is the instant at which its order counts.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, exists, literal_column, or_, select, update

from newsletter.errors import NewsletterError, NotFoundError
from newsletter.mail.address import fold_address
from newsletter.model.control import Control, ControlChange, ControlState
from newsletter.model.delivery import Delivery, DeliveryState
from newsletter.store.deliveries import cancel_waiting, list_deliveries
from newsletter.store.editions import EditionState
from newsletter.store.schema import deliveries, editions

TAKEN_AS_SENT = "taken as sent: the operator said so"
SENT_AGAIN = "queued again: the operator said so"

_CHUNK = 1000


_COLUMNS = tuple(editions.c[name] for name in ("id", "slug", "state", "control", "control_reason", "control_at"))


def load_control(connection: Connection, edition_id: int) -> Control:
    """Return whether an edition may go on, and if not, why. Raises NotFoundError."""
    row = connection.execute(select(*_COLUMNS).where(editions.c.id == edition_id)).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no edition with the number {edition_id}.")
    return _read(row)


def pause_edition(connection: Connection, edition_id: int, now: datetime, reason: str = "") -> ControlChange:
    """Begin no more mail until `resume_edition`; one that doesn't run stays as it is.

    Raises NotFoundError, and NewsletterError where nobody waits or the edition was cancelled.
    """
    row = _lock(connection, edition_id)
    _refuse_cancelled(row)
    _refuse_finished(connection, row)
    return _change(connection, row, Control(ControlState.PAUSED, reason, now), leaving=(ControlState.RUNNING,))


def resume_edition(connection: Connection, edition_id: int, now: datetime) -> ControlChange:
    """Let a paused or halted edition go on; one that runs stays as it is. Raises as `pause_edition`, for cancelled."""
    row = _lock(connection, edition_id)
    _refuse_cancelled(row)
    stopped = (ControlState.PAUSED, ControlState.HALTED)
    return _change(connection, row, Control(ControlState.RUNNING, "", now), leaving=stopped)


def cancel_edition(connection: Connection, edition_id: int, now: datetime, reason: str = "") -> ControlChange:
    """End an edition for good: whoever waits gets no mail. Doing it twice changes nothing.

    What is being sent finishes by itself; what comes back from there unsent is cancelled, too. Raises NotFoundError,
    and NewsletterError where nobody waits.
    """
    row = _lock(connection, edition_id)
    if row.control != ControlState.CANCELLED:
        _refuse_finished(connection, row)
    alive = (ControlState.RUNNING, ControlState.PAUSED, ControlState.HALTED)
    change = _change(connection, row, Control(ControlState.CANCELLED, reason, now), leaving=alive)
    if not change.changed:
        return change
    return ControlChange(change.before, change.after, cancel_waiting(connection, edition_id, now))


def halt_edition(connection: Connection, edition_id: int, now: datetime, reason: str) -> ControlChange:
    """Stop an edition because its answers look wrong (`delivery.stages`); only `resume_edition` lets it go on.

    One that was paused meanwhile becomes halted, so that nobody resumes it without the reason; a cancelled one stays.
    """
    row = _lock(connection, edition_id)
    alive = (ControlState.RUNNING, ControlState.PAUSED)
    return _change(connection, row, Control(ControlState.HALTED, reason, now), leaving=alive)


def list_unknown(connection: Connection, edition_id: int) -> list[Delivery]:
    """Return the deliveries of an edition of which nobody knows whether they arrived, in the order of their numbers."""
    found: list[Delivery] = []
    while page := list_deliveries(connection, edition_id, DeliveryState.UNKNOWN, found[-1].id if found else 0):
        found += page
    return found


def resend_unknown(
    connection: Connection, edition_id: int, now: datetime, addresses: Iterable[str] | None = None
) -> list[Delivery]:
    """Queue unknown deliveries again, of these addresses or all, and return them as they were.

    The mail has the same Message-ID and the same bytes, and the patience for it begins anew. Raises NotFoundError for
    an address that isn't unknown, NewsletterError for a cancelled edition; nothing is changed then.
    """
    _refuse_cancelled(_lock(connection, edition_id))
    chosen = _choose(list_unknown(connection, edition_id), addresses)
    note = {"reply_code": 0, "reply_enhanced": "", "reply_text": SENT_AGAIN}
    return _move(connection, chosen, {"state": DeliveryState.QUEUED, "queued_at": now, "settled_at": None, **note})


def accept_unknown(
    connection: Connection, edition_id: int, now: datetime, addresses: Iterable[str] | None = None
) -> list[Delivery]:
    """Take unknown deliveries as sent, of these addresses or all, and return them as they were; the note stays.

    Raises NotFoundError for an address that isn't unknown; nothing is changed then.
    """
    _lock(connection, edition_id)
    chosen = _choose(list_unknown(connection, edition_id), addresses)
    note = {"reply_code": 0, "reply_enhanced": "", "reply_text": TAKEN_AS_SENT}
    return _move(connection, chosen, {"state": DeliveryState.SENT, "settled_at": now, **note})


def _lock(connection: Connection, edition_id: int) -> Row[Any]:
    """Return an edition that may be controlled, and keep it for this transaction."""
    statement = select(*_COLUMNS).where(editions.c.id == edition_id).with_for_update()
    row = connection.execute(statement).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no edition with the number {edition_id}.")
    if row.state != EditionState.PUBLISHED:
        raise NewsletterError(f"{row.slug} is frozen and nobody was mailed, so there is nothing under way to control.")
    return row


def _read(row: Row[Any]) -> Control:
    return Control(ControlState(row.control), row.control_reason, row.control_at)


def _refuse_cancelled(row: Row[Any]) -> None:
    if row.control == ControlState.CANCELLED:
        raise NewsletterError(
            f"{row.slug} was cancelled on {row.control_at:%Y-%m-%d at %H:%M} UTC, and that is final: no more of it is "
            "sent. To mail the rest, publish it as a new issue."
        )


def _refuse_finished(connection: Connection, row: Row[Any]) -> None:
    open_states = [deliveries.c.state == literal_column(f"'{state}'") for state in ("queued", "deferred", "sending")]
    waiting = or_(*(exists().where(deliveries.c.edition_id == row.id, state) for state in open_states))
    if not connection.execute(select(waiting)).scalar_one():
        raise NewsletterError(f"Nobody waits for {row.slug} any more: there is nothing to stop.")


def _change(connection: Connection, row: Row[Any], after: Control, leaving: Sequence[ControlState]) -> ControlChange:
    before = _read(row)
    if before.state not in leaving:
        return ControlChange(before, before)
    values = {"control": after.state, "control_reason": after.reason, "control_at": after.changed_at}
    connection.execute(update(editions).where(editions.c.id == row.id).values(values))
    return ControlChange(before, after)


def _choose(unknown: Sequence[Delivery], addresses: Iterable[str] | None) -> list[Delivery]:
    if addresses is None:
        return list(unknown)
    wanted = {fold_address(address.strip()): address for address in addresses}
    chosen = [delivery for delivery in unknown if fold_address(delivery.address) in wanted]
    missing = wanted.keys() - {fold_address(delivery.address) for delivery in chosen}
    if missing:
        names = ", ".join(sorted(wanted[key] for key in missing))
        raise NotFoundError(
            f"Not among the unknown: {names}. Nothing was changed; `newsletter unknown list` shows all."
        )
    return chosen


def _move(connection: Connection, chosen: Sequence[Delivery], values: dict[str, Any]) -> list[Delivery]:
    for start in range(0, len(chosen), _CHUNK):
        ids = [delivery.id for delivery in chosen[start : start + _CHUNK]]
        unknown = deliveries.c.state == literal_column("'unknown'")
        connection.execute(update(deliveries).where(deliveries.c.id.in_(ids), unknown).values(values))
    return list(chosen)
