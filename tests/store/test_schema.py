"""States that make no sense can't be written, on either engine."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Table, insert, text, update
from sqlalchemy.exc import IntegrityError

from newsletter.model.consent import ConsentEvent, RequestKind
from newsletter.model.control import ControlState
from newsletter.model.delivery import DeliveryState
from newsletter.model.edition import EditionKind
from newsletter.model.notice import NoticeState
from newsletter.model.slot import SlotState, Why
from newsletter.model.subscriber import Cadence, SubscriberState, SuppressionReason
from newsletter.store.database import Database
from newsletter.store.editions import EditionState, StoredEdition
from newsletter.store.schema import (
    consents,
    deliveries,
    editions,
    metadata,
    notices,
    requests,
    subscribers,
    suppressions,
    throttles,
)

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


CONSENT = {"subscriber_id": 1, "event": "asked", "at": WHEN, "source": "form"}
REQUEST = {
    "kind": "join",
    "address": "a@example.org",
    "address_key": "a@example.org",
    "cadence": "each",
    "source": "form",
    "created_at": WHEN,
    "expires_at": WHEN + timedelta(days=7),
    **dict.fromkeys(("name", "topics", "language", "client", "wording"), ""),
}
NOTICE = {
    "kind": "welcome",
    "address": "a@example.org",
    "headers": {},
    "state": "queued",
    "created_at": WHEN,
    "expires_at": WHEN,
    "next_attempt_at": WHEN,
    **dict.fromkeys(("subject", "text", "language"), ""),
}


@pytest.mark.parametrize(
    ("table", "row", "changes"),
    [
        (consents, CONSENT, {"event": "regretted"}),
        (consents, CONSENT, {"source": ""}),
        (consents, CONSENT, {"subscriber_id": 99}),
        (requests, REQUEST, {"kind": "marry"}),
        (requests, REQUEST, {"kind": "move"}),
        (requests, REQUEST, {"subscriber_id": 1}),
        (requests, REQUEST, {"kind": "move", "subscriber_id": 99}),
        (requests, REQUEST, {"cadence": "hourly"}),
        (requests, REQUEST, {"expires_at": WHEN}),
        (throttles, {"key": "a", "full_at": WHEN}, {"key": ""}),
        (notices, NOTICE, {"state": "lost"}),
        (notices, NOTICE, {"kind": ""}),
        (notices, NOTICE, {"address": ""}),
        (notices, NOTICE, {"next_attempt_at": None}),
        (notices, NOTICE, {"owner": "one"}),
        (notices, NOTICE, {"lease_until": WHEN}),
        (notices, NOTICE, {"settled_at": WHEN}),
        (notices, NOTICE, {"state": "sent", "next_attempt_at": None}),
        (notices, NOTICE, {"state": "sending", "next_attempt_at": None, "owner": "one"}),
        (notices, NOTICE, {"attempts": -1}),
        (notices, NOTICE, {"return_number": 1}),
    ],
)
def test_what_readers_ask_for_and_are_told_is_refused_without_sense(
    database: Database, publish: Publish, table: Table, row: dict[str, object], changes: dict[str, object]
) -> None:
    publish(1)
    with database.transaction() as connection:
        connection.execute(insert(table).values(row))
    with pytest.raises(IntegrityError), database.transaction() as connection:
        connection.execute(insert(table).values({**row, **changes}))


@pytest.mark.parametrize(
    ("table", "column", "words"),
    [
        ("deliveries", "state", DeliveryState),
        ("subscribers", "state", SubscriberState),
        ("suppressions", "reason", SuppressionReason),
        ("editions", "state", EditionState),
        ("editions", "control", ControlState),
        ("editions", "kind", EditionKind),
        ("subscribers", "cadence", Cadence),
        ("requests", "cadence", Cadence),
        ("requests", "kind", RequestKind),
        ("consents", "event", ConsentEvent),
        ("notices", "state", NoticeState),
        ("slots", "kind", EditionKind),
        ("slots", "state", SlotState),
        ("slots", "why", Why),
    ],
)
def test_the_rules_know_every_word_of_the_model(table: str, column: str, words: type) -> None:
    name = f"ck_{table}_{column}"
    (rule,) = [str(check.sqltext) for check in metadata.tables[table].constraints if check.name == name]  # type: ignore[attr-defined]
    assert rule.partition("IN (")[2] == ", ".join(f"'{word}'" for word in words) + ")"  # type: ignore[attr-defined]
