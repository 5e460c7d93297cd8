"""Setting a password, signing in and out."""

import logging
from datetime import UTC, datetime, timedelta
from threading import BoundedSemaphore

import pytest
from argon2 import PasswordHasher

from newsletter.errors import UsageError
from newsletter.operators import passwords
from newsletter.operators.policy import FOR_ALL, PER_CLIENT
from newsletter.operators.service import Refusal, SignedIn, has_password, load_pass, set_password, sign_in, sign_out
from newsletter.store.database import Database
from newsletter.store.operators import close_sessions, drop_password, load_password_hash, save_password_hash
from tests.web.scenery import CHEAP, PASSWORD, hash_cheaply

KEY = b"k" * 64
NOW = datetime(2024, 5, 25, 8, tzinfo=UTC)
WEAKER = PasswordHasher(time_cost=2, memory_cost=16, parallelism=2)


@pytest.fixture
def engine_name() -> str:
    """One engine is enough: what is stored is tested on both where it is stored."""
    return "sqlite"


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have passwords hashed in a millisecond; what a real hash takes is tested in test_passwords."""
    monkeypatch.setattr(passwords, "_hasher", lambda: CHEAP)


def keep(database: Database, password: str = PASSWORD) -> None:
    with database.transaction() as connection:
        save_password_hash(connection, hash_cheaply(password), NOW)


def enter(database: Database, password: str = PASSWORD, client: str = "a", now: datetime = NOW) -> object:
    return sign_in(database, [KEY], password, client, now)


def cookie_of(found: object) -> str:
    assert isinstance(found, SignedIn)
    return found.cookie


def test_without_a_password_nobody_gets_in(database: Database) -> None:
    assert not has_password(database)
    assert enter(database) is None


def test_a_password_is_kept_as_a_hash_and_opens(database: Database) -> None:
    assert set_password(database, PASSWORD, NOW) == 0
    with database.read() as connection:
        kept = load_password_hash(connection)
    assert kept is not None
    assert PASSWORD not in kept
    cookie = cookie_of(enter(database))
    assert load_pass(database, [KEY], cookie, NOW) is not None
    assert load_pass(database, [b"o" * 64], cookie, NOW) is None


def test_a_weak_one_is_refused_and_the_old_one_stays(database: Database) -> None:
    keep(database)
    with pytest.raises(UsageError, match="at least 12"):
        set_password(database, "short", NOW)
    assert isinstance(enter(database), SignedIn)


def test_a_wrong_password_opens_nothing_and_the_log_names_nobody(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    keep(database)
    with caplog.at_level(logging.INFO):
        assert enter(database, "wrong horse battery staple", "bucket-of-somebody") is Refusal.WRONG
    assert "wrong password" in caplog.text
    assert "horse" not in caplog.text
    assert "bucket" not in caplog.text


def test_a_hash_of_weaker_make_is_renewed_and_the_session_stays(database: Database) -> None:
    with database.transaction() as connection:
        save_password_hash(connection, WEAKER.hash(PASSWORD), NOW)
    cookie = cookie_of(enter(database))
    with database.read() as connection:
        assert "m=8," in str(load_password_hash(connection))
    assert load_pass(database, [KEY], cookie, NOW) is not None
    assert isinstance(enter(database), SignedIn)


def test_another_password_ends_every_session(database: Database) -> None:
    keep(database)
    cookies = [cookie_of(enter(database)) for _ in range(2)]
    with database.transaction() as connection:
        assert save_password_hash(connection, hash_cheaply("another horse altogether"), NOW) == 2
    assert [load_pass(database, [KEY], cookie, NOW) for cookie in cookies] == [None, None]
    assert enter(database) is Refusal.WRONG


def test_signing_out_ends_one_session_wherever_its_cookie_is(database: Database) -> None:
    keep(database)
    first, second = (cookie_of(enter(database)) for _ in range(2))
    shown = load_pass(database, [KEY], first, NOW)
    assert shown is not None
    sign_out(database, shown)
    assert load_pass(database, [KEY], first, NOW) is None
    assert load_pass(database, [KEY], second, NOW) is not None


def test_no_password_at_all_ends_everything(database: Database) -> None:
    keep(database)
    cookie = cookie_of(enter(database))
    with database.transaction() as connection:
        assert drop_password(connection)
    assert load_pass(database, [KEY], cookie, NOW) is None
    assert not has_password(database)


def test_a_client_may_try_a_few_times_and_even_the_right_password_waits_then(database: Database) -> None:
    keep(database)
    tries = [enter(database, "wrong horse battery staple") for _ in range(PER_CLIENT.burst)]
    assert tries == [Refusal.WRONG] * PER_CLIENT.burst
    assert enter(database) is Refusal.THROTTLED
    assert isinstance(enter(database, client="b"), SignedIn)
    assert isinstance(enter(database, now=NOW + PER_CLIENT.interval), SignedIn)


def test_who_is_over_the_limit_waits_for_no_writer_and_makes_none_wait(database: Database) -> None:
    keep(database)
    for _ in range(PER_CLIENT.burst):
        enter(database, "wrong horse battery staple")
    with database.transaction():  # the write lock is taken
        assert enter(database) is Refusal.THROTTLED


def test_all_clients_together_may_try_so_often(database: Database) -> None:
    keep(database)
    tries = [enter(database, "wrong horse battery staple", str(number)) for number in range(FOR_ALL.burst + 1)]
    assert tries.count(Refusal.WRONG) == FOR_ALL.burst
    assert tries[-1] is Refusal.THROTTLED


def test_while_too_many_are_checked_others_are_told_to_come_later(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(database)
    full = BoundedSemaphore(1)
    full.acquire()
    monkeypatch.setattr(passwords, "_room", full)
    assert enter(database) is Refusal.BUSY
    full.release()
    assert isinstance(enter(database), SignedIn)


def test_sessions_that_are_over_are_forgotten_at_the_next_sign_in(database: Database) -> None:
    keep(database)
    enter(database)
    enter(database, now=NOW + timedelta(hours=13))
    with database.transaction() as connection:
        assert close_sessions(connection) == 1
