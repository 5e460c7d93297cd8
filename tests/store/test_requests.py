"""What is asked for waits for a click, and leaves nothing behind when none comes."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from newsletter.model.consent import ConsentEvent, NewRequest, Origin, Request, RequestKind
from newsletter.model.subscriber import Cadence, NewSubscriber, SubscriberState
from newsletter.store.choices import add_pending
from newsletter.store.consents import list_consents, record_consent
from newsletter.store.database import Database
from newsletter.store.requests import (
    drop_requests,
    expire_requests,
    find_move,
    list_requests,
    load_request,
    lock_request,
    mark_confirmed,
    write_request,
)
from newsletter.store.schema import subscribers
from newsletter.store.subscribers import add_subscriber, find_subscriber, mark_left

WEEK = timedelta(days=7)


@pytest.fixture
def join(now: datetime) -> NewRequest:
    return NewRequest(
        kind=RequestKind.JOIN,
        address="Ann@example.org",
        origin=Origin("form", "192.0.2.1", "Yes."),
        expires_at=now + WEEK,
        name="Ann",
        topics=frozenset({"agents", "benchmarks"}),
        cadence=Cadence.WEEKLY,
        language="de",
    )


def test_a_request_comes_back_as_it_was_written(database: Database, now: datetime, join: NewRequest) -> None:
    with database.transaction() as connection:
        number = write_request(connection, join, now)
        assert load_request(connection, number) == Request(1, join, now, None)
        mark_confirmed(connection, number, now + WEEK / 2)
        assert lock_request(connection, number) == Request(1, join, now, now + WEEK / 2)
        assert load_request(connection, 2) is None


def test_a_number_is_never_used_again(database: Database, now: datetime, join: NewRequest) -> None:
    with database.transaction() as connection:
        write_request(connection, join, now)
        assert drop_requests(connection, 0, "ann@example.org") == 1
        assert write_request(connection, join, now) == 2


def test_who_never_confirms_is_forgotten(database: Database, now: datetime, join: NewRequest) -> None:
    with database.transaction() as connection:
        assert add_pending(connection, join.address, "form", now) == 1
        write_request(connection, join, now)
        assert expire_requests(connection, now + WEEK - timedelta(seconds=1)) == 0
        assert expire_requests(connection, now + WEEK) == 1
        assert connection.execute(select(func.count()).select_from(subscribers)).scalar() == 0


@pytest.mark.parametrize("kept_by", ["another request", "a record", "a state", "a move"])
def test_a_reader_whom_something_else_knows_stays(
    database: Database, now: datetime, join: NewRequest, kept_by: str
) -> None:
    with database.transaction() as connection:
        add_pending(connection, join.address, "form", now)
        write_request(connection, join, now)
        if kept_by == "another request":
            write_request(connection, replace(join, expires_at=now + 2 * WEEK), now)
        elif kept_by == "a record":
            record_consent(connection, 1, ConsentEvent.IMPORTED, Origin("readers.csv"), now)
        elif kept_by == "a state":
            connection.execute(subscribers.update().values(state=SubscriberState.ACTIVE))
        else:
            move = replace(join, kind=RequestKind.MOVE, subscriber_id=1, expires_at=now + 2 * WEEK)
            write_request(connection, move, now)
        expire_requests(connection, now + WEEK)
        assert find_subscriber(connection, join.address) is not None


def test_expiring_goes_in_steps(database: Database, now: datetime, join: NewRequest) -> None:
    with database.transaction() as connection:
        for number in range(3):
            write_request(connection, replace(join, address=f"{number}@example.org"), now)
        assert [expire_requests(connection, now + WEEK, limit=2) for _ in range(3)] == [2, 1, 0]


def test_leaving_takes_back_what_was_asked_for(database: Database, now: datetime, join: NewRequest) -> None:
    with database.transaction() as connection:
        add_subscriber(connection, NewSubscriber("ann@example.org"), now)
        done = write_request(connection, join, now)
        mark_confirmed(connection, done, now)
        write_request(connection, join, now)
        write_request(connection, replace(join, kind=RequestKind.MOVE, address="b@example.org", subscriber_id=1), now)
        other = write_request(connection, replace(join, address="bob@example.org"), now)
        mark_left(connection, "ann@example.org", now)
        assert [request.id for request in list_requests(connection, 1, "ann@example.org")] == [done]
        assert load_request(connection, other) is not None


def test_the_latest_move_is_found_while_it_can_be_confirmed(
    database: Database, now: datetime, join: NewRequest
) -> None:
    with database.transaction() as connection:
        add_subscriber(connection, NewSubscriber("ann@example.org"), now)
        move = replace(join, kind=RequestKind.MOVE, subscriber_id=1)
        for address in ("b@example.org", "c@example.org"):
            write_request(connection, replace(move, address=address), now)
        found = find_move(connection, 1, now)
        assert found is not None
        assert found.request.address == "c@example.org"
        assert find_move(connection, 1, now + WEEK) is None
        mark_confirmed(connection, 2, now)
        again = find_move(connection, 1, now)
        assert again is not None
        assert again.request.address == "b@example.org"


def test_a_record_keeps_every_line_in_order(database: Database, now: datetime) -> None:
    origin = Origin("form", "192.0.2.1", "Yes.")
    with database.transaction() as connection:
        add_subscriber(connection, NewSubscriber("ann@example.org"), now)
        record_consent(connection, 1, ConsentEvent.CONFIRMED, origin, now)
        record_consent(connection, 1, ConsentEvent.CHANGED, origin, now, "cadence: each → weekly")
        lines = list_consents(connection, 1)
    assert [(line.event, line.origin, line.at, line.detail) for line in lines] == [
        ("confirmed", origin, now, ""),
        ("changed", origin, now, "cadence: each → weekly"),
    ]
