"""What the editor is told of an edition that was sent by hand: the same, once, whoever else is at work."""

import threading
from collections.abc import Sequence
from datetime import datetime

import pytest
from sqlalchemy import select, update

from newsletter.config import Alerts
from newsletter.model.delivery import DeliveryState, Reply, Settlement
from newsletter.schedule.aftermath import tell_editor
from newsletter.schedule.calls import Answer
from newsletter.schedule.reporting import report_sent
from newsletter.schedule.ticks import TICKS, run_tick
from newsletter.store.controls import halt_edition, list_unknown, resend_unknown
from newsletter.store.deliveries import claim_deliveries, settle_deliveries
from newsletter.store.editions import list_editions
from newsletter.store.schema import calls, deliveries, notices
from tests.schedule.posted import DUE, EVE, HOUR, MINUTE, Desk

REPORT = "[Daily] 2024-05-25: sent to 2 of 2"


class Ear:
    """Stands at the other end of the webhook."""

    def __init__(self, status: int = 200) -> None:
        self.status = status

    def __call__(self, _url: str, _body: bytes | None, _headers: dict[str, str]) -> Answer:
        return Answer(self.status, f"HTTP {self.status}")


def told(desk: Desk) -> list[tuple[str, str]]:
    """Return subject and state of every mail to the editor."""
    with desk.app.database.read() as connection:
        rows = connection.execute(select(notices).where(notices.c.kind == "editor").order_by(notices.c.id))
        return [(row.subject, row.state) for row in rows]


def follow_up(desk: Desk, trouble: tuple[str, str] | None = None) -> Sequence[str]:
    return tell_editor(desk.app, trouble, lambda: desk.now, Ear())


def move(desk: Desk, state: DeliveryState, count: int = 1, again_at: datetime | None = None) -> None:
    """Send to some, as an engine does, and let it end in a state."""
    with desk.app.database.transaction() as connection:
        rows = claim_deliveries(connection, 1, "me", desk.now + HOUR, desk.now, count)
        answers = [Settlement(row.id, state, Reply(0, "", ""), 1, desk.now, next_attempt_at=again_at) for row in rows]
        assert settle_deliveries(connection, "me", answers) == []
    assert len(rows) == count


def test_who_publishes_by_hand_gets_the_report_by_mail_and_webhook_and_no_other_by_the_slot(desk: Desk) -> None:
    desk.write("2024-05-25")
    desk.publish_by_hand("2024-05-25")
    assert follow_up(desk) == []
    assert told(desk) == [(REPORT, "sent")]
    (mail,) = (desk.folder / "outbox/notices").glob("*.eml")
    assert "Subject: [Daily] 2024-05-25: sent to 2 of 2" in mail.read_text()
    with desk.app.database.read() as connection:
        (hook,) = connection.execute(select(calls)).all()
    assert (hook.kind, hook.key, hook.state) == ("webhook", "report:2024-05-25", "done")
    assert '"slot": "issue", "day": "2024-05-25", "due_at": null, "state": "published"' in hook.body
    follow_up(desk)
    desk.at(DUE)  # the slot adopts it
    desk.at(DUE + MINUTE)
    assert desk.state() == "published"
    assert told(desk) == [(REPORT, "sent")]
    with desk.app.database.read() as connection:
        assert [row.kind for row in connection.execute(select(calls).order_by(calls.c.id))] == ["webhook", "heartbeat"]


@pytest.mark.parametrize("engine_name", ["sqlite"])
def test_a_publisher_killed_before_he_told_is_made_up_for_by_whoever_comes(desk: Desk) -> None:
    desk.write("2024-05-25")
    desk.publish_by_hand("2024-05-25")
    desk.at(EVE + MINUTE)
    assert told(desk) == [(REPORT, "queued")]
    follow_up(desk)
    assert told(desk) == [(REPORT, "sent")]


def test_the_edition_of_a_slot_that_is_finished_by_hand_is_reported_once(desk: Desk) -> None:
    desk.write("2024-05-25")
    (desk.folder / "outbox").write_text("in the way")  # so the worker gets nowhere
    desk.at(DUE)
    (desk.folder / "outbox").unlink()
    desk.publish_by_hand("2024-05-25")
    follow_up(desk)
    desk.at(DUE + HOUR)
    assert [subject for subject, _ in told(desk)].count(REPORT) == 1
    with desk.app.database.read() as connection:
        beats = connection.execute(select(calls).where(calls.c.kind == "heartbeat")).all()
    assert [beat.key for beat in beats] == ["heartbeat:2024-05-25"]


def test_of_publishers_who_end_at_once_one_reports(desk: Desk) -> None:
    desk.write("2024-05-25")
    desk.publish_by_hand("2024-05-25")
    gate, done = threading.Barrier(3), list[int]()

    def report() -> None:
        gate.wait(20)
        done.append(report_sent(desk.app.database, desk.post.calendar.zone, desk.post.teller, lambda: desk.now))

    threads = [threading.Thread(target=report) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(done) == [0, 0, 1]
    assert told(desk) == [(REPORT, "queued")]


def test_nothing_is_told_while_somebody_is_queued_nor_again_after_a_later_try_or_a_resend(desk: Desk) -> None:
    desk.add("c@example.org", "d@example.org")
    desk.write("2024-05-25")
    desk.publish_by_hand("2024-05-25")
    with desk.app.database.transaction() as connection:  # as if it had been killed at its beginning
        fresh = {"state": "queued", "attempts": 0, "settled_at": None, "queued_at": desk.now}
        connection.execute(update(deliveries).values(fresh))
    move(desk, DeliveryState.SENT)
    follow_up(desk)
    assert told(desk) == []
    move(desk, DeliveryState.DEFERRED, again_at=desk.now + HOUR)
    move(desk, DeliveryState.UNKNOWN, 2)
    follow_up(desk)
    assert told(desk) == [("[Daily] 2024-05-25: sent to 1 of 4", "sent")]
    with desk.app.database.transaction() as connection:
        assert len(list_unknown(connection, 1)) == 2
        resend_unknown(connection, 1, desk.now, None)
    move(desk, DeliveryState.SENT, 2)
    desk.now += 2 * HOUR
    move(desk, DeliveryState.SENT)
    follow_up(desk)
    desk.at(desk.now)
    assert [subject for subject, _ in told(desk) if "sent to" in subject] == ["[Daily] 2024-05-25: sent to 1 of 4"]


def beats(desk: Desk) -> list[str]:
    with desk.app.database.read() as connection:
        named = select(calls.c.key).where(calls.c.kind == "heartbeat").order_by(calls.c.id)
        return list(connection.execute(named).scalars())


@pytest.fixture
def put_off(desk: Desk) -> Desk:
    """A day whose readers were all put off for an hour, and that was reported."""
    desk.write("2024-05-25")
    desk.now = DUE
    assert [run_tick(desk.post, tick) for tick in TICKS if tick.name in ("plan", "decide")] == [True, True]
    move(desk, DeliveryState.DEFERRED, 2, again_at=DUE + HOUR)
    follow_up(desk)
    assert told(desk) == [("[Daily] 2024-05-25: sent to 0 of 2", "sent")]
    assert beats(desk) == []
    return desk


def test_a_heartbeat_waits_for_who_was_put_off_at_the_first_try(put_off: Desk) -> None:
    put_off.now = DUE + HOUR
    move(put_off, DeliveryState.SENT)
    for _ in range(2):
        follow_up(put_off)
    assert beats(put_off) == ["heartbeat:2024-05-25"]
    assert len(told(put_off)) == 1


def test_no_heartbeat_comes_when_it_failed_for_most_in_the_end(put_off: Desk) -> None:
    put_off.now = DUE + HOUR
    move(put_off, DeliveryState.FAILED, 2)
    follow_up(put_off)
    assert (beats(put_off), put_off.slots()["2024-05-25"].reported_at) == ([], DUE + HOUR)


def test_a_heartbeat_of_yesterday_is_not_taken_for_today_s(put_off: Desk) -> None:
    put_off.now = DUE + 24 * HOUR
    move(put_off, DeliveryState.SENT, 2)
    follow_up(put_off)
    assert (beats(put_off), put_off.slots()["2024-05-25"].reported_at) == ([], DUE + 24 * HOUR)


@pytest.mark.parametrize("engine_name", ["sqlite"])
def test_a_halt_and_trouble_are_told_at_once_and_once(desk: Desk) -> None:
    desk.write("2024-05-25")
    desk.publish_by_hand("2024-05-25")
    follow_up(desk)
    with desk.app.database.transaction() as connection:
        halt_edition(connection, 1, desk.now, "30 of the last 50 readers were refused.")
    for _ in range(2):
        follow_up(desk, ("sending 2024-05-25", "The relay is away."))
    desk.at(EVE + MINUTE)
    subjects = [subject for subject, _ in told(desk)]
    assert subjects[1:] == ["[Daily] Trouble with sending 2024-05-25", "[Daily] 2024-05-25: sending has halted"]


@pytest.mark.parametrize("engine_name", ["sqlite"])
def test_a_webhook_that_is_away_is_said_and_kept(desk: Desk) -> None:
    desk.write("2024-05-25")
    desk.publish_by_hand("2024-05-25")
    assert tell_editor(desk.app, None, lambda: desk.now, Ear(503)) == ["the webhook: HTTP 503"]
    with desk.app.database.read() as connection:
        assert [row.state for row in connection.execute(select(calls))] == ["queued"]
    assert told(desk) == [(REPORT, "sent")]


@pytest.mark.parametrize("engine_name", ["sqlite"])
def test_without_an_editor_nothing_is_written_and_what_is_past_stays_untold(desk: Desk) -> None:
    editor = desk.app.settings.alerts
    desk.app.settings = desk.app.settings.model_copy(update={"alerts": Alerts()})
    desk.write("2024-05-25")
    desk.publish_by_hand("2024-05-25")
    assert follow_up(desk) == []
    desk.app.settings = desk.app.settings.model_copy(update={"alerts": editor})
    follow_up(desk)
    assert told(desk) == []
    with desk.app.database.read() as connection:
        assert connection.execute(select(calls)).all() == []
        assert [line.slug for line in list_editions(connection)] == ["2024-05-25"]
