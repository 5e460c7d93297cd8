"""Counts for people who look."""

from collections import Counter
from datetime import datetime, timedelta

from newsletter.model.consent import ConsentEvent, Origin
from newsletter.model.subscriber import Cadence, NewSubscriber, SubscriberState
from newsletter.store.consents import record_consent
from newsletter.store.database import Database
from newsletter.store.subscribers import add_subscribers, change_subscriber, find_subscriber
from newsletter.store.surveys import (
    BUCKET,
    count_cadences,
    count_comings,
)

DAY = timedelta(days=1)
"""Long enough to be another bucket."""


def begin(at: datetime) -> datetime:
    return at - timedelta(minutes=at.minute % 15, seconds=at.second, microseconds=at.microsecond)


def test_readers_come_and_go_in_quarters_of_an_hour(database: Database, now: datetime) -> None:
    left = SubscriberState.LEFT
    readers = [
        NewSubscriber("a@example.org", joined_at=now - 9 * DAY),
        NewSubscriber("b@example.org", joined_at=now - 3 * DAY),
        NewSubscriber("c@example.org", joined_at=now - 3 * DAY + timedelta(seconds=1)),
        NewSubscriber("d@example.org", joined_at=now - 3 * DAY, state=left, left_at=now - DAY),
        NewSubscriber("e@example.org", joined_at=now - 2 * DAY, state=left, left_at=now - 4 * DAY),  # away before
        NewSubscriber("f@example.org", joined_at=now - 2 * DAY, state=SubscriberState.PENDING),
        NewSubscriber("g@example.org", joined_at=now - 2 * DAY),
        NewSubscriber("h@example.org", joined_at=now - 2 * DAY, state=SubscriberState.SUSPENDED),  # nobody knows when
    ]
    with database.transaction() as connection:
        add_subscribers(connection, readers, now)
        suspended = find_subscriber(connection, "g@example.org")
        assert suspended is not None
        change_subscriber(connection, suspended.id, {"state": SubscriberState.SUSPENDED})
        for days in (2, 1):  # suspended, restored and suspended again: the last time counts
            record_consent(connection, suspended.id, ConsentEvent.SUSPENDED, Origin("test"), now - days * DAY)
        changes = count_comings(connection, now - 5 * DAY)
    assert Counter(changes) == {begin(now - 3 * DAY): 3, begin(now - 2 * DAY): 1, begin(now - DAY): -2}
    assert timedelta(minutes=15) == BUCKET


def test_cadences_are_those_of_who_reads(database: Database, now: datetime) -> None:
    with database.transaction() as connection:
        readers = [NewSubscriber("a@example.org", cadence=Cadence.WEEKLY), NewSubscriber("b@example.org")]
        add_subscribers(connection, [*readers, NewSubscriber("c@example.org", state=SubscriberState.PENDING)], now)
        assert count_cadences(connection) == {Cadence.EACH: 1, Cadence.WEEKLY: 1, Cadence.MONTHLY: 0}
