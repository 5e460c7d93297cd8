"""A notice on the wire says who it is from and to, and nothing that somebody slipped into it."""

import email.policy
import re
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage

import dkim
import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.mail.dkim import prepare_signing, sign_message
from newsletter.mail.message import compose_message
from newsletter.mail.notice import compose_return_address, encode_notice
from newsletter.mail.token import Purpose, make_token
from newsletter.mail.verp import read_envelope_sender, read_notice_sender
from newsletter.model.edition import Sender
from newsletter.model.notice import NewNotice, Notice
from tests.mail.test_dkim import KEYS, RECORDS

KEY = b"k" * 32
AT = datetime(2024, 5, 25, 6, 0, tzinfo=UTC)
NEW = NewNotice(
    kind="confirm-join",
    address="ann@example.org",
    subject="Bitte bestätigen",
    text="Grüße\n.hidden\nFrom me\n",
    html="<p>Grüße</p>\n",
    language="de",
    expires_at=AT,
)
NOTICE = Notice(5, NEW, 0, AT)


def compose(notice: Notice, sender: Sender) -> bytes:
    return compose_message(*encode_notice(notice, sender, KEY))


def parse(raw: bytes) -> EmailMessage:
    message = message_from_bytes(raw, policy=email.policy.SMTPUTF8)
    assert isinstance(message, EmailMessage)
    return message


def test_a_notice_is_a_whole_mail_text_first(sender: Sender) -> None:
    message = parse(compose(NOTICE, sender))
    assert message["To"] == "ann@example.org"
    assert message["From"] == "LLM Papers Daily <news@example.org>"
    assert message["Reply-To"] == "editor@example.org"
    assert message["Subject"] == "Bitte bestätigen"
    assert message["Date"] == "Sat, 25 May 2024 06:00:00 +0000"
    assert message["Message-ID"] == f"<{make_token(KEY, Purpose.NOTICE, 5, 0)}@example.org>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Content-Language"] == "de"
    parts = [(part.get_content_type(), part.get_content()) for part in message.iter_parts()]
    assert parts == [("text/plain", NEW.text.replace("\n", "\r\n")), ("text/html", NEW.html.replace("\n", "\r\n"))]
    assert not {"List-Unsubscribe", "Precedence"} & set(message.keys())


def test_a_notice_without_html_is_plain_text(sender: Sender) -> None:
    message = parse(compose(replace(NOTICE, notice=replace(NEW, html="")), sender))
    assert message.get_content_type() == "text/plain"
    assert message.get_content() == NEW.text.replace("\n", "\r\n")


def test_the_wire_form_needs_no_looking_at(sender: Sender) -> None:
    raw = compose(NOTICE, sender)
    assert raw.isascii()
    assert raw.endswith(b"\r\n")
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n|\n\.|\nFrom |[^\n]{1000}", raw)
    assert compose(NOTICE, sender) == raw


def test_an_address_of_another_script_stands_as_it_is(sender: Sender) -> None:
    raw = compose(replace(NOTICE, notice=replace(NEW, address="jörg@xn--mller-kva.de")), sender)
    assert raw.startswith("To: jörg@xn--mller-kva.de\r\n".encode())


def test_it_is_signed_as_all_our_mail_is(sender: Sender) -> None:
    frame, personal = encode_notice(NOTICE, sender, KEY)
    signed = sign_message(prepare_signing(frame, KEYS, AT), personal)
    assert signed.endswith(compose_message(frame, personal))

    def look_up(name: bytes, timeout: int = 5) -> bytes:
        return RECORDS[name.decode()].encode()

    assert [dkim.DKIM(signed).verify(index, dnsfunc=look_up) for index in range(2)] == [True, True]


def test_headers_come_beside_the_usual_ones(sender: Sender) -> None:
    headers = {"List-Unsubscribe": f"<https://news.example.org/u/{'t' * 32}>", "X-Title": "Grüße"}
    message = parse(compose(replace(NOTICE, notice=replace(NEW, headers=headers)), sender))
    assert message["List-Unsubscribe"] == headers["List-Unsubscribe"]
    assert message["X-Title"] == "Grüße"


@pytest.mark.parametrize(
    "change",
    [
        {"subject": "Hi\r\nBcc: all@example.org"},
        {"subject": "Hi\nthere"},
        {"address": "ann@example.org\r\nBcc: all@example.org"},
        {"address": "ann@example.org, all@example.org"},
        {"language": "de\r\nX: y"},
        {"headers": {"X-One": "a\r\nBcc: all@example.org"}},
        {"headers": {"X-One\r\nBcc": "a"}},
        {"headers": {"X One": "a"}},
        {"headers": {"": "a"}},
        {"headers": {"to": "all@example.org"}},
        {"headers": {"Subject": "another"}},
        {"headers": {"Content-Type": "text/evil"}},
        {"headers": {"X-Long": "x" * 1000}},
    ],
)
def test_nothing_can_be_slipped_into_the_headers(sender: Sender, change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"can't|would break"):
        compose(replace(NOTICE, notice=replace(NEW, **change)), sender)  # type: ignore[arg-type]


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@given(texts, texts, texts)
def test_any_words_come_back_as_they_were(subject: str, text: str, html: str) -> None:
    sender = Sender(
        "Daily", "news@example.org", "", "example.org", "u@example.org", "x.example.org", "Daily", "https://x"
    )
    notice = replace(NOTICE, notice=replace(NEW, subject=subject, text=text, html=html))
    try:
        raw = compose(notice, sender)
    except ValueError:
        assert re.search(r"[\x00-\x1f\x7f]", subject)
        return
    head = raw.partition(b"\r\n\r\n")[0].decode()
    names = [line.partition(":")[0] for line in re.split(r"\r\n(?![ \t])", head)]
    assert len(names) == len(set(names))
    message = parse(raw)
    first = next(iter(message.walk())) if not html else next(message.iter_parts())
    lines = first.get_payload(decode=True).decode().removesuffix("\r\n")  # type: ignore[union-attr]
    assert lines.splitlines() == text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n").splitlines()


def test_what_comes_back_names_the_notice_or_the_reader_it_counts_against(sender: Sender) -> None:
    address = compose_return_address(NOTICE, sender, KEY)
    assert read_notice_sender([KEY], address, "bounces.example.org") == 5
    warning = replace(NOTICE, notice=replace(NEW, subscriber_id=7, return_number=2**31))
    token = read_envelope_sender([KEY], compose_return_address(warning, sender, KEY), "bounces.example.org")
    assert token is not None
    assert (token.subscriber_id, token.edition_id) == (7, 2**31)
    letter = replace(NOTICE, notice=replace(NEW, subscriber_id=7))
    assert compose_return_address(letter, sender, KEY).startswith("n+")
