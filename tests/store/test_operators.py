"""The password's hash and its sessions, as they are kept."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from newsletter.model.operator import Session
from newsletter.store.database import Database
from newsletter.store.operators import (
    close_session,
    close_sessions,
    drop_password,
    load_password_hash,
    load_session,
    open_session,
    renew_password_hash,
    save_password_hash,
)
from newsletter.store.schema import operators

FIRST, SECOND = "$argon2id$first", "$argon2id$second"


def test_a_session_is_opened_with_the_password_that_counts_and_ended_with_it(database: Database, now: datetime) -> None:
    with database.transaction() as connection:
        assert load_password_hash(connection) is None
        assert open_session(connection, "a" * 64, FIRST, now) is None
        assert save_password_hash(connection, FIRST, now) == 0
        session = open_session(connection, "a" * 64, FIRST, now)
        assert session == Session(1, "a" * 64, now)
        assert load_session(connection, 1) == session
        assert save_password_hash(connection, SECOND, now) == 1
        assert load_session(connection, 1) is None
        assert open_session(connection, "b" * 64, FIRST, now) is None
        assert load_password_hash(connection) == SECOND


def test_numbers_of_sessions_never_come_again(database: Database, now: datetime) -> None:
    with database.transaction() as connection:
        save_password_hash(connection, FIRST, now)
        first = open_session(connection, "a" * 64, FIRST, now)
        assert first is not None
        close_session(connection, first.id)
        second = open_session(connection, "b" * 64, FIRST, now)
        assert second is not None
        assert second.id > first.id


def test_old_sessions_are_ended_and_young_ones_stay(database: Database, now: datetime) -> None:
    with database.transaction() as connection:
        save_password_hash(connection, FIRST, now)
        open_session(connection, "a" * 64, FIRST, now - timedelta(hours=2))
        open_session(connection, "b" * 64, FIRST, now)
        assert close_sessions(connection, now - timedelta(hours=1)) == 1
        assert load_session(connection, 2) is not None


def test_a_hash_is_renewed_only_in_place_of_the_one_that_was_seen(database: Database, now: datetime) -> None:
    with database.transaction() as connection:
        save_password_hash(connection, FIRST, now)
        renew_password_hash(connection, "$argon2id$other", SECOND)
        assert load_password_hash(connection) == FIRST
        renew_password_hash(connection, FIRST, SECOND)
        assert load_password_hash(connection) == SECOND
        assert [drop_password(connection) for _ in range(2)] == [True, False]


@pytest.mark.parametrize(("number", "kept"), [(2, FIRST), (1, "plain text")])
def test_there_is_one_password_and_never_in_clear(database: Database, now: datetime, number: int, kept: str) -> None:
    with pytest.raises(IntegrityError), database.transaction() as connection:
        connection.execute(operators.insert().values(id=number, password_hash=kept, changed_at=now))
