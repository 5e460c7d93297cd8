"""One door for what comes back: read, judged and done in one transaction, once."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.bounces import forwarding
from newsletter.bounces.intake import KEPT_MOST, Incoming, take_events, take_mails, take_refusals
from newsletter.bounces.policy import PROBE_EDITION, WARNING_EDITION
from newsletter.bounces.providers.reading import complaint, failure
from newsletter.bounces.undo import restore
from newsletter.errors import NotFoundError, UsageError
from newsletter.mail.token import Purpose, make_token
from newsletter.model.bounce import Finding, Reason, ReportKind, Severity
from newsletter.model.consent import ConsentEvent
from newsletter.model.subscriber import Admission, NewSubscriber, SubscriberState
from newsletter.model.verdict import Event, Verdict, Way
from newsletter.store.bounces import list_bounces, list_reports
from newsletter.store.consents import list_consents
from newsletter.store.database import Database
from newsletter.store.deliveries import count_deliveries
from newsletter.store.subscribers import add_subscriber, mark_left
from tests.bounces.conftest import DOMAIN, FULL, GONE, KEY, SPAM, Office, bounce, vary

DAY = timedelta(days=1)


def verdict_of(office: Office, mail: Incoming) -> Verdict | None:
    (taken,) = take_mails(office.desk, [mail])
    return taken.judgement.verdict if taken.judgement else None


def test_a_mailbox_that_is_gone_ends_a_reader_s_mail(office: Office) -> None:
    edition = office.publish()
    assert verdict_of(office, bounce(GONE, edition)) is Verdict.SUSPEND
    assert office.reader().state is SubscriberState.SUSPENDED
    assert office.reader(2).state is SubscriberState.ACTIVE
    with office.database.transaction() as connection:
        again, _ = add_subscriber(connection, NewSubscriber("reader1@example.net"), office.now)
        events = [line.event for line in list_consents(connection, 1)]
    assert again is Admission.SUPPRESSED
    assert ConsentEvent.SUSPENDED in events


def test_a_mail_that_comes_twice_changes_nothing(office: Office) -> None:
    edition = office.publish()
    mail = bounce(FULL, edition)
    assert [taken.again for taken in take_mails(office.desk, [mail, mail])] == [False, True]
    assert take_mails(office.desk, [mail])[0].again
    with office.database.read() as connection:
        assert len(list_bounces(connection)) == 1


def test_many_at_once_are_judged_as_one_after_the_other(office: Office) -> None:
    office.publish()
    office.now += DAY
    office.publish()
    office.now += DAY
    edition = office.publish()
    full = [vary(bounce(FULL, number), number) for number in range(1, edition + 1)]
    take_mails(office.desk, full[:1])
    office.now += DAY
    take_mails(office.desk, full[1:2])
    office.now += DAY
    warned = vary(bounce(FULL, WARNING_EDITION), 7)
    mails = [full[2], bounce(GONE, edition, 2), full[2], warned, bounce(SPAM, edition, 3), vary(bounce(GONE, 1), 9)]
    taken = take_mails(office.desk, mails)
    verdicts = [one.judgement.verdict if one.judgement else None for one in taken]
    assert verdicts == [Verdict.WARN, Verdict.SUSPEND, None, Verdict.PROBE, Verdict.NOTED, Verdict.SUSPEND]
    assert [one.again for one in taken] == [False, False, True, False, False, False]
    assert [office.reader(number).state for number in (1, 2, 3)] == ["suspended", "suspended", "active"]
    with office.database.read() as connection:
        assert len(list_bounces(connection, subscriber_id=1)) == 5
        assert [line.event for line in list_consents(connection, 2)][1:] == [ConsentEvent.SUSPENDED]


@pytest.mark.parametrize("key", [b"x" * 32, b"k" * 31])
def test_a_bounce_that_we_didn_t_sign_for_changes_nobody(office: Office, key: bytes) -> None:
    edition = office.publish()
    assert verdict_of(office, bounce(GONE, edition, key=key)) is None
    assert office.reader().state is SubscriberState.ACTIVE
    with office.database.read() as connection:
        assert list_bounces(connection) == []


def test_a_token_for_something_else_is_no_return_address(office: Office) -> None:
    edition = office.publish()
    mail = bounce(GONE, edition)
    real = mail.raw.split(b"b+")[1][:32]
    for purpose in set(Purpose) - {Purpose.BOUNCE}:
        other = make_token(KEY, purpose, 1, edition).encode()
        assert verdict_of(office, Incoming(mail.raw.replace(real, other), Way.PIPE)) is None
    assert office.reader().state is SubscriberState.ACTIVE


def test_patience_then_a_warning_then_a_probe_then_the_end(office: Office) -> None:
    for day in range(4):
        edition = office.publish()
        expected = Verdict.COUNTED if day != 2 else Verdict.WARN
        assert verdict_of(office, vary(bounce(FULL, edition), day)) is expected
        office.now += DAY
    assert office.notices() == [("missed", "reader1@example.net")]
    assert verdict_of(office, bounce(FULL, WARNING_EDITION)) is Verdict.PROBE
    assert office.notices()[-1] == ("probe", "reader1@example.net")
    assert office.reader().state is SubscriberState.ACTIVE
    assert verdict_of(office, bounce(FULL, PROBE_EDITION)) is Verdict.SUSPEND
    assert office.reader().state is SubscriberState.SUSPENDED


def test_the_warning_names_what_was_missed(office: Office) -> None:
    for day in range(3):
        take_mails(office.desk, [vary(bounce(FULL, office.publish()), day)])
        office.now += DAY
    with office.database.read() as connection:
        (text,) = [row.text for row in connection.exec_driver_sql("SELECT text FROM notices")]
    assert text.endswith("Issue 1 Issue 2 Issue 3")


def test_an_issue_that_reaches_him_begins_it_anew(office: Office) -> None:
    for day in range(2):
        take_mails(office.desk, [vary(bounce(FULL, office.publish()), day)])
        office.now += DAY
    office.publish()  # and nothing comes back
    office.now += 6 * DAY
    assert verdict_of(office, vary(bounce(FULL, office.publish()), 9)) is Verdict.COUNTED
    assert office.notices() == []


def test_what_blames_us_counts_against_nobody(office: Office) -> None:
    for day in range(6):
        assert verdict_of(office, vary(bounce(SPAM, office.publish()), day)) is Verdict.NOTED
        office.now += DAY
    assert office.reader().state is SubscriberState.ACTIVE
    assert office.notices() == []


def test_a_delay_is_no_bounce(office: Office) -> None:
    edition = office.publish()
    mail = bounce("451 4.4.1 connection timed out", edition, action="delayed")
    (taken,) = take_mails(office.desk, [mail])
    assert taken.report.kind is ReportKind.DELAY
    assert taken.judgement is None


def test_queued_mail_of_a_suspended_reader_is_cancelled(office: Office) -> None:
    edition = office.publish()
    with office.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET state = 'queued', settled_at = NULL WHERE subscriber_id = 1")
    take_mails(office.desk, [bounce(GONE, edition)])
    with office.database.read() as connection:
        audit = count_deliveries(connection, edition)
    assert (audit.cancelled, audit.queued, audit.holds) == (1, 0, True)


def test_a_mail_that_asks_to_leave_is_heeded(office: Office) -> None:
    edition = office.publish()
    token = make_token(KEY, Purpose.UNSUBSCRIBE, 1, edition)
    raw = f"From: a@example.net\r\nTo: unsubscribe@{DOMAIN}\r\nSubject: unsubscribe-{token}\r\n\r\n\r\n".encode()
    assert verdict_of(office, Incoming(raw, Way.LMTP)) is Verdict.LEAVE
    assert office.reader().state is SubscriberState.LEFT
    with office.database.read() as connection:
        assert [line.event for line in list_consents(connection, 1)][-1] is ConsentEvent.LEFT


def test_beyond_a_day_s_limit_people_s_mail_is_kept_and_the_editor_told_once(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarding, "FORWARDED_MOST", 2)
    raws = [f"From: a{n}@example.net\r\nSubject: Hello\r\n\r\nWords {n}.\r\n".encode() for n in range(5)]
    taken = [one for raw in raws[:4] for one in take_mails(office.desk, [Incoming(raw, Way.PIPE)])]
    assert [(one.forwarded, one.kept) for one in taken] == [(True, False), (True, False), (False, True), (False, True)]
    assert office.notices() == [("reply", "editor@example.org")] * 3
    with office.database.read() as connection:
        assert [one.raw for one in list_reports(connection, kept=True)] == [raws[3], raws[2]]
        subjects = connection.exec_driver_sql("SELECT subject FROM notices ORDER BY id").scalars().all()
    assert subjects == ["Fwd: Hello", "Fwd: Hello", "More mail than is forwarded in a day"]
    office.now += timedelta(days=1, seconds=1)
    (later,) = take_mails(office.desk, [Incoming(raws[4], Way.PIPE)])
    assert later.forwarded


def test_a_person_s_reply_goes_to_the_editor_and_is_not_answered(office: Office) -> None:
    raw = b"From: Ann <ann@example.net>\r\nTo: news@example.org\r\nSubject: Thank you\r\n\r\nI like it.\r\n"
    (taken,) = take_mails(office.desk, [Incoming(raw, Way.PIPE)])
    assert taken.forwarded
    assert office.notices() == [("reply", "editor@example.org")]
    with office.database.read() as connection:
        (row,) = connection.exec_driver_sql("SELECT subject, text, headers FROM notices").all()
    assert row.subject == "Fwd: Thank you"
    assert "I like it." in row.text
    assert "ann@example.net" in str(row.headers)


def test_a_reply_can_put_no_header_into_the_editor_s_mail(office: Office) -> None:
    sender = b"=?utf-8?q?x=0D=0ABcc=3A_all?= <ann@example.net>"
    raw = b"From: %b\r\nSubject: =?utf-8?q?a=0D=0ABcc=3A_b?=\r\n\r\nHello there, dear editor.\r\n" % sender
    take_mails(office.desk, [Incoming(raw, Way.PIPE)])
    with office.database.read() as connection:
        for row in connection.exec_driver_sql("SELECT subject, headers FROM notices"):
            assert "\r" not in row.subject + str(row.headers)
            assert "\n" not in row.subject + str(row.headers)


def test_an_auto_reply_is_weeded(office: Office) -> None:
    raw = b"From: ann@example.net\r\nSubject: Out of office\r\nAuto-Submitted: auto-replied\r\n\r\nI am away.\r\n"
    (taken,) = take_mails(office.desk, [Incoming(raw, Way.PIPE)])
    assert (taken.report.kind, taken.forwarded, taken.kept) == (ReportKind.AUTO_REPLY, False, False)
    assert office.notices() == []


def test_what_nobody_can_read_is_kept_for_a_human(office: Office) -> None:
    (taken,) = take_mails(office.desk, [Incoming(b"\x00\x01\x02", Way.PIPE)])
    assert taken.kept
    with office.database.read() as connection:
        assert [report.raw for report in list_reports(connection, kept=True)] == [b"\x00\x01\x02"]


def test_no_flood_fills_the_disk(database: Database) -> None:
    office = Office(database, 1)
    mails = [Incoming(b"\x00" + str(number).encode(), Way.PIPE) for number in range(KEPT_MOST + 5)]
    assert sum(taken.kept for taken in take_mails(office.desk, mails)) == KEPT_MOST


def test_a_refusal_while_sending_enters_by_the_same_door(office: Office) -> None:
    office.publish(refused=GONE)
    assert take_refusals(office.desk) == 1
    assert office.reader().state is SubscriberState.SUSPENDED
    assert take_refusals(office.desk) == 0


def test_a_full_mailbox_refused_while_sending_is_counted(office: Office) -> None:
    office.publish(refused="552 5.2.2 mailbox full")
    take_refusals(office.desk)
    with office.database.read() as connection:
        (found,) = list_bounces(connection)
    assert (found.reason, found.severity, found.verdict) == (Reason.MAILBOX_FULL, Severity.SOFT, Verdict.COUNTED)


def test_a_provider_s_word_counts_once_and_names_by_address(office: Office) -> None:
    finding = Finding(Reason.USER_UNKNOWN, Severity.HARD)
    event = Event(failure(finding, "postmark"), Way.POSTMARK, "bounce 42", "Reader1@Example.net")
    first, second = take_events(office.desk, [event, event])
    assert first.judgement is not None
    assert (first.judgement.verdict, second.again) == (Verdict.SUSPEND, True)
    other = Event(complaint("", "abuse", "mailgun"), Way.MAILGUN, "bounce 42", "nobody@example.net")
    (third,) = take_events(office.desk, [other])
    assert (third.again, third.reader) == (False, None)


def test_a_complaint_is_remembered_even_of_a_reader_who_had_left(office: Office) -> None:
    with office.database.transaction() as connection:
        mark_left(connection, "reader1@example.net", office.now)
    report = complaint("reader1@example.net", "abuse", "ses")
    take_events(office.desk, [Event(report, Way.SES, "1", "reader1@example.net")])
    assert office.reader().state is SubscriberState.LEFT
    with office.database.read() as connection:
        (row,) = connection.exec_driver_sql("SELECT reason FROM suppressions").all()
    assert row.reason == "complained"


def test_the_operator_overrules_and_nothing_counts(office: Office) -> None:
    edition = office.publish()
    take_mails(office.desk, [bounce(GONE, edition)])
    assert restore(office.database, "READER1@example.net", office.now)
    assert office.reader().state is SubscriberState.ACTIVE
    assert not restore(office.database, "reader1@example.net", office.now)
    with pytest.raises(NotFoundError):
        restore(office.database, "nobody@example.net", office.now)
    with pytest.raises(UsageError):
        restore(office.database, "nobody", office.now)


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
def test_whatever_comes_in_nothing_breaks_and_the_audit_holds(office: Office, data: st.DataObject) -> None:
    if not office.editions:
        office.publish()
    mail = bytearray(bounce(GONE, 1, data.draw(st.integers(1, 2))).raw)
    for _ in range(data.draw(st.integers(0, 8))):
        at = data.draw(st.integers(0, len(mail) - 1))
        mail[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=40))
    take_mails(office.desk, [Incoming(bytes(mail), Way.PIPE)])
    with office.database.read() as connection:
        assert count_deliveries(connection, 1).holds
    assert office.reader(3).state is SubscriberState.ACTIVE
