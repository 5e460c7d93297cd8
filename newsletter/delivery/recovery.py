"""After a crash: what a dead worker held is settled by its journal, before anything new is sent.

Owns the judgement of what was left behind (`decide_recovery`, pure) and the order of cleaning up: one transaction for
each dead worker, and its journal is removed after it. Killed in between, the next one does it again to the same end.

Limit: a journal of another boot is not believed, and one that is missing says nothing. Every delivery that such a
worker had claimed becomes `unknown`: at most `[delivery] claim_ahead` of them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from newsletter import config
from newsletter.delivery.engine import PHASES
from newsletter.delivery.journal import Noted, Remains, open_remains
from newsletter.delivery.policy import Fault, Phase, decide_outcome, decide_settlement
from newsletter.model.delivery import Delivery, DeliveryState, Reply, Settlement, Unknown
from newsletter.store.database import Database
from newsletter.store.deliveries import (
    NEVER_HEARD,
    list_claimed,
    recover_deliveries,
    release_deliveries,
    settle_deliveries,
)


@dataclass(frozen=True, slots=True)
class Recovery:
    """What becomes of a dead worker's deliveries: settled, or given back since they never were on the wire."""

    settlements: tuple[Settlement, ...]
    released: tuple[int, ...]


def recover(
    database: Database,
    folder: Path,
    boot: str,
    rules: config.Delivery,
    now: datetime,
    is_dead: Callable[[str], bool],
) -> int:
    """Settle what dead workers held; return how many deliveries that were. Safe while other workers are at work."""
    count = 0
    with open_remains(folder, boot) as left:
        for remains in left:
            with database.transaction() as connection:
                found = decide_recovery(remains, list_claimed(connection, remains.owner), rules, now)
                settle_deliveries(connection, remains.owner, found.settlements)
                release_deliveries(connection, remains.owner, found.released)
            count += len(found.settlements) + len(found.released)
        with database.transaction() as connection:
            return count + recover_deliveries(connection, now, is_dead, DeliveryState.UNKNOWN)


def decide_recovery(remains: Remains, claimed: Sequence[Delivery], rules: config.Delivery, now: datetime) -> Recovery:
    """Decide for each claimed delivery by what the journal noted: answered, on the wire, or never begun."""
    noted = {note.delivery_id: note for note in remains.noted}
    settlements: list[Settlement] = []
    released: list[int] = []
    for delivery in claimed:
        settlement = _judge(delivery, noted, remains.trusted, rules, now)
        if settlement is None:
            released.append(delivery.id)
        else:
            settlements.append(settlement)
    return Recovery(tuple(settlements), tuple(released))


def _judge(
    delivery: Delivery, noted: Mapping[int, Noted], trusted: bool, rules: config.Delivery, now: datetime
) -> Settlement | None:
    note = noted.get(delivery.id)
    if trusted and note is None:
        return None
    if note is None or note.reply is None:
        return decide_settlement(delivery, Unknown(Reply(0, "", NEVER_HEARD)), now, rules, 1.0)
    verdict = decide_outcome(note.reply, PHASES[note.phase] if note.phase < len(PHASES) else Phase.DOT)
    return None if isinstance(verdict, Fault) else decide_settlement(delivery, verdict, now, rules, 1.0)
