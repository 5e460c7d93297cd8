"""Mailboxes: nothing is removed before it is taken in."""

from pathlib import Path

import pytest

from newsletter.bounces.mailbox import BATCH, drain_maildir
from newsletter.bounces.poll import poll_bounces
from newsletter.errors import NewsletterError
from newsletter.model.subscriber import SubscriberState
from newsletter.store.bounces import list_reports
from tests.bounces.conftest import FULL, GONE, Office, bounce, vary


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    for name in ("tmp", "new", "cur"):
        (tmp_path / name).mkdir()
    return tmp_path


def test_new_mail_is_taken_in_and_marked_as_seen(office: Office, maildir: Path) -> None:
    edition = office.publish()
    (maildir / "new" / "1.x").write_bytes(bounce(GONE, edition).raw)
    (taken,) = drain_maildir(office.desk, maildir)
    assert taken.reader is not None
    assert office.reader().state is SubscriberState.SUSPENDED
    assert [path.name for path in (maildir / "cur").iterdir()] == ["1.x:2,S"]
    assert drain_maildir(office.desk, maildir) == []


def test_mail_that_was_taken_in_and_not_moved_counts_once(office: Office, maildir: Path) -> None:
    edition = office.publish()
    for name in ("1.x", "2.x"):
        (maildir / "new" / name).write_bytes(bounce(FULL, edition).raw)
    assert [taken.again for taken in drain_maildir(office.desk, maildir)] == [False, True]


def test_a_ledger_that_refuses_leaves_the_mail_new(office: Office, maildir: Path) -> None:
    edition = office.publish()
    for number in range(BATCH + 3):
        (maildir / "new" / f"{number:04}.x").write_bytes(vary(bounce(FULL, edition), number).raw)
    assert len(drain_maildir(office.desk, maildir, limit=BATCH)) == BATCH
    with office.database.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE reports RENAME TO reports_away")
    with pytest.raises(Exception, match="reports"):
        drain_maildir(office.desk, maildir)
    assert len(list((maildir / "new").iterdir())) == 3
    with office.database.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE reports_away RENAME TO reports")
    assert len(drain_maildir(office.desk, maildir)) == 3


def test_what_is_no_maildir_is_named(office: Office, tmp_path: Path) -> None:
    with pytest.raises(NewsletterError, match="no folders new and cur"):
        drain_maildir(office.desk, tmp_path / "away")


def test_a_mail_of_any_size_is_read_within_limits(office: Office, maildir: Path) -> None:
    office.publish()
    (maildir / "new" / "1.x").write_bytes(b"Subject: x\r\n\r\n" + b"x" * (3 << 20))
    (maildir / "new" / "folder").mkdir()
    (taken,) = drain_maildir(office.desk, maildir)
    assert taken.report.cut


def test_one_look_takes_mail_and_refusals_and_forgets_the_old(office: Office, maildir: Path) -> None:
    office.publish(refused=GONE)
    (maildir / "new" / "1.x").write_bytes(bounce(FULL, 1, 2).raw)
    rules = office.desk.rules.model_copy(update={"maildir": maildir})
    assert poll_bounces(office.desk, rules, lambda: "") == {"mails": 1, "ended": 0, "refusals": 1}
    office.now = office.now.replace(year=2025)
    poll_bounces(office.desk, rules, lambda: "")
    with office.database.read() as connection:
        assert len(list_reports(connection)) == 1  # a bounce rests on it
