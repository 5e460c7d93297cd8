"""A publication in the middle of its work, small: what the admin pages have to show and to do."""

import secrets
from datetime import UTC, date, datetime, time, timedelta

from argon2 import PasswordHasher

from newsletter.model.bounce import Finding, Reason, Severity
from newsletter.model.delivery import DeliveryState, Reply, Settlement
from newsletter.model.edition import PREFERENCES_FIELD, UNSUBSCRIBE_FIELD, Edition, EditionKind, Sender
from newsletter.model.slot import Plan, SlotKey, SlotState, Why
from newsletter.model.subscriber import NewSubscriber, SubscriberState
from newsletter.model.verdict import Verdict
from newsletter.operators.policy import compose_pass, digest_secret, make_form_token
from newsletter.store.bounces import record_bounce
from newsletter.store.database import Connection, Database
from newsletter.store.deliveries import claim_deliveries, settle_deliveries
from newsletter.store.editions import freeze_edition, publish_edition
from newsletter.store.operators import load_password_hash, open_session, save_password_hash
from newsletter.store.slots import find_slot, plan_slots, settle_slot
from newsletter.store.subscribers import add_subscribers, find_subscriber

PASSWORD = "correct horse battery staple"
READERS = 40
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
SENDER = Sender(
    "Daily", "news@example.org", "", "example.org", "leave@example.org", "news.example.org", "Daily", "https://x"
)
MAIL = (
    "<!doctype html><html lang='en'><head><title>Mail</title></head><body><h1>Papers</h1>"
    f"<p><a href='https://x/u/{UNSUBSCRIBE_FIELD}'>Leave</a> <a href='https://x/p/{PREFERENCES_FIELD}'>Choose</a></p>"
    "</body></html>"
)
PROBLEMS = (
    "issues/2024-05-24.md:12:5: error: The link leads nowhere. Give it an address. [empty-link]\n"
    "issues/2024-05-24.md:31:1: error: The heading has no text. Write one. [empty-heading]"
)


def hash_cheaply(password: str = PASSWORD) -> str:
    """A real hash that takes a millisecond."""
    return CHEAP.hash(password)


def open_pass(database: Database, key: bytes, now: datetime) -> tuple[str, str]:
    """Sign in without a password; return the cookie's value and the token of forms."""
    secret = secrets.token_hex(32)
    with database.transaction() as connection:
        kept = load_password_hash(connection)
        assert kept is not None
        session = open_session(connection, digest_secret(secret), kept, now)
    assert session is not None
    return compose_pass(key, session.id, secret, now), make_form_token(secret)


def furnish(database: Database, now: datetime) -> None:
    """One edition through, one under way with every outcome, a held day, bounces, readers who came and left."""
    today = now.date()
    with database.transaction() as connection:
        save_password_hash(connection, hash_cheaply(), now)
        add_subscribers(connection, _readers(now), now)
        _publish(
            connection, today - timedelta(days=1), "Through", now - timedelta(days=1), {DeliveryState.SENT: READERS}
        )
        states = {
            DeliveryState.SENT: 20,
            DeliveryState.DEFERRED: 3,
            DeliveryState.FAILED: 2,
            DeliveryState.UNKNOWN: 4,
        }
        _publish(connection, today, "Under way", now - timedelta(minutes=2), states)
        _hold_slot(connection, today - timedelta(days=1), now)
        reader = find_subscriber(connection, "reader3@example.org")
        assert reader is not None
        finding = Finding(Reason.USER_UNKNOWN, Severity.HARD, status="5.1.1", code=550, diagnostic="No such user")
        record_bounce(connection, reader, 2, finding, Verdict.SUSPEND, now, delivery_id=1)


def _readers(now: datetime) -> list[NewSubscriber]:
    readers = [
        NewSubscriber(
            f"reader{number}@example.{'org' if number % 2 else 'com'}", joined_at=now - timedelta(days=2 * number)
        )
        for number in range(READERS)
    ]
    left = [
        NewSubscriber(
            f"gone{number}@example.org",
            state=SubscriberState.LEFT,
            joined_at=now - timedelta(days=60),
            left_at=now - timedelta(days=20 + number),
        )
        for number in range(5)
    ]
    return [*readers, *left]


def _publish(connection: Connection, day: date, title: str, at: datetime, states: dict[DeliveryState, int]) -> None:
    edition = Edition(
        str(day), day, title, title, "", "en", f"https://x/issues/{day}/", MAIL, f"Papers\n{UNSUBSCRIBE_FIELD}", SENDER
    )
    number = freeze_edition(connection, edition, "source", at).id
    publish_edition(connection, number, at)
    rows = claim_deliveries(connection, number, "sender", at + timedelta(hours=1), at, sum(states.values()))
    outcomes = [state for state, count in states.items() for _ in range(count)]
    answers = [
        Settlement(
            row.id, state, _reply(state), 1, at, at + timedelta(days=1) if state is DeliveryState.DEFERRED else None
        )
        for row, state in zip(rows, outcomes, strict=True)
    ]
    assert settle_deliveries(connection, "sender", answers) == []


def _reply(state: DeliveryState) -> Reply:
    return {
        DeliveryState.SENT: Reply(250, "2.0.0", "Queued"),
        DeliveryState.DEFERRED: Reply(451, "4.7.1", "Greylisted, please come back later"),
        DeliveryState.FAILED: Reply(550, "5.1.1", "No such user here"),
        DeliveryState.UNKNOWN: Reply(0, "", "the connection was lost after the final dot"),
    }[state]


def _hold_slot(connection: Connection, day: date, now: datetime) -> None:
    due_at = datetime.combine(day, time(7, 30), UTC)
    key = SlotKey(EditionKind.ISSUE, day)
    plan_slots(connection, [Plan(key, due_at, "07:30", "UTC")], (), (), due_at - timedelta(days=1))
    slot = find_slot(connection, key)
    assert slot is not None
    assert settle_slot(connection, slot, SlotState.HELD, Why.ERRORS, PROBLEMS, now)
