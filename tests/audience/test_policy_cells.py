"""Times, tags and addresses as other programs write them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.audience.policy_cells import (
    parse_attributes,
    parse_client,
    parse_time,
    parse_topic_keys,
    parse_topics,
    parse_truth,
)

NOON = datetime(2024, 5, 25, 12, tzinfo=UTC)
OFFERED = frozenset({"ai-safety", "core-research", "c-plus-plus"})


@pytest.mark.parametrize(
    "text",
    [
        "2024-05-25T12:00:00Z",
        "2024-05-25 12:00",
        "2024-05-25T12:00:00.000Z",
        "2024-05-25 12:00:00 UTC",
        "2024-05-25 12:00:00 GMT",
        "2024-05-25 12:00:00 +0000 UTC",
        "2024-05-25 14:00:00 +0200 CEST",
        "2024-05-25 14:00:00.000000001 +0200 +0200",
        "2024-05-25 12:00:00 +0000 UTC m=+0.000012",
        "2024-05-25T14:00:00+02:00",
    ],
)
def test_a_time_is_read_however_it_is_written(text: str) -> None:
    assert parse_time(text) == NOON


@pytest.mark.parametrize(
    "text", ["25.5.2024", "5/25/2024 12:00", "2024-05-25 12:00:00 CEST", "2024-05-25 12:00 +0000 x"]
)
def test_a_time_that_may_mean_two_things_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="is not a date or time"):
        parse_time(text)


@given(st.text(max_size=60) | st.from_regex(r"\A[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:.]+ ?[+-][0-9]{4} [A-Z]{3}\Z"))
def test_any_text_is_a_time_in_utc_or_refused(text: str) -> None:
    try:
        time = parse_time(text)
    except ValueError:
        return
    assert time is None or time.tzinfo is UTC


@pytest.mark.parametrize(("text", "truth"), [("TRUE", True), ("yes", True), ("1", True), ("No", False), ("", False)])
def test_yes_and_no(text: str, truth: bool) -> None:
    assert parse_truth(text, "it") is truth


def test_perhaps_is_refused() -> None:
    with pytest.raises(ValueError, match="it is 'perhaps', which is neither true nor false"):
        parse_truth("perhaps", "it")


@pytest.mark.parametrize(
    ("text", "topics"),
    [
        ("AI safety", "ai-safety"),
        ("AI Safety, Core research", "ai-safety core-research"),
        ("fans; Core research", "core-research"),
        ("AI safety|C++", "ai-safety c-plus-plus"),
        ('"AI safety","Editors"', "ai-safety"),
        ('["AI safety", "x"]', "ai-safety"),
        ('[{"name": "AI safety", "id": 1}]', "ai-safety"),
        ("['AI safety', 'x']", "ai-safety"),
        ("ai-safety", "ai-safety"),
        ("[]", ""),
        ("{}", ""),
        ("", ""),
        ('"', ""),
        ("a\0b", ""),
    ],
)
def test_tags_that_are_called_like_a_topic_are_it(text: str, topics: str) -> None:
    assert parse_topics(text, OFFERED) == frozenset(topics.split())


@given(st.text(max_size=200))
def test_any_tags_name_topics_that_are_offered_or_none(text: str) -> None:
    assert parse_topics(text, OFFERED) <= OFFERED


def test_keys_are_taken_as_an_export_writes_them() -> None:
    assert parse_topic_keys("ai-safety core-research") == {"ai-safety", "core-research"}
    assert parse_topic_keys("") == frozenset()
    for wrong in ("AI", "a,b", "-a", "a" * 65):
        with pytest.raises(ValueError, match="is not the key of a topic"):
            parse_topic_keys(wrong)


@pytest.mark.parametrize(
    ("text", "client"), [("192.0.2.1", "192.0.2.1"), ("2001:DB8::0:1", "2001:db8::1"), ("unknown", ""), ("", "")]
)
def test_a_network_address_is_one_or_nothing(text: str, client: str) -> None:
    assert parse_client(text) == client


def test_attributes_are_an_object_or_nothing() -> None:
    assert parse_attributes('{"Language": "de", "n": 1}') == {"language": "de", "n": 1}
    assert parse_attributes("[1]") == {}
    assert parse_attributes("") == {}
    for wrong in ("{", "[" * 60_000):
        with pytest.raises(ValueError, match="the attributes are not JSON"):
            parse_attributes(wrong)
