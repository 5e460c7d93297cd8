from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.web.forms import MOST_FIELDS, Form, parse_form

URLENCODED = "application/x-www-form-urlencoded"


def multipart(*pairs: tuple[str, str], boundary: str = "xYz", end: str = "\r\n") -> tuple[str, bytes]:
    lines = []
    for name, value in pairs:
        lines += [f"--{boundary}", f'Content-Disposition: form-data; name="{name}"', "", value]
    return f"multipart/form-data; boundary={boundary}", end.join([*lines, f"--{boundary}--", ""]).encode()


def test_fields_are_decoded() -> None:
    form = parse_form(URLENCODED, b"address=a%40b.example&name=J%C3%BCrgen+K&topics=x&topics=y&empty=")
    assert form["address"] == "a@b.example"
    assert form["name"] == "Jürgen K"
    assert form.all_of("topics") == ["x", "y"]
    assert form["empty"] == form["missing"] == ""
    assert "missing" not in form


def test_both_kinds_say_the_same() -> None:
    pairs = [("List-Unsubscribe", "One-Click"), ("name", "Jürgen\r\nK"), ("topics", "x"), ("topics", "y")]
    plain, parts = parse_form(URLENCODED, urlencode(pairs).encode()), parse_form(*multipart(*pairs))
    assert {name: plain.all_of(name) for name in plain} == {name: parts.all_of(name) for name in parts}


def test_bare_line_feeds_are_forgiven() -> None:
    assert parse_form(*multipart(("List-Unsubscribe", "One-Click"), end="\n"))["List-Unsubscribe"] == "One-Click"


def test_a_charset_and_a_quoted_boundary_are_understood() -> None:
    assert parse_form(f"{URLENCODED}; charset=utf-8", b"a=b")["a"] == "b"
    _, body = multipart(("a", "b"), boundary="--with space--x")
    assert parse_form('Multipart/Form-Data; boundary="--with space--x"', body)["a"] == "b"


def test_files_are_passed_over() -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\nc\r\n--x--\r\n'
    assert list(parse_form("multipart/form-data; boundary=x", body)) == []


OTHERS = ["", "text/plain", "application/json", "multipart/form-data", "multipart/form-data; boundary="]


@pytest.mark.parametrize("kind", OTHERS)
def test_another_type_has_no_fields(kind: str) -> None:
    assert list(parse_form(kind, b"a=b")) == []


def test_only_so_many_fields_are_read() -> None:
    assert len(parse_form(URLENCODED, b"&".join(b"f%d=1" % at for at in range(5000)))) == MOST_FIELDS
    assert len(parse_form(*multipart(*((f"f{at}", "1") for at in range(1000))))) == MOST_FIELDS


@given(st.binary(max_size=500), st.sampled_from([URLENCODED, "multipart/form-data; boundary=x"]))
def test_no_body_breaks_the_parser(body: bytes, kind: str) -> None:
    assert isinstance(parse_form(kind, body), Form)
    assert isinstance(parse_form(kind, b"--x\r\nContent-Disposition: form-data" + body + b"\r\n--x--"), Form)


@given(st.text(max_size=100))
def test_no_content_type_breaks_the_parser(kind: str) -> None:
    assert isinstance(parse_form(kind, b"a=b"), Form)
    assert isinstance(parse_form(f"multipart/form-data;{kind}", b"a=b"), Form)


@given(st.lists(st.tuples(st.text(min_size=1, max_size=20), st.text(max_size=50)), max_size=10))
def test_what_a_browser_encodes_comes_out_again(pairs: list[tuple[str, str]]) -> None:
    form = parse_form(URLENCODED, urlencode(pairs).encode())
    assert sorted((name, value) for name in form for value in form.all_of(name)) == sorted(pairs)
