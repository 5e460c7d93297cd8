"""Mails that would stop the intake, suspend who answers, or go round in circles."""

import base64
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from newsletter import config
from newsletter.bounces.intake import Incoming, take_mails, take_refusals
from newsletter.bounces.mailbox import drain_maildir
from newsletter.bounces.policy import WARNING_EDITION
from newsletter.mail.reports.read import read_report
from newsletter.mail.verp import make_envelope_sender, make_notice_sender
from newsletter.model.bounce import ReportKind
from newsletter.model.notice import NoticeSettlement, NoticeState
from newsletter.model.subscriber import SubscriberState
from newsletter.model.verdict import Verdict, Way
from newsletter.store.bounces import list_bounces, list_reports
from newsletter.store.choices import erase_subscriber
from newsletter.store.notices import claim_notices, list_notices, settle_notices
from newsletter.store.rates import count_complaints
from newsletter.store.subscribers import mark_left
from tests.bounces.conftest import DOMAIN, FULL, GONE, KEY, Office, bounce, vary

DAY = timedelta(days=1)
HALF = b"+2AA-"  # half of a surrogate pair, in UTF-7

POISON = {
    "in a subject": b"From: a@b.example\nSubject: =?utf-7?B?" + base64.b64encode(HALF) + b"?=\n\nhello\n",
    "in a body": b"From: a@b.example\nSubject: x\nContent-Type: text/plain; charset=utf-7\n\nhello " + HALF + b"\n",
    "NUL in a reply": b"From: a@b.example\nTo: x@y.example\nSubject: hi\n\nhello \0 there\n",
    "in a provider's words": b'From: a@b.example\nSubject: x\n\n{"notificationType":"Bounce","bounce":'
    rb'{"bouncedRecipients":[{"emailAddress":"z@b.example","diagnosticCode":"550 \ud800 no"}]}}',
}


@pytest.mark.parametrize("raw", POISON.values(), ids=POISON.keys())
def test_what_no_database_takes_stops_nothing(office: Office, raw: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "mail"
    for name in ("new", "cur", "tmp"):
        (folder / name).mkdir(parents=True)
    (folder / "new" / "1").write_bytes(raw)
    (folder / "new" / "2").write_bytes(bounce(GONE, office.publish()).raw)
    assert len(drain_maildir(office.desk, folder)) == 2
    assert list((folder / "new").iterdir()) == []
    assert office.reader().state is SubscriberState.SUSPENDED


def test_a_mail_that_breaks_the_reading_is_kept_and_the_others_are_taken(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(raw: bytes, *words: object, **more: object) -> object:
        if b"poison" in raw:
            raise RuntimeError("nobody thought of this")
        return read_report(raw, *words, **more)  # type: ignore[arg-type]

    monkeypatch.setattr("newsletter.bounces.intake.read_report", read)
    poison = Incoming(b"Subject: poison\n\n", Way.PIPE)
    first, second = take_mails(office.desk, [poison, bounce(GONE, office.publish())])
    assert (first.report.kind, first.kept) == (ReportKind.UNREADABLE, True)
    assert second.judgement is not None
    assert second.judgement.verdict is Verdict.SUSPEND


def answer(edition: int, subject: str, text: str) -> Incoming:
    """Return what a vacation responder says, to nobody's return address."""
    to = make_envelope_sender(KEY, 1, edition, DOMAIN)
    head = "Auto-Submitted: auto-replied\nReturn-Path: <>\n"
    return Incoming(
        f"From: Reader <reader1@example.net>\nTo: {to}\nSubject: {subject}\n{head}\n{text}".encode(), Way.PIPE
    )


FOOTER = "Reader One\nreader1@example.net\n\nThis mail is confidential and only for the intended recipient.\n"
ABSENT = {
    "with a footer": ("Automatic reply: Issue", f"I am away until Monday.\n\n{FOOTER}"),
    "and tells of another's mailbox": (
        "Automatic reply: Issue",
        "I am on leave. Bob no longer works here: mail to bob@x.example could not be delivered; user unknown.\n",
    ),
    "to an issue that is called like a wish": ("Re: Stop", "I am away until Monday.\n"),
}


@pytest.mark.parametrize(("subject", "text"), ABSENT.values(), ids=ABSENT.keys())
def test_who_is_away_stays_a_reader(office: Office, subject: str, text: str) -> None:
    for _ in range(8):
        (taken,) = take_mails(office.desk, [answer(office.publish(), subject, text)])
        assert taken.report.kind is ReportKind.AUTO_REPLY
        office.now += DAY
    assert office.reader().state is SubscriberState.ACTIVE
    assert office.notices() == []


def test_who_has_left_gets_no_letter_for_what_comes_back_late(office: Office) -> None:
    editions = []
    for _ in range(3):
        editions.append(office.publish())
        office.now += DAY
    with office.database.transaction() as connection:
        mark_left(connection, "reader1@example.net", office.now)
    for number, edition in enumerate([*editions, WARNING_EDITION]):
        take_mails(office.desk, [vary(bounce(FULL, edition), number)])
        office.now += DAY
    assert office.notices() == []


def test_a_relay_that_keeps_mail_for_five_days_and_an_hour_doesn_t_end_patience(office: Office) -> None:
    """By then an issue counts as arrived; not the one that is coming back."""
    verdicts = []
    for _ in range(8):
        edition = office.publish()
        office.now += timedelta(days=5, hours=1)
        (taken,) = take_mails(office.desk, [vary(bounce(FULL, edition), edition)])
        assert taken.judgement is not None
        verdicts.append(taken.judgement.verdict)
        office.now += timedelta(days=1, hours=23)
    assert Verdict.WARN in verdicts


def test_a_full_mailbox_that_refuses_issues_and_letters_ends_in_suspension(office: Office) -> None:
    full = "552 5.2.2 mailbox is full"
    office.desk = replace(office.desk, rules=config.Bounces())
    for _ in range(30):
        office.publish(refused=full)
        take_refusals(office.desk)
        with office.database.transaction() as connection:
            written = claim_notices(connection, "me", office.now + DAY, office.now, 10)
            failed = [NoticeSettlement(one.id, NoticeState.FAILED, 1, office.now, full) for one in written]
            settle_notices(connection, "me", failed)
        office.now += DAY
        if office.reader().state is not SubscriberState.ACTIVE:
            break
    assert office.reader().state is SubscriberState.SUSPENDED
    assert [kind for kind, _ in office.notices()] == ["missed", "probe"]


def test_a_machine_that_answers_what_was_forwarded_is_not_forwarded_again(office: Office) -> None:
    raw = f"From: r@example.net\nTo: x@{DOMAIN}\nSubject: hello\n\nI like it\n"
    (first,) = take_mails(office.desk, [Incoming(raw.encode(), Way.PIPE)])
    assert first.forwarded
    with office.database.read() as connection:
        number = list_notices(connection)[0].id
    to = make_notice_sender(KEY, number, DOMAIN)
    ticket = f"From: editor@example.org\nTo: {to}\nSubject: Ticket created\n\nWe received your mail.\n"
    (second,) = take_mails(office.desk, [Incoming(ticket.encode(), Way.PIPE)])
    assert not second.forwarded
    assert len(office.notices()) == 1


def test_a_reader_who_complains_twice_is_one(office: Office) -> None:
    to = make_envelope_sender(KEY, 1, office.publish(), DOMAIN)
    for number in range(2):
        head = f"From: fbl@mail.example\nTo: {to}\nSubject: complaint {number}\nContent-Type: multipart/report;"
        part = "Content-Type: message/feedback-report\n\nFeedback-Type: abuse\nUser-Agent: x\nVersion: 1\n"
        raw = f"{head} report-type=feedback-report; boundary=b\n\n--b\n{part}\n--b--\n"
        take_mails(office.desk, [Incoming(raw.encode(), Way.PIPE)])
    with office.database.read() as connection:
        assert count_complaints(connection, office.now - DAY) == (1, 3)


def test_what_comes_late_does_not_name_who_was_erased(office: Office) -> None:
    edition = office.publish()
    with office.database.transaction() as connection:
        erase_subscriber(connection, office.reader(), office.now)
    late = bounce(GONE, edition)
    late = Incoming(late.raw.replace(b"no such user", b"<reader1@example.net>: no such user"), Way.PIPE)
    take_mails(office.desk, [late, answer(edition, "Out of office: Reader One", "away\n")])
    with office.database.read() as connection:
        assert "reader1@" not in repr([*list_bounces(connection), *list_reports(connection)])
