"""One mail counts once, whichever way it comes in."""

from datetime import timedelta

from newsletter.bounces.intake import Incoming, take_mails
from newsletter.bounces.undo import restore
from newsletter.model.subscriber import SubscriberState
from newsletter.model.verdict import Way
from tests.bounces.conftest import FULL, GONE, Office, bounce


def spell(mail: Incoming, way: Way) -> Incoming:
    """Return a mail as another way in would bring it."""
    if way is Way.MAILDIR:
        return Incoming(mail.raw.replace(b"\r\n", b"\n"), way)
    trace = b"Return-Path: <>\r\nDelivered-To: x@example.org\r\nReceived: from a\r\n\tby b; today\r\n"
    return Incoming(trace + mail.raw, way)


def test_a_mail_that_comes_by_two_ways_counts_once(office: Office) -> None:
    mail = bounce(FULL, office.publish())
    ways = [mail, spell(mail, Way.MAILDIR), spell(mail, Way.IMAP)]
    assert [take_mails(office.desk, [one])[0].again for one in ways] == [False, True, True]


def test_an_undone_bounce_that_comes_again_by_another_way_stays_undone(office: Office) -> None:
    mail = bounce(GONE, office.publish())
    take_mails(office.desk, [mail])
    restore(office.database, "reader1@example.net", office.now)
    office.now += timedelta(hours=1)
    assert take_mails(office.desk, [spell(mail, Way.MAILDIR)])[0].again
    assert office.reader().state is SubscriberState.ACTIVE


def test_the_same_words_about_two_readers_are_two_mails(office: Office) -> None:
    edition = office.publish()
    taken = take_mails(office.desk, [bounce(FULL, edition, 1), bounce(FULL, edition, 2)])
    assert [one.again for one in taken] == [False, False]
