"""Trouble of ours: kept in the marks, told to the editor at once and once, shown while it lasts.

The commit instant is the caller's transaction, in which the mail is written and the mark set.
"""

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Final

from newsletter.schedule.events import compose_trouble, digest_trouble
from newsletter.schedule.policy_troubles import SEEN, Known, Trouble, decide_known
from newsletter.schedule.telling import Teller
from newsletter.store.database import Connection
from newsletter.store.marks import Mark, load_mark, load_marks, set_mark

AGAIN: Final = "It is tried again by itself."
_PREFIX: Final = "trouble:"
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST: Final = 1000


def tell_trouble(connection: Connection, teller: Teller, trouble: Trouble, now: datetime, way_out: str = AGAIN) -> bool:
    """Note trouble that has just come, and tell the editor unless he knows; return whether he is told."""
    known, tells = decide_known(_load(load_mark(connection, _key(trouble.what))), trouble, now)
    _save(connection, known)
    return tells and teller.tell(connection, compose_trouble(trouble.what, trouble.problem, now, way_out), now)


def end_trouble(connection: Connection, what: str) -> bool:
    """Note that something went well; return whether it was in trouble."""
    known = _load(load_mark(connection, _key(what)))
    if known is None or not known.lasts:
        return False
    _save(connection, replace(known, lasts=False))
    return True


def load_trouble(connection: Connection, digest: str) -> Known | None:
    """Return what is kept of trouble, by the digest in its event's key."""
    return _load(load_mark(connection, _PREFIX + digest))


def withdraw_telling(connection: Connection, digest: str) -> None:
    """Note that the editor wasn't told after all: what comes back is told at once."""
    known = _load(load_mark(connection, _PREFIX + digest))
    if known is not None:
        _save(connection, replace(known, told_at=_NEVER))


def list_troubles(connection: Connection, now: datetime) -> list[Known]:
    """Return the trouble that lasts, oldest first; what hasn't been tried again for long isn't known to last."""
    found = [_load(mark) for mark in load_marks(connection, _PREFIX).values()]
    lasting = [known for known in found if known and known.lasts and abs(now - known.failed_at) < SEEN]
    return sorted(lasting, key=lambda known: known.since)


def _key(what: str) -> str:
    return _PREFIX + digest_trouble(what)


def _save(connection: Connection, known: Known) -> None:
    trouble = replace(known.trouble, problem=known.trouble.problem[:_LONGEST])
    kept = {**asdict(replace(known, trouble=trouble)), "told_at": known.told_at.isoformat()}
    text = json.dumps({**kept, "since": known.since.isoformat(), "failed_at": None})
    set_mark(connection, _key(trouble.what), known.failed_at, text)


def _load(mark: Mark | None) -> Known | None:
    if mark is None:
        return None
    kept = json.loads(mark.text)
    times = {name: datetime.fromisoformat(kept[name]) for name in ("told_at", "since")}
    return Known(**{**kept, **times, "trouble": Trouble(**kept["trouble"]), "failed_at": mark.at})
