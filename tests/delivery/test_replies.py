"""Framing and reading of replies."""

import re

from hypothesis import given
from hypothesis import strategies as st

from newsletter.delivery.policy import parse_reply
from newsletter.delivery.replies import read_code, read_reply, split_replies
from newsletter.model.delivery import Reply

CODES = st.integers(200, 599)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=40)


@st.composite
def replies(draw: st.DrawFn) -> bytes:
    code, lines = draw(CODES), draw(st.lists(TEXTS, min_size=1, max_size=4))
    marks = ["-"] * (len(lines) - 1) + [" "]
    return "\r\n".join(f"{code}{mark}{line}" for mark, line in zip(marks, lines, strict=True)).encode()


@given(st.lists(replies(), max_size=6), st.lists(st.integers(1, 30), max_size=40))
def test_replies_are_the_same_however_the_stream_is_cut(sent: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(reply + b"\r\n" for reply in sent)
    heard: list[bytes] = []
    rest = b""
    for size in [*cuts, len(stream)]:
        complete, rest = split_replies(rest + stream[:size])
        heard += complete
        stream = stream[size:]
    assert rest == b""
    assert [reply.removesuffix(b"\r") for reply in heard] == sent


@given(st.binary(max_size=200))
def test_no_byte_is_lost_or_invented(data: bytes) -> None:
    complete, rest = split_replies(data)
    assert b"\n".join([*complete, rest]) == data


@given(st.binary(max_size=80))
def test_any_bytes_have_a_code_and_a_printable_line(data: bytes) -> None:
    assert read_code(data) in {0, *range(200, 600)}
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", read_reply(data).text)


@given(replies())
def test_the_short_way_to_read_a_reply_says_the_same_as_the_long_one(reply: bytes) -> None:
    code = int(reply[:3])
    words = "\n".join(line[4:].decode() for line in reply.split(b"\n"))
    assert read_reply(reply) == parse_reply(code, words)


@given(CODES, st.sampled_from(["2.0.0", "4.2.1", "5.1.1", "5.7.26", "5.1", "9.1.1"]), st.text(" ~ab.", max_size=520))
def test_the_short_way_agrees_on_enhanced_codes_and_length(code: int, enhanced: str, text: str) -> None:
    assert read_reply(f"{code} {enhanced} {text}\r".encode()) == parse_reply(code, f"{enhanced} {text}")


def test_a_plain_reply() -> None:
    assert read_reply(b"250 2.0.0 Ok: queued as 3F\r") == Reply(250, "2.0.0", "Ok: queued as 3F")


def test_a_code_alone_is_a_reply() -> None:
    assert read_code(b"250\r") == 250
    assert read_code(b"250") == 250


def test_what_is_no_reply_has_code_0() -> None:
    for noise in (b"", b"\r", b"25", b"2500 Ok", b"250_Ok", b"100 Go on", b"600 What", b"HTTP/1.1 400 Bad", b" 250 Ok"):
        assert read_code(noise) == 0, noise


def test_lines_that_disagree_about_their_code_are_no_reply() -> None:
    assert read_code(b"250-Ok\r\n550 No\r") == 0
    assert read_code(b"550-No\r\n550 really\r") == 550
