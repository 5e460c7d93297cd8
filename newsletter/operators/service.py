"""Setting the password, signing in and out. Each change is one transaction, which is its commit instant."""

import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from newsletter.errors import UsageError
from newsletter.model.throttle import Limit
from newsletter.operators.passwords import BusyError, hash_password, is_outdated, verify_password
from newsletter.operators.policy import (
    FOR_ALL,
    LIFE,
    LONGEST,
    PER_CLIENT,
    Pass,
    admits,
    check_password,
    compose_pass,
    digest_secret,
    normalise_password,
    read_pass,
)
from newsletter.store.database import Database
from newsletter.store.operators import (
    close_session,
    close_sessions,
    load_password_hash,
    load_session,
    open_session,
    renew_password_hash,
    save_password_hash,
)
from newsletter.store.throttles import has_token, take_token

_logger = logging.getLogger(__name__)


class Refusal(StrEnum):
    """Why a browser wasn't signed in."""

    WRONG = "wrong"
    THROTTLED = "throttled"
    BUSY = "busy"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that was opened, and the value of its cookie."""

    cookie: str


def has_password(database: Database) -> bool:
    """Return whether there are admin pages at all."""
    with database.read() as connection:
        return load_password_hash(connection) is not None


def set_password(database: Database, password: str, now: datetime) -> int:
    """Set the password of the admin pages, and end all sessions; return how many. Raises UsageError for a weak one."""
    problem = check_password(normalise_password(password))
    if problem:
        raise UsageError(problem)
    password_hash = hash_password(password)
    with database.transaction() as connection:
        return save_password_hash(connection, password_hash, now)


def sign_in(
    database: Database, keys: Sequence[bytes], password: str, bucket: str, now: datetime
) -> SignedIn | Refusal | None:
    """Open a session for who knows the password; None where none is set.

    `bucket` stands for the client. Each try is counted, and kept, before the password is looked at.
    """
    with database.read() as connection:
        password_hash = load_password_hash(connection)
        may_try = all(has_token(connection, key, now, limit) for key, limit in _list_limits(bucket))
    if password_hash is None:
        return None
    if may_try:  # so who tries ever so often makes nobody wait who has something to write
        with database.transaction() as connection:
            may_try = all(take_token(connection, key, now, limit) for key, limit in _list_limits(bucket))
    if not may_try:
        _logger.warning("Too many tries to sign in to the admin pages; more are refused for a while")
        return Refusal.THROTTLED
    try:
        known = verify_password(password_hash, password[: 4 * LONGEST])
    except BusyError:
        return Refusal.BUSY
    if not known:
        _logger.warning("Somebody tried to sign in to the admin pages with a wrong password")
        return Refusal.WRONG
    return _open(database, keys, password, password_hash, now)


def _list_limits(bucket: str) -> tuple[tuple[str, Limit], ...]:
    return ((bucket, PER_CLIENT), ("admin:all", FOR_ALL))


def load_pass(database: Database, keys: Sequence[bytes], cookie: str, now: datetime) -> Pass | None:
    """Return what a browser carries, if it is signed in."""
    shown = read_pass(keys, cookie)
    if shown is None:
        return None
    with database.read() as connection:
        session = load_session(connection, shown.session_id)
    return shown if admits(session, shown, now) else None


def sign_out(database: Database, shown: Pass) -> None:
    """End a session: its cookie opens nothing any more, wherever it is."""
    with database.transaction() as connection:
        close_session(connection, shown.session_id)


def _open(
    database: Database, keys: Sequence[bytes], password: str, password_hash: str, now: datetime
) -> SignedIn | Refusal:
    secret = secrets.token_hex(32)
    stronger = hash_password(password) if is_outdated(password_hash) else ""
    with database.transaction() as connection:
        close_sessions(connection, now - LIFE)
        session = open_session(connection, digest_secret(secret), password_hash, now)
        if session is None:  # the password was changed a moment ago
            return Refusal.WRONG
        if stronger:
            renew_password_hash(connection, password_hash, stronger)
    _logger.info("Somebody signed in to the admin pages")
    return SignedIn(compose_pass(keys[0], session.id, secret, now))
