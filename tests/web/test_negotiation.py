from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.web.negotiation import (
    choose_encoding,
    has_matching_etag,
    is_unmodified,
    parse_http_date,
    render_http_date,
)

ALL = ("", "gzip", "br")


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", ""),
        ("gzip", "gzip"),
        ("br", "br"),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, br;q=0.5", "gzip"),
        ("gzip;q=0.5, br;q=0.5", "br"),
        ("br;q=0, gzip", "gzip"),
        ("gzip;q=0, br;q=0", ""),
        ("*", "br"),
        ("*;q=0.1, br;q=0", "gzip"),
        ("identity", ""),
        ("identity;q=0.5, gzip;q=0.4", ""),
        ("identity;q=0.5, gzip;q=0.6", "gzip"),
        ("identity, gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("GZIP", "gzip"),
        ("gzip ; q = 1", "gzip"),
        ("gzip;q=nonsense", ""),
        ("deflate", ""),
        ("identity;q=0, deflate", None),
        ("*;q=0", None),
        ("*;q=0, gzip", "gzip"),
    ],
)
def test_the_encoding_follows_the_clients_weights(accept: str, chosen: str | None) -> None:
    assert choose_encoding(accept, ALL) == chosen


def test_an_encoding_that_we_lack_is_not_chosen() -> None:
    assert choose_encoding("br, gzip;q=0.1", ("", "gzip")) == "gzip"
    assert choose_encoding("br", ("",)) == ""


@given(st.text(max_size=200))
def test_no_accept_encoding_breaks_the_choice(accept: str) -> None:
    assert choose_encoding(accept, ALL) in (*ALL, None)


@pytest.mark.parametrize("header", ['"a"', 'W/"a"', '"b", "a"', ' "b" ,W/"a" ', "*", '"b,c", "a"'])
def test_a_list_of_tags_that_names_ours_matches(header: str) -> None:
    assert has_matching_etag(header, '"a"')


@pytest.mark.parametrize("header", ["", "a", '"b"', '"a-gzip"', 'x"a"', '"b" "a"', '"a', "**"])
def test_any_other_does_not(header: str) -> None:
    assert not has_matching_etag(header, '"a"')


@given(st.text(max_size=200))
def test_no_list_of_tags_breaks_the_comparison(header: str) -> None:
    assert has_matching_etag(header, '"a"') in (True, False)


def test_dates_are_compared_by_the_second() -> None:
    modified = datetime(2024, 5, 25, 8, 0, 1, tzinfo=UTC)
    text = render_http_date(modified)
    assert text == "Sat, 25 May 2024 08:00:01 GMT"
    assert parse_http_date(text) == int(modified.timestamp())
    assert is_unmodified(text, int(modified.timestamp()))
    assert not is_unmodified(text, int(modified.timestamp()) + 1)


NO_DATES = ["", "yesterday", "2024-05-25", "Sat, 99 May 2024 08:00:01 GMT", "GMT", "0" * 50 + "GMT"]


@pytest.mark.parametrize("text", NO_DATES)
def test_what_is_no_date_asks_for_nothing(text: str) -> None:
    assert parse_http_date(text) is None


@given(st.text(max_size=45))
def test_no_date_breaks_the_parser(text: str) -> None:
    assert parse_http_date(f"{text[:37]}GMT") is None or isinstance(parse_http_date(f"{text[:37]}GMT"), int)
