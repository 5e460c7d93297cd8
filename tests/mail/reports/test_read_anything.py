"""Whatever comes in gives a report: any bytes, mutated bounces, and text made to be slow."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.mail.reports.limits import DIAGNOSTIC_LENGTH, SHOWN_LENGTH
from newsletter.mail.reports.read import Ours, judge_mail, read_report
from newsletter.model.bounce import Report

OURS = Ours([b"k" * 32], "bounces.example.org", "unsubscribe@bounces.example.org")
SAMPLES = [path.read_bytes() for path in sorted((Path(__file__).parent / "samples").glob("*.eml"))]
PIECES = [
    b"\n\n",
    b"\r",
    b"\x00",
    b"\xff\xfe",
    b"\x1b$B",
    b"=?utf-8?b?",
    b"--",
    b"--b1\n",
    b"<",
    b"@",
    b"Final-Recipient: rfc822; ",
    b"Content-Type: multipart/mixed; boundary=b1\n",
    b"Content-Type: message/rfc822\n\n",
    b"Content-Transfer-Encoding: base64\n",
]


def check(report: Report) -> None:
    """Hold a report to what is promised of it: bounded and printable, whatever the mail was."""
    for finding in report.findings:
        assert len(finding.diagnostic) <= DIAGNOSTIC_LENGTH
        texts = (finding.recipient, finding.original_recipient, finding.remote_mta, finding.reporting_mta)
        assert all(len(text) <= SHOWN_LENGTH for text in texts)
        assert not any(ord(letter) < 32 for text in (*texts, finding.diagnostic) for letter in text)
    assert len(report.sender) <= SHOWN_LENGTH
    assert len(report.subject) <= SHOWN_LENGTH


@settings(deadline=None)  # a busy machine is no defect
@given(st.binary())
def test_any_bytes_give_a_report(raw: bytes) -> None:
    check(read_report(raw, OURS))
    judge_mail(raw)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Draw a bounce with cuts, repetitions, and pieces of others and of none."""
    mail = bytearray(draw(st.sampled_from(SAMPLES)))
    for _ in range(draw(st.integers(1, 8))):
        start = draw(st.integers(0, len(mail)))
        end = min(len(mail), start + draw(st.integers(0, 300)))
        kind = draw(st.integers(0, 3))
        if kind == 0:
            del mail[start:end]
        elif kind == 1:
            mail[start:end] = mail[start:end] * draw(st.integers(2, 20))
        elif kind == 2:
            mail[start:start] = draw(st.sampled_from(PIECES))
        else:
            other = draw(st.sampled_from(SAMPLES))
            mail[start:start] = other[draw(st.integers(0, len(other))) :][:1000]
    return bytes(mail)


@settings(deadline=None)
@given(mutated())
def test_a_mutated_bounce_gives_a_report_about_nobody_else(raw: bytes) -> None:
    report = read_report(raw, OURS)
    check(report)
    assert {(name.subscriber_id, name.edition_id) for name in report.names} <= {(7, 3)}


HEAD = b"From: MAILER-DAEMON@x\nSubject: Undelivered\n"


@pytest.mark.parametrize(
    "raw",
    [
        HEAD + b"\n" + b"a" * 500_000,
        HEAD + b"\n" + b"a@" * 250_000,
        HEAD + b"\n" + b"<" * 500_000,
        HEAD + b"\n" + b"<a@b.example>:" * 40_000,
        HEAD + b"\n" + b"<a@b.example>:\n" * 40_000,
        HEAD + b"\n" + b"recipient to address of " * 20_000,
        HEAD + b"\n" + b"user mailbox recipient address " * 20_000,
        HEAD + b"\n" + b"a." * 250_000 + b"@" + b"a." * 250_000,
        HEAD + b"\n" + b"-" * 500_000,
        HEAD + b"\n" + b"\n" * 500_000,
        HEAD + b"\n" + b"Received: x\n" * 40_000,
        HEAD + b"Content-Type: text/html\n\n" + b"<style" * 80_000,
        HEAD + b"Content-Type: text/html\n\n" + b"<a " * 150_000,
        HEAD + b"Content-Type: text/html\n\n" + b"<pre>\n" * 80_000,
        HEAD + b"Content-Type: text/html\n\n" + b"<pre></pre>" * 40_000,
        HEAD + b"\n" + b"messageid" * 50_000,
        HEAD + b"\n" + b"message-id::::" * 30_000,
        HEAD + b"\n" + b"said: 550 " * 50_000,
        HEAD + b"\n" + b'{"notificationType":' * 20_000,
        HEAD + b"Content-Type: text/html\n\n" + b"&#" * 250_000,
        HEAD + b"Content-Type: text/plain;" + b' a="b' * 100_000 + b"\n\nx",
        HEAD + b"To: " + b"b+" * 200_000 + b"\n\nx",
        HEAD + b"Subject: " + b"=?utf-8?b?" * 50_000 + b"\n\nx",
        HEAD + b"Subject: " + b"=?utf-8?b?AAAA?= " * 30_000 + b"\n\nx",
        b"a: b\n c\n" * 80_000,
        b" " * 500_000,
        b"Content-Type: multipart/mixed; boundary=x\n\n" + b"--x\n" * 120_000,
        b"Content-Type: multipart/report; report-type=delivery-status\n\n" + b"Final-Recipient: a@b\n" * 40_000,
        b"Content-Type: message/rfc822\n\n" * 20_000,
    ],
)
def test_text_made_to_be_slow_is_read_in_a_blink(raw: bytes) -> None:
    check(read_report(raw, OURS))
