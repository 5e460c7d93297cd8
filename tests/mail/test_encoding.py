"""The wire form: what goes in comes out, in lines that no server and no mail program stumbles over."""

import quopri
import re
from email import policy
from email.header import decode_header, make_header
from email.parser import BytesParser
from email.utils import parseaddr

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.mail.encoding import encode_mailbox, encode_phrase, encode_quoted_printable, encode_text
from newsletter.model.edition import PERSONAL_FIELDS, PREFERENCES_FIELD, UNSUBSCRIBE_FIELD

AWKWARD = ["\n", "\r\n", "\r", ".", "..", "From ", " ", "\t", "=", "=?utf-8?q?x?=", "é", "漢字", "🎉", "\x00", "a" * 70]
TEXTS = st.lists(st.text(max_size=90) | st.sampled_from([*AWKWARD, *PERSONAL_FIELDS]), max_size=12).map("".join)
LINES = st.text(st.characters(exclude_categories=["Cs", "Cc"]))
NAMES = LINES | st.lists(st.sampled_from(["Ann", "O'Neil", '"', "\\", ",", "é", "漢", "=?", " ", "x" * 40])).map(
    "".join
)


def parse_header(name: str, value: str) -> str:
    raw = f"{name}: {value}\r\n\r\n".encode()
    return str(BytesParser(policy=policy.default).parsebytes(raw)[name])


def parse_mailbox(value: str) -> tuple[str, str]:
    """Read a mailbox by the older half of `email`: the newer puts blanks between encoded words of a phrase."""
    phrase, address = parseaddr(value.replace("\r\n", ""))
    return str(make_header(decode_header(phrase))) if "=?" in value else phrase, address


@given(TEXTS)
@example(f"{'a' * 60}{UNSUBSCRIBE_FIELD}{PREFERENCES_FIELD}.")
@example(f"{'a' * 73}.b")
@example(" \n \t")
def test_a_body_survives_quoted_printable(text: str) -> None:
    wire = encode_quoted_printable(text)
    normal = text.replace("\r\n", "\n").replace("\r", "\n")
    assert quopri.decodestring(wire).decode().replace("\r\n", "\n") == normal


@given(TEXTS)
@example(f"{'a' * 73}.b\n{'a' * 73}From b")
def test_every_line_of_a_body_is_safe_on_the_wire(text: str) -> None:
    wire = encode_quoted_printable(text)
    assert re.fullmatch(rb"[\t\r\n -~]*", wire)
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", wire)
    for line in wire.split(b"\r\n"):
        assert len(line) <= 76
        assert not line.startswith((b".", b"From "))
        assert not line.endswith((b" ", b"\t"))


@given(TEXTS)
def test_personal_fields_stay_whole(text: str) -> None:
    wire = encode_quoted_printable(text)
    for field in PERSONAL_FIELDS:
        assert wire.count(field.encode()) == text.count(field)


@given(LINES)
@example("Twenty-one papers " * 12)
@example("word" * 60)
@example(" leading, double  and trailing ")
@example("=?utf-8?q?not_encoded?=")
def test_a_subject_reads_back_as_it_was(subject: str) -> None:
    value = encode_text(subject, len("Subject: "))
    assert value.isascii()
    lines = f"Subject: {value}".split("\r\n")
    assert all(len(line) <= 76 for line in lines)
    assert all(line.startswith(" ") and line.strip() for line in lines[1:])
    assert parse_header("Subject", value) == subject


def test_a_plain_subject_stays_readable() -> None:
    assert encode_text("Twenty-one papers", 9) == "Twenty-one papers"


@pytest.mark.parametrize("subject", ["漢字" * 30, "naïve attention " * 8])
def test_the_shorter_of_the_two_encodings_is_taken(subject: str) -> None:
    value = encode_text(subject, 9)
    assert value.startswith("=?utf-8?b?" if "漢" in subject else "=?utf-8?q?")


@given(NAMES)
@example("Zoë Müller-Lüdenscheidt von und zu " * 4)
@example('Doe, John \\ "Jack"')
def test_a_name_reads_back_as_it_was(name: str) -> None:
    value = encode_mailbox(name, "ann@example.org")
    assert value.isascii()
    assert all(len(line) <= 76 for line in f"Reply-To: {value}".split("\r\n"))
    assert parse_mailbox(value) == (name, "ann@example.org")


def test_a_local_part_in_another_script_stays_as_it_is() -> None:
    assert encode_mailbox("", "用户@xn--fsqu00a.example") == "用户@xn--fsqu00a.example"


@pytest.mark.parametrize("evil", ["a\r\nBcc: x@example.org", "a\nb", "a\rb", "a\x00b", "a\x7fb"])
def test_nothing_starts_another_header(evil: str) -> None:
    with pytest.raises(ValueError, match="can't hold a line break"):
        encode_text(evil, 9)
    with pytest.raises(ValueError, match="can't hold a line break"):
        encode_phrase(evil)
    with pytest.raises(ValueError, match="can't hold a line break"):
        encode_mailbox(evil, "ann@example.org")
    with pytest.raises(ValueError, match="can't hold this address"):
        encode_mailbox("", f"{evil}@example.org")


@pytest.mark.parametrize("address", ["", "a", "a b@c.org", "<a@b.org>", "a@b.org,c@d.org", 'a"@b.org', "a@b@c.org"])
def test_what_is_not_one_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="can't hold this address"):
        encode_mailbox("Ann", address)
