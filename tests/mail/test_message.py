"""The whole message, read back by another parser than the one that would have written it."""

import re
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta, timezone
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.mail.message import Envelope, compose_envelope, encode_edition
from newsletter.mail.token import Purpose, Token, read_token
from newsletter.mail.verp import read_envelope_sender
from newsletter.model.edition import PERSONAL_FIELDS, PREFERENCES_FIELD, UNSUBSCRIBE_FIELD, Edition, Sender

KEY = b"k" * 32
AT = datetime(2024, 5, 25, 6, 0, tzinfo=UTC)
FIXTURE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def compose(edition: Edition, address: str = "ann@example.net", name: str = "Ann", subscriber_id: int = 7) -> Envelope:
    frame = encode_edition(edition, AT)
    return compose_envelope(frame, KEY, edition_id=3, subscriber_id=subscriber_id, address=address, name=name)


def parse(envelope: Envelope) -> EmailMessage:
    message = BytesParser(policy=policy.default).parsebytes(envelope.message)
    assert not message.defects
    return message


def body(message: EmailMessage, subtype: str) -> str:
    part = message.get_body((subtype,))
    assert part is not None
    assert not part.defects
    content = part.get_content()
    assert isinstance(content, str)
    return content.replace("\r\n", "\n")


def unsubscribe_token(message: EmailMessage) -> str:
    found = re.search("/u/([a-z2-7]{32})>", message["List-Unsubscribe"])
    assert found
    return found[1]


def test_every_header_is_there_once(edition: Edition) -> None:
    message = parse(compose(edition))
    names = [name.lower() for name in message]
    assert len(names) == len(set(names))
    assert {name: str(message[name]) for name in message if name not in ("Message-ID", "List-Unsubscribe")} == {
        "From": "LLM Papers Daily <news@example.org>",
        "To": "Ann <ann@example.net>",
        "Reply-To": "editor@example.org",
        "Subject": "Naïve attention – 21 papers 🎉",
        "Date": "Sat, 25 May 2024 06:00:00 +0000",
        "List-Id": '"LLM Papers Daily" <papers.example.org>',
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "List-Archive": "<https://news.example.org/archive/>",
        "List-Help": "<mailto:editor@example.org?subject=help>",
        "List-Post": "NO",
        "Feedback-ID": str(message["Feedback-ID"]),
        "Auto-Submitted": "auto-generated",
        "Precedence": "bulk",
        "Content-Language": "en",
        "MIME-Version": "1.0",
        "Content-Type": str(message["Content-Type"]),
    }
    assert re.fullmatch(r"2024-05-25:newsletter:[a-z0-9]{5,15}", message["Feedback-ID"])


def test_without_reply_to_there_is_none_and_help_goes_to_the_sender(edition: Edition, sender: Sender) -> None:
    message = parse(compose(replace(edition, sender=replace(sender, reply_to=""))))
    assert message["Reply-To"] is None
    assert message["List-Help"] == "<mailto:news@example.org?subject=help>"


def test_text_comes_before_html_and_both_read_back_with_the_tokens_in(edition: Edition) -> None:
    message = parse(compose(edition))
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    leave = unsubscribe_token(message)
    found = re.search("/p/([a-z2-7]{32})", body(message, "plain"))
    assert found
    for subtype, source in (("plain", edition.text), ("html", edition.html)):
        expected = source.replace(UNSUBSCRIBE_FIELD, leave).replace(PREFERENCES_FIELD, found[1])
        assert body(message, subtype) == expected
    assert read_token([KEY], Purpose.UNSUBSCRIBE, leave) == Token(7, 3)
    assert read_token([KEY], Purpose.PREFERENCES, found[1]) == Token(7, 3)


def test_list_unsubscribe_is_folded_only_between_its_two_addresses(edition: Edition) -> None:
    envelope = compose(edition)
    token = unsubscribe_token(parse(envelope)).encode()
    assert (
        b"\r\nList-Unsubscribe: <https://news.example.org/u/%b>,\r\n"
        b" <mailto:unsubscribe@bounces.example.org?subject=unsubscribe-%b>\r\n" % (token, token)
    ) in envelope.message


def test_message_id_and_envelope_sender_name_edition_and_reader(edition: Edition) -> None:
    envelope = compose(edition)
    found = re.fullmatch("<([a-z2-7]{32})@example.org>", parse(envelope)["Message-ID"])
    assert found
    assert found[1] == envelope.name
    assert read_token([KEY], Purpose.MESSAGE, found[1]) == Token(7, 3)
    assert read_envelope_sender([KEY], envelope.sender, "bounces.example.org") == Token(7, 3)


def test_a_resend_is_the_same_bytes_and_another_reader_s_are_not(edition: Edition) -> None:
    assert compose(edition) == compose(edition)
    assert compose(edition).message != compose(edition, subscriber_id=8).message


def test_the_date_is_when_it_was_published_in_utc(edition: Edition) -> None:
    berlin = timezone(timedelta(hours=2))
    assert encode_edition(edition, AT.astimezone(berlin)) == encode_edition(edition, AT)
    assert parsedate_to_datetime(parse(compose(edition))["Date"]) == AT
    with pytest.raises(ValueError, match="time zone"):
        encode_edition(edition, AT.replace(tzinfo=None))


def test_nothing_personal_is_left_unfilled(edition: Edition) -> None:
    message = compose(edition).message
    assert b"\x00" not in message
    assert not any(field.encode() in message for field in PERSONAL_FIELDS)


def test_names_and_subjects_in_other_scripts_read_back(edition: Edition, sender: Sender) -> None:
    envelope = compose(replace(edition, sender=replace(sender, name="新聞")), name="Zoë, “Zo”")
    message = parse(envelope)
    assert envelope.message.isascii()
    assert message["To"].addresses[0].display_name == "Zoë, “Zo”"
    assert message["From"].addresses[0].display_name == "新聞"


def test_an_address_in_another_script_needs_smtputf8_and_no_other_does(edition: Edition) -> None:
    plain, foreign = compose(edition), compose(edition, address="用户@xn--fsqu00a.example", name="用户")
    assert not plain.needs_smtputf8
    assert foreign.needs_smtputf8
    assert "<用户@xn--fsqu00a.example>\r\n".encode() in foreign.message


def test_our_own_domains_go_out_as_a_labels(edition: Edition, sender: Sender) -> None:
    abroad = replace(
        sender, address="news@bücher.example", bounce_domain="bücher.example", url="https://bücher.example/ä"
    )
    envelope = compose(replace(edition, sender=abroad))
    message = parse(envelope)
    assert message["From"].addresses[0].addr_spec == "news@xn--bcher-kva.example"
    assert envelope.sender.endswith("@xn--bcher-kva.example")
    assert message["List-Archive"] == "<https://xn--bcher-kva.example/%C3%A4/archive/>"


@pytest.mark.parametrize("evil", ["x\r\nBcc: all@example.org", "x\ny", "x\ry", "x\x00y"])
@pytest.mark.parametrize("where", ["subject", "language", "name", "list_name", "url", "reply_to", "reader"])
def test_nobody_can_add_a_header(edition: Edition, sender: Sender, where: str, evil: str) -> None:
    evil_sender = sender
    if where in ("name", "list_name", "url", "reply_to"):
        evil_sender = Sender(**(asdict(sender) | {where: evil}))
    subject, language = (evil if where == name else "plain" for name in ("subject", "language"))
    edition = replace(edition, sender=evil_sender, subject=subject, language=language)
    name = evil if where == "reader" else "Ann"
    with pytest.raises(ValueError, match=r"line break|not a mail address|can't hold"):
        compose(edition, name=name)


def test_a_subject_too_long_for_a_line_is_folded_and_a_url_too_long_is_refused(
    edition: Edition, sender: Sender
) -> None:
    assert parse(compose(replace(edition, subject="paper " * 300 + "end")))["Subject"] == "paper " * 300 + "end"
    with pytest.raises(ValueError, match="rules for lines"):
        compose(replace(edition, sender=replace(sender, url="https://news.example.org/" + "x" * 990)))


@FIXTURE
@given(text=st.text(), html=st.text(), subject=st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_whatever_the_edition_holds_the_wire_form_is_safe(edition: Edition, text: str, html: str, subject: str) -> None:
    envelope = compose(replace(edition, text=text, html=html, subject=subject))
    assert envelope.message.isascii()
    assert b"\x00" not in envelope.message
    assert envelope.message.endswith(b"\r\n")
    for line in envelope.message.split(b"\r\n"):
        assert b"\r" not in line
        assert b"\n" not in line
        assert len(line) <= 998
        assert not line.startswith(b".")
    message = parse(envelope)
    assert message["Subject"] == subject
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
