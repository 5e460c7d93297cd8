"""What is kept of a pace: read back as it was written, and added up for all senders."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from newsletter.model.pace import Pace, Period, Slowdown, Spending
from newsletter.store.database import Database
from newsletter.store.paces import forget_paces, load_paces, save_paces
from newsletter.store.schema import paces

NOW = datetime(2024, 5, 25, 6, 30, 0, 123456, tzinfo=UTC)
SECOND = timedelta(seconds=1)
SLOW = Slowdown(rate=2.5, ceiling=5.0, cut_at=NOW - SECOND, changed_at=NOW)


def spend(key: str, seconds: float, since: datetime = NOW, slowdown: Slowdown | None = None) -> Spending:
    spent = {Period.HOUR: timedelta(seconds=seconds)}
    return Spending(key, spent, slowdown, since, since + SECOND)


def save(database: Database, *spendings: Spending) -> list[Pace]:
    with database.transaction() as connection:
        return save_paces(connection, spendings)


def load(database: Database, *keys: str) -> dict[str, Pace]:
    with database.read() as connection:
        return {pace.key: pace for pace in load_paces(connection, keys or None)}


def test_what_is_saved_is_read_back(database: Database) -> None:
    every = {Period.SECOND: SECOND, Period.HOUR: 60 * SECOND, Period.DAY: 900 * SECOND}
    (saved,) = save(database, Spending("domain:example.com", every, SLOW, NOW, NOW + SECOND))
    assert load(database) == {"domain:example.com": saved}
    assert saved.full_at == {period: NOW + spent for period, spent in every.items()}
    assert saved.slowdown == SLOW
    assert saved.updated_at == NOW + SECOND


def test_a_key_nobody_used_has_nothing(database: Database) -> None:
    save(database, spend("all", 1))
    assert load(database, "all", "relay:x:25").keys() == {"all"}
    assert load(database, "relay:x:25") == {}


def test_what_two_senders_spent_is_added_up(database: Database) -> None:
    save(database, spend("all", 30))
    (sum_,) = save(database, spend("all", 12))
    assert sum_.full_at == {Period.HOUR: NOW + 42 * SECOND}


def test_a_limit_that_was_whole_again_is_spent_from_now_on(database: Database) -> None:
    save(database, spend("all", 30))
    later = NOW + timedelta(hours=1)
    (pace,) = save(database, spend("all", 5, since=later))
    assert pace.full_at == {Period.HOUR: later + 5 * SECOND}


def test_a_limit_that_is_new_leaves_the_others_as_they_were(database: Database) -> None:
    save(database, spend("all", 30))
    (pace,) = save(database, Spending("all", {Period.DAY: SECOND}, None, NOW, NOW + SECOND))
    assert pace.full_at == {Period.HOUR: NOW + 30 * SECOND, Period.DAY: NOW + SECOND}


def test_the_newest_slowdown_counts(database: Database) -> None:
    older = Slowdown(rate=100.0, ceiling=None, cut_at=NOW - 5 * SECOND, changed_at=NOW + SECOND)
    raised = Slowdown(rate=3.0, ceiling=None, cut_at=SLOW.cut_at, changed_at=NOW + SECOND)
    save(database, spend("domain:example.com", 1, slowdown=SLOW))
    assert save(database, spend("domain:example.com", 1, slowdown=older))[0].slowdown == SLOW
    assert save(database, spend("domain:example.com", 1))[0].slowdown == SLOW
    assert save(database, spend("domain:example.com", 1, slowdown=raised))[0].slowdown == raised
    assert load(database)["domain:example.com"].slowdown == raised


def test_many_keys_are_saved_at_once_in_any_order(database: Database) -> None:
    spendings = [spend(f"domain:d{number}.example", number) for number in range(1201)]
    assert len(save(database, *reversed(spendings))) == 1201
    found = load(database, *(spending.key for spending in spendings))
    assert found["domain:d700.example"].full_at == {Period.HOUR: NOW + 700 * SECOND}
    assert len(found) == 1201
    assert save(database) == []


def test_senders_at_the_same_time_lose_nothing(database: Database) -> None:
    keys = [f"domain:d{number}.example" for number in range(20)]

    def send(order: int) -> None:
        for _ in range(10):
            save(database, *[spend(key, 1) for key in keys[::order]])

    threads = [threading.Thread(target=send, args=(order,)) for order in (1, -1, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {pace.full_at[Period.HOUR] for pace in load(database).values()} == {NOW + 30 * SECOND}


def test_what_nobody_used_for_long_is_forgotten(database: Database) -> None:
    save(database, spend("old", 1), spend("new", 1, since=NOW + timedelta(days=2)))
    with database.transaction() as connection:
        assert forget_paces(connection, NOW + timedelta(days=1)) == 1
    assert load(database).keys() == {"new"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": ""},
        {"rate": 1.0},
        {"rate": 0.0, "cut_at": NOW, "changed_at": NOW},
        {"ceiling": 1.0},
        {"rate": 1.0, "ceiling": 0.0, "cut_at": NOW, "changed_at": NOW},
        {"cut_at": NOW},
    ],
)
def test_a_row_that_makes_no_sense_is_refused(database: Database, wrong: dict[str, object]) -> None:
    with pytest.raises(IntegrityError), database.transaction() as connection:
        connection.execute(insert(paces).values({"key": "all", "updated_at": NOW} | wrong))
