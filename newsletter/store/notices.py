"""Mail that belongs to no edition: written down with what it tells of, claimed, settled, forgotten.

Owns that a notice is written once for each key, and that its words are forgotten as soon as nobody needs them. Every
function works inside the caller's transaction, so that what changed and the mail that says so are one.

A notice is sent at least once: whoever finds a claim whose lease is over sends it again, though the sender that is gone
may have sent it just before.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, delete, func, literal_column, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from newsletter.mail.address import fold_address
from newsletter.model.notice import (
    LetterKind,
    NewNotice,
    Notice,
    NoticeLine,
    NoticeSettlement,
    NoticeState,
    WaitingNotice,
)
from newsletter.store.schema import notices

REPLY_LENGTH = 500
EXPIRED = "it could not be sent in time"

_FORGOTTEN = {"text": "", "html": "", "headers": {}}
_QUEUED = notices.c.state == literal_column("'queued'")  # a literal: only then is the partial index used
_NEW = tuple(item.name for item in fields(NewNotice))
_LINE = ("id", "kind", "address", "subject", "attempts", "created_at", "next_attempt_at", "settled_at", "reply")


def write_notice(connection: Connection, new: NewNotice, now: datetime, not_before: datetime | None = None) -> bool:
    """Write a notice down; return False, and change nothing, if one with its key was written before."""
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    values = {
        "kind": new.kind,
        "key": new.key,
        "address": new.address,
        "subscriber_id": new.subscriber_id,
        "return_number": new.return_number,
        "subject": new.subject,
        "text": new.text,
        "html": new.html,
        "headers": dict(new.headers),
        "language": new.language,
        "state": NoticeState.QUEUED,
        "created_at": now,
        "expires_at": new.expires_at,
        "next_attempt_at": not_before or now,
    }
    statement = dialect.insert(notices).values(values).on_conflict_do_nothing().returning(notices.c.id)
    return connection.execute(statement).one_or_none() is not None


def claim_notices(
    connection: Connection,
    owner: str,
    lease_until: datetime,
    now: datetime,
    limit: int,
    without: Collection[int] = (),
) -> list[Notice]:
    """Claim up to `limit` notices that are due for `owner`, oldest first; no notice is given to two owners at once.

    Those of a sender whose lease is over are due, too. Those whose time is over fail on the way; `without` wait on.
    """
    _fail_expired(connection, now)
    due = or_(and_(_QUEUED, notices.c.next_attempt_at <= now), _is_lost(now))
    statement = select(notices).where(due, notices.c.id.not_in(without)).order_by(notices.c.id).limit(limit)
    rows = connection.execute(statement.with_for_update(skip_locked=True)).all()
    if rows:
        claimed = update(notices).where(notices.c.id.in_([row.id for row in rows]))
        claimed = claimed.values(state=NoticeState.SENDING, owner=owner, lease_until=lease_until, next_attempt_at=None)
        connection.execute(claimed)
    return [_read(row) for row in rows]


def release_notices(connection: Connection, now: datetime, is_dead: Callable[[str], bool]) -> int:
    """Give back what dead senders hold, to be sent by whoever comes; return how many."""
    sending = notices.c.state == NoticeState.SENDING
    owners = connection.execute(select(notices.c.owner).where(sending).distinct()).scalars()
    dead = [owner for owner in owners if is_dead(owner)]
    statement = update(notices).where(sending, notices.c.owner.in_(dead))
    freed = statement.values(state=NoticeState.QUEUED, owner=None, lease_until=None, next_attempt_at=now)
    return connection.execute(freed).rowcount if dead else 0


def settle_notices(connection: Connection, owner: str, settlements: Sequence[NoticeSettlement]) -> int:
    """Write down what became of claimed notices; return how many of them `owner` still held.

    The words of those that are sent or failed are forgotten.
    """
    held = and_(notices.c.id == bindparam("notice_id"), notices.c.owner == owner, notices.c.state == "sending")
    settled = 0
    for item in settlements:
        again = item.state is NoticeState.QUEUED
        values = {
            "state": item.state,
            "attempts": item.attempts,
            "reply": item.reply.replace("\0", "")[:REPLY_LENGTH],
            "next_attempt_at": item.next_attempt_at if again else None,
            "settled_at": None if again else item.at,
        }
        statement = update(notices).where(held).values(values).values(owner=None, lease_until=None)
        if not again:
            statement = statement.values(_FORGOTTEN)
        settled += connection.execute(statement, {"notice_id": item.notice_id}).rowcount
    return settled


def fail_notice(connection: Connection, notice_id: int, reply: str) -> bool:
    """Write down that a notice which was sent has come back; return whether there was one."""
    sent = and_(notices.c.id == notice_id, notices.c.state == NoticeState.SENT)
    values = {"state": NoticeState.FAILED, "reply": reply.replace("\0", "")[:REPLY_LENGTH]}
    return connection.execute(update(notices).where(sent).values(values)).rowcount > 0


def find_letter_address(connection: Connection, notice_id: int) -> str | None:
    """Return the address that a letter to a reader, or to who wants to be one, went to; None for other notices."""
    letter = and_(notices.c.id == notice_id, notices.c.kind.in_([kind.value for kind in LetterKind]))
    return connection.execute(select(notices.c.address).where(letter)).scalar_one_or_none()


def list_failed_letters(connection: Connection, limit: int = 500) -> list[tuple[int, int, int, str, str]]:
    """Return id, reader, return number, address and answer of letters that count and were refused, newest first."""
    columns = (notices.c.id, notices.c.subscriber_id, notices.c.return_number, notices.c.address, notices.c.reply)
    counts = and_(notices.c.state == NoticeState.FAILED, notices.c.return_number.is_not(None), notices.c.attempts > 0)
    newest = select(*columns).where(counts).order_by(notices.c.id.desc()).limit(limit)
    return [tuple(row) for row in connection.execute(newest)]


def find_return(connection: Connection, notice_id: int) -> tuple[int, int] | None:
    """Return reader and number that a notice's return address names, if what comes back counts against him."""
    columns = select(notices.c.subscriber_id, notices.c.return_number)
    counts = and_(notices.c.subscriber_id.is_not(None), notices.c.return_number.is_not(None))
    row = connection.execute(columns.where(notices.c.id == notice_id, counts)).one_or_none()
    return None if row is None else (row.subscriber_id, row.return_number)


def cancel_notices(connection: Connection, subscriber_id: int, address: str) -> int:
    """Delete a reader's notices that wait, so that they aren't sent; return how many."""
    statement = delete(notices).where(_QUEUED, _of(subscriber_id, address))
    return connection.execute(statement).rowcount


def list_waiting(connection: Connection, kind: str) -> list[WaitingNotice]:
    """Return the notices of a kind that wait and have a key."""
    columns = (notices.c.id, notices.c.key, notices.c.next_attempt_at, notices.c.reply)
    waiting = select(*columns).where(_QUEUED, notices.c.kind == kind, notices.c.key.is_not(None))
    rows = connection.execute(waiting.order_by(notices.c.id))
    return [WaitingNotice(row.id, row.key, row.next_attempt_at, bool(row.reply)) for row in rows]


def withdraw_notices(connection: Connection, numbers: Sequence[int]) -> int:
    """Delete these of the notices that wait; return how many did. Their keys can be used again."""
    return connection.execute(delete(notices).where(_QUEUED, notices.c.id.in_(numbers))).rowcount


def erase_notices(connection: Connection, subscriber_id: int, address: str) -> int:
    """Delete all that is kept of a reader's notices; return how many. What is being sent can't be called back."""
    return connection.execute(delete(notices).where(_of(subscriber_id, address))).rowcount


def forget_notices(connection: Connection, before: datetime) -> int:
    """Delete notices that were settled before then; return how many. Their keys can be used again."""
    return connection.execute(delete(notices).where(notices.c.settled_at < before)).rowcount


def count_notices(connection: Connection) -> dict[NoticeState, int]:
    """Return how many notices are in each state; every state is there."""
    counts: dict[str, int] = dict(
        connection.execute(select(notices.c.state, func.count()).group_by(notices.c.state)).all()
    )
    return {state: counts.get(state, 0) for state in NoticeState}


def list_notices(
    connection: Connection, state: NoticeState | None = None, subscriber_id: int | None = None, limit: int = 100
) -> list[NoticeLine]:
    """Return notices, newest first: all, those in a state, those to a reader."""
    statement = select(notices).order_by(notices.c.id.desc()).limit(limit)
    if state is not None:
        statement = statement.where(notices.c.state == state)
    if subscriber_id is not None:
        statement = statement.where(notices.c.subscriber_id == subscriber_id)
    return [_read_line(row) for row in connection.execute(statement)]


def _fail_expired(connection: Connection, now: datetime) -> None:
    over = and_(or_(_QUEUED, _is_lost(now)), notices.c.expires_at <= now)
    statement = update(notices).where(over).values(state=NoticeState.FAILED, settled_at=now, next_attempt_at=None)
    said = func.coalesce(func.nullif(notices.c.reply, ""), EXPIRED)
    connection.execute(statement.values(owner=None, lease_until=None, reply=said, **_FORGOTTEN))


def _is_lost(now: datetime) -> Any:
    return and_(notices.c.state == NoticeState.SENDING, notices.c.lease_until <= now)


def _of(subscriber_id: int, address: str) -> Any:
    """Match what is to a reader; what somebody gets as the editor isn't."""
    same = or_(notices.c.address == address, func.lower(notices.c.address) == fold_address(address))
    return or_(notices.c.subscriber_id == subscriber_id, and_(notices.c.subscriber_id.is_not(None), same))


def _read(row: Row[Any]) -> Notice:
    new = NewNotice(**{name: row._mapping[name] for name in _NEW})
    return Notice(row.id, new, row.attempts, row.created_at)


def _read_line(row: Row[Any]) -> NoticeLine:
    return NoticeLine(**{name: row._mapping[name] for name in _LINE}, state=NoticeState(row.state))
