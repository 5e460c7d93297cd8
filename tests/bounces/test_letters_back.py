"""Letters that belong to no edition come back, too: they have failed, and count against no reader."""

from datetime import timedelta

import pytest

from newsletter.bounces.intake import Incoming, take_mails
from newsletter.mail.token import Purpose, make_token
from newsletter.mail.verp import make_notice_sender
from newsletter.model.bounce import ReportKind
from newsletter.model.notice import NewNotice, NoticeSettlement, NoticeState
from newsletter.model.subscriber import NewSubscriber, SubscriberState
from newsletter.model.verdict import Verdict, Way
from newsletter.store.notices import claim_notices, list_notices, settle_notices, write_notice
from newsletter.store.subscribers import add_subscriber
from tests.bounces.conftest import DOMAIN, FULL, GONE, KEY, Office, bounce

NOTICE = make_notice_sender(KEY, 1, DOMAIN)


def send_letter(office: Office, kind: str, address: str, subscriber_id: int | None = None) -> None:
    """Write a letter down, and let the relay take it."""
    until = office.now + timedelta(days=3)
    new = NewNotice(kind, address, "Please confirm", "…", "en", until, subscriber_id=subscriber_id)
    with office.database.transaction() as connection:
        write_notice(connection, new, office.now)
        (letter,) = claim_notices(connection, "me", until, office.now, 10)
        settle_notices(connection, "me", [NoticeSettlement(letter.id, NoticeState.SENT, 1, office.now, "250 ok")])


def back(said: str, to: str = NOTICE, more: str = "", action: str = "failed") -> Incoming:
    """Return a delivery report that came to `to`, with `more` as its last lines."""
    mail = bounce(said, 1, action=action).raw.decode()
    theirs = next(line for line in mail.splitlines() if line.startswith("To: "))
    return Incoming((mail.replace(theirs, f"To: {to}") + more).encode(), Way.LMTP)


def letter_of(office: Office) -> tuple[NoticeState, str]:
    with office.database.read() as connection:
        (line,) = [line for line in list_notices(connection) if line.id == 1]
    return line.state, line.reply


def test_a_confirmation_to_nobody_has_failed_and_says_why(office: Office) -> None:
    send_letter(office, "confirm-join", "typo@example.net")
    (taken,) = take_mails(office.desk, [back(GONE)])
    assert (taken.report.notice, taken.report.named, taken.judgement) == (1, None, None)
    said = "came back, user unknown: 550 5.1.1 no such user here"
    assert letter_of(office) == (NoticeState.FAILED, said)


def test_a_full_mailbox_fails_a_letter_too(office: Office) -> None:
    send_letter(office, "welcome", "reader1@example.net", 1)
    take_mails(office.desk, [back(FULL)])
    assert letter_of(office)[1].startswith("came back, mailbox full: 452 4.2.2")


def test_a_letter_to_a_new_address_does_not_end_the_mail_to_the_old_one(office: Office) -> None:
    send_letter(office, "confirm-move", "typo@example.net", 1)
    take_mails(office.desk, [back(GONE)])
    assert letter_of(office)[0] is NoticeState.FAILED
    assert office.reader().state is SubscriberState.ACTIVE


def test_a_delay_leaves_a_letter_sent(office: Office) -> None:
    send_letter(office, "confirm-join", "slow@example.net")
    (taken,) = take_mails(office.desk, [back("451 4.4.1 connection timed out", action="delayed")])
    assert (taken.report.kind, taken.report.notice) == (ReportKind.DELAY, 1)
    assert letter_of(office) == (NoticeState.SENT, "250 ok")


@pytest.mark.parametrize("field", ["Message-ID: <{}@example.org>", "X-Original-Message-Id: {}"])
def test_the_returned_message_id_names_a_letter(office: Office, field: str) -> None:
    send_letter(office, "confirm-join", "typo@example.net")
    token = make_token(KEY, Purpose.NOTICE, 1, 0)
    returned = f"--b1\r\nContent-Type: message/rfc822\r\n\r\n{field.format(token)}\r\n\r\n--b1--\r\n"
    mail = back(GONE, to="someone@example.org").raw.replace(b"--b1--\r\n", returned.encode())
    take_mails(office.desk, [Incoming(mail, Way.PIPE)])
    assert letter_of(office)[0] is NoticeState.FAILED


def test_a_probe_counts_though_only_its_message_id_came_back(office: Office) -> None:
    reader = office.reader()
    with office.database.transaction() as connection:
        write_notice(connection, office.desk.letters.probe(reader, office.now), office.now)
    token = make_token(KEY, Purpose.NOTICE, 1, 0)
    raw = back(FULL, to="someone@example.org").raw
    raw = raw.replace(b"Subject:", f"References: <{token}@example.org>\r\nSubject:".encode(), 1)
    (taken,) = take_mails(office.desk, [Incoming(raw, Way.PIPE)])
    assert taken.judgement is not None
    assert taken.judgement.verdict is Verdict.SUSPEND
    assert office.reader().state is SubscriberState.SUSPENDED


@pytest.mark.parametrize(
    "to",
    [
        make_notice_sender(b"x" * 32, 1, DOMAIN),
        make_notice_sender(KEY, 2, DOMAIN),
        f"n+{make_token(KEY, Purpose.BOUNCE, 1, 0)}@{DOMAIN}",
    ],
)
def test_what_we_did_not_sign_for_this_letter_leaves_it_as_it_is(office: Office, to: str) -> None:
    send_letter(office, "confirm-join", "typo@example.net")
    take_mails(office.desk, [back(GONE, to=to)])
    assert letter_of(office) == (NoticeState.SENT, "250 ok")
    assert office.reader().state is SubscriberState.ACTIVE


def complaint_about(to: str) -> Incoming:
    raw = f"""\
From: complaints@big.example
To: {to}
Subject: abuse report
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b1"

--b1
Content-Type: message/feedback-report

Feedback-Type: abuse
Version: 1
User-Agent: test/1

--b1--
"""
    return Incoming(raw.encode(), Way.LMTP)


@pytest.mark.parametrize(("kind", "kept_out"), [("confirm-join", True), ("alarm", False)])
def test_who_calls_a_letter_spam_gets_no_other(office: Office, kind: str, kept_out: bool) -> None:
    send_letter(office, kind, "victim@example.net")
    take_mails(office.desk, [complaint_about(NOTICE)])
    with office.database.transaction() as connection:
        admission, _ = add_subscriber(connection, NewSubscriber("victim@example.net"), office.now)
    assert (admission == "suppressed") is kept_out


def test_a_reader_who_calls_a_letter_spam_is_no_reader_any_more(office: Office) -> None:
    send_letter(office, "already-reads", "Reader1@example.net", 1)
    take_mails(office.desk, [complaint_about(NOTICE)])
    assert letter_of(office) == (NoticeState.FAILED, "called spam")
    assert office.reader().state is SubscriberState.SUSPENDED
