from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.audience.policy import Columns, guard_cell, parse_header, parse_line, parse_row, unguard_cell
from newsletter.audience.rows import BadRow, Row
from newsletter.errors import UsageError
from newsletter.model.subscriber import NewSubscriber, SubscriberState, SuppressionReason

ALL = ("email", "name", "state", "language", "joined_at", "left_at", "source")


def _row(*cells: str) -> Row:
    return Row(7, list(cells), ",".join(cells))


def _parse(*cells: str, header: tuple[str, ...] = ALL) -> NewSubscriber | BadRow:
    return parse_row(_row(*cells), parse_header(_row(*header)), "import")


def _reason(*cells: str) -> str:
    parsed = _parse(*cells)
    assert isinstance(parsed, BadRow)
    assert (parsed.line, parsed.text) == (7, ",".join(cells))
    return parsed.reason


@pytest.mark.parametrize("heading", ["email", "E-Mail", "Email Address", "EMAIL_ADDRESS", " mail ", "address"])
def test_any_common_spelling_names_the_address(heading: str) -> None:
    assert parse_header(_row("Name", heading)) == Columns({"address": 1, "name": 0}, 2)


def test_a_postal_address_beside_a_mail_address_is_ignored() -> None:
    assert parse_header(_row("Address", "Email", "Tags")) == Columns({"address": 1}, 3, ("Address", "Tags"))


def test_two_columns_that_mean_the_same_are_refused() -> None:
    with pytest.raises(UsageError, match="Line 7: the columns 'Email' and 'Mail' both mean the address"):
        parse_header(_row("Email", "Mail"))


def test_a_lone_address_is_a_file_without_header() -> None:
    assert parse_header(_row("ann@example.org")) == Columns({"address": 0}, 1, has_header=False)


def test_several_columns_without_header_are_refused() -> None:
    with pytest.raises(UsageError, match="no line that names them"):
        parse_header(_row("ann@example.org", "Ann"))


def test_a_header_without_address_is_refused_and_shown() -> None:
    with pytest.raises(UsageError, match=r"no column is called address or email; there is 'name', 'phone'"):
        parse_header(_row("name", "phone"))


def test_a_full_row_becomes_a_reader() -> None:
    parsed = _parse("Ann@Example.org", "Ann  B.", "Left", "de_DE", "2024-05-25", "2024-05-26T01:00+02:00", "web form")
    joined, left = datetime(2024, 5, 25, tzinfo=UTC), datetime(2024, 5, 25, 23, tzinfo=UTC)
    expected = NewSubscriber("Ann@example.org", "Ann B.", SubscriberState.LEFT, "de-DE", joined, "web form", left)
    assert parsed == replace(expected, kept_out=SuppressionReason.LEFT)


def test_a_row_with_nothing_but_an_address_is_an_active_reader() -> None:
    assert _parse("ann@example.org") == NewSubscriber("ann@example.org", source="import")


def test_first_and_last_name_make_a_name() -> None:
    header = ("email", "first name", "last name")
    parsed = _parse("ann@example.org", "Ann", "Lee", header=header)
    assert isinstance(parsed, NewSubscriber)
    assert parsed.name == "Ann Lee"
    only = _parse("ann@example.org", "", "Lee", header=header)
    assert isinstance(only, NewSubscriber)
    assert only.name == "Lee"


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("", "active"),
        ("Subscribed", "active"),
        ("unsubscribed", "left"),
        ("cleaned", "suspended"),
        ("Pending", "pending"),
    ],
)
def test_other_programs_words_for_a_state_are_understood(word: str, state: str) -> None:
    parsed = _parse("ann@example.org", "", word)
    assert isinstance(parsed, NewSubscriber)
    assert parsed.state == state


def test_who_has_not_left_has_no_time_of_leaving() -> None:
    parsed = _parse("ann@example.org", "", "active", "", "", "2024-05-25")
    assert isinstance(parsed, NewSubscriber)
    assert parsed.left_at is None


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (("ann",), "'ann' is not a mail address"),
        (("",), "it is empty"),
        (("a@example.org", "x\0y"), "the name holds a control character"),
        (("a@example.org", "x" * 201), "the name is longer than 200 characters"),
        (("a@example.org", "", "maybe"), "'maybe' is not a state; the states are pending, active, left, suspended"),
        (("a@example.org", "", "", "english!"), "'english!' is not a language tag"),
        (("a@example.org", "", "", "", "25.5.2024"), "'25.5.2024' is not a date or time"),
        (("a@example.org", "", "", "", "0001-01-01T00:00+14:00"), "is not a date or time"),
        (("a@example.org", "", "", "", "1066-10-14"), "can have joined"),
        (("a@example.org", *[""] * 6, "more"), "the row has 8 cells for 7 columns"),
        (("a@example.org", "J\udcf6rg"), "the row is not UTF-8"),
    ],
)
def test_a_row_that_is_not_clear_is_bad_with_the_reason(cells: tuple[str, ...], reason: str) -> None:
    assert reason in _reason(*cells)


def test_empty_cells_beyond_the_columns_do_no_harm() -> None:
    assert isinstance(_parse("a@example.org", *[""] * 9), NewSubscriber)


@pytest.mark.parametrize("text", ["=1+1", "+49", "-x", "@sum", "'=1", "''@x"])
def test_what_looks_like_a_formula_is_guarded(text: str) -> None:
    assert guard_cell(text) == "'" + text
    assert unguard_cell(guard_cell(text)) == text


@pytest.mark.parametrize("text", ["", "Ann", "'t Hooft", "a=b", "''"])
def test_what_is_no_formula_is_left_alone(text: str) -> None:
    assert guard_cell(text) == text
    assert unguard_cell(text) == text


@given(st.text("'=+-@\t\rab"))
def test_guarding_is_undone_exactly(text: str) -> None:
    assert unguard_cell(guard_cell(text)) == text
    assert not guard_cell(text).startswith(("=", "+", "-", "@", "\t", "\r"))


@given(st.text(max_size=250))
def test_a_line_is_one_line_or_refused(text: str) -> None:
    try:
        line = parse_line(text, "name")
    except ValueError:
        return
    assert parse_line(line, "name") == line
    assert not set(line) & {"\r", "\n", "\0", "\t"}


@given(st.lists(st.text(max_size=30), min_size=1, max_size=8))
def test_any_row_is_a_reader_or_bad_and_nothing_else(cells: list[str]) -> None:
    assert isinstance(_parse(*cells), NewSubscriber | BadRow)


@pytest.mark.parametrize("headings", [("First name", "Last name"), ("Vorname", "Nachname")])
def test_first_and_last_name_become_one(headings: tuple[str, str]) -> None:
    columns = parse_header(_row("email", *headings))
    reader = parse_row(_row("ann@example.org", "Ann", "Lee"), columns, "import")
    assert isinstance(reader, NewSubscriber)
    assert reader.name == "Ann Lee"
