"""What is written down, and that it names no reader."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.logs import get_logger, hide_readers, start_logging


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line_of_json_with_its_fields() -> None:
    stream = io.StringIO()
    start_logging("json", stream=stream)
    get_logger("newsletter.schedule").info("slot decided", slot="2024-05-25", edition=7)
    get_logger("newsletter.schedule").debug("not shown")
    (event,) = lines(stream)
    assert event["event"] == "slot decided"
    assert (event["slot"], event["edition"], event["level"]) == ("2024-05-25", 7, "info")
    assert str(event["timestamp"]).endswith("Z")


def test_what_other_libraries_log_has_the_same_form() -> None:
    stream = io.StringIO()
    start_logging("json", stream=stream)
    logging.getLogger("somebody.else").warning("careful with %s", "that")
    (event,) = lines(stream)
    assert (event["event"], event["logger"]) == ("careful with that", "somebody.else")


def test_readers_are_left_out_wherever_they_stand() -> None:
    stream = io.StringIO()
    start_logging("json", stream=stream)
    reply = "550 5.1.1 <anna.müller@example.org>: no such user"
    get_logger("x").info("refused", reply=reply, link="https://news.example.org/u/abcdefghijklmnopqrstuvwxyz012345")
    try:
        raise ValueError("anna@example.org can't be written")
    except ValueError:
        get_logger("x").exception("broken")
    assert "anna" not in stream.getvalue()
    assert "abcdefgh" not in stream.getvalue()
    assert lines(stream)[0]["reply"] == "550 5.1.1 <…@…>: no such user"


def test_unless_they_are_asked_for() -> None:
    stream = io.StringIO()
    start_logging("json", addresses=True, stream=stream)
    get_logger("x").info("refused", reply="<anna@example.org>")
    assert "anna@example.org" in stream.getvalue()


def test_for_people_it_is_text() -> None:
    stream = io.StringIO()
    start_logging("text", stream=stream)
    get_logger("x").warning("slot held", slot="2024-05-25")
    assert "slot held" in stream.getvalue()
    assert "slot=2024-05-25" in stream.getvalue()


@given(st.emails(), st.text(alphabet="abc <>:,;\"'()", max_size=20))
def test_no_address_gets_through(address: str, around: str) -> None:
    local = address.split("@")[0]
    if any(character in local for character in "'\"(),:;<>"):
        return
    assert address not in hide_readers(f"{around} {address} {around}")
