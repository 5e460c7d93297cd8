"""After a crash: what a dead worker held is settled by its journal, before anything new is sent.

Owns the judgement of what was left behind (`decide_recovery`, pure) and the order of cleaning up: one transaction for
each dead worker, and its journal is removed after it. Killed in between, the next one does it again to the same end.

Limit: a journal of another boot may be older than what was sent, and one that is missing says nothing. Of what such a
worker had claimed only an acceptance is believed, which can't grow old; the rest becomes `unknown`: at most
`[delivery] claim_ahead` deliveries.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from newsletter import config
from newsletter.delivery.desk import PHASES
from newsletter.delivery.journal import Noted, Remains, name_journal, open_remains
from newsletter.delivery.policy import Fault, Phase, decide_outcome, decide_settlement
from newsletter.model.delivery import Accepted, Delivery, DeliveryState, Reply, Settlement, Unknown
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
    with open_remains(folder, boot, lambda remains: _is_ours(database, remains)) as left:
        for remains in left:
            with database.transaction() as connection:
                found = decide_recovery(remains, list_claimed(connection, remains.owner), rules, now)
                settle_deliveries(connection, remains.owner, found.settlements)
                release_deliveries(connection, remains.owner, found.released)
            count += len(found.settlements) + len(found.released)

        def is_lost(owner: str) -> bool:
            """Leave to the next recovery who has died since the journals were looked at: his is still there."""
            path = name_journal(folder, owner)
            return is_dead(owner) and (path in [remains.path for remains in left] or not path.exists())

        with database.transaction() as connection:
            return count + recover_deliveries(connection, now, is_lost, DeliveryState.UNKNOWN)


def name_ledger(database: Database) -> str:
    """Return what a journal calls the ledger it belongs to; the same for every path that leads to one SQLite file."""
    if database.dialect == "sqlite":
        return name_ledger_file(Path(database.name))
    return sha256(database.name.encode()).hexdigest()


def name_ledger_file(path: Path) -> str:
    """Return what a journal calls the ledger in a SQLite file, which may be damaged."""
    return sha256(str(path.resolve()).encode()).hexdigest()


def _is_ours(database: Database, remains: Remains) -> bool:
    """Return whether a journal tells of this database: by its name, or, should that have changed, by its owner."""
    if remains.ledger in ("", name_ledger(database)):
        return True
    with database.read() as connection:
        return bool(list_claimed(connection, remains.owner))


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
    unheard = decide_settlement(delivery, Unknown(Reply(0, "", NEVER_HEARD)), now, rules, 1.0)
    if note is None or note.reply is None:
        return unheard
    verdict = decide_outcome(note.reply, PHASES[note.phase] if note.phase < len(PHASES) else Phase.DOT)
    if not trusted and not isinstance(verdict, Accepted):
        return unheard  # a refusal may be an earlier try's, and a later one accepted
    return None if isinstance(verdict, Fault) else decide_settlement(delivery, verdict, now, rules, 1.0)
