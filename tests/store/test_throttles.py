"""Limits hold over restarts, and for everybody who shares a database."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from newsletter.model.throttle import Limit, spend_token
from newsletter.store.database import Database, open_database
from newsletter.store.throttles import forget_throttles, has_token, take_token

HOURLY = Limit(timedelta(hours=1), 2)


def _take(database: Database, key: str, now: datetime, limit: Limit = HOURLY) -> bool:
    with database.transaction() as connection:
        return take_token(connection, key, now, limit)


def test_a_bucket_is_emptied_and_fills_again(database: Database, now: datetime) -> None:
    assert [_take(database, "a", now) for _ in range(3)] == [True, True, False]
    assert _take(database, "b", now)
    assert not _take(database, "a", now + timedelta(minutes=59))
    assert _take(database, "a", now + timedelta(minutes=60))


def test_looking_takes_nothing(database: Database, now: datetime) -> None:
    with database.read() as connection:
        assert all(has_token(connection, "a", now, HOURLY) for _ in range(5))
    assert [_take(database, "a", now) for _ in range(2)] == [True, True]
    with database.read() as connection:
        assert not has_token(connection, "a", now, HOURLY)


def test_limits_survive_a_restart(database: Database, ledger_url: str, engine_name: str, now: datetime) -> None:
    if engine_name == "postgresql":
        pytest.skip("one database serves all tests there; a file is opened again")
    for _ in range(2):
        _take(database, "a", now)
    database.close()
    with open_database(ledger_url) as again:
        assert not _take(again, "a", now)


def test_a_transaction_that_fails_puts_its_token_back(database: Database, now: datetime) -> None:
    def take_and_fail() -> None:
        with database.transaction() as connection:
            take_token(connection, "a", now, HOURLY)
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        take_and_fail()
    assert [_take(database, "a", now) for _ in range(3)] == [True, True, False]


def test_of_many_at_once_no_more_get_in_than_the_bucket_holds(database: Database, now: datetime) -> None:
    limit = Limit(timedelta(hours=1), 3)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: _take(database, "a", now, limit), range(24)))
    assert sum(answers) == 3


def test_full_buckets_are_forgotten_and_no_others(database: Database, now: datetime) -> None:
    _take(database, "soon full", now)
    _take(database, "a", now)
    _take(database, "a", now)
    with database.transaction() as connection:
        assert forget_throttles(connection, now + timedelta(minutes=61)) == 1
    assert _take(database, "a", now + timedelta(minutes=61))
    assert not _take(database, "a", now + timedelta(minutes=61))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.timedeltas(timedelta(0), timedelta(minutes=50))), max_size=25),
    st.integers(1, 4),
)
def test_the_store_decides_as_the_rule_does(
    database: Database, now: datetime, knocks: list[tuple[str, timedelta]], burst: int
) -> None:
    limit = Limit(timedelta(minutes=30), burst)
    with database.transaction() as connection:
        connection.execute(text("DELETE FROM throttles"))
        full: dict[str, datetime] = {}
        for key, wait in knocks:
            now += wait
            after = spend_token(full.get(key), now, limit)
            assert take_token(connection, key, now, limit) == (after is not None)
            if after is not None:
                full[key] = after
