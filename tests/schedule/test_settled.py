"""Letters that waited for a relay say nothing of what is over by then."""

from dataclasses import replace
from datetime import date

import pytest

from newsletter.model.edition import EditionKind
from newsletter.model.slot import Plan, Slot, SlotKey, SlotState, Why
from newsletter.schedule.policy_troubles import Trouble
from newsletter.schedule.settled import is_slot_settled, list_premature, send_letters, withdraw_settled
from newsletter.schedule.ticks import NOTICES, Role, Tick, run_tick
from newsletter.schedule.troubles import end_trouble, tell_trouble
from newsletter.store.controls import halt_edition, resume_edition
from newsletter.store.schema import calls, notices
from tests.schedule.posted import DUE, EVE, HOUR, ISSUE, MINUTE, Desk

one_engine = pytest.mark.parametrize("engine_name", ["sqlite"])  # the store's tests hold both engines to it

SLOT = Slot(Plan(SlotKey(EditionKind.ISSUE, date(2024, 5, 25)), DUE, "07:30", "UTC"), SlotState.HELD, told="x")
SKIPPED = replace(SLOT, state=SlotState.SKIPPED, told="y")


@pytest.mark.parametrize(
    ("kind", "slot", "settled"),
    [
        ("held", SLOT, False),
        ("held", replace(SLOT, told="y"), True),  # it is held for another reason, and that was told
        ("held", replace(SLOT, state=SlotState.DUE), False),
        ("held", replace(SLOT, state=SlotState.PUBLISHED), True),
        ("missed", replace(SLOT, state=SlotState.MISSED), False),
        ("missed", replace(SLOT, state=SlotState.PUBLISHED), True),
        ("warning", replace(SLOT, state=SlotState.DUE, told=""), False),
        ("warning", SLOT, True),
        ("warning", replace(SKIPPED, why=Why.NO_ISSUE), False),  # of which nothing else is told
        ("warning", replace(SKIPPED, why=Why.OPERATOR), True),
        ("held", replace(SKIPPED, why=Why.OPERATOR), True),
    ],
)
def test_a_slot_s_letter_is_settled_when_another_says_more_or_nobody_needs_any(
    kind: str, slot: Slot, settled: bool
) -> None:
    assert is_slot_settled(slot, kind, "x") is settled


def subjects(desk: Desk) -> list[str]:
    return [subject.removeprefix("[Daily] ") for subject, _ in desk.told()]


@one_engine
def test_of_an_issue_that_was_held_and_went_out_only_the_report_arrives(desk: Desk) -> None:
    desk.write("2024-05-25", ISSUE.replace("date:", "draft: true\ndate:"))
    desk.at(EVE)
    desk.at(DUE + MINUTE)
    assert subjects(desk) == ["2024-05-25: held, the issue is a draft"]
    assert withdraw_settled(desk.app.database) == 0
    desk.write("2024-05-25")
    for minutes in (5, 6):  # it is sent in the first of them, and reported in the second
        desk.at(DUE + minutes * MINUTE)
    tally = send_letters(desk.app, lambda: desk.now)
    assert (tally.sent, subjects(desk)) == (1, ["2024-05-25: sent to 2 of 2"])


def tell(desk: Desk) -> bool:
    with desk.app.database.transaction() as connection:
        trouble = Trouble("sending 2024-05-25", "TransportError", "The relay is away.")
        return tell_trouble(connection, desk.post.teller, trouble, desk.now)


@one_engine
def test_trouble_that_is_over_is_not_told_and_at_once_when_it_comes_back(desk: Desk) -> None:
    assert tell(desk)
    with desk.app.database.transaction() as connection:
        assert end_trouble(connection, "sending 2024-05-25")
    assert withdraw_settled(desk.app.database) == 1
    desk.now += MINUTE
    assert tell(desk)
    assert not tell(desk)
    assert subjects(desk) == ["Trouble with sending 2024-05-25"]
    assert (withdraw_settled(desk.app.database), send_letters(desk.app, lambda: desk.now).sent) == (0, 1)


@one_engine
def test_a_letter_that_was_put_off_waits_until_its_trouble_has_failed_once_more(desk: Desk) -> None:
    assert tell(desk)
    with desk.app.database.transaction() as connection:
        put_off = {"reply": "can't be reached", "next_attempt_at": EVE + 5 * MINUTE}
        connection.execute(notices.update().values(put_off))
    desk.now = EVE + 6 * MINUTE
    assert send_letters(desk.app, lambda: desk.now).sent == 0
    assert list_premature(desk.app.database, EVE + 50 * MINUTE) == []  # nobody seems to try it again
    assert not tell(desk)
    assert send_letters(desk.app, lambda: desk.now).sent == 1


@one_engine
def test_a_halt_that_was_resumed_is_not_told(desk: Desk) -> None:
    desk.write("2024-05-25")
    desk.publish_by_hand("2024-05-25")
    with desk.app.database.transaction() as connection:
        halt_edition(connection, 1, desk.now, "Seeds were refused.")
    desk.at(EVE + HOUR)
    assert "2024-05-25: sending has halted" in subjects(desk)
    assert withdraw_settled(desk.app.database) == 0
    with desk.app.database.transaction() as connection:
        resume_edition(connection, 1, desk.now)
    assert withdraw_settled(desk.app.database) == 1
    assert "2024-05-25: sending has halted" not in subjects(desk)


@one_engine
def test_that_letters_cannot_be_sent_is_told_to_the_webhook_alone(desk: Desk) -> None:
    def fail(_: object) -> None:
        raise OSError("the relay is away")

    assert not run_tick(desk.post, Tick(NOTICES, Role.WORKER, MINUTE, fail))
    assert subjects(desk) == []
    with desk.app.database.read() as connection:
        assert [row.kind for row in connection.execute(calls.select())] == ["webhook"]
