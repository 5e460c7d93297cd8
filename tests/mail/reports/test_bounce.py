"""What counts as a bounce, and which words of one count."""

import pytest

from newsletter.mail.reports.read import read_report
from newsletter.model.bounce import Reason, Report, ReportKind, Severity

STATUS = """From: MAILER-DAEMON@mx.example.net
Subject: Undeliverable: Papers that do not exist: spam, quota exceeded, user unknown
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b

{said}

--b
Content-Type: message/delivery-status

{status}

--b
Content-Type: message/rfc822

From: news@example.org
To: reader@example.com
Subject: Papers that do not exist: spam, quota exceeded, user unknown

The mailbox is full of papers.
--b--
"""


def read(head: str, body: str) -> Report:
    return read_report(f"{head}\n\n{body}".encode())


def status(said: str, *fields: str) -> Report:
    lines = "\n".join(("Final-Recipient: rfc822; reader@example.com", "Action: failed", *fields))
    return read_report(STATUS.format(said=said, status=lines).encode())


def test_words_of_our_own_subject_count_for_nothing() -> None:
    report = status("Your message\n  Subject: Papers that do not exist: spam, user unknown\nfailed.", "Status: 5.0.0")
    assert report.finding is not None
    assert (report.finding.reason, report.finding.severity) == (Reason.UNDETERMINED, Severity.SOFT)


def test_words_of_the_returned_mail_count_for_nothing() -> None:
    report = read(
        "From: MAILER-DAEMON@mx.example.net\nSubject: failure notice",
        "<reader@example.com>:\nIt failed.\n\n--- Below this line is a copy of the message.\n\nFrom: news@example.org\n"
        "To: reader@example.com\nSubject: x\n\n<other@example.com>: user unknown, mailbox full, spam\n",
    )
    assert [(f.recipient, f.reason) for f in report.findings] == [("reader@example.com", Reason.UNDETERMINED)]


def test_a_reporting_systems_own_category_counts_when_words_do_not() -> None:
    report = status("It failed.", "Status: 5.0.0", "X-PowerMTA-BounceCategory: bad-mailbox")
    assert report.finding is not None
    assert report.finding.reason is Reason.USER_UNKNOWN


def test_the_servers_status_is_kept_where_the_report_has_none_of_its_own() -> None:
    report = status("It failed.", "Status: 5.0.0", "Diagnostic-Code: smtp; 550 5.7.1 blocked using a blocklist")
    assert report.finding is not None
    assert (report.finding.status, report.finding.reason) == ("5.7.1", Reason.REPUTATION)


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("From: MAILER-DAEMON@mx.example.net\nSubject: failure notice", "Nothing more."),
        ("From: MAILER-DAEMON@mx.example.net\nSubject: Hello", "<reader@example.com>: user unknown"),
        ("From: x@mx.example.net\nSubject: Undeliverable mail", "It could not be delivered to reader@example.com."),
        ("From: <>\nSubject: Hm", "It could not be delivered to reader@example.com."),
        ("From: x@mx.example.net\nReturn-Path: <>\nSubject: Mail delivery failed", "reader@example.com"),
    ],
)
def test_two_signs_make_a_bounce(head: str, body: str) -> None:
    assert read(head, body).kind in (ReportKind.BOUNCE, ReportKind.UNREADABLE)


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("From: reader@example.com\nSubject: Bounce", "I like the word."),
        ("From: reader@example.com\nSubject: Hello", "My mail to x@example.org could not be delivered."),
        (
            "From: reader@example.com\nSubject: Re: Mail delivery failed\nIn-Reply-To: <x@example.org>",
            "It could not be delivered, you say?",
        ),
        (
            "From: reader@example.com\nSubject: Re: Papers\nIn-Reply-To: <x@example.org>",
            "I got this:\nFinal-Recipient: rfc822; other@example.com\nAction: failed\nStatus: 5.1.1",
        ),
    ],
)
def test_a_reader_who_writes_about_bounces_sends_none(head: str, body: str) -> None:
    assert read(head, body).kind is ReportKind.REPLY


def test_the_surest_recipient_comes_first() -> None:
    report = read(
        "From: MAILER-DAEMON@mx.example.net\nSubject: failure notice",
        "<forwarded@example.net>: user unknown\n<reader@example.com>: forwarding failed\n\n"
        "----- Original message -----\n\nFrom: news@example.org\nTo: reader@example.com\nSubject: x\n\n",
    )
    assert [finding.recipient for finding in report.findings] == ["reader@example.com", "forwarded@example.net"]
