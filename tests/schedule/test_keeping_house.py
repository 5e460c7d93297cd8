"""What the scheduler forgets and copies by itself, and what it does with a copy that was put back."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Table, func, select

from newsletter import config
from newsletter.audience.joining import ask_to_join
from newsletter.audience.policy_joining import JoinForm, JoinStatus
from newsletter.config import Joining
from newsletter.delivery.brake import Brake
from newsletter.delivery.policy import decide_settlement
from newsletter.model.consent import Origin
from newsletter.model.delivery import Audit, Deferred, Delivery, DeliveryState, Reply
from newsletter.restoring import restore_copy
from newsletter.schedule.calls import decide_again
from newsletter.schedule.posts import Post
from newsletter.schedule.pruning import KEPT, decide_reach
from newsletter.schedule.ticks import TICKS, run_tick
from newsletter.store.backup import list_backups
from newsletter.store.calls import claim_call, settle_call, write_call
from newsletter.store.deliveries import count_deliveries
from newsletter.store.editions import load_edition
from newsletter.store.schema import calls, notices, requests, subscribers, throttles
from newsletter.store.subscribers import find_subscriber
from tests.schedule.posted import DUE, EVE, HOUR, MINUTE, Desk

DAY = timedelta(days=1)


def count(desk: Desk, table: Table) -> int:
    with desk.app.database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def run(desk: Desk, name: str) -> None:
    (tick,) = [tick for tick in TICKS if tick.name == name]
    assert run_tick(desk.post, tick)


def test_who_never_confirms_is_forgotten_when_his_link_has_ended(desk: Desk) -> None:
    answer = ask_to_join(desk.app.database, desk.app.reception, JoinForm("c@example.org"), Origin("form", "::1"), EVE)
    assert answer.status is JoinStatus.ACCEPTED
    days = Joining().confirm_days
    for moment, left in ((EVE + days * DAY - MINUTE, 1), (EVE + days * DAY, 0)):
        desk.now = moment
        run(desk, "expire")
        assert (count(desk, requests), count(desk, subscribers)) == (left, 2 + left)
    with desk.app.database.read() as connection:
        assert find_subscriber(connection, "c@example.org") is None


def test_what_was_told_and_asked_is_forgotten_in_time(desk: Desk) -> None:
    ask_to_join(desk.app.database, desk.app.reception, JoinForm("c@example.org"), Origin("form", "::1"), EVE)
    desk.write("2024-05-25")
    desk.at(DUE)
    desk.at(DUE + MINUTE)
    tables = (notices, calls, throttles)
    assert all(count(desk, table) for table in tables)
    desk.now = EVE + KEPT
    run(desk, "prune")
    assert count(desk, notices)
    desk.now = DUE + KEPT + DAY
    run(desk, "notices")  # what was never sent is given up first
    run(desk, "calls")
    run(desk, "prune")
    desk.now += KEPT + DAY
    run(desk, "prune")
    assert [count(desk, table) for table in tables] == [0, 0, 0]


@pytest.fixture
def filed(tmp_path: Path) -> Iterator[Desk]:
    """A publication whose database is a file; PostgreSQL is copied by its own means (`tests/test_restoring.py`)."""
    desk = Desk(tmp_path, f"sqlite:///{tmp_path / 'newsletter.db'}")
    with desk.app:
        desk.add("a@example.org", "b@example.org")
        desk.at(EVE)
        yield desk


def test_copies_are_made_every_day_and_the_old_ones_let_go(filed: Desk) -> None:
    desk = filed
    for number in range(1, 70):
        desk.now = EVE + number * DAY
        run(desk, "backup")
    folder, database = desk.app.settings.database.backups, desk.folder / "newsletter.db"
    kept = [at for at, _ in list_backups(folder, database)]
    rules = desk.app.settings.backup
    assert kept[-rules.keep_daily :] == [EVE + number * DAY for number in range(63, 70)]
    assert rules.keep_daily < len(kept) <= rules.keep_daily + rules.keep_weekly + rules.keep_monthly
    assert EVE + 69 * DAY - kept[0] > 30 * DAY


def sent_and_put_back(desk: Desk, *, by_command: bool) -> Desk:
    """Return the publication with the copy of the eve in its place, after the issue of the day was sent."""
    desk.write("2024-05-25")
    desk.at(DUE)
    assert desk.mails() == {"2024-05-25": 2}
    shutil.rmtree(desk.folder / "outbox")
    settings = desk.app.settings
    ((_, copy),) = list_backups(settings.database.backups, desk.folder / "newsletter.db")
    if by_command:
        restore_copy(desk.app, copy, DUE + HOUR, only_sender=False)
    desk.app.__exit__(None, None, None)
    if not by_command:
        replace(copy, desk.folder / "newsletter.db")
    desk.post = Post(desk.app, Brake(), lambda: desk.now)
    return desk


def replace(copy: Path, database: Path) -> None:
    for path in database.parent.glob("newsletter.db-*"):
        path.unlink()
    shutil.copy(copy, database)


def audit(desk: Desk) -> Audit:
    with desk.app.database.read() as connection:
        stored = load_edition(connection, "2024-05-25")
        assert stored is not None
        return count_deliveries(connection, stored.id)


def test_after_a_restore_the_slot_is_due_again_and_nobody_is_sent_anything_twice(filed: Desk) -> None:
    desk = sent_and_put_back(filed, by_command=True)
    desk.at(DUE + 2 * HOUR)
    desk.at(DUE + 2 * HOUR + MINUTE)
    assert (desk.state(), desk.mails()) == ("published", {})
    found = audit(desk)
    assert (found.audience, found.unknown, found.holds) == (2, 2, True)
    ((subject, text),) = desk.told()
    assert subject == "[Daily] 2024-05-25: 2 unknown of 2"
    assert "newsletter unknown list 2024-05-25" in text


def test_an_older_copy_put_in_place_by_hand_sends_nothing_until_it_is_compared(filed: Desk) -> None:
    desk = sent_and_put_back(filed, by_command=False)
    desk.at(DUE + 2 * HOUR)
    desk.at(DUE + 2 * HOUR + MINUTE)
    assert desk.mails() == {}
    ((subject, text),) = desk.told()
    assert subject == "[Daily] Trouble with sending 2024-05-25"
    assert "newsletter restore" in text


def test_a_clock_that_was_a_year_ahead_keeps_nobody_waiting_for_that_year(desk: Desk) -> None:
    """A webhook that wasn't heard meanwhile is called again; what was put off for an hour is left alone."""
    year = 366 * DAY
    with desk.app.database.transaction() as connection:
        write_call(connection, "webhook", "one", "{}", EVE, EVE + 2 * year)
        call = claim_call(connection, "one", EVE + year, EVE, lambda owner: False)
        assert call is not None
        ahead = EVE + year
        settle_call(connection, "one", call, "HTTP 500", ahead, done=False, again_at=decide_again(call, ahead))
        write_call(connection, "webhook", "two", "{}", EVE + HOUR, EVE + DAY)
    run(desk, "prune")
    assert desk.post.progress.is_set()
    with desk.app.database.read() as connection:
        times = list(connection.execute(select(calls.c.next_attempt_at).order_by(calls.c.id)).scalars())
    assert times == [EVE, EVE + HOUR]


def test_no_wait_that_a_right_clock_chooses_is_beyond_reach() -> None:
    rules = config.Delivery()
    reach, one = decide_reach(rules), Delivery(1, 1, 1, "a@example.org", "", DeliveryState.SENDING, 50, EVE)
    settled = decide_settlement(one, Deferred(Reply(451, "", "")), EVE, rules, 1.2)
    assert settled.next_attempt_at is not None
    assert EVE < settled.next_attempt_at < EVE + reach.delivery
