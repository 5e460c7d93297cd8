"""Whom a report is about: only signed names count, and the return address counts most."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.mail.reports.fields import Fields
from newsletter.mail.reports.names import Ours, Places, find_names
from newsletter.mail.reports.read import read_report
from newsletter.mail.token import Purpose, make_token
from newsletter.mail.verp import make_envelope_sender, make_notice_sender
from newsletter.model.bounce import Named, NamedBy

KEY = b"k" * 32
DOMAIN = "bounces.example.org"
OURS = Ours([KEY], DOMAIN)
VERP = make_envelope_sender(KEY, 7, 3, DOMAIN)
OTHER = make_envelope_sender(KEY, 8, 3, DOMAIN)


def names(*pairs: tuple[str, str], **places: str) -> list[tuple[int, NamedBy]]:
    found, _ = find_names(Places(Fields(pairs), **places), OURS)  # type: ignore[arg-type] # texts only
    return [(name.subscriber_id, name.by) for name in found]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("to", VERP),
        ("delivered-to", VERP.upper()),
        ("x-original-to", f"<{VERP}>"),
        ("envelope-to", VERP.replace("+", "=2B")),
        ("received", f"from mx.example.com by mail (Postfix) for <{VERP}>; Sat, 25 May 2024 06:00:00 +0000"),
    ],
)
def test_the_return_address_names_the_reader_wherever_the_way_is_told(field: str, value: str) -> None:
    assert names((field, value)) == [(7, NamedBy.ENVELOPE)]


def test_the_envelope_recipient_is_believed_first() -> None:
    found, _ = find_names(Places(Fields((("to", OTHER),)), envelope_to=VERP), OURS)
    assert [name.subscriber_id for name in found] == [7, 8]


def test_the_return_address_is_believed_more_than_what_is_returned() -> None:
    returned = Fields((("return-path", f"<{OTHER}>"),))
    found, _ = find_names(Places(Fields((("to", VERP),)), returned=returned), OURS)
    assert found == (Named(7, 3, NamedBy.ENVELOPE),)


@pytest.mark.parametrize(
    ("purpose", "by"),
    [
        (Purpose.MESSAGE, NamedBy.MESSAGE_ID),
        (Purpose.UNSUBSCRIBE, None),
        (Purpose.BOUNCE, None),
    ],
)
def test_a_reference_names_only_by_a_message_token(purpose: Purpose, by: NamedBy | None) -> None:
    found = names(("in-reply-to", f"<{make_token(KEY, purpose, 7, 3)}@example.org>"))
    assert found == ([(7, by)] if by else [])


@pytest.mark.parametrize("purpose", [Purpose.BOUNCE, Purpose.MESSAGE])
def test_an_envelope_id_names_the_reader(purpose: Purpose) -> None:
    statuses = f"Original-Envelope-Id: {make_token(KEY, purpose, 7, 3)}"
    assert names(statuses=statuses) == [(7, NamedBy.ENVELOPE_ID)]


def test_a_link_in_what_is_returned_names_the_reader() -> None:
    link = f"https://news.example.org/u/{make_token(KEY, Purpose.UNSUBSCRIBE, 7, 3)}"
    assert names(returned_text=f"Leave: {link}\n") == [(7, NamedBy.RETURNED)]


def test_a_link_broken_by_quoted_printable_still_does() -> None:
    token = make_token(KEY, Purpose.UNSUBSCRIBE, 7, 3)
    assert names(returned_text=f"/u/{token[:20]}=\n{token[20:]} ") == [(7, NamedBy.RETURNED)]


def test_an_unsubscribe_token_as_return_address_names_nobody() -> None:
    assert names(("to", f"b+{make_token(KEY, Purpose.UNSUBSCRIBE, 7, 3)}@{DOMAIN}")) == []


def test_a_return_address_at_another_domain_names_nobody() -> None:
    assert names(("to", make_envelope_sender(KEY, 7, 3, "elsewhere.example.org"))) == []


@pytest.mark.parametrize("purpose", [Purpose.CONFIRM, Purpose.FORM, Purpose.NOTICE])
def test_a_token_that_holds_no_reader_s_number_names_no_reader(purpose: Purpose) -> None:
    token = make_token(KEY, purpose, 7, 0)
    assert names(("in-reply-to", f"<{token}@example.org>"), statuses=token, returned_text=f"/confirm/{token}\n") == []


def test_a_letter_that_names_itself_names_no_reader_by_its_links() -> None:
    link = f"https://news.example.org/p/{make_token(KEY, Purpose.PREFERENCES, 7, 0)}"
    returned = Fields((("return-path", f"<{make_notice_sender(KEY, 9, DOMAIN)}>"),))
    assert find_names(Places(Fields(), returned=returned, returned_text=link), OURS) == ((), 9)
    assert find_names(Places(Fields((("to", VERP),)), returned=returned), OURS)[1] == 0


@given(st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=32, max_size=32))
def test_a_made_up_token_names_nobody(token: str) -> None:
    raw = (
        f"To: b+{token}@{DOMAIN}\nSubject: unsubscribe-{token}\nIn-Reply-To: <{token}@example.org>\n"
        f"From: MAILER-DAEMON@x\n\n<reader@example.com>: 550 5.1.1 User unknown {token}\n"
    )
    assert read_report(raw.encode(), OURS).names == ()


def test_no_more_than_a_few_signatures_are_checked() -> None:
    noise = " ".join(
        f"{number:032d}".replace("0", "a").replace("1", "b").replace("8", "c").replace("9", "d") for number in range(99)
    )
    assert names(returned_text=f"{noise} {make_token(KEY, Purpose.UNSUBSCRIBE, 7, 3)}") == []
