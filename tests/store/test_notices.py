"""Letters are written once, given to one sender at a time, and forgotten when nobody needs their words."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from newsletter.model.notice import NewNotice, Notice, NoticeSettlement, NoticeState, WaitingNotice
from newsletter.model.subscriber import NewSubscriber
from newsletter.store.database import Database
from newsletter.store.notices import (
    EXPIRED,
    cancel_notices,
    claim_notices,
    count_notices,
    erase_notices,
    fail_notice,
    forget_notices,
    list_notices,
    list_waiting,
    release_notices,
    settle_notices,
    withdraw_notices,
    write_notice,
)
from newsletter.store.schema import notices
from newsletter.store.subscribers import add_subscriber, mark_left

HOUR = timedelta(hours=1)


@pytest.fixture
def new(now: datetime) -> NewNotice:
    return NewNotice(
        kind="confirm-join",
        address="Ann@example.org",
        subject="Please confirm",
        text="Press the button.",
        html="<p>Press</p>",
        headers={"X-One": "1"},
        language="en",
        expires_at=now + timedelta(days=7),
        key="confirm 1",
        subscriber_id=5,
        return_number=9,
    )


def _write(database: Database, new: NewNotice, now: datetime) -> bool:
    with database.transaction() as connection:
        return write_notice(connection, new, now)


def _claim(database: Database, now: datetime, owner: str = "one", limit: int = 10) -> list[Notice]:
    with database.transaction() as connection:
        return claim_notices(connection, owner, now + HOUR, now, limit)


def _settle(database: Database, settlement: NoticeSettlement, owner: str = "one") -> int:
    with database.transaction() as connection:
        return settle_notices(connection, owner, [settlement])


def test_a_notice_comes_back_as_it_was_written(database: Database, now: datetime, new: NewNotice) -> None:
    assert _write(database, new, now)
    assert _claim(database, now) == [Notice(1, new, 0, now)]


def test_a_key_is_written_once_and_no_key_each_time(database: Database, now: datetime, new: NewNotice) -> None:
    assert _write(database, new, now)
    assert not _write(database, replace(new, text="Again."), now)
    assert _write(database, replace(new, key=None), now)
    assert _write(database, replace(new, key=None), now)
    assert len(_claim(database, now)) == 3


def test_a_claimed_notice_is_nobody_elses_until_its_lease_is_over(
    database: Database, now: datetime, new: NewNotice
) -> None:
    _write(database, new, now)
    assert len(_claim(database, now)) == 1
    assert _claim(database, now, "two") == []
    assert [found.id for found in _claim(database, now + HOUR, "two")] == [1]
    late = NoticeSettlement(1, NoticeState.SENT, 1, now + HOUR)
    assert _settle(database, late, "one") == 0
    assert _settle(database, late, "two") == 1


def test_the_oldest_go_first_and_no_more_than_asked(database: Database, now: datetime, new: NewNotice) -> None:
    for number in range(3):
        _write(database, replace(new, key=str(number)), now)
    assert [found.id for found in _claim(database, now, limit=2)] == [1, 2]


def test_those_to_wait_on_are_passed_by(database: Database, now: datetime, new: NewNotice) -> None:
    for key in ("one", "two"):
        _write(database, replace(new, key=key), now)
    with database.transaction() as connection:
        claimed = claim_notices(connection, "one", now + HOUR, now, 5, without=[1])
    assert [notice.id for notice in claimed] == [2]


def test_what_a_dead_sender_held_is_due_at_once(database: Database, now: datetime, new: NewNotice) -> None:
    _write(database, new, now)
    _claim(database, now, "dead")
    with database.transaction() as connection:
        assert release_notices(connection, now, lambda owner: owner != "dead") == 0
        assert release_notices(connection, now, lambda owner: owner == "dead") == 1
    assert len(_claim(database, now, "two")) == 1


@pytest.mark.parametrize("state", [NoticeState.SENT, NoticeState.FAILED])
def test_words_are_forgotten_when_a_notice_is_settled(
    database: Database, now: datetime, new: NewNotice, state: NoticeState
) -> None:
    _write(database, new, now)
    _claim(database, now)
    assert _settle(database, NoticeSettlement(1, state, 1, now, "250 2.0.0 taken\0")) == 1
    with database.read() as connection:
        row = connection.execute(select(notices)).one()
    assert (row.state, row.text, row.html, row.headers, row.settled_at) == (state, "", "", {}, now)
    assert (row.reply, row.attempts, row.owner, row.subject) == ("250 2.0.0 taken", 1, None, "Please confirm")
    assert _claim(database, now + HOUR * 24) == []


def test_a_notice_that_is_put_off_keeps_its_words_and_waits(database: Database, now: datetime, new: NewNotice) -> None:
    _write(database, new, now)
    _claim(database, now)
    later = NoticeSettlement(1, NoticeState.QUEUED, 1, now, "451 later", next_attempt_at=now + HOUR)
    assert _settle(database, later) == 1
    assert _claim(database, now + HOUR - timedelta(seconds=1)) == []
    (again,) = _claim(database, now + HOUR)
    assert (again.notice, again.attempts) == (new, 1)


def test_who_comes_too_late_fails_with_the_last_answer(database: Database, now: datetime, new: NewNotice) -> None:
    _write(database, replace(new, key="never tried"), now)
    _write(database, replace(new, key="tried"), now)
    _claim(database, now)
    for number in (1, 2):
        reply = "451 later" if number == 2 else ""
        _settle(database, NoticeSettlement(number, NoticeState.QUEUED, 1, now, reply, next_attempt_at=now + HOUR))
    assert _claim(database, new.expires_at) == []
    with database.read() as connection:
        lines = list_notices(connection, NoticeState.FAILED)
    assert [(line.id, line.reply, line.settled_at) for line in lines] == [
        (2, "451 later", new.expires_at),
        (1, EXPIRED, new.expires_at),
    ]


def test_a_notice_that_comes_back_has_failed(database: Database, now: datetime, new: NewNotice) -> None:
    _write(database, new, now)
    with database.transaction() as connection:
        assert not fail_notice(connection, 1, "550 unknown")
    _claim(database, now)
    _settle(database, NoticeSettlement(1, NoticeState.SENT, 1, now))
    with database.transaction() as connection:
        assert fail_notice(connection, 1, "550 unknown")
        assert [(line.state, line.reply) for line in list_notices(connection)] == [("failed", "550 unknown")]


def test_letters_to_a_reader_go_with_him_but_not_the_editors(database: Database, now: datetime, new: NewNotice) -> None:
    _write(database, replace(new, key="his"), now)
    _write(database, replace(new, key="other case", address="ann@EXAMPLE.org", subscriber_id=7), now)
    _write(database, replace(new, key="bob", address="bob@example.org", subscriber_id=6), now)
    report = replace(new, key="report", kind="report", subscriber_id=None, return_number=None)
    _write(database, report, now)
    with database.transaction() as connection:
        assert cancel_notices(connection, 5, "ann@example.org") == 2
        assert [line.address for line in list_notices(connection)] == ["Ann@example.org", "bob@example.org"]


def test_cancelling_leaves_what_was_sent_and_erasing_leaves_nothing(
    database: Database, now: datetime, new: NewNotice
) -> None:
    _write(database, new, now)
    _claim(database, now)
    _settle(database, NoticeSettlement(1, NoticeState.SENT, 1, now))
    with database.transaction() as connection:
        assert cancel_notices(connection, 5, new.address) == 0
        assert erase_notices(connection, 5, new.address) == 1
        assert count_notices(connection) == dict.fromkeys(NoticeState, 0)


def test_who_leaves_gets_no_letter_that_waits(database: Database, now: datetime, new: NewNotice) -> None:
    with database.transaction() as connection:
        add_subscriber(connection, NewSubscriber("Ann@example.org"), now)
        write_notice(connection, replace(new, subscriber_id=1), now)
        mark_left(connection, "ann@example.org", now)
        assert list_notices(connection) == []


def test_what_waits_is_withdrawn_and_what_is_claimed_stays(database: Database, now: datetime, new: NewNotice) -> None:
    for key in ("one", "two", None):
        _write(database, replace(new, key=key), now)
    _claim(database, now, limit=1)
    with database.transaction() as connection:
        assert list_waiting(connection, new.kind) == [WaitingNotice(2, "two", now, put_off=False)]
        assert list_waiting(connection, "welcome") == []
        assert withdraw_notices(connection, [1, 2]) == 1
    assert _write(database, replace(new, key="two"), now)


def test_old_notices_are_forgotten_and_their_keys_can_be_used_again(
    database: Database, now: datetime, new: NewNotice
) -> None:
    _write(database, new, now)
    _claim(database, now)
    _settle(database, NoticeSettlement(1, NoticeState.SENT, 1, now))
    _write(database, replace(new, key="waits"), now)
    with database.transaction() as connection:
        assert forget_notices(connection, now) == 0
        assert forget_notices(connection, now + HOUR) == 1
        assert [line.state for line in list_notices(connection)] == ["queued"]
    assert _write(database, new, now)
