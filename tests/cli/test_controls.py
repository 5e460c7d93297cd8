"""Pause, resume and cancel, while another process sends."""

from collections.abc import Callable

import pytest

from newsletter.model.delivery import DeliveryState
from newsletter.store.controls import halt_edition
from tests.cli.conftest import NOW, Office

SENT = DeliveryState.SENT


def test_a_sender_at_work_gets_nobody_after_a_pause_and_goes_on_after_resume(office: Office) -> None:
    office.publish(10)
    claimed = office.claim(4)
    said = office.run("pause", "2024-05-25", "--reason", "a link is wrong")
    assert "2024-05-25 is paused; 10 readers still wait for it." in said
    assert "newsletter resume 2024-05-25" in said
    office.settle(claimed, SENT)
    assert office.claim(10) == []
    status = office.run("status", "2024-05-25")
    assert "    paused since" in status
    assert "a link is wrong. To go on: newsletter resume 2024-05-25" in status
    assert "was paused already; 6 readers" in office.run("pause", "2024-05-25")
    assert "may go on; 6 readers wait for it. To send: newsletter publish 2024-05-25" in office.run(
        "resume", "2024-05-25"
    )
    assert "was not stopped" in office.run("resume", "2024-05-25")
    assert len(office.claim(10)) == 6
    assert "paused" not in office.run("status")


def test_cancelling_says_who_got_it_and_who_will_not(office: Office) -> None:
    office.publish(10)
    office.settle(office.claim(3), SENT)
    office.claim(2)
    said = office.run("cancel", "2024-05-25", "--yes", "--reason", "wrong list")
    assert "cancelled for good: 5 readers won't get it, 3 did. A sender holds 2:" in said
    assert "cancelled 5" in said
    assert office.claim(10) == []
    assert office.audit().cancelled == 5
    assert "was cancelled already" in office.run("cancel", "2024-05-25", "--yes")
    assert "    cancelled for good at" in office.run("status", "2024-05-25")
    assert "that is final" in office.run("resume", "2024-05-25", code=1)
    assert "that is final" in office.run("pause", "2024-05-25", code=1)


def test_where_nobody_can_be_asked_a_cancellation_wants_a_yes(office: Office) -> None:
    office.publish(2)
    assert "say --yes" in office.run("cancel", "2024-05-25", code=2)
    assert office.audit().queued == 2


@pytest.mark.parametrize(("typed", "code", "cancelled"), [("y", 0, 2), ("n", 130, 0), ("", 130, 0)])
def test_a_terminal_is_asked_before_a_cancellation(
    office: Office, answer: Callable[[str], None], typed: str, code: int, cancelled: int
) -> None:
    office.publish(2)
    answer(typed)
    said = office.run("cancel", "2024-05-25", code=code)
    assert "2 readers will never get 2024-05-25. Cancel it for good?" in said
    assert office.audit().cancelled == cancelled


def test_a_halt_is_told_with_its_reason(office: Office) -> None:
    office.publish(2)
    with office.database.transaction() as connection:
        halt_edition(connection, 1, NOW, "15 of the last 50 readers were refused.")
    assert "was halted already: 15 of the last 50 readers were refused. To go on" in office.run("pause", "2024-05-25")
    assert "    halted since 2024-05-25 06:30 UTC: 15 of the last 50 readers" in office.run("status")
    office.run("resume", "2024-05-25")
    assert len(office.claim(10)) == 2


def test_machines_are_told_what_changed(office: Office) -> None:
    office.publish(3)
    told = office.read("pause", "2024-05-25", "--reason", "why")
    assert (told["slug"], told["changed"], told["before"]["state"]) == ("2024-05-25", True, "running")
    assert (told["control"]["state"], told["control"]["reason"]) == ("paused", "why")
    assert told["control"]["changed_at"].endswith("+00:00")
    assert office.read("status")["editions"][0]["control"]["state"] == "paused"
    assert office.read("resume", "2024-05-25")["control"]["state"] == "running"
    told = office.read("cancel", "2024-05-25", "--yes")
    assert (told["cancelled"], told["audit"]["cancelled"], told["audit"]["holds"]) == (3, 3, True)


@pytest.mark.parametrize("words", [("pause",), ("resume",), ("cancel", "--yes")])
def test_an_issue_that_was_never_published_is_named(office: Office, words: tuple[str, ...]) -> None:
    assert "2024-05-26 was never published" in office.run(*words, "2024-05-26", code=1)


@pytest.mark.parametrize("words", [("pause",), ("cancel", "--yes")])
def test_an_issue_that_everybody_has_is_left_alone(office: Office, words: tuple[str, ...]) -> None:
    office.publish(1)
    office.settle(office.claim(1), SENT)
    assert "Nobody waits for 2024-05-25 any more" in office.run(*words, "2024-05-25", code=1)
    assert "paused" not in office.run("status")


def test_a_date_of_two_issues_is_asked_about(office: Office) -> None:
    office.publish(1, slug="morning")
    office.publish(1, slug="evening")
    said = office.run("pause", "2024-05-25", code=2)
    assert "2 issues were published for 2024-05-25: say morning or evening" in said
    assert "evening is paused" in office.run("pause", "evening")
