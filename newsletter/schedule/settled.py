"""Takes letters to the editor back that still wait though their matter is settled, and sends the rest.

A relay that is away keeps letters waiting, too. When it is back, the one that says so, or that an issue is held, may be
about what has gone out meanwhile, or is about to; then the report of it is enough. Whoever sends letters asks here
first. One about trouble that has been put off waits until that has failed once more, for `HELD_BACK` at the most: what
is sent next may end it.

**Limit.** One that is on the wire when its matter is settled arrives. A warning stays until its slot is decided, though
the issue may be mended. Calls of the webhook aren't taken back: a machine gets every event, in order.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Final

from newsletter.app import App
from newsletter.delivery.notices import NoticeTally
from newsletter.logs import get_logger
from newsletter.model.edition import EditionKind
from newsletter.model.notice import WaitingNotice
from newsletter.model.slot import Slot, SlotKey, SlotState, Why
from newsletter.notifying import send_notices
from newsletter.schedule.policy_troubles import Known
from newsletter.schedule.reporting import list_halt_keys
from newsletter.schedule.telling import KIND
from newsletter.schedule.troubles import load_trouble, withdraw_telling
from newsletter.store.database import Connection, Database, read_clock
from newsletter.store.notices import list_waiting, withdraw_notices
from newsletter.store.slots import find_slot

HELD_BACK: Final = timedelta(minutes=45)
"""Longer than a sender rests after trouble (`delivering.LONGEST_REST`)."""

_log = get_logger(__name__)


def send_letters(
    app: App, clock: Callable[[], datetime] = read_clock, should_stop: Callable[[], bool] = lambda: False
) -> NoticeTally:
    """Send every letter that is due now and still says something new. Raises as `send_notices`."""
    withdrawn = withdraw_settled(app.database)
    if withdrawn:
        _log.info("letters withdrawn", letters=withdrawn, reason="what they are about is settled")
    return send_notices(app, clock=clock, should_stop=should_stop, without=list_premature(app.database, clock()))


def withdraw_settled(database: Database) -> int:
    """Delete letters to the editor that wait and whose matter is settled; return how many. One transaction."""
    with database.read() as connection:
        if not any(_is_settled(connection, letter.key) for letter in list_waiting(connection, KIND)):
            return 0
    with database.transaction() as connection:
        settled = [letter for letter in list_waiting(connection, KIND) if _is_settled(connection, letter.key)]
        for letter in settled:
            if letter.key.startswith(_TROUBLE):  # nobody was told of it, so he is told at once when it comes back
                withdraw_telling(connection, _digest_of(letter.key))
        return withdraw_notices(connection, [letter.id for letter in settled])


def list_premature(database: Database, now: datetime) -> list[int]:
    """Return the numbers of letters about trouble that isn't known to last any more."""
    with database.read() as connection:
        waiting = [letter for letter in list_waiting(connection, KIND) if letter.key.startswith(_TROUBLE)]
        known = {letter.id: load_trouble(connection, _digest_of(letter.key)) for letter in waiting}
    return [letter.id for letter in waiting if is_premature(letter, known[letter.id], now)]


def is_premature(letter: WaitingNotice, known: Known | None, now: datetime) -> bool:
    """Return whether a letter about trouble had better wait until that has been tried again, since it was put off."""
    if known is None or not letter.put_off:
        return False
    return known.failed_at < letter.due_at and now < letter.due_at + HELD_BACK


_TROUBLE: Final = "trouble:"


def _digest_of(key: str) -> str:
    return key.split(":")[2]


def _is_settled(connection: Connection, key: str) -> bool:
    """Return whether what a letter is about is over, by its key (`events`)."""
    kind, *about = key.split(":")
    if kind == "trouble":
        known = load_trouble(connection, _digest_of(key))
        return known is not None and not known.lasts
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
