"""A reader gets all that is kept of him, and when he wants it out, nothing says who he was."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import insert, select

from newsletter.audience.leaving import unsubscribe
from newsletter.audience.moving import ask_to_move
from newsletter.audience.policy_preferences import Choices
from newsletter.audience.preferences import change_preferences
from newsletter.audience.privacy import Erasure, erase_reader, export_reader
from newsletter.mail.token import Purpose
from newsletter.model.delivery import DeliveryState, Reply, Settlement
from newsletter.model.notice import NewNotice
from newsletter.model.subscriber import Cadence, NewSubscriber, Subscriber, SubscriberState, SuppressionReason
from newsletter.store.bounces import suspend_reader
from newsletter.store.consents import list_consents
from newsletter.store.database import Connection, Database
from newsletter.store.deliveries import claim_deliveries, count_deliveries, settle_deliveries
from newsletter.store.notices import list_notices, write_notice
from newsletter.store.schema import bounces, metadata, reports
from newsletter.store.subscribers import add_subscribers, count_subscribers, load_subscriber, walk_subscribers
from newsletter.store.suppression import find_reason
from tests.audience.door import DAY, FORM, HOUR, KEY, OFFER, Door, publish

OLD, NEW = "Zaphod@old.example.org", "zaphod@new.example.org"
SECRETS = ("zaphod", "beeblebrox", "new.example.org", "192.0.2.", "198.51.100.")


def dump(connection: Connection) -> str:
    """Everything that is stored, in lower case."""
    rows = [str(tuple(row)) for table in metadata.sorted_tables for row in connection.execute(select(table))]
    return "\n".join(rows).lower()


def live(door: Door) -> tuple[Subscriber, list[int]]:
    """A reader with a whole life: mail of every outcome, a move, bounces, letters that wait."""
    reader = door.admit(OLD, name="Beeblebrox", client="198.51.100.7")
    refusal = Reply(550, "5.1.1", "<zaphod@old.example.org> user unknown")
    editions = [publish(door, slug) for slug in ("sent", "failed", "deferred", "sending", "queued")]
    for edition_id, state in zip(editions, ("sent", "failed", "deferred"), strict=False):
        with door.database.transaction() as connection:
            (row,) = claim_deliveries(connection, edition_id, "one", door.now + HOUR, door.now, 10)
            again = door.now + HOUR if state == "deferred" else None
            reply = refusal if state != "sent" else Reply(250, "2.0.0", "taken for zaphod")
            settled = Settlement(row.id, DeliveryState(state), reply, 1, door.now, again)
            settle_deliveries(connection, "one", [settled])
    with door.database.transaction() as connection:
        claim_deliveries(connection, editions[3], "one", door.now + HOUR, door.now, 10)
    ask_to_move(door.database, door.reception, reader.id, NEW, FORM, door.now)
    door.confirm(door.mail().token)
    change_preferences(door.database, OFFER, reader.id, Choices(name="Beeblebrox", language="de"), FORM, door.now)
    door.now += DAY
    door.join(NEW)  # a reminder waits
    ask_to_move(door.database, door.reception, reader.id, "zaphod@third.example.org", FORM, door.now)
    _bounce(door, reader)
    return reader, editions


def _bounce(door: Door, reader: Subscriber) -> None:
    with door.database.transaction() as connection:
        report = {
            "hash": "0" * 64,
            "arrived_at": door.now,
            "way": "pipe",
            "kind": "bounce",
            "form": "dsn",
            "state": "kept",
            "subscriber_id": reader.id,
            "named_by": "",
            "sender": "MAILER-DAEMON@new.example.org",
            "subject": "Undelivered: zaphod",
            "size": 9,
            "raw": b"zaphod",
        }
        number = connection.execute(insert(reports).values(report).returning(reports.c.id)).scalar_one()
        bounce = {
            "subscriber_id": reader.id,
            "report_id": number,
            "at": door.now,
            "reason": "unknown",
            "severity": "soft",
            "verdict": "counted",
            "code": 550,
            "status": "5.1.1",
            "diagnostic": "no zaphod here",
            "domain": "new.example.org",
        }
        connection.execute(insert(bounces).values(bounce))


def test_everything_that_is_kept_is_given_out(door: Door) -> None:
    reader, _ = live(door)
    kept = export_reader(door.database, reader.id)
    assert kept is not None
    assert json.loads(json.dumps(kept)) == kept
    assert (kept["reader"]["address"], kept["reader"]["state"], kept["kept_out"]) == (NEW, "active", None)
    assert [line["event"] for line in kept["consents"]] == ["asked", "confirmed", "moved", "changed"]
    assert kept["consents"][0]["origin"]["client"] == "198.51.100.7"
    states = {row["slug"]: (row["state"], row["address"]) for row in kept["deliveries"]}
    assert states["failed"] == ("failed", OLD)
    assert states["queued"] == ("queued", NEW)
    assert kept["deliveries"][0]["slug"] == "queued"
    assert [request["request"]["kind"] for request in kept["requests"]] == ["join", "move", "move"][1:]
    assert {notice["kind"] for notice in kept["notices"]} >= {"confirm-join", "confirm-move", "moved", "already-reads"}
    assert [bounce["diagnostic"] for bounce in kept["bounces"]] == ["no zaphod here"]
    assert [report["subject"] for report in kept["reports"]] == ["Undelivered: zaphod"]
    few = export_reader(door.database, reader.id, mails=2)
    assert few is not None
    assert [row["slug"] for row in few["deliveries"]] == ["queued", "sending"]


def test_nothing_says_who_he_was_once_he_is_erased(door: Door) -> None:
    reader, editions = live(door)
    assert erase_reader(door.database, reader.id, FORM, door.now) == Erasure(reader.id, cancelled=2)
    with door.database.read() as connection:
        stored = dump(connection)
        assert [line for line in stored.splitlines() if any(secret in line for secret in SECRETS)] == []
        assert all(count_deliveries(connection, edition_id).holds for edition_id in editions)
        assert [line.event for line in list_consents(connection, reader.id)] == [
            "asked",
            "confirmed",
            "moved",
            "changed",
            "erased",
        ]
        assert list(walk_subscribers(connection)) == []
        assert sum(count_subscribers(connection).values()) == 0
        assert find_reason(connection, NEW) is SuppressionReason.ERASED
        assert find_reason(connection, OLD.lower()) is SuppressionReason.LEFT


def test_what_was_on_the_wire_when_he_was_erased_is_settled_and_goes_nowhere_again(door: Door) -> None:
    reader, editions = live(door)
    erase_reader(door.database, reader.id, FORM, door.now)
    with door.database.transaction() as connection:
        again = Settlement(4, DeliveryState.DEFERRED, Reply(451, "", "later"), 1, door.now, door.now + HOUR)
        assert settle_deliveries(connection, "one", [again]) == []
        for edition_id in editions:
            assert claim_deliveries(connection, edition_id, "two", door.now + 9 * DAY, door.now + 8 * DAY, 10) == []
            assert count_deliveries(connection, edition_id).holds
    assert door.mails() == []


def test_who_was_erased_stays_out_of_imports_at_every_address_he_had(door: Door) -> None:
    reader, _ = live(door)
    erase_reader(door.database, reader.id, FORM, door.now)
    with door.database.transaction() as connection:
        batch = [NewSubscriber(OLD), NewSubscriber(NEW)]
        assert add_subscribers(connection, batch, door.now).suppressed == 2


def test_who_was_erased_can_come_back_as_somebody_new(door: Door) -> None:
    reader = door.admit(OLD, name="Beeblebrox")
    erase_reader(door.database, reader.id, FORM, door.now)
    door.now += DAY
    back = door.admit(OLD)
    assert back.id != reader.id
    assert (back.name, back.state) == ("", SubscriberState.ACTIVE)


def test_erasing_twice_or_nobody_is_nothing(door: Door) -> None:
    reader = door.admit(OLD)
    erase_reader(door.database, reader.id, FORM, door.now)
    assert erase_reader(door.database, reader.id, FORM, door.now) is None
    assert erase_reader(door.database, 99, FORM, door.now) is None
    assert export_reader(door.database, reader.id) is None
    assert export_reader(door.database, 99) is None


@pytest.mark.parametrize("reason", [SuppressionReason.COMPLAINED, SuppressionReason.BOUNCED])
def test_a_complaint_outlives_its_reader(door: Door, reason: SuppressionReason) -> None:
    reader = door.admit(OLD)
    with door.database.transaction() as connection:
        suspend_reader(connection, reader, reason, door.now)
    erase_reader(door.database, reader.id, FORM, door.now)
    door.now += DAY
    door.join(OLD)
    assert len(door.mails()) == (0 if reason is SuppressionReason.COMPLAINED else 1)


def test_who_left_before_keeps_the_time_he_left(door: Door) -> None:
    reader = door.admit(OLD)
    left_at = door.now
    unsubscribe(door.database, [KEY], door.link(Purpose.UNSUBSCRIBE, reader), FORM, left_at)
    door.now += timedelta(days=30)
    erase_reader(door.database, reader.id, FORM, door.now)
    with door.database.read() as connection:
        buried = load_subscriber(connection, reader.id)
    assert buried is not None
    assert (buried.left_at, buried.cadence) == (left_at, Cadence.EACH)


def test_an_editor_who_reads_too_still_gets_his_reports(database: Database, door: Door) -> None:
    reader = door.admit(OLD)
    report = NewNotice("report", OLD, "Sent", "1,000 sent.", "en", door.now + DAY)
    with database.transaction() as connection:
        write_notice(connection, report, door.now)
    erase_reader(database, reader.id, FORM, door.now)
    with database.read() as connection:
        assert [line.kind for line in list_notices(connection)] == ["report"]
