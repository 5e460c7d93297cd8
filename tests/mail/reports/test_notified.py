"""Amazon SES tells of bounces in JSON, by mail."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.mail.reports.read import Ours, judge_mail, read_report
from newsletter.mail.verp import make_envelope_sender
from newsletter.model.bounce import Named, NamedBy, Reason, ReportKind, Severity

KEY = b"k" * 32
OURS = Ours([KEY], "bounces.example.org")
BOUNCE = {
    "notificationType": "Bounce",
    "bounce": {
        "bounceType": "Permanent",
        "bounceSubType": "General",
        "bouncedRecipients": [
            {
                "emailAddress": "reader@example.com",
                "action": "failed",
                "status": "5.1.1",
                "diagnosticCode": "smtp; 550 5.1.1 <reader@example.com>... User unknown",
            }
        ],
    },
    "mail": {"source": make_envelope_sender(KEY, 7, 3, "bounces.example.org")},
}
HEAD = "From: AWS Notifications <no-reply@sns.amazonaws.com>\nSubject: AWS Notification Message\n\n"
FOOT = "\n\n--\nIf you wish to stop receiving notifications from this topic, please click or visit the link below\n"


def mail(event: Any, *, wrapped: bool = False) -> bytes:
    text = json.dumps(event)
    return f"{HEAD}{json.dumps({'Type': 'Notification', 'Message': text}) if wrapped else text}{FOOT}".encode()


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_bounce_in_json_is_read_and_named_by_our_return_address(wrapped: bool) -> None:
    report = read_report(mail(BOUNCE, wrapped=wrapped), OURS)
    assert (report.kind, report.form) == (ReportKind.BOUNCE, "sns")
    assert report.named == Named(7, 3, NamedBy.RETURNED)
    assert judge_mail(mail(BOUNCE, wrapped=wrapped)) == ("reader@example.com", Severity.HARD, Reason.USER_UNKNOWN)


def test_where_no_server_said_anything_the_kind_of_bounce_tells() -> None:
    recipients = [{"emailAddress": "reader@example.com"}]
    event = {"notificationType": "Bounce", "bounce": {"bounceSubType": "MailboxFull", "bouncedRecipients": recipients}}
    assert judge_mail(mail(event)) == ("reader@example.com", Severity.SOFT, Reason.MAILBOX_FULL)


def test_a_complaint_in_json_is_one() -> None:
    complaint = {"complaintFeedbackType": "abuse", "complainedRecipients": [{"emailAddress": "reader@example.com"}]}
    report = read_report(mail({"notificationType": "Complaint", "complaint": complaint}), OURS)
    assert (report.kind, report.feedback, report.names) == (ReportKind.COMPLAINT, "abuse", ())


@pytest.mark.parametrize(
    "text", ['{"notificationType"', '{"notificationType": ' + "[" * 20_000, '"notificationType" {}']
)
def test_broken_json_is_no_notification(text: str) -> None:
    assert read_report(f"{HEAD}{text}".encode(), OURS).form != "sns"


JSON = st.recursive(
    st.none() | st.text(max_size=9) | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["emailAddress", "status", "x"]), inner)
    ),
    max_leaves=6,
)


@settings(deadline=None, max_examples=40)
@given(JSON)
def test_any_json_gives_a_report(value: Any) -> None:
    for name in ("bounce", "complaint"):
        for event in ({name: value}, {name: {"bouncedRecipients": value, "complainedRecipients": [value]}}):
            report = read_report(mail({"notificationType": name.title(), **event}), OURS)
            assert report.kind in ReportKind
            assert report.named is None, "nothing here is signed"
