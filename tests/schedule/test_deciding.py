"""Slots decided on real databases: the states, the mails and the once-ness of it."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from newsletter.config import Alerts
from newsletter.config.times import Timetable
from newsletter.model.edition import EditionKind
from newsletter.model.slot import SlotKey, SlotState, Why
from newsletter.schedule.deciding import NothingToSend, decide_due, tell_decided
from newsletter.schedule.policy import Absent, Faulty, Publish, Ready
from newsletter.store.database import Database
from newsletter.store.editions import freeze_edition, publish_edition
from newsletter.store.schema import calls, notices
from newsletter.store.slots import claim_slot, skip_slot
from tests.schedule.desks import Office, an_edition, broken, oops

DAY = date(2024, 5, 21)
KEY = SlotKey(EditionKind.ISSUE, DAY)
DUE = datetime(2024, 5, 21, 5, 30, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def office(database: Database) -> Office:
    """The day before; the slots of the next days are planned."""
    office = Office(database)
    office.tick()
    return office


def at(office: Office, moment: datetime) -> Office:
    office.now = moment
    office.tick()
    return office


def test_at_its_time_an_issue_is_published_once(office: Office) -> None:
    at(office, DUE - MINUTE)
    assert (office.state("2024-05-21"), office.sent) == ("due", {})
    for minutes in range(5):
        at(office, DUE + minutes * MINUTE)
    assert (office.state("2024-05-21"), office.sent) == ("published", {KEY: 1})
    slot = office.slots()["2024-05-21"]
    assert (slot.edition_id, slot.decided_at) == (1, DUE)
    assert office.mails() == []


def test_a_day_without_an_issue(office: Office) -> None:
    office.files[DAY] = Absent()
    at(office, DUE - 2 * HOUR - MINUTE)
    assert office.mails() == []
    for minutes in range(0, 180, 20):
        at(office, DUE - 2 * HOUR + minutes * MINUTE)
    assert office.state("2024-05-21") == "skipped: no issue"
    assert office.mails() == ["[Daily] 2024-05-21: no issue yet, due at 07:30"]
    office.files[DAY] = Ready()  # it comes an hour too late
    at(office, DUE + HOUR)
    assert (office.state("2024-05-21"), office.sent) == ("skipped: no issue", {})


def test_without_a_warning_the_editor_is_told_afterwards(office: Office) -> None:
    office.files[DAY] = Absent()
    at(office, DUE)
    at(office, DUE + MINUTE)
    assert office.mails() == ["[Daily] 2024-05-21: nothing was sent, there is no issue"]


def test_a_slot_can_wait_for_its_issue(office: Office) -> None:
    office.rules = {"no_issue": "hold"}
    office.files[DAY] = Absent()
    at(office, DUE)
    assert office.state("2024-05-21") == "held: no issue"
    office.files[DAY] = Ready()
    at(office, DUE + 2 * HOUR)
    assert office.sent == {KEY: 1}


def test_a_broken_issue_mended_late_goes_out_as_soon_as_it_is_there(office: Office) -> None:
    office.files[DAY] = broken()
    at(office, DUE - HOUR)
    for minutes in range(0, 61, 20):
        at(office, DUE + minutes * MINUTE)
    assert office.state("2024-05-21") == "held: errors"
    assert "2024-05-21.md:3:1: error" in office.slots()["2024-05-21"].detail
    assert office.mails() == [
        "[Daily] 2024-05-21: the issue has errors, due at 07:30",
        "[Daily] 2024-05-21: held, the issue has errors",
    ]
    with office.database.read() as connection:
        texts = connection.execute(select(notices.c.text).order_by(notices.c.id)).scalars().all()
    assert all("issues/2024-05-21.md:3:1: error: It has no title." in text for text in texts)
    assert "until 2024-05-21 10:30 CEST" in texts[1]
    office.files[DAY] = Ready()
    at(office, DUE + 62 * MINUTE)
    assert (office.state("2024-05-21"), office.sent) == ("published", {KEY: 1})
    assert len(office.mails()) == 2


def test_the_editor_is_told_of_other_errors_but_not_at_every_save(office: Office) -> None:
    for minutes in range(30):
        office.files[DAY] = broken(minutes + 1)
        at(office, DUE + minutes * MINUTE)
    assert len(office.mails()) == 3


def test_a_broken_issue_never_mended_is_held_for_the_operator(office: Office) -> None:
    office.files[DAY] = broken()
    at(office, DUE)
    at(office, DUE + 3 * HOUR + MINUTE)
    assert office.state("2024-05-21") == "held: late"
    office.files[DAY] = Ready()
    at(office, DUE + 4 * HOUR)
    assert (office.state("2024-05-21"), office.sent) == ("held: late", {})
    assert office.mails()[-1] == "[Daily] 2024-05-21: held, it is too late"


@pytest.mark.parametrize(
    ("late", "state", "mail"),
    [
        ("hold", "held: late", "held, it is too late"),
        ("skip", "missed: late", "given up, too late"),
    ],
)
def test_a_machine_asleep_over_the_slot(office: Office, late: str, state: str, mail: str) -> None:
    office.rules = {"late": late}
    at(office, DUE + 5 * HOUR)
    assert (office.state("2024-05-21"), office.sent) == (state, {})
    assert office.mails() == [f"[Daily] 2024-05-21: {mail}"]
    at(office, DUE + 6 * HOUR)
    assert len(office.mails()) == 1


def test_without_any_grace_an_issue_still_goes_out_when_somebody_looks(office: Office) -> None:
    office.rules = {"grace_hours": 0}
    at(office, DUE + 5 * MINUTE)
    assert office.sent == {KEY: 1}
    at(office, DUE + timedelta(days=1, minutes=11))
    assert office.state("2024-05-22") == "held: late"


def test_a_machine_that_wakes_within_the_grace_sends(office: Office) -> None:
    at(office, DUE + 2 * HOUR)
    assert office.sent == {KEY: 1}


def test_a_machine_off_for_days_has_a_row_for_each(office: Office) -> None:
    at(office, DUE + timedelta(days=5, hours=1))
    states = {key: str(slot.state) for key, slot in office.slots().items() if slot.due_at <= office.now}
    assert states == {f"2024-05-{day}": "held" for day in range(21, 26)} | {"2024-05-26": "published"}


def test_what_was_published_by_hand_is_not_published_again(office: Office) -> None:
    with office.database.transaction() as connection:
        frozen = freeze_edition(connection, an_edition("2024-05-21", DAY), "source", office.now)
        publish_edition(connection, frozen.id, office.now)
    at(office, DUE)
    assert (office.state("2024-05-21"), office.sent) == ("published", {})


def test_an_issue_held_as_too_late_and_published_by_hand_is_published(office: Office) -> None:
    at(office, DUE + 5 * HOUR)
    with office.database.transaction() as connection:
        frozen = freeze_edition(connection, an_edition("2024-05-21", DAY), "source", office.now)
        publish_edition(connection, frozen.id, office.now)
    at(office, DUE + 6 * HOUR)
    assert office.state("2024-05-21") == "published"


def test_trouble_holds_a_slot_and_it_is_tried_again(office: Office) -> None:
    office.trouble = [oops(), oops(), ValueError("a bug")]
    at(office, DUE)
    assert office.state("2024-05-21") == "held: trouble"
    assert office.mails() == ["[Daily] 2024-05-21: held, it couldn't be published"]
    at(office, DUE + MINUTE)
    at(office, DUE + 15 * MINUTE)
    assert office.slots()["2024-05-21"].detail == "ValueError: a bug"
    assert len(office.mails()) == 2
    at(office, DUE + 20 * MINUTE)
    assert (office.state("2024-05-21"), office.sent) == ("published", {KEY: 1})


def test_trouble_with_one_slot_does_not_keep_another_from_going_out(office: Office) -> None:
    office.tables = {EditionKind.ISSUE: Timetable(time(7, 30)), EditionKind.MONTHLY: Timetable(time(7, 30))}
    office.tick()
    office.trouble = [oops()]
    at(office, DUE)
    assert office.state("2024-05-21") == "held: trouble"
    assert office.state("monthly 2024-05-21") == "published"


def test_a_rollup_without_anything_in_it_is_skipped(office: Office) -> None:
    office.trouble = [NothingToSend("No issue was published in that week.")]
    at(office, DUE)
    assert office.state("2024-05-21") == "skipped: no issue"


def test_two_schedulers_publish_once_and_tell_once(office: Office) -> None:
    office.files[date(2024, 5, 22)] = broken()
    for day in (0, 1):
        for owner in ("one", "two", "one"):
            office.now = DUE + timedelta(days=day)
            office.tick(owner)
    assert office.sent == {KEY: 1}
    assert office.mails() == ["[Daily] 2024-05-22: held, the issue has errors"]


def test_while_one_publishes_the_other_waits_and_takes_over_when_he_dies(office: Office) -> None:
    office.now = DUE
    slot = office.slots()["2024-05-21"]
    with office.database.transaction() as connection:
        assert claim_slot(connection, slot, "one", DUE + 10 * MINUTE, DUE, lambda owner: False)
    assert decide_due(office.desk("two")) == []
    assert decide_due(office.desk("two", lambda owner: owner == "one")) == [(KEY, Publish())]
    assert office.sent == {KEY: 1}


def test_who_lost_his_claim_while_publishing_publishes_nothing(office: Office) -> None:
    """One is slower than his lease; the other publishes in the meantime, and one's transaction is undone."""
    office.now = DUE

    def overtake(step: str) -> None:
        if step == "frozen":
            office.on_step = lambda step: None
            office.now = DUE + 11 * MINUTE
            decide_due(office.desk("two"))

    office.on_step = overtake
    assert decide_due(office.desk("one")) == []
    assert office.sent == {KEY: 1}
    assert office.state("2024-05-21") == "published"


def test_a_clock_put_forward_and_back_sends_once_and_none_is_lost(office: Office) -> None:
    at(office, DUE + timedelta(days=2, hours=12))  # wrong by far: the days until then are too late
    assert {slot.state for slot in office.slots().values() if slot.due_at <= office.now} == {SlotState.HELD}
    at(office, DUE - HOUR)  # put right
    assert office.state("2024-05-21") == "due"
    for day in range(3):
        at(office, DUE + timedelta(days=day))
    assert set(office.sent.values()) == {1}
    assert {key.day.day for key in office.sent} == {21, 22, 23}


def test_a_clock_put_back_after_the_send_sends_nothing_again(office: Office) -> None:
    at(office, DUE)
    at(office, DUE - timedelta(days=1))
    at(office, DUE)
    assert office.sent == {KEY: 1}


@pytest.mark.parametrize("late", ["skip", "hold"])
def test_a_clock_put_right_within_the_grace_sends_what_it_gave_up(office: Office, late: str) -> None:
    office.rules = {"late": late}
    at(office, DUE + timedelta(days=2, hours=12))
    assert office.state("2024-05-21") == {"skip": "missed: late", "hold": "held: late"}[late]
    for minutes in range(3):
        at(office, DUE + minutes * MINUTE)
    assert (office.state("2024-05-21"), office.sent) == ("published", {KEY: 1})


def test_what_was_given_up_in_time_stays_given_up(office: Office) -> None:
    office.files[DAY] = Absent()
    at(office, DUE + HOUR)
    office.files[DAY] = Ready()
    for minutes in (56, 59, 61):  # the other machine's clock is a little behind
        at(office, DUE + minutes * MINUTE)
    assert (office.state("2024-05-21"), office.sent) == ("skipped: no issue", {})


def test_a_day_taken_out_of_the_schedule_does_not_go_out(office: Office) -> None:
    office.now = DUE
    office.tables = {}
    office.tick()
    assert (office.state("2024-05-21"), office.sent) == ("skipped: operator", {})
    assert office.mails() == []
    assert "2024-05-22" not in office.slots()


def skip(office: Office) -> None:
    with office.database.transaction() as connection:
        skip_slot(connection, KEY, office.now, "a holiday")


def called(office: Office) -> list[str]:
    with office.database.read() as connection:
        return list(connection.execute(select(calls.c.key).order_by(calls.c.id)).scalars())


def test_what_an_operator_skipped_stays_skipped_and_goes_as_it_should_at_its_time(office: Office) -> None:
    office.alerts = Alerts(editor=("editor@example.org",), heartbeat="https://example.org/beat")
    skip(office)
    at(office, DUE - HOUR)
    assert called(office) == []
    at(office, DUE)
    assert (office.state("2024-05-21"), office.sent, office.mails()) == ("skipped: operator", {}, [])
    assert called(office) == ["heartbeat:2024-05-21"]


def test_what_is_held_as_too_late_can_be_let_be(office: Office) -> None:
    at(office, DUE + 5 * HOUR)
    assert office.state("2024-05-21") == "held: late"
    with office.database.read() as connection:
        (text,) = connection.execute(select(notices.c.text)).scalars()
    assert "To send it: newsletter publish 2024-05-21\nTo let it be: newsletter skip 2024-05-21\n" in text
    skip(office)
    at(office, DUE + 6 * HOUR)
    assert (office.state("2024-05-21"), office.sent, len(office.mails())) == ("skipped: operator", {}, 1)


def test_an_operator_who_skips_while_it_is_being_published_has_it_skipped(office: Office) -> None:
    office.on_step = lambda step: skip(office) if step == "frozen" else None
    at(office, DUE)
    at(office, DUE + MINUTE)
    assert (office.state("2024-05-21"), office.sent, office.mails()) == ("skipped: operator", {}, [])


def test_a_late_day_whose_issue_is_taken_away_is_over_and_the_editor_is_told(office: Office) -> None:
    office.files[DAY] = broken()
    at(office, DUE - HOUR)
    at(office, DUE + 4 * HOUR)
    assert office.state("2024-05-21") == "held: late"
    office.files[DAY] = Absent()
    at(office, DUE + 5 * HOUR)
    assert office.state("2024-05-21") == "skipped: no issue"
    assert office.mails()[-1] == "[Daily] 2024-05-21: nothing was sent, there is no issue"


def test_an_issue_given_up_and_published_by_hand_is_published(office: Office) -> None:
    office.rules = {"late": "skip"}
    at(office, DUE + 5 * HOUR)
    assert office.state("2024-05-21") == "missed: late"
    with office.database.transaction() as connection:
        frozen = freeze_edition(connection, an_edition("2024-05-21", DAY), "source", office.now)
        publish_edition(connection, frozen.id, office.now)
    at(office, DUE + 6 * HOUR)
    assert (office.state("2024-05-21"), office.sent) == ("published", {})


def test_whoever_else_is_to_know_is_called(office: Office) -> None:
    office.alerts = Alerts(webhook="https://example.org/hook", heartbeat="https://example.org/beat")
    office.files[DAY] = Absent()
    office.files[date(2024, 5, 22)] = Faulty(Why.DRAFT, "issues/x.md:3: the issue is a draft")
    at(office, DUE)
    at(office, DUE + timedelta(days=1))
    with office.database.read() as connection:
        rows: list[Any] = list(connection.execute(select(calls.c.kind, calls.c.key).order_by(calls.c.id)))
    assert [row.kind for row in rows] == ["webhook", "heartbeat", "webhook"]
    assert rows[0].key == "skipped:issue:2024-05-21"
    assert rows[1].key == "heartbeat:2024-05-21"
    assert rows[2].key.startswith("held:issue:2024-05-22:")
    assert tell_decided(office.desk()) == []
