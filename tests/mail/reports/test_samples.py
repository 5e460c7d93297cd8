"""Bounces of many mail systems, written as these write them; `$`-free, small, and without anybody's real address.

Each sample that comes to a return address of ours is about subscriber 7 and edition 3, signed with the tests' key.
"""

from pathlib import Path

import pytest

from newsletter.mail.reports.read import Ours, judge_mail, read_report
from newsletter.model.bounce import Action, NamedBy, Reason, ReportKind, Severity

SAMPLES = Path(__file__).parent / "samples"
OURS = Ours([b"k" * 32], "bounces.example.org", "unsubscribe@bounces.example.org")
HARD, SOFT, NONE = Severity.HARD, Severity.SOFT, Severity.NONE

BOUNCES = {
    "1und1-size": ("reader@example.com", Reason.TOO_LARGE, SOFT),
    "activehunter": ("reader@example.com", Reason.USER_UNKNOWN, HARD),
    "address-only": ("reader@example.com", Reason.USER_UNKNOWN, HARD),
    "amazon-ses": ("reader@example.com", Reason.USER_UNKNOWN, HARD),
    "aol-names-only": ("reader@aol.com", Reason.FILTERED, SOFT),
    "biglobe-full": ("reader@provider.example.jp", Reason.MAILBOX_FULL, SOFT),
    "bracketed-reason": ("reader@example.com", Reason.USER_UNKNOWN, HARD),
    "chinese": ("reader@mail.example.cn", Reason.MAILBOX_FULL, SOFT),
    "courier": ("reader@example.com", Reason.USER_UNKNOWN, HARD),
    "domino": ("reader@corp.example.com", Reason.USER_UNKNOWN, HARD),
    "dovecot-quota": ("reader@example.com", Reason.MAILBOX_FULL, SOFT),
    "error-count": ("reader@example.com", Reason.USER_UNKNOWN, HARD),
    "exchange-2003": ("reader@corp.example.com", Reason.USER_UNKNOWN, HARD),
    "exchange-2007-plain-french": ("reader@corp.example.com", Reason.MAILBOX_FULL, SOFT),
    "exchange-55": ("reader@corp.example.com", Reason.USER_UNKNOWN, HARD),
    "exchange-group-members-only": ("all@corp.example.com", Reason.FILTERED, SOFT),
    "exchange-online-blocked": ("reader@corp.example.com", Reason.REPUTATION, SOFT),
    "exchange-online-html": ("reader@corp.example.com", Reason.USER_UNKNOWN, HARD),
    "exim-unknown": ("reader@example.com", Reason.USER_UNKNOWN, HARD),
    "expired-with-permanent-status": ("reader@example.com", Reason.EXPIRED, SOFT),
    "ezweb-disabled": ("reader@carrier.example.jp", Reason.MAILBOX_DISABLED, SOFT),
    "facebook-preferences": ("reader@facebook.example.com", Reason.FILTERED, SOFT),
    "forged-signature": ("reader@example.com", Reason.USER_UNKNOWN, HARD),
    "forwarded": ("reader@example.com", Reason.USER_UNKNOWN, HARD),
    "gmail-full": ("reader@gmail.example.com", Reason.MAILBOX_FULL, SOFT),
    "gmail-old": ("reader@example.com", Reason.USER_UNKNOWN, HARD),
    "gmail-unauthenticated": ("reader@gmail.example.com", Reason.AUTHENTICATION, SOFT),
    "gmx": ("reader@example.com", Reason.USER_UNKNOWN, HARD),
    "groupwise": ("reader@corp.example.com", Reason.USER_UNKNOWN, HARD),
    "html-only-german": ("reader@firma.example.de", Reason.MAILBOX_FULL, SOFT),
    "imail": ("reader@mail.example.com", Reason.MAILBOX_FULL, SOFT),
    "interscan": ("reader@corp.example.com", Reason.USER_UNKNOWN, HARD),
    "james": ("reader@example.com", Reason.USER_UNKNOWN, HARD),
    "kddi-full": ("reader@carrier.example.jp", Reason.MAILBOX_FULL, SOFT),
    "lotus-hop-count": ("reader@corp.example.com", Reason.LOOP, SOFT),
    "m-filter-japanese": ("reader@corp.example.jp", Reason.USER_UNKNOWN, HARD),
    "mail-ru": ("reader@mail.example.ru", Reason.USER_UNKNOWN, HARD),
    "mailfoundry": ("reader@example.com", Reason.USER_UNKNOWN, HARD),
    "mailmarshal": ("reader@corp.example.com", Reason.USER_UNKNOWN, HARD),
    "mcafee": ("reader@corp.example.com", Reason.USER_UNKNOWN, HARD),
    "mdaemon": ("reader@example.com", Reason.USER_UNKNOWN, HARD),
    "messagelabs": ("reader@corp.example.com", Reason.USER_UNKNOWN, HARD),
    "mimecast": ("reader@corp.example.com", Reason.USER_UNKNOWN, HARD),
    "no-boundary": ("reader@example.com", Reason.USER_UNKNOWN, HARD),
    "notes-japanese": ("reader@corp.example.jp", Reason.USER_UNKNOWN, HARD),
    "postfix-carrier-filter": ("reader@carrier.example.jp", Reason.FILTERED, SOFT),
    "postfix-greylisting-expired": ("reader@example.com", Reason.GREYLISTED, SOFT),
    "postfix-host-unknown": ("reader@nowhere.invalid", Reason.HOST_UNKNOWN, HARD),
    "postfix-null-mx": ("reader@example.com", Reason.NO_MAIL_HOST, HARD),
    "postfix-size": ("reader@example.com", Reason.TOO_LARGE, SOFT),
    "postfix-spamhaus": ("reader@example.com", Reason.REPUTATION, SOFT),
    "postfix-unknown": ("reader@example.com", Reason.USER_UNKNOWN, HARD),
    "qmail-blocked": ("reader@example.com", Reason.REPUTATION, SOFT),
    "qmail-spanish": ("reader@example.com", Reason.MAILBOX_FULL, SOFT),
    "qmail-too-long-in-queue": ("reader@example.com", Reason.USER_UNKNOWN, SOFT),
    "qmail-unknown": ("reader@example.com", Reason.USER_UNKNOWN, HARD),
    "sendmail-no-relay": ("reader@example.com", Reason.RELAYING_DENIED, SOFT),
    "sendmail-old": ("reader@nowhere.invalid", Reason.HOST_UNKNOWN, HARD),
    "sendmail-unknown": ("reader@example.com", Reason.USER_UNKNOWN, HARD),
    "status-base64": ("reader@example.com", Reason.USER_UNKNOWN, HARD),
    "status-in-mixed": ("reader@example.com", Reason.USER_UNKNOWN, HARD),
    "sun-messaging-server": ("reader@example.com", Reason.USER_UNKNOWN, HARD),
    "surfcontrol": ("reader@corp.example.com", Reason.USER_UNKNOWN, HARD),
    "t-online": ("reader@t-online.example.de", Reason.MAILBOX_FULL, SOFT),
    "technical-details": ("reader@example.com", Reason.USER_UNKNOWN, HARD),
    "truncated": ("reader@example.com", Reason.USER_UNKNOWN, HARD),
    "wrong-boundary": ("reader@example.com", Reason.MAILBOX_FULL, SOFT),
    "x400": ("reader@example.com", Reason.USER_UNKNOWN, HARD),
    "yahoo": ("reader@yahoo.example.com", Reason.USER_UNKNOWN, HARD),
    "yahoo-disabled": ("reader@yahoo.example.com", Reason.MAILBOX_DISABLED, SOFT),
    "yandex": ("reader@example.ru", Reason.USER_UNKNOWN, HARD),
    "zoho": ("reader@example.com", Reason.USER_UNKNOWN, HARD),
}
"""Bounces of one recipient."""

WARNINGS = {
    "exim-warning": Reason.NETWORK,
    "gmail-delay": Reason.NETWORK,
    "postfix-warning": Reason.NETWORK,
    "sendmail-warning": Reason.NETWORK,
}
AUTO_REPLIES = (
    "challenge",
    "outlook-auto-reply",
    "read-receipt",
    "vacation",
    "vacation-german-unmarked",
)
FEEDBACK = {
    "arf-abuse": (ReportKind.COMPLAINT, "abuse", "reader@provider.example.com"),
    "arf-not-spam": (ReportKind.FEEDBACK, "not-spam", "reader@provider.example.com"),
    "arf-opt-out": (ReportKind.COMPLAINT, "opt-out", "reader@provider.example.com"),
    "jmrp": (ReportKind.COMPLAINT, "abuse", "reader@hotmail.example.com"),
}
OTHERS = {
    "daemon-says-nothing": ReportKind.UNREADABLE,
    "delivered": ReportKind.DELIVERED,
    "exim-dsn": ReportKind.BOUNCE,
    "exim-several": ReportKind.BOUNCE,
    "postmaster-writes": ReportKind.UNREADABLE,
    "reply": ReportKind.REPLY,
    "reply-about-bounces": ReportKind.REPLY,
    "several-with-different-fates": ReportKind.BOUNCE,
    "unsubscribe": ReportKind.UNSUBSCRIBE,
    "unsubscribe-forged": ReportKind.UNSUBSCRIBE,
}
NAMELESS = {
    "address-only",
    "arf-not-spam",
    "daemon-says-nothing",
    "forged-signature",
    "outlook-auto-reply",
    "postmaster-writes",
    "reply-about-bounces",
    "unsubscribe-forged",
}
"""Nothing in these was signed by us, so they are about nobody."""


def load(name: str) -> bytes:
    return (SAMPLES / f"{name}.eml").read_bytes()


def names() -> list[str]:
    return sorted(path.stem for path in SAMPLES.glob("*.eml"))


def test_every_sample_is_expected_somewhere() -> None:
    assert names() == sorted([*BOUNCES, *WARNINGS, *AUTO_REPLIES, *FEEDBACK, *OTHERS])


@pytest.mark.parametrize("name", sorted(BOUNCES))
def test_a_bounce_gives_recipient_reason_and_severity(name: str) -> None:
    recipient, reason, severity = BOUNCES[name]
    report = read_report(load(name), OURS)
    assert report.kind is ReportKind.BOUNCE
    assert [(f.recipient, f.reason, f.severity, f.action) for f in report.findings] == [
        (recipient, reason, severity, Action.FAILED)
    ]
    assert judge_mail(load(name)) == (recipient, severity, reason)


@pytest.mark.parametrize("name", sorted(WARNINGS))
def test_a_warning_is_no_bounce(name: str) -> None:
    report = read_report(load(name), OURS)
    assert report.kind is ReportKind.DELAY
    assert [(f.recipient, f.reason, f.severity, f.action) for f in report.findings] == [
        ("reader@example.com", WARNINGS[name], NONE, Action.DELAYED)
    ]
    assert judge_mail(load(name)) == ("reader@example.com", SOFT, WARNINGS[name])


@pytest.mark.parametrize("name", AUTO_REPLIES)
def test_what_a_machine_answers_loses_nothing(name: str) -> None:
    report = read_report(load(name), OURS)
    assert report.kind is ReportKind.AUTO_REPLY
    assert [(f.reason, f.severity) for f in report.findings] == [(Reason.AUTO_REPLY, NONE)]
    assert report.findings[0].recipient.startswith("reader@")


@pytest.mark.parametrize("name", sorted(FEEDBACK))
def test_feedback_tells_a_complaint_from_other_reports(name: str) -> None:
    report = read_report(load(name), OURS)
    assert (report.kind, report.feedback, report.findings[0].recipient) == FEEDBACK[name]
    assert report.findings[0].severity is NONE


@pytest.mark.parametrize("name", sorted(OTHERS))
def test_other_mail_is_what_it_is(name: str) -> None:
    assert read_report(load(name), OURS).kind is OTHERS[name]


@pytest.mark.parametrize("name", names())
def test_only_what_we_signed_names_anybody(name: str) -> None:
    named = read_report(load(name), OURS).named
    assert (named is None) == (name in NAMELESS)
    assert named is None or (named.subscriber_id, named.edition_id) == (7, 3)


@pytest.mark.parametrize("name", names())
def test_with_another_key_nobody_is_named(name: str) -> None:
    assert read_report(load(name), Ours([b"x" * 32], "bounces.example.org")).names == ()
    assert read_report(load(name)).names == ()


@pytest.mark.parametrize(
    ("name", "by"),
    [
        ("postfix-unknown", NamedBy.ENVELOPE),
        ("arf-abuse", NamedBy.ENVELOPE_ID),
        ("unsubscribe", NamedBy.SUBJECT),
        ("vacation", NamedBy.MESSAGE_ID),
        ("read-receipt", NamedBy.ENVELOPE_ID),
    ],
)
def test_a_report_says_where_the_name_stood(name: str, by: NamedBy) -> None:
    named = read_report(load(name), OURS).named
    assert named is not None
    assert named.by is by


def test_each_recipient_has_a_fate_of_its_own() -> None:
    gone, slow, fine = read_report(load("several-with-different-fates")).findings
    assert (gone.recipient, gone.original_recipient, gone.severity) == ("gone@example.com", "alias@example.com", HARD)
    assert (slow.recipient, slow.action, slow.severity) == ("slow@example.com", Action.DELAYED, NONE)
    assert (fine.recipient, fine.reason, fine.severity) == ("fine@example.com", Reason.DELIVERED, NONE)


@pytest.mark.parametrize("name", ["exim-several", "exim-dsn"])
def test_exim_tells_one_recipient_from_the_other(name: str) -> None:
    first, second = read_report(load(name)).findings
    assert (first.recipient, first.severity) == ("first@example.com", HARD)
    assert (second.recipient, second.reason, second.severity) == ("second@example.com", Reason.MAILBOX_FULL, SOFT)


def test_a_finding_keeps_what_the_servers_are_called_and_said() -> None:
    finding = read_report(load("postfix-unknown")).findings[0]
    assert (finding.status, finding.code) == ("5.1.1", 550)
    assert (finding.remote_mta, finding.reporting_mta) == ("mx.example.com", "mx.example.net")
    assert finding.diagnostic.startswith("550 5.1.1 <reader@example.com>: Recipient address rejected: User unknown")
    assert not finding.blames_us


def test_a_blocklist_blames_us() -> None:
    assert read_report(load("postfix-spamhaus")).findings[0].blames_us


def test_a_report_says_who_sent_it_for_a_human() -> None:
    report = read_report(load("yandex"))
    assert (report.sender, report.subject) == ("mailer-daemon@yandex.ru", "Недоставленное сообщение")


@pytest.mark.parametrize("name", names())
def test_line_ends_change_nothing(name: str) -> None:
    assert read_report(load(name).replace(b"\n", b"\r\n"), OURS) == read_report(load(name), OURS)


@pytest.mark.parametrize("name", names())
def test_an_mbox_line_changes_nothing(name: str) -> None:
    assert read_report(b"From x@y Sat May 25 06:00:00 2024\n" + load(name), OURS) == read_report(load(name), OURS)
