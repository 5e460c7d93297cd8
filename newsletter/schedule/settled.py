"""Takes letters to the editor back that still wait though their matter is settled, and sends the rest.

A relay that is away keeps letters waiting, too. When it is back, the one that says so, or that an issue is held, may be
about what has gone out meanwhile; then the report of it is enough. Whoever sends letters asks here first.

**Limit.** One that is on the wire at that moment arrives, and so does one that is sent before what it is about has been
tried again. A warning stays until its slot is decided, though the issue may be mended. Calls of the webhook aren't
taken back: a machine gets every event, in order.
"""

from collections.abc import Callable
from datetime import date, datetime

from newsletter.app import App
from newsletter.delivery.notices import NoticeTally
from newsletter.logs import get_logger
from newsletter.model.edition import EditionKind
from newsletter.model.slot import Slot, SlotKey, SlotState, Why
from newsletter.notifying import send_notices
from newsletter.schedule.reporting import list_halt_keys
from newsletter.schedule.telling import KIND
from newsletter.schedule.troubles import is_over, withdraw_telling
from newsletter.store.database import Connection, Database, read_clock
from newsletter.store.notices import list_waiting, withdraw_notices
from newsletter.store.slots import find_slot

_log = get_logger(__name__)


def send_letters(
    app: App, clock: Callable[[], datetime] = read_clock, should_stop: Callable[[], bool] = lambda: False
) -> NoticeTally:
    """Send every letter that is due now and still says something new. Raises as `send_notices`."""
    withdrawn = withdraw_settled(app.database)
    if withdrawn:
        _log.info("letters withdrawn", letters=withdrawn, reason="what they are about is settled")
    return send_notices(app, clock=clock, should_stop=should_stop)


def withdraw_settled(database: Database) -> int:
    """Delete letters to the editor that wait and whose matter is settled; return how many. One transaction."""
    with database.read() as connection:
        if not any(_is_settled(connection, key) for _, key in list_waiting(connection, KIND)):
            return 0
    with database.transaction() as connection:
        settled = [(number, key) for number, key in list_waiting(connection, KIND) if _is_settled(connection, key)]
        for _, key in settled:
            kind, _, rest = key.partition(":")
            if kind == "trouble":  # nobody was told of it, so he is told at once when it comes back
                withdraw_telling(connection, rest.split(":")[1])
        return withdraw_notices(connection, [number for number, _ in settled])


def _is_settled(connection: Connection, key: str) -> bool:
    """Return whether what a letter is about is over, by its key (`events`)."""
    kind, *about = key.split(":")
    if kind == "trouble":
        return is_over(connection, about[1])
    if kind == "halted":
        return not any(key.startswith(f"{halt}:") for halt in list_halt_keys(connection))
    if kind not in ("warning", "held", "missed"):
        return False
    slot = find_slot(connection, SlotKey(EditionKind(about[0]), date.fromisoformat(about[1])))
    return slot is not None and is_slot_settled(slot, kind, about[2])


def is_slot_settled(slot: Slot, kind: str, digest: str) -> bool:
    """Return whether a letter of a kind says nothing of use about a slot any more; `digest`: of what it told."""
    if slot.state is SlotState.PUBLISHED or (slot.state is SlotState.SKIPPED and slot.why is Why.OPERATOR):
        return True
    if kind == "warning":
        return slot.state in (SlotState.HELD, SlotState.MISSED) and bool(slot.told)
    return kind == "held" and slot.told != digest  # a newer letter says how it stands
