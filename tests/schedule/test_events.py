"""What the editor is told, word for word, and what a webhook gets of it."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from newsletter.model.control import Control, ControlState
from newsletter.model.delivery import Audit, DeliveryState, ReplyCount
from newsletter.model.edition import EditionKind
from newsletter.model.slot import Plan, Slot, SlotKey, SlotState, Why
from newsletter.schedule.events import Press, compose_halted, compose_report, compose_warning, is_good, is_through
from newsletter.store.controls import halt_edition, resume_edition
from tests.schedule.posted import DUE, HOUR, MINUTE, Desk

BERLIN = ZoneInfo("Europe/Berlin")
BEGAN = datetime(2024, 5, 25, 5, 30, tzinfo=UTC)
SLOT = Slot(Plan(SlotKey(EditionKind.ISSUE, date(2024, 5, 25)), BEGAN, "07:30", "Europe/Berlin"), SlotState.PUBLISHED)
REPLIES = (
    ReplyCount(DeliveryState.FAILED, 550, "5.1.1", "<anna@example.org>: no such user", 7),
    ReplyCount(DeliveryState.DEFERRED, 450, "4.2.1", "try later", 3),
)
AUDIT = Audit(audience=2000, sent=1980, queued=0, deferred=3, failed=7, cancelled=1, unknown=4, excluded=5)
PRESS = Press(
    "2024-05-25",
    "Papers",
    "https://news.example.org/issues/2024-05-25/",
    AUDIT,
    Control(),
    REPLIES,
    BEGAN,
    BEGAN + timedelta(seconds=90),
)


def test_a_report_says_what_became_of_everybody_why_how_long_it_took_and_what_to_do() -> None:
    event = compose_report(PRESS, BERLIN, SLOT)
    assert event.subject == "2024-05-25: sent to 1,980 of 2,000"
    assert event.text == (
        "Papers\n"
        "https://news.example.org/issues/2024-05-25/\n"
        "\n"
        "  audience        2,000\n"
        "  sent            1,980\n"
        "  deferred            3\n"
        "  failed              7\n"
        "  excluded            5\n"
        "  cancelled           1\n"
        "  unknown             4\n"
        "\n"
        "It took 1 min 30 s, from 2024-05-25 07:30 CEST, 22.0 a second.\n"
        "\n"
        "What servers said:\n"
        "          7 failed    550 5.1.1 <anna@example.org>: no such user\n"
        "          3 deferred  450 4.2.1 try later\n"
        "\n"
        "Who is deferred is tried again by itself.\n"
        "Who failed, and why: newsletter status 2024-05-25 --list failed\n"
        "Who may or may not have it, for you to decide: newsletter unknown list 2024-05-25"
    )


def test_who_may_have_it_is_not_told_as_if_nobody_had() -> None:
    audit = Audit(audience=15, sent=0, queued=0, deferred=0, failed=0, cancelled=0, unknown=15, excluded=0)
    assert compose_report(replace(PRESS, audit=audit), BERLIN).subject == "2024-05-25: 15 unknown of 15"


def test_a_webhook_gets_the_same_as_numbers_and_names_no_reader() -> None:
    data = compose_report(PRESS, BERLIN, SLOT).data
    numbers = {
        name: data[name] for name in ("audience", "sent", "deferred", "failed", "excluded", "unknown", "seconds")
    }
    assert numbers == {
        "audience": 2000,
        "sent": 1980,
        "deferred": 3,
        "failed": 7,
        "excluded": 5,
        "unknown": 4,
        "seconds": 90.0,
    }
    assert data["reasons"] == [
        {"state": "failed", "code": 550, "enhanced": "5.1.1", "count": 7},
        {"state": "deferred", "code": 450, "enhanced": "4.2.1", "count": 3},
    ]
    assert "@" not in json.dumps(data, default=str)


def test_an_audit_that_does_not_hold_is_said_aloud_and_no_heartbeat_is_due() -> None:
    lost = Audit(audience=3, sent=2, queued=0, deferred=0, failed=0, cancelled=0, unknown=0)
    event = compose_report(Press("x", "X", "", lost, Control(), (), BEGAN, BEGAN), BERLIN, SLOT)
    assert "THE AUDIT DOES NOT HOLD" in event.text
    assert not is_good(lost)
    assert is_good(AUDIT)
    assert not is_good(Audit(audience=2, sent=0, queued=0, deferred=0, failed=2, cancelled=0, unknown=0))


@pytest.mark.parametrize(
    ("numbers", "good"),
    [
        ({"audience": 0}, True),
        ({"audience": 3, "excluded": 3}, True),
        ({"audience": 3, "excluded": 1, "deferred": 2}, False),  # nobody has it
        ({"audience": 3, "cancelled": 3}, False),
        ({"audience": 10, "sent": 5, "failed": 3, "unknown": 2}, True),
        ({"audience": 10, "sent": 4, "failed": 3, "unknown": 3}, False),
        ({"audience": 10, "sent": 3, "excluded": 1, "failed": 5, "deferred": 1}, False),
        ({"audience": 10, "sent": 5, "deferred": 5}, True),
        ({"audience": 10, "sent": 4, "deferred": 6}, False),
        ({"audience": 10, "sent": 4, "deferred": 6, "paced": 2}, True),
        ({"audience": 10, "deferred": 10, "paced": 10}, False),
    ],
)
def test_a_heartbeat_is_due_when_half_of_who_was_tried_have_it(numbers: dict[str, int], *, good: bool) -> None:
    nobody = dict.fromkeys(("sent", "queued", "deferred", "failed", "cancelled", "unknown", "paced"), 0)
    counts = {**nobody, **numbers}
    paced = counts.pop("paced")
    assert is_good(Audit(**counts), paced) is good


def test_a_report_waits_until_nobody_is_queued_unless_it_was_cancelled() -> None:
    queued = Audit(audience=2, sent=1, queued=1, deferred=0, failed=0, cancelled=0, unknown=0)
    assert not is_through(queued, Control())
    assert is_through(queued, Control(ControlState.CANCELLED, "", BEGAN))
    assert is_through(AUDIT, Control())


def test_a_warning_says_how_long_there_is_left() -> None:
    due = Slot(SLOT.plan, SlotState.DUE)
    event = compose_warning(due, "There is no issue with this date.", BEGAN - timedelta(minutes=125), BERLIN)
    assert event.subject == "2024-05-25: no issue yet, due at 07:30"
    assert "is due at 2024-05-25 07:30 CEST, in 2 h 05 min." in event.text
    faulty = compose_warning(due, "issues/x.md:3:1: error: It has no title. [no-title]", BEGAN, BERLIN)
    assert faulty.subject == "2024-05-25: the issue has errors, due at 07:30"
    assert due.why is Why.NONE


def test_a_halt_is_told_at_once_and_once_each_time(desk: Desk) -> None:
    desk.write("2024-05-25")
    desk.at(DUE)
    desk.at(DUE + MINUTE)
    for number in (1, 2):
        with desk.app.database.transaction() as connection:
            halt_edition(connection, 1, DUE + number * HOUR, "30 of the last 50 readers were refused.")
        for seconds in (1, 30):
            desk.at(DUE + number * HOUR + timedelta(seconds=seconds))
        subjects = [subject for subject, _ in desk.told()]
        assert subjects.count("[Daily] 2024-05-25: sending has halted") == number
        with desk.app.database.transaction() as connection:
            resume_edition(connection, 1, DUE + number * HOUR + MINUTE)
    halted = compose_halted(Press("x", "X", "", AUDIT, Control(ControlState.HALTED, "So.", BEGAN), (), BEGAN, None))
    assert "So." in halted.text
    assert "newsletter resume x" in halted.text
