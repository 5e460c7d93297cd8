"""What the log says of servers' answers."""

import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from newsletter.delivery.answers import log_answers
from newsletter.logs import start_logging
from newsletter.model.delivery import DeliveryState, Reply, Settlement

NOW = datetime(2024, 5, 25, 6, tzinfo=UTC)
SENT = Settlement(1, DeliveryState.SENT, Reply(250, "2.0.0", "taken"), 1, NOW)
GONE = Settlement(2, DeliveryState.FAILED, Reply(550, "5.1.1", "<anna@example.org>: no such user"), 1, NOW)


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def log(level: str) -> list[dict[str, object]]:
    stream = io.StringIO()
    start_logging("json", level, stream=stream)
    log_answers(7, [SENT, GONE])
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_refusal_is_told_by_numbers_and_without_the_address() -> None:
    (event,) = log("info")
    told = {key: event[key] for key in ("event", "edition", "delivery", "state", "code", "enhanced", "reply")}
    assert told == {
        "event": "delivery settled",
        "edition": 7,
        "delivery": 2,
        "state": "failed",
        "code": 550,
        "enhanced": "5.1.1",
        "reply": "<…@…>: no such user",
    }


def test_every_answer_is_told_to_who_wants_all_and_none_to_who_wants_warnings() -> None:
    assert [event["delivery"] for event in log("debug")] == [1, 2]
    assert log("warning") == []
