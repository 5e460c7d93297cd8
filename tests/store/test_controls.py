"""An edition under way can be stopped, and whatever is done in whatever order, nobody is lost or sent to twice."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import count

import pytest

from newsletter.errors import NewsletterError, NotFoundError
from newsletter.model.control import Control, ControlChange, ControlState
from newsletter.model.delivery import Audit, Delivery, DeliveryState, Reply, Settlement
from newsletter.model.edition import Edition
from newsletter.store.controls import (
    TAKEN_AS_SENT,
    accept_unknown,
    cancel_edition,
    halt_edition,
    list_unknown,
    load_control,
    pause_edition,
    resend_unknown,
    resume_edition,
)
from newsletter.store.database import Database
from newsletter.store.deliveries import (
    EDITION_CANCELLED,
    claim_deliveries,
    count_deliveries,
    list_deliveries,
    recover_deliveries,
    release_deliveries,
    settle_deliveries,
)
from newsletter.store.editions import StoredEdition, freeze_edition
from newsletter.store.subscribers import mark_left

Publish = Callable[..., StoredEdition]
MINUTE = timedelta(minutes=1)
OK = Reply(250, "2.0.0", "taken")
LATER = Reply(451, "4.7.1", "later")


def _claim(database: Database, now: datetime, limit: int = 100, edition_id: int = 1) -> list[Delivery]:
    with database.transaction() as connection:
        return claim_deliveries(connection, edition_id, "one", now + MINUTE, now, limit)


def _settle(database: Database, now: datetime, rows: list[Delivery], state: DeliveryState, reply: Reply = OK) -> None:
    again = now + MINUTE if state is DeliveryState.DEFERRED else None
    with database.transaction() as connection:
        settle_deliveries(connection, "one", [Settlement(row.id, state, reply, 1, now, again) for row in rows])


def _order(database: Database, order: Callable[..., ControlChange], *words: object) -> ControlChange:
    with database.transaction() as connection:
        return order(connection, 1, *words)


def _states(database: Database) -> list[str]:
    with database.read() as connection:
        return [str(row.state) for row in list_deliveries(connection, 1)]


def _audit(database: Database, edition_id: int = 1) -> Audit:
    with database.read() as connection:
        return count_deliveries(connection, edition_id)


def test_an_edition_runs_until_somebody_steps_in(database: Database, publish: Publish) -> None:
    publish(1)
    with database.read() as connection:
        assert load_control(connection, 1) == Control(ControlState.RUNNING, "", None)


@pytest.mark.parametrize(("stop", "state"), [(pause_edition, ControlState.PAUSED), (halt_edition, ControlState.HALTED)])
def test_a_stopped_edition_gives_nobody_until_it_is_resumed(
    database: Database, now: datetime, publish: Publish, stop: Callable[..., ControlChange], state: ControlState
) -> None:
    publish(3)
    _settle(database, now, _claim(database, now, 1), DeliveryState.DEFERRED, LATER)
    stopped = Control(state, "a link is wrong", now)
    assert _order(database, stop, now, "a link is wrong") == ControlChange(Control(), stopped)
    assert _order(database, stop, now + MINUTE, "another") == ControlChange(stopped, stopped)
    assert _claim(database, now + MINUTE) == []
    with database.read() as connection:
        assert load_control(connection, 1) == stopped
    resumed = _order(database, resume_edition, now + MINUTE)
    assert resumed == ControlChange(stopped, Control(ControlState.RUNNING, "", now + MINUTE))
    assert not _order(database, resume_edition, now).changed
    assert [row.id for row in _claim(database, now + MINUTE)] == [1, 2, 3]


def test_what_is_being_sent_is_settled_while_the_edition_is_paused(
    database: Database, now: datetime, publish: Publish
) -> None:
    publish(4)
    claimed = _claim(database, now, 3)
    _order(database, pause_edition, now)
    _settle(database, now, claimed[:1], DeliveryState.SENT)
    _settle(database, now, claimed[1:2], DeliveryState.DEFERRED, LATER)
    with database.transaction() as connection:
        release_deliveries(connection, "one", [claimed[2].id])
    assert _states(database) == ["sent", "deferred", "queued", "queued"]


def test_another_edition_goes_on(database: Database, now: datetime, publish: Publish) -> None:
    publish(1)
    other = publish(1, slug="other")
    _order(database, pause_edition, now)
    assert len(_claim(database, now, edition_id=other.id)) == 1


def test_cancelling_ends_what_waits_and_lets_finish_what_is_being_sent(
    database: Database, now: datetime, publish: Publish
) -> None:
    publish(5)
    first = _claim(database, now, 1)
    _settle(database, now, first, DeliveryState.DEFERRED, LATER)
    claimed = _claim(database, now, 2)
    change = _order(database, cancel_edition, now, "wrong list")
    assert change == ControlChange(Control(), Control(ControlState.CANCELLED, "wrong list", now), cancelled=3)
    assert _states(database) == ["cancelled", "sending", "sending", "cancelled", "cancelled"]
    with database.read() as connection:
        row = list_deliveries(connection, 1)[0]
    assert (row.reply, row.settled_at, row.next_attempt_at) == (Reply(0, "", EDITION_CANCELLED), now, None)
    _settle(database, now, claimed, DeliveryState.SENT)
    assert _audit(database) == Audit(5, sent=2, queued=0, deferred=0, failed=0, cancelled=3, unknown=0)
    assert _order(database, cancel_edition, now, "again") == ControlChange(change.after, change.after)


def test_nothing_goes_back_to_the_queue_of_a_cancelled_edition(
    database: Database, now: datetime, publish: Publish
) -> None:
    publish(6)
    _settle(database, now, _claim(database, now, 1), DeliveryState.DEFERRED, LATER)
    claimed = _claim(database, now + MINUTE)
    _order(database, cancel_edition, now)
    _settle(database, now, claimed[1:2], DeliveryState.DEFERRED, LATER)
    _settle(database, now, claimed[2:3], DeliveryState.FAILED, Reply(550, "5.1.1", "gone"))
    with database.transaction() as connection:
        assert release_deliveries(connection, "one", [claimed[0].id, claimed[3].id]) == 2
        assert recover_deliveries(connection, now, lambda _: True, DeliveryState.QUEUED) == 2
    assert _states(database) == ["cancelled", "cancelled", "failed", "cancelled", "cancelled", "cancelled"]
    with database.read() as connection:
        rows = list_deliveries(connection, 1)
    assert rows[1].reply == LATER
    assert rows[3].reply == Reply(0, "", EDITION_CANCELLED)
    assert _audit(database).holds


def test_a_cancelled_edition_is_neither_resumed_nor_paused_nor_halted(
    database: Database, now: datetime, publish: Publish
) -> None:
    publish(1)
    _order(database, cancel_edition, now)
    for order in (pause_edition, resume_edition):
        with pytest.raises(NewsletterError, match="2024-05-25 was cancelled on 2024-05-25 at 06:30 UTC"):
            _order(database, order, now)
    assert not _order(database, halt_edition, now, "trouble").changed


def test_a_paused_edition_that_looks_wrong_becomes_halted_and_a_halted_one_is_not_paused(
    database: Database, now: datetime, publish: Publish
) -> None:
    publish(1)
    _order(database, pause_edition, now)
    halted = _order(database, halt_edition, now, "trouble").after
    assert halted == Control(ControlState.HALTED, "trouble", now)
    assert _order(database, pause_edition, now, "mine").after == halted


@pytest.mark.parametrize("order", [pause_edition, cancel_edition])
def test_where_nobody_waits_there_is_nothing_to_stop(
    database: Database, now: datetime, publish: Publish, order: Callable[..., ControlChange]
) -> None:
    publish(2)
    claimed = _claim(database, now)
    _settle(database, now, claimed[:1], DeliveryState.SENT)
    assert _order(database, pause_edition, now).changed, "one is still being sent, and may come back"
    _order(database, resume_edition, now)
    _settle(database, now, claimed[1:], DeliveryState.UNKNOWN)
    with pytest.raises(NewsletterError, match="Nobody waits for 2024-05-25 any more"):
        _order(database, order, now)


@pytest.mark.parametrize("order", [pause_edition, resume_edition, cancel_edition])
def test_an_edition_that_is_not_published_has_no_control(
    database: Database, now: datetime, edition: Edition, order: Callable[..., ControlChange]
) -> None:
    with pytest.raises(NotFoundError):
        _order(database, order, now)
    with pytest.raises(NotFoundError), database.read() as connection:
        load_control(connection, 1)
    with database.transaction() as connection:
        freeze_edition(connection, edition, "source", now)
    with pytest.raises(NewsletterError, match="2024-05-25 is frozen and nobody was mailed"):
        _order(database, order, now)


@pytest.mark.parametrize("engine_name", ["sqlite"])  # PostgreSQL plans by statistics, and reads small tables whole
def test_unknown_deliveries_are_found_by_their_index(database: Database, publish: Publish) -> None:
    publish(1)
    ran: list[str] = []
    with database.read() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        raw.set_trace_callback(ran.append)
        list_unknown(connection, 1)
        raw.set_trace_callback(None)
        plans = [[row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}")] for statement in ran]
    assert plans == [["SEARCH deliveries USING INDEX ix_deliveries_unknown (edition_id=? AND id>?)"]]


def _leave_unknown(database: Database, now: datetime, number: int) -> list[Delivery]:
    claimed = _claim(database, now, number)
    _settle(database, now, claimed, DeliveryState.UNKNOWN, Reply(0, "", "nothing was heard"))
    with database.read() as connection:
        return list_unknown(connection, 1)


def test_unknown_readers_are_queued_again_as_they_were(database: Database, now: datetime, publish: Publish) -> None:
    publish(4)
    unknown = _leave_unknown(database, now, 3)
    later = now + timedelta(days=5)
    with database.transaction() as connection:
        moved = resend_unknown(connection, 1, later, ["READER1@example.org ", "reader2@example.org"])
    assert moved == unknown[1:]
    assert _states(database) == ["unknown", "queued", "queued", "queued"]
    again = _claim(database, later)
    assert [row.queued_at for row in again] == [later, later, now], "the patience begins anew"
    for before, after in zip(moved, again, strict=False):
        # All that a mail's bytes are made from.
        for name in ("edition_id", "subscriber_id", "address", "name"):
            assert getattr(before, name) == getattr(after, name)


def test_unknown_readers_are_taken_as_sent_with_a_note(database: Database, now: datetime, publish: Publish) -> None:
    publish(3)
    _leave_unknown(database, now, 2)
    with database.transaction() as connection:
        assert len(accept_unknown(connection, 1, now + MINUTE)) == 2
        assert accept_unknown(connection, 1, now + MINUTE) == []
        row = list_deliveries(connection, 1)[0]
    assert (row.state, row.settled_at, row.reply) == ("sent", now + MINUTE, Reply(0, "", TAKEN_AS_SENT))
    assert _audit(database) == Audit(3, sent=2, queued=1, deferred=0, failed=0, cancelled=0, unknown=0)


@pytest.mark.parametrize("decide", [resend_unknown, accept_unknown])
def test_an_address_that_is_not_unknown_is_refused_and_nothing_is_changed(
    database: Database, now: datetime, publish: Publish, decide: Callable[..., list[Delivery]]
) -> None:
    publish(2)
    _leave_unknown(database, now, 1)
    wanted = ["reader0@example.org", "reader1@example.org", "nobody@example.org"]
    with (
        pytest.raises(NotFoundError, match=r"Not among the unknown: nobody@example.org, reader1@example.org"),
        database.transaction() as connection,
    ):
        decide(connection, 1, now, wanted)
    assert _states(database) == ["unknown", "queued"]


def test_nobody_is_queued_again_in_a_cancelled_edition_but_may_be_taken_as_sent(
    database: Database, now: datetime, publish: Publish
) -> None:
    publish(2)
    _leave_unknown(database, now, 1)
    _order(database, cancel_edition, now)
    with pytest.raises(NewsletterError, match="that is final"), database.transaction() as connection:
        resend_unknown(connection, 1, now)
    with database.transaction() as connection:
        assert len(accept_unknown(connection, 1, now)) == 1


def test_a_reader_who_left_meanwhile_is_not_sent_to_again(database: Database, now: datetime, publish: Publish) -> None:
    publish(1)
    _leave_unknown(database, now, 1)
    with database.transaction() as connection:
        mark_left(connection, "reader0@example.org", now)
        resend_unknown(connection, 1, now)
    assert _claim(database, now) == []
    assert _states(database) == ["cancelled"]


@pytest.mark.parametrize("back", ["put off", "given back", "recovered"])
def test_a_cancellation_waits_for_what_is_just_going_back_and_cancels_it(
    database: Database, now: datetime, publish: Publish, back: str
) -> None:
    publish(1)
    claimed = _claim(database, now)
    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as connection:
            if back == "put off":
                put_off = Settlement(1, DeliveryState.DEFERRED, LATER, 1, now, now)
                assert settle_deliveries(connection, "one", [put_off]) == []
            elif back == "given back":
                assert release_deliveries(connection, "one", [claimed[0].id]) == 1
            else:
                assert recover_deliveries(connection, now, lambda _: True, DeliveryState.QUEUED) == 1
            cancelling = pool.submit(_order, database, cancel_edition, now)
            with pytest.raises(TimeoutError):
                cancelling.result(0.3)
        assert cancelling.result().cancelled == 1
    assert _states(database) == ["cancelled"]


def test_cancelling_while_others_send_leaves_nobody_waiting(
    database: Database, now: datetime, publish: Publish
) -> None:
    """Senders claim, put off and give back as fast as they can while the edition is cancelled."""
    publish(400)

    def send(owner: str) -> None:
        for turn in count():
            with database.transaction() as connection:
                rows = claim_deliveries(connection, 1, owner, now + MINUTE, now + turn * MINUTE, 5)
            if not rows:
                return
            put_off = [Settlement(row.id, DeliveryState.DEFERRED, LATER, 1, now, now) for row in rows[:3]]
            with database.transaction() as connection:
                assert settle_deliveries(connection, owner, put_off) == []
            with database.transaction() as connection:
                assert release_deliveries(connection, owner, [row.id for row in rows[3:]]) == len(rows[3:])

    with ThreadPoolExecutor(4) as pool:
        senders = [pool.submit(send, owner) for owner in "abc"]
        for _ in range(10):
            _order(database, pause_edition, now)
            _order(database, resume_edition, now)
        _order(database, cancel_edition, now)
        for sender in senders:
            sender.result()
    audit = _audit(database)
    assert audit.holds
    assert (audit.queued, audit.deferred, audit.cancelled) == (0, 0, 400)
