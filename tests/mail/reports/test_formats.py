"""Formats that servers write in a few lines: whom and how bad, however the mail is put together."""

import base64
import html
import quopri
from collections.abc import Iterator

import pytest

from newsletter.mail.reports.read import judge_mail, read_report
from newsletter.model.bounce import Reason, Severity

A = "reader@example.com"
HARD, SOFT = Severity.HARD, Severity.SOFT
RETURNED = """
Return-Path: <news@example.org>
Received: from mx.example.net by mail; Sat, 25 May 2024 06:00:00 +0000
From: "Daily" <news@example.org>
To: alias@example.net
Subject: Twenty papers
Message-ID: <1@example.org>

Hello.
"""
PLAIN = {
    "aol": (
        "The address which was undeliverable is listed in the section labeled:\n"
        '"----- The following addresses had permanent fatal errors -----".\n\n'
        f"   ----- The following addresses had permanent fatal errors -----\n<{A}>\n\n"
        "   ----- Transcript of session follows -----\n... while talking to air-xj03.mail.aol.com.:\n"
        f">>> RCPT To:<{A}>\n<<< 550 MAILBOX NOT FOUND\n550 <{A}>... User unknown\n",
        Reason.USER_UNKNOWN,
        HARD,
    ),
    "bracketed": (
        f"A message that you sent could not be delivered to the following: ({A})\nReason: mailbox is full\n---\n"
        + RETURNED,
        Reason.MAILBOX_FULL,
        SOFT,
    ),
    "czech": (
        f"Vaše zpráva nemohla být doručena.\nPříjemce: {A}\nDůvod: schránka neexistuje\n",
        Reason.USER_UNKNOWN,
        HARD,
    ),
    "ironport": (
        f"The following message to <{A}> was undeliverable.\nThe reason for the problem:\n"
        "4.1.2 - Bad destination host 'DNS Hard Error looking up example.com (MX): NXDomain'\n",
        Reason.HOST_UNKNOWN,
        HARD,
    ),
    "mailenable": (
        f"MailEnable: Message Delivery Failure.\n\nThe following recipient(s) could not be reached:\n\n"
        f"\tRecipient: [SMTP:{A}]\n\tReason: The message could not be delivered because the domain name (example.com) "
        f"does not appear to be registered.\n\nMessage headers follow:\n{RETURNED}",
        Reason.HOST_UNKNOWN,
        HARD,
    ),
    "message-switch": (
        f"Your message to:\n  {A}\nhas been delayed.\nThis is just a warning, you do not need to take any action.\n",
        None,
        SOFT,
    ),
    "pmdf": (
        f"Your message cannot be delivered to the following recipients:\n\n  Recipient address: {A}\n"
        "  Reason: Illegal host/domain name found\n",
        Reason.HOST_UNKNOWN,
        HARD,
    ),
    "qq": (
        f"很抱歉,您发送的邮件被退回,以下是该邮件的相关信息:\n\n无法发送到 {A}\n\n"
        "退信原因 收件人邮箱不存在,或者收件人邮箱容量已满\n"
        "host mx3.qq.com[192.0.2.4] said: 550 Mailbox not found. (in reply to RCPT TO command)\n",
        Reason.USER_UNKNOWN,
        HARD,
    ),
    "rejected-by": (
        f"A message that you sent was rejected by {A}\nReason: mailbox is full\nThis is a copy of your message\n"
        + RETURNED,
        Reason.MAILBOX_FULL,
        SOFT,
    ),
    "turkish": (f"İletiniz şu alıcıya teslim edilemedi: {A}\nNeden: kullanıcı bulunamadı\n", Reason.USER_UNKNOWN, HARD),
    "xmail": (
        f"[<00>] XMail bounce: Rcpt=[{A}];Error=[550 5.1.1 User unknown]\n\n[<02>] The reason of the delivery failure "
        f"was:\n\n550 5.1.1 <{A}>: user unknown\n\n[<05>] Here is listed the initial part of the message:\n{RETURNED}",
        Reason.USER_UNKNOWN,
        HARD,
    ),
}


def wrap(said: str) -> Iterator[bytes]:
    """Yield a bounce as it may be put together: plain, encoded, as HTML, within a forwarded mail."""
    head = (
        "From: MAILER-DAEMON@mx.example.net\nTo: news@example.org\nSubject: Mail delayed or failed\nMIME-Version: 1.0\n"
    )
    kind = "Content-Type: text/{}; charset=utf-8\n"
    plain = head + kind.format("plain")
    yield f"{plain}\n{said}".encode()
    yield f"{plain}Content-Transfer-Encoding: base64\n\n".encode() + base64.encodebytes(said.encode())
    yield f"{plain}Content-Transfer-Encoding: quoted-printable\n\n".encode() + quopri.encodestring(said.encode())
    yield f"{head}{kind.format('html')}\n<html><body><pre>{html.escape(said)}</pre></body></html>".encode()
    lines = "<br>\n".join(html.escape(line) for line in said.split("\n"))
    yield f"{head}{kind.format('html')}\n<html><style>p {{}}</style><p>{lines}</p></html>".encode()
    outer = "From: a@forwarder.example\nSubject: Fwd: see below\nMIME-Version: 1.0\n"
    mixed = 'Content-Type: multipart/mixed; boundary="w"\n\n--w\n\nSee below.\n--w\nContent-Type: message/rfc822\n\n'
    yield f"{outer}{mixed}{plain}\n{said}\n--w--\n".encode()


@pytest.mark.parametrize("name", sorted(PLAIN))
def test_words_tell_the_same_however_they_are_wrapped(name: str) -> None:
    said, reason, severity = PLAIN[name]
    for raw in wrap(said):
        recipient, found, why = judge_mail(raw)
        assert (recipient, found) == (A, severity)
        assert reason is None or why is reason


@pytest.mark.parametrize(
    ("field", "recipient"),
    [
        (r"utf-8; k\x{E9}jitora@example.com", "kéjitora@example.com"),
        ("utf-8; kéjitora@exämple.com", "kéjitora@exämple.com"),
        (r"utf-8; \x{D800}k@example.com", r"x{D800}k@example.com"),
        ('rfc822;"kiji..tora"@example.com', '"kiji..tora"@example.com'),
        ("RFC822; Some Name <reader@example.com>", "reader@example.com"),
    ],
)
def test_recipients_in_many_spellings(field: str, recipient: str) -> None:
    raw = f"""\
From: MAILER-DAEMON@mx.example.net
Subject: Undelivered
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: message/global-delivery-status

Reporting-MTA: dns; mx.example.net

Final-Recipient: {field}
Action: failed
Status: 5.1.1

--b--
"""
    assert read_report(raw.encode()).findings[0].recipient == recipient


def test_a_message_id_is_nobody_s_address() -> None:
    head = "From: MAILER-DAEMON@example.net\nSubject: Undelivered\n"
    raw = f"{head}\nMessage-ID: <1@example.org>\nIt could not be delivered.\n"
    assert judge_mail(raw.encode())[0] == ""
