"""Health, readiness and numbers over HTTP, and who may have them."""

from datetime import date, timedelta

import pytest

from newsletter.model.edition import EditionKind
from newsletter.model.slot import Plan, SlotKey
from newsletter.store.marks import set_mark
from newsletter.store.slots import plan_slots
from tests.web.conftest import NOW, Town

LOCAL = "127.0.0.1"


@pytest.fixture
def late(town: Town) -> Town:
    """A town with a slot that nobody has decided."""
    plan = Plan(SlotKey(EditionKind.ISSUE, date(2024, 5, 25)), NOW - timedelta(minutes=11), "07:30", "UTC")
    with town.database.transaction() as connection:
        plan_slots(connection, [plan], (), (), NOW)
    return town


def test_it_is_alive(town: Town) -> None:
    answer = town.client.get("/healthz")
    assert (answer.status_code, answer.text) == (200, "alive\n")
    assert answer.headers["cache-control"] == "no-store"


def test_it_is_ready(town: Town) -> None:
    assert town.client.get("/readyz").text == "ready\n"


def test_it_is_not_while_a_slot_is_overdue_and_the_reason_is_for_watchers(late: Town) -> None:
    answer = late.client.get("/readyz")
    assert (answer.status_code, answer.text) == (503, "not ready\n")
    answer = late.visitor(LOCAL).get("/readyz")
    assert answer.text == "2024-05-25 was due at 2024-05-25 07:49 UTC and is undecided\n"


def test_numbers_are_for_watchers_alone(late: Town) -> None:
    with late.database.transaction() as connection:
        set_mark(connection, "tick:decide", NOW)
    assert late.client.get("/metrics").status_code == 404
    assert late.visitor(LOCAL, x_forwarded_for="192.0.2.1").get("/metrics").status_code == 404
    answer = late.visitor(LOCAL).get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    assert "# TYPE newsletter_queue gauge" in lines
    name = 'publication="LLM Papers Daily"'
    assert f'newsletter_slot_state{{day="2024-05-25",kind="issue",{name},state="due"}} 1.0' in lines
    assert f'newsletter_slot_state{{day="2024-05-25",kind="issue",{name},state="held"}} 0.0' in lines
    (tick,) = [line for line in lines if line.startswith("newsletter_tick_timestamp_seconds{")]
    assert float(tick.rpartition(" ")[2]) == NOW.timestamp()
