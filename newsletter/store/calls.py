"""Calls to other programs: webhooks and heartbeats, written down with what they tell of, claimed, settled, forgotten.

A call is made at least once: whoever finds a claim whose lease is over makes it again; the other side tells by its key.
Every function works inside the caller's transaction.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, delete, func, literal_column, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from newsletter.store.schema import calls

REPLY_LENGTH = 500
_QUEUED = calls.c.state == literal_column("'queued'")


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was claimed; `attempts` counts finished tries."""

    id: int
    kind: str
    key: str
    body: str
    attempts: int
    created_at: datetime
    expires_at: datetime


def write_call(connection: Connection, kind: str, key: str, body: str, now: datetime, expires_at: datetime) -> bool:
    """Write a call down; return False, and change nothing, if one with its key was written before."""
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    values = {"kind": kind, "key": key, "body": body, "state": "queued", "attempts": 0, "created_at": now}
    values |= {"expires_at": expires_at, "next_attempt_at": now}
    statement = dialect.insert(calls).values(values).on_conflict_do_nothing().returning(calls.c.id)
    return connection.execute(statement).one_or_none() is not None


def claim_call(
    connection: Connection, owner: str, lease_until: datetime, now: datetime, is_dead: Callable[[str], bool]
) -> Call | None:
    """Claim the oldest call that is due; one whose caller is dead or too slow is due, too."""
    _fail_expired(connection, now)
    owners = connection.execute(select(calls.c.owner).where(calls.c.state == "calling").distinct()).scalars()
    dead = [name for name in owners if is_dead(name)]
    lost = and_(calls.c.state == "calling", or_(calls.c.lease_until <= now, calls.c.owner.in_(dead)))
    due = or_(and_(_QUEUED, calls.c.next_attempt_at <= now), lost)
    statement = select(calls).where(due).order_by(calls.c.id).limit(1).with_for_update(skip_locked=True)
    row = connection.execute(statement).one_or_none()
    if row is None:
        return None
    held = {"state": "calling", "owner": owner, "lease_until": lease_until, "next_attempt_at": None}
    connection.execute(update(calls).where(calls.c.id == row.id).values(held))
    return Call(row.id, row.kind, row.key, row.body, row.attempts, row.created_at, row.expires_at)


def settle_call(
    connection: Connection, owner: str, call: Call, reply: str, now: datetime, *, done: bool, again_at: datetime | None
) -> bool:
    """Write down what came of a call; return False if `owner` no longer had it. `again_at` None: it is over."""
    state = "done" if done else "failed" if again_at is None else "queued"
    values = {"state": state, "attempts": call.attempts + 1, "reply": reply.replace("\0", "")[:REPLY_LENGTH]}
    values |= {"owner": None, "lease_until": None, "next_attempt_at": again_at if state == "queued" else None}
    values |= {"settled_at": None if state == "queued" else now}
    ours = and_(calls.c.id == call.id, calls.c.owner == owner, calls.c.state == "calling")
    return connection.execute(update(calls).where(ours).values(values)).rowcount == 1


def count_calls(connection: Connection) -> dict[str, int]:
    """Return how many calls are in each state that there is one in."""
    return dict(connection.execute(select(calls.c.state, func.count()).group_by(calls.c.state)).all())


def forget_calls(connection: Connection, before: datetime) -> int:
    """Delete calls that were settled before then; return how many."""
    return connection.execute(delete(calls).where(calls.c.settled_at < before)).rowcount


def _fail_expired(connection: Connection, now: datetime) -> None:
    over = and_(_QUEUED, calls.c.expires_at <= now)
    gone = update(calls).where(over).values(state="failed", settled_at=now, next_attempt_at=None)
    connection.execute(gone)
