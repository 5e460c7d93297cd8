"""States that make no sense can't be written, on either engine."""

from collections.abc import Callable
from datetime import datetime

import pytest
from sqlalchemy import text, update
from sqlalchemy.exc import IntegrityError

from newsletter.model.control import ControlState
from newsletter.model.delivery import DeliveryState
from newsletter.model.edition import EditionKind
from newsletter.model.slot import SlotState, Why
from newsletter.model.subscriber import SubscriberState, SuppressionReason
from newsletter.store.database import Database
from newsletter.store.editions import EditionState, StoredEdition
from newsletter.store.schema import deliveries, editions, metadata, subscribers, suppressions

Publish = Callable[..., StoredEdition]
WHEN = datetime.fromisoformat("2024-05-26T00:00:00Z")


@pytest.mark.parametrize(
    "values",
    [
        {"state": "lost"},
        {"state": "sending"},
        {"state": "sending", "owner": "one"},
        {"state": "sending", "lease_until": WHEN},
        {"owner": "one"},
        {"state": "deferred"},
        {"next_attempt_at": WHEN},
        {"settled_at": WHEN},
        *({"state": state} for state in ("sent", "failed", "cancelled", "unknown")),
        {"state": "sent", "settled_at": WHEN, "next_attempt_at": WHEN},
        {"attempts": -1},
        {"reply_code": 1000},
        {"stage": -1},
        {"stage": 3},
        {"edition_id": 99},
        {"subscriber_id": 99},
        {"subscriber_id": 2},
    ],
)
def test_a_delivery_in_a_state_without_sense_is_refused(
    database: Database, publish: Publish, values: dict[str, object]
) -> None:
    publish(2)
    with pytest.raises(IntegrityError), database.transaction() as connection:
        connection.execute(update(deliveries).where(deliveries.c.id == 1).values(values))


@pytest.mark.parametrize(
    "values",
    [
        {"state": "draft"},
        {"state": "frozen"},
        {"audience": None},
        {"audience": -1},
        {"hash": "short"},
        {"revision": 0},
        {"updated_at": datetime.fromisoformat("2024-05-24T00:00:00Z")},
        {"control": "stopped", "control_at": WHEN},
        {"control": "paused"},
        {"control": "halted", "control_at": WHEN},
        {"control_reason": "it runs, so why a reason?"},
        {"state": "frozen", "audience": None, "control": "paused", "control_at": WHEN},
    ],
)
def test_an_edition_in_a_state_without_sense_is_refused(
    database: Database, publish: Publish, values: dict[str, object]
) -> None:
    publish(0)
    with pytest.raises(IntegrityError), database.transaction() as connection:
        connection.execute(update(editions).values(values))


@pytest.mark.parametrize(
    "values",
    [{"state": "gone"}, {"state": "left"}, {"left_at": WHEN}, {"address": ""}, {"address_key": "reader1@example.org"}],
)
def test_a_reader_in_a_state_without_sense_is_refused(
    database: Database, publish: Publish, values: dict[str, object]
) -> None:
    publish(2)
    with pytest.raises(IntegrityError), database.transaction() as connection:
        connection.execute(update(subscribers).where(subscribers.c.id == 1).values(values))


@pytest.mark.parametrize(
    "values",
    [
        {"address_hash": "short", "reason": "left"},
        {"address_hash": "0" * 64, "reason": "bored"},
        {"address_hash": "0" * 64, "reason": "erased", "address": "a@example.org"},
    ],
)
def test_a_suppression_without_sense_is_refused(database: Database, values: dict[str, object]) -> None:
    with pytest.raises(IntegrityError), database.transaction() as connection:
        connection.execute(suppressions.insert().values(created_at=WHEN, **values))


@pytest.mark.parametrize(
    "change",
    ["number = 0", "number = 2", "reason = 'correct'", "reason = 'whim'", "source_hash = 'short'", "edition_id = 9"],
)
def test_a_revision_without_sense_is_refused(database: Database, publish: Publish, change: str) -> None:
    publish(0)
    with pytest.raises(IntegrityError), database.transaction() as connection:
        connection.execute(text(f"UPDATE revisions SET {change}"))  # noqa: S608 - the test's own words


@pytest.mark.parametrize(
    ("table", "column", "words"),
    [
        ("deliveries", "state", DeliveryState),
        ("subscribers", "state", SubscriberState),
        ("suppressions", "reason", SuppressionReason),
        ("editions", "state", EditionState),
        ("editions", "control", ControlState),
        ("slots", "kind", EditionKind),
        ("slots", "state", SlotState),
        ("slots", "why", Why),
    ],
)
def test_the_rules_know_every_word_of_the_model(table: str, column: str, words: type) -> None:
    name = f"ck_{table}_{column}"
    (rule,) = [str(check.sqltext) for check in metadata.tables[table].constraints if check.name == name]  # type: ignore[attr-defined]
    assert rule.partition("IN (")[2] == ", ".join(f"'{word}'" for word in words) + ")"  # type: ignore[attr-defined]
