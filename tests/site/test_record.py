"""The build's record comes back as it was written, or not at all."""

import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.render.content import Card, Listed
from newsletter.site.files import is_safe_path
from newsletter.site.record import (
    DOUBTFUL,
    FORMAT,
    Record,
    describe_output,
    digest_of,
    is_made_from,
    parse_record,
    parse_todo,
    render_record,
    render_todo,
    sizes_of,
)

TIMES = st.datetimes(timezones=st.just(UTC))
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
LISTED = st.builds(Listed, TEXT, TEXT, TEXT)
CARDS = st.builds(
    Card,
    slug=TEXT,
    date=st.dates(),
    title=TEXT,
    summary=TEXT,
    language=TEXT,
    contents=st.lists(st.tuples(TEXT, st.lists(LISTED, max_size=3).map(tuple)), max_size=3).map(tuple),
    source_hash=TEXT,
    published_at=TIMES,
    updated_at=TIMES,
)
WORDS = st.text("abcdef0123456789", min_size=1, max_size=20)
SIZES = st.lists(st.integers(0, 10**9), min_size=3, max_size=3)
OUTPUTS = st.just(DOUBTFUL) | st.builds(describe_output, WORDS, WORDS, SIZES)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
)


@given(st.lists(CARDS, max_size=3), st.dictionaries(st.sampled_from(["a", "b/c.html"]), OUTPUTS))
def test_a_record_comes_back_as_it_was(cards: list[Card], outputs: dict[str, str]) -> None:
    record = Record("print", {card.slug: card for card in cards}, outputs)
    assert parse_record(render_record(record)) == record


@given(JSON, JSON)
def test_a_record_with_anything_in_it_never_leads_outside(cards: object, outputs: object) -> None:
    raw = {"format": FORMAT, "fingerprint": "", "cards": cards, "outputs": outputs}
    record = parse_record(json.dumps(raw).encode())
    assert record is None or all(map(is_safe_path, record.outputs))


@given(JSON)
def test_any_other_json_counts_as_no_record(raw: object) -> None:
    assert parse_record(json.dumps(raw).encode()) is None
    todo = parse_todo(json.dumps(raw).encode())
    assert todo is None or all(map(is_safe_path, todo))


@given(st.binary(max_size=60))
def test_any_bytes_count_as_no_record(content: bytes) -> None:
    assert parse_record(content) is None


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../b", ".hidden", "a//b", "a\\b", "", "A"])
def test_a_path_that_leads_out_of_the_folder_spoils_the_record(path: str) -> None:
    good = render_record(Record(outputs={"index.html": "k d 1 0 0"}))
    assert parse_record(good)
    assert parse_record(good.replace(b"index.html", json.dumps(path)[1:-1].encode())) is None
    assert parse_todo(render_todo(["index.html"])) == ["index.html"]
    assert parse_todo(render_todo(["index.html", path])) is None


def test_an_old_record_counts_as_none() -> None:
    at = datetime(2024, 5, 25, tzinfo=UTC)
    card = Card("one", date(2024, 5, 25), "t", "s", "en", (), "h", at, at)
    content = render_record(Record("print", {"one": card}))
    assert parse_record(content.replace(b'"format":2', b'"format":1')) is None
    assert parse_record(content.replace(b'"summary":"s",', b"")) is None


def test_an_output_says_what_it_was_made_from_and_what_is_in_it() -> None:
    output = describe_output("made-of", "content", [12, 3, 0])
    assert is_made_from(output, "made-of")
    assert not is_made_from(output, "made")
    assert not is_made_from(DOUBTFUL, "")
    assert (digest_of(output), digest_of(DOUBTFUL)) == ("content", "")
    assert (sizes_of(output), sizes_of(DOUBTFUL)) == ([12, 3, 0], [])
