"""Decides what is due: gathers, asks `policy`, applies.

Owns the order of a slot. It is claimed, so that others leave it alone; its edition is made and the site written; then
one transaction publishes the edition and the slot. Killed before that transaction, nobody was mailed, and the next
process begins again; killed after it, the slot is published, and `delivery` goes on with who is left. A process that
has lost its claim meanwhile can't publish: the transaction asks for it.

**Limit.** Two processes may both check the issue and write the site, when the first is slower than its lease; mail is
committed by one of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from newsletter import config
from newsletter.errors import NewsletterError
from newsletter.logs import get_logger
from newsletter.model.edition import EditionKind
from newsletter.model.slot import Slot, SlotKey, SlotState, Why
from newsletter.schedule.calendar import BACKLOG, Calendar
from newsletter.schedule.events import (
    STATES_TOLD,
    Event,
    compose_given_up,
    compose_held,
    compose_warning,
    digest_slot,
)
from newsletter.schedule.policy import (
    Absent,
    Adopt,
    Decision,
    Findings,
    Publish,
    Reopen,
    Settle,
    decide_slot,
    decide_telling,
    decide_warning,
    find_grace,
    needs_findings,
)
from newsletter.schedule.telling import Teller
from newsletter.store.database import Connection, Database
from newsletter.store.slots import (
    adopt_slot,
    claim_slot,
    find_slot,
    give_back_slot,
    is_overtaken,
    load_slots,
    note_telling,
    note_warning,
    publish_slot,
    reopen_slot,
    settle_slot,
)

LEASE: Final = timedelta(minutes=10)
"""How long the others leave a slot to a process that doesn't answer; its death on this machine is seen at once."""

_log = get_logger(__name__)

Witness = Callable[[Connection, int], None]
"""Called with an edition's number in the transaction that publishes it; what it raises undoes all of it."""


class SlotLostError(Exception):
    """Another process has the slot by now; nothing was published by this one."""


class NothingToSend(Exception):  # noqa: N818 - nothing is wrong
    """There is nothing in it for anybody: a week without an issue has no roll-up."""


@dataclass(frozen=True, slots=True)
class SlotDesk:
    """What slots are decided with. `look` says what there is for a slot; `publish` publishes it before a witness.

    `publish` raises NothingToSend, or NewsletterError for what an operator can mend.
    """

    database: Database
    calendar: Calendar
    rules: config.Schedule
    look: Callable[[Slot], Findings]
    publish: Callable[[SlotKey, Witness], None]
    teller: Teller
    owner: str
    is_dead: Callable[[str], bool]
    clock: Callable[[], datetime]


def decide_due(desk: SlotDesk) -> list[tuple[SlotKey, Decision]]:
    """Decide every slot whose time has come, and tell of it; return what was decided and changed anything."""
    decided: list[tuple[SlotKey, Decision]] = []
    for slot in _load(desk):
        try:
            decision = _decide(desk, slot)
        except Exception:  # one slot must not keep the others from going out
            _log.exception("slot not decided", slot=str(slot.key))
            continue
        if decision is not None:
            decided.append((slot.key, decision))
    tell_decided(desk)
    return decided


def _load(desk: SlotDesk) -> list[Slot]:
    with desk.database.read() as connection:
        return load_slots(connection, desk.clock() - BACKLOG)


def _decide(desk: SlotDesk, slot: Slot) -> Decision | None:
    """Decide one slot and apply it; return None where nothing changed."""
    now = desk.clock()
    findings = desk.look(slot) if needs_findings(slot, now) else None
    planned = desk.calendar.plan(slot.key) is not None
    decision = decide_slot(slot, findings, desk.rules, now, planned=planned)
    changed = _apply(desk, slot, decision, now)
    if changed:
        _log.info("slot decided", slot=str(slot.key), decision=type(decision).__name__.lower(), **_describe(decision))
    return decision if changed else None


def _apply(desk: SlotDesk, slot: Slot, decision: Decision, now: datetime) -> bool:
    if isinstance(decision, Publish):
        return _publish(desk, slot)
    with desk.database.transaction() as connection:
        if isinstance(decision, Settle):
            return settle_slot(connection, slot, decision.state, decision.why, decision.detail, now)
        if isinstance(decision, Adopt):
            return adopt_slot(connection, slot, decision.edition_id, now)
        return isinstance(decision, Reopen) and reopen_slot(connection, slot, now)


def _publish(desk: SlotDesk, slot: Slot) -> bool:
    """Publish a slot; what keeps it from that is written down, and tried again while the grace lasts."""
    now = desk.clock()
    with desk.database.transaction() as connection:
        if not claim_slot(connection, slot, desk.owner, now + LEASE, now, desk.is_dead):
            return False

    def witness(connection: Connection, edition_id: int) -> None:
        if not publish_slot(connection, slot.key, edition_id, desk.clock(), desk.owner):
            raise SlotLostError

    try:
        desk.publish(slot.key, witness)
    except SlotLostError:
        _log.warning("slot lost to another process", slot=str(slot.key))
        return False
    except NothingToSend as nothing:
        return _give_back(desk, slot, SlotState.SKIPPED, Why.NO_ISSUE, str(nothing))
    except NewsletterError as error:
        return _give_back(desk, slot, SlotState.HELD, Why.TROUBLE, str(error))
    except Exception as error:
        _log.exception("slot not published", slot=str(slot.key))
        return _give_back(desk, slot, SlotState.HELD, Why.TROUBLE, f"{type(error).__name__}: {error}")
    return True


def _give_back(desk: SlotDesk, slot: Slot, state: SlotState, why: Why, detail: str) -> bool:
    with desk.database.transaction() as connection:
        return give_back_slot(connection, slot.key, desk.owner, state, why, detail, desk.clock())


def warn_ahead(desk: SlotDesk) -> list[SlotKey]:
    """Warn the editor of issues that are missing or have errors shortly before their time; return of which."""
    warned: list[SlotKey] = []
    for slot in _load(desk):
        now = desk.clock()
        # A roll-up can't be missing; and whether anybody looks is decided before it costs anything.
        if slot.key.kind is not EditionKind.ISSUE or decide_warning(slot, Absent(), desk.rules, now) is None:
            continue
        problem = decide_warning(slot, desk.look(slot), desk.rules, now)
        if problem is None:
            continue
        event = compose_warning(slot, problem, now, desk.calendar.zone)
        with desk.database.transaction() as connection:
            if note_warning(connection, slot, now):
                desk.teller.tell(connection, event, now)
                warned.append(slot.key)
                _log.warning("issue not ready", slot=str(slot.key), due_at=slot.due_at)
    return warned


def tell_decided(desk: SlotDesk) -> list[Event]:
    """Tell the editor of what is held and what was given up: at once, and once; return what he is told."""
    chosen = [slot for slot in _load(desk) if slot.state in STATES_TOLD]
    return [event for slot in chosen if (event := _tell(desk, slot))]


def _tell(desk: SlotDesk, slot: Slot) -> Event | None:
    now, digest = desk.clock(), digest_slot(slot)
    if not decide_telling(slot, digest, now):
        return None
    event = _compose(desk, slot, now)
    with desk.database.transaction() as connection:
        current = find_slot(connection, slot.key)
        if current is None or digest_slot(current) != digest or not note_telling(connection, slot, digest, now):
            return None
        if event is not None:
            desk.teller.tell(connection, event, now)
        if slot.state is SlotState.SKIPPED and not is_overtaken(connection, slot, now):
            desk.teller.beat(connection, str(slot.key), now)  # a day without an issue went as it should
    return event


def _compose(desk: SlotDesk, slot: Slot, now: datetime) -> Event | None:
    """Return what the editor is told; nothing of what he said himself, or was warned of and has heard no more since."""
    zone = desk.calendar.zone
    if slot.state is SlotState.HELD:
        return compose_held(slot, now, zone, find_grace(desk.rules))
    if slot.state is SlotState.SKIPPED and (slot.why is Why.OPERATOR or (slot.warned_at and not slot.told)):
        return None
    return compose_given_up(slot, now, zone)


def _describe(decision: Decision) -> dict[str, object]:
    """Return a decision's fields for the log; the problems themselves are the editor's."""
    if isinstance(decision, Settle):
        return {"state": str(decision.state), "why": str(decision.why)}
    return {"edition": decision.edition_id} if isinstance(decision, Adopt) else {}
