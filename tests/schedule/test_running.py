"""Ticks in threads: their rhythm, their end, who runs them, and what becomes of those that fail."""

import fcntl
import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from newsletter.app import App
from newsletter.config import Alerts, DatabaseSettings, Delivery, Issues, Settings
from newsletter.delivery.brake import Brake
from newsletter.errors import NewsletterError
from newsletter.schedule import running
from newsletter.schedule.clock import Clockwork, Wake
from newsletter.schedule.posts import Post
from newsletter.schedule.running import run_once, run_posts
from newsletter.schedule.ticks import TICKS, Role, Tick, run_tick
from newsletter.schedule.troubles import list_troubles
from newsletter.store.marks import load_marks
from newsletter.store.schema import notices

SOON = timedelta(milliseconds=20)


def wait_for(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def clockwork() -> Iterator[Clockwork]:
    clockwork = Clockwork(4)
    yield clockwork
    clockwork.stop(timedelta(seconds=20))


def test_work_is_done_at_once_and_again_and_again(clockwork: Clockwork) -> None:
    calls: list[int] = []
    clockwork.add(Wake("tick", SOON, lambda: calls.append(1)))
    wait_for(lambda: len(calls) >= 3)
    assert set(calls) == {1}


def test_what_is_still_at_work_is_not_begun_again(clockwork: Clockwork) -> None:
    let_go, at_work, most = threading.Event(), [0], [0]

    def work() -> None:
        at_work[0] += 1
        most[0] = max(most[0], at_work[0])
        let_go.wait(20)
        at_work[0] -= 1

    others: list[int] = []
    clockwork.add(Wake("slow", SOON, work))
    clockwork.add(Wake("quick", SOON, lambda: others.append(1)))
    wait_for(lambda: len(others) >= 5)
    assert most[0] == 1
    assert "slow" in clockwork.running
    let_go.set()


def test_the_end_waits_for_what_is_at_work_and_begins_nothing(clockwork: Clockwork) -> None:
    began, let_go, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        began.set()
        let_go.wait(20)
        ended.set()

    clockwork.add(Wake("slow", SOON, work))
    began.wait(20)
    assert clockwork.stop(timedelta()) == {"slow"}
    let_go.set()
    assert clockwork.stop(timedelta(seconds=20)) == frozenset()
    assert ended.is_set()


def test_a_nudge_wakes_what_would_sleep_for_long(clockwork: Clockwork) -> None:
    calls: list[int] = []
    clockwork.add(Wake("tick", timedelta(days=365), lambda: calls.append(1)))
    wait_for(lambda: calls)
    assert len(calls) == 1
    clockwork.nudge()
    wait_for(lambda: len(calls) > 1)
    assert len(calls) == 2


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    settings = Settings(
        alerts=Alerts(editor=("editor@example.org",)),
        database=DatabaseSettings(url=f"sqlite:///{tmp_path / 'newsletter.db'}", backups=tmp_path / "backups"),
        delivery=Delivery(journal=tmp_path / "journal", drain_seconds=1.0),
        issues=Issues(folder=tmp_path / "issues"),
    )
    with App(settings) as app:
        yield Post(app, Brake())


def fail(words: str = "the disk is full") -> None:
    raise NewsletterError(words)


def told(post: Post) -> int:
    with post.app.database.read() as connection:
        return len(connection.execute(select(notices.c.id)).all())


def noted(post: Post) -> set[str]:
    with post.app.database.read() as connection:
        return {key.removeprefix("tick:") for key in load_marks(connection, "tick:")}


def test_a_tick_that_fails_is_told_once_a_day_and_hinders_nobody(post: Post) -> None:
    tick = Tick("plan", Role.SCHEDULER, SOON, lambda post: fail())
    now = datetime(2024, 5, 25, 6, tzinfo=UTC)
    post.clock = lambda: now
    assert not run_tick(post, tick)
    assert not run_tick(post, tick)
    now += timedelta(days=1)
    assert not run_tick(post, tick)
    with post.app.database.read() as connection:
        rows = connection.execute(select(notices.c.subject, notices.c.text)).all()
        assert load_marks(connection, "tick:") == {}
    assert [row.subject for row in rows] == ["[LLM Papers Daily] Trouble with “plan”"] * 2
    assert rows[0].text.startswith("the disk is full\n")


def test_an_error_whose_words_vary_is_told_some_times_a_day_and_shown_until_it_goes_well(post: Post) -> None:
    begun = now = datetime(2024, 5, 25, 6, tzinfo=UTC)
    post.clock = lambda: now
    words = itertools.cycle([f"run/x{number}: no room" for number in range(9)])
    failing = Tick("plan", Role.SCHEDULER, SOON, lambda post: fail(next(words)))
    for minutes in range(0, 24 * 60, 20):
        now = begun + timedelta(minutes=minutes)
        assert not run_tick(post, failing)

    def show() -> list[tuple[str, str]]:
        with post.app.database.read() as connection:
            return [(known.trouble.what, f"{known.since:%H:%M}") for known in list_troubles(connection, now)]

    assert told(post) == 1
    assert show() == [("“plan”", "06:00")]
    assert run_tick(post, replace(failing, run=lambda post: None))
    assert show() == []
    assert not run_tick(post, failing)
    assert (told(post), show()) == (2, [("“plan”", "05:40")])


def test_a_bug_in_a_tick_is_no_end_either(post: Post) -> None:
    assert not run_tick(post, Tick("plan", Role.SCHEDULER, SOON, lambda post: 1 / 0))


def test_what_went_well_is_noted(post: Post) -> None:
    assert run_tick(post, Tick("plan", Role.SCHEDULER, SOON, lambda post: None))
    with post.app.database.read() as connection:
        assert list(load_marks(connection, "tick:")) == ["tick:plan"]


def test_every_tick_does_its_work_on_an_empty_publication(post: Post) -> None:
    (post.app.settings.issues.folder).mkdir()
    assert run_once([post], list(Role))
    with post.app.database.read() as connection:
        assert set(load_marks(connection, "tick:")) == {f"tick:{tick.name}" for tick in TICKS}


def test_a_run_by_cron_leaves_a_role_to_a_daemon_and_a_tick_to_another_run(post: Post) -> None:
    folder = post.app.settings.delivery.journal
    folder.mkdir()
    (post.app.settings.issues.folder).mkdir()
    with (folder / f"{post.ledger}.worker.lock").open("w") as daemon:
        fcntl.flock(daemon, fcntl.LOCK_EX)
        assert run_once([post], [Role.WORKER])
    assert noted(post) == set()
    with (
        (folder / f"{post.ledger}.worker.lock").open("w") as role,
        (folder / f"{post.ledger}.once.deliver.lock").open("w") as another,
    ):
        fcntl.flock(role, fcntl.LOCK_SH)
        fcntl.flock(another, fcntl.LOCK_EX)
        assert run_once([post], [Role.WORKER])
    assert noted(post) == {tick.name for tick in TICKS if tick.role is Role.WORKER} - {"deliver"}
    assert run_once([post], list(Role))
    assert noted(post) == {tick.name for tick in TICKS}


def test_a_folder_in_which_nothing_can_be_locked_is_said(post: Post) -> None:
    post.app.settings.delivery.journal.write_text("in the way")
    with pytest.raises(NewsletterError, match="can't be made and locked: File exists"):
        run_once([post], [Role.WORKER])


def test_names_of_ticks_are_unique() -> None:
    assert len({tick.name for tick in TICKS}) == len(TICKS)


def test_of_two_processes_one_works_and_the_other_takes_over_when_it_ends(post: Post) -> None:
    folder = post.app.settings.delivery.journal
    folder.mkdir()
    other = os.open(folder / f"{post.ledger}.scheduler.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(other, fcntl.LOCK_EX)
    stop, beats = threading.Event(), []
    ran = threading.Thread(target=run_posts, args=([post], [Role.SCHEDULER], stop, lambda: beats.append(1)))
    ran.start()
    try:
        wait_for(lambda: len(beats) >= 2)
        assert marks(post) == set()
        os.close(other)
        wait_for(lambda: "tick:decide" in marks(post))
    finally:
        stop.set()
        ran.join(30)
    assert not ran.is_alive()


def marks(post: Post) -> set[str]:
    with post.app.database.read() as connection:
        return set(load_marks(connection, "tick:"))


def test_a_clock_that_was_set_wakes_everything(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    offset = [0.0]
    monkeypatch.setattr(running, "_read_offset", lambda: offset[0])
    monkeypatch.setattr(running, "BEAT", 0.01)
    calls: list[int] = []
    stop = threading.Event()
    monkeypatch.setattr(running, "TICKS", [Tick("x", Role.SCHEDULER, timedelta(days=9), lambda post: calls.append(1))])
    ran = threading.Thread(target=run_posts, args=([post], [Role.SCHEDULER], stop))
    ran.start()
    try:
        wait_for(lambda: marks(post))
        time.sleep(0.1)  # what is at work isn't woken
        offset[0] = -86_400.0
        wait_for(lambda: len(calls) > 1)
    finally:
        stop.set()
        ran.join(30)
    assert len(calls) == 2, "at its beginning, and when the clock was set; its own turn is in nine days"


def test_what_follows_upon_a_tick_that_got_somewhere_does_not_wait_for_its_turn(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "BEAT", 0.01)
    prompt, lazy = list[int](), list[int]()
    never = timedelta(days=9)
    ticks = [
        Tick("moving", Role.SCHEDULER, SOON, lambda post: len(prompt) == 1),
        Tick("prompt", Role.SCHEDULER, never, lambda post: prompt.append(1), prompt=True),
        Tick("lazy", Role.SCHEDULER, never, lambda post: lazy.append(1)),
    ]
    monkeypatch.setattr(running, "TICKS", ticks)
    stop = threading.Event()
    ran = threading.Thread(target=run_posts, args=([post], [Role.SCHEDULER], stop))
    ran.start()
    try:
        wait_for(lambda: len(prompt) >= 2 and lazy)
    finally:
        stop.set()
        ran.join(30)
    assert len(lazy) == 1


def test_a_brake_ends_what_runs_and_what_begins_later() -> None:
    import asyncio

    brake, under_way = Brake(), threading.Event()

    async def run() -> str:
        stop = asyncio.Event()
        with brake.on(stop):
            under_way.set()
            await asyncio.wait_for(stop.wait(), 20)
        return "ended"

    results: list[str] = []
    thread = threading.Thread(target=lambda: results.append(asyncio.run(run())))
    thread.start()
    under_way.wait(20)
    brake.pull()
    thread.join(30)
    assert results == ["ended"]
    assert asyncio.run(run()) == "ended"
