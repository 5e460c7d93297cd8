"""A publication at its post, with the real press and the real sender: from a file to a mail, a report and a call."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from newsletter.logs import start_logging
from newsletter.model.slot import SlotState
from newsletter.model.subscriber import Cadence
from newsletter.schedule.ticks import TICKS, Role
from newsletter.store.schema import calls
from tests.schedule.posted import DUE, EVE, HOUR, ISSUE, MINUTE, Desk


@pytest.fixture
def log() -> Iterator[Callable[[], list[str]]]:
    """Returns what was written down since: event, slot, and what became of it."""
    root, stream = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    start_logging("json", stream=stream)

    def read() -> list[str]:
        events = [json.loads(line) for line in stream.getvalue().splitlines()]
        stream.truncate(stream.seek(0))
        names = ("event", "level", "slot", "decision", "state", "why", "sent")
        told = [event for event in events if event.get("slot", "2024-05-25") == "2024-05-25"]
        return [" ".join(str(event[name]) for name in names if name in event) for event in told]

    yield read
    root.handlers[:] = handlers
    root.setLevel(level)


def test_an_issue_goes_from_its_file_to_readers_site_editor_and_hook(desk: Desk) -> None:
    desk.write("2024-05-25")
    desk.at(DUE - MINUTE)
    assert (desk.state(), desk.mails()) == ("due", {})
    desk.at(DUE)
    assert (desk.state(), desk.mails()) == ("published", {"2024-05-25": 2})
    assert "Papers of 2024-05-25" in (desk.folder / "public/feed.xml").read_text()
    desk.at(DUE + MINUTE)
    ((subject, text),) = desk.told()
    assert subject == "[Daily] 2024-05-25: sent to 2 of 2"
    assert "https://newsletter.example/issues/2024-05-25/" in text
    assert "It took 0 s, from 2024-05-25 07:30 CEST." in text
    with desk.app.database.read() as connection:
        hook, beat = connection.execute(select(calls).order_by(calls.c.id)).all()
    assert (hook.kind, hook.key, beat.kind, beat.key) == (
        "webhook",
        "report:2024-05-25",
        "heartbeat",
        "heartbeat:2024-05-25",
    )
    body = json.loads(hook.body)
    assert (body["type"], body["data"]["sent"], body["data"]["audience"]) == ("sent", 2, 2)
    assert "@" not in hook.body
    desk.at(DUE + HOUR)
    assert (desk.mails(), len(desk.told())) == ({"2024-05-25": 2}, 1)


def test_a_day_without_a_file(desk: Desk, log: Callable[[], list[str]]) -> None:
    desk.at(DUE - 2 * HOUR)
    assert log() == ["issue not ready warning 2024-05-25"]
    desk.at(DUE)
    assert log() == ["slot decided info 2024-05-25 settle skipped no issue"]
    assert (desk.state(), desk.mails()) == ("skipped: no issue", {})
    assert [subject for subject, _ in desk.told()] == ["[Daily] 2024-05-25: no issue yet, due at 07:30"]


def test_a_broken_file_mended_late(desk: Desk, log: Callable[[], list[str]]) -> None:
    path = desk.write("2024-05-25", "---\ntitle: T\ndate: 2024-05-25\n---\n\n## News\n\n### [A](notaurl)\n\nText.\n")
    desk.at(DUE)
    assert (desk.state(), desk.mails()) == ("held: errors", {})
    ((subject, text),) = desk.told()
    assert subject == "[Daily] 2024-05-25: held, the issue has errors"
    assert "2024-05-25.md:8:" in text
    assert not (desk.folder / "public").exists()
    assert log() == ["slot decided info 2024-05-25 settle held errors"]
    path.write_text(ISSUE.format(day="2024-05-25"))
    desk.at(DUE + 10 * MINUTE)
    assert (desk.state(), desk.mails()) == ("published", {"2024-05-25": 2})
    assert log() == ["slot decided info 2024-05-25 publish", "edition sent info 2"]
    desk.at(DUE + 11 * MINUTE)
    assert log() == ["issue reported info 2024-05-25 2"]
    assert [subject for subject, _ in desk.told()[1:]] == ["[Daily] 2024-05-25: sent to 2 of 2"]


def test_a_draft_goes_out_when_it_is_none_any_more(desk: Desk) -> None:
    path = desk.write("2024-05-25", ISSUE.replace("---\n\n## News", "draft: true\n---\n\n## News"))
    desk.at(DUE)
    assert desk.state() == "held: draft"
    assert "2024-05-25.md:4: the issue is a draft" in desk.told()[0][1]
    path.write_text(ISSUE.format(day="2024-05-25"))
    desk.at(DUE + 2 * MINUTE)
    assert desk.state() == "published"


def test_a_machine_asleep_over_the_slot(desk: Desk, log: Callable[[], list[str]]) -> None:
    desk.write("2024-05-25")
    desk.at(DUE + 4 * HOUR)
    assert log() == ["slot decided info 2024-05-25 settle held late"]
    assert (desk.state(), desk.mails()) == ("held: late", {})
    ((subject, text),) = desk.told()
    assert subject == "[Daily] 2024-05-25: held, it is too late"
    assert "4 h 00 min ago" in text
    assert text.endswith("newsletter publish 2024-05-25\nTo let it be: newsletter skip 2024-05-25\n")
    desk.publish_by_hand("2024-05-25")
    log()
    desk.at(DUE + 5 * HOUR)
    assert (desk.state(), desk.mails()) == ("published", {"2024-05-25": 2})
    assert log() == ["slot decided info 2024-05-25 adopt", "issue reported info 2024-05-25 2"]


def test_a_file_taken_away_after_it_was_too_late_leaves_nothing_to_decide(desk: Desk) -> None:
    path = desk.write("2024-05-25")
    desk.at(DUE + 4 * HOUR)
    path.unlink()
    desk.at(DUE + 5 * HOUR)
    assert (desk.state(), desk.mails()) == ("skipped: no issue", {})
    assert [subject for subject, _ in desk.told()] == [
        "[Daily] 2024-05-25: held, it is too late",
        "[Daily] 2024-05-25: nothing was sent, there is no issue",
    ]


def test_a_folder_that_is_not_there_is_trouble_and_no_day_off(desk: Desk) -> None:
    desk.write("2024-05-25")
    away = (desk.folder / "issues").rename(desk.folder / "away")
    desk.at(DUE)
    assert desk.state() == "held: trouble"
    assert "issues: there is no such folder" in desk.slots()["2024-05-25"].detail
    away.rename(desk.folder / "issues")
    desk.at(DUE + HOUR)
    assert (desk.state(), desk.mails()) == ("published", {"2024-05-25": 2})


def test_two_files_of_one_day_are_none_to_choose_from(desk: Desk) -> None:
    desk.write("2024-05-25", name="2024-05-25-one")
    desk.write("2024-05-25", ISSUE.replace("Papers", "Other papers"), name="2024-05-25-two")
    desk.at(DUE)
    assert desk.state() == "held: errors"
    assert "2 issues have the date 2024-05-25" in desk.slots()["2024-05-25"].detail
    (desk.folder / "issues/2024-05-25-one.md").rename(desk.folder / "issues/2024-05-25.md")
    desk.at(DUE + 2 * MINUTE)
    assert (desk.state(), desk.mails()) == ("published", {"2024-05-25": 2})


def test_what_was_published_by_hand_before_its_time_is_not_sent_again(desk: Desk) -> None:
    path = desk.write("2024-05-25")
    desk.publish_by_hand("2024-05-25")
    path.write_text(path.read_text() + "\nChanged since.\n")
    (desk.folder / "outbox").rename(desk.folder / "seen")
    desk.at(DUE)
    assert (desk.state(), desk.mails()) == ("published", {})


def test_a_file_renamed_after_it_was_published_by_hand_is_not_sent_again(desk: Desk) -> None:
    path = desk.write("2024-05-25", name="2024-05-25-first")
    desk.publish_by_hand("2024-05-25")
    path.rename(path.with_name("2024-05-25.md"))
    desk.at(DUE)
    assert desk.state() == "held: trouble"
    assert "was published already, as 2024-05-25-first" in desk.slots()["2024-05-25"].detail
    assert desk.mails() == {"2024-05-25-first": 2}


def test_without_readers_the_site_has_it_and_the_slot_is_done(desk: Desk, tmp_path: Path) -> None:
    with desk.app.database.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM consents")
        connection.exec_driver_sql("DELETE FROM subscribers")
    desk.write("2024-05-25")
    desk.at(DUE)
    assert (desk.state(), desk.mails()) == ("published", {})
    assert (tmp_path / "public/issues/2024-05-25/index.html").is_file()
    desk.at(DUE + MINUTE)
    assert desk.told()[0][0] == "[Daily] 2024-05-25: published, and nobody was due"


def test_a_week_is_brought_to_those_who_want_it_so(desk: Desk) -> None:
    desk.add("weekly@example.org", cadence=Cadence.WEEKLY)
    desk.write("2024-05-25")
    desk.at(DUE)
    sunday = datetime(2024, 5, 26, 7, tzinfo=UTC)
    desk.at(sunday - 2 * HOUR)
    desk.at(sunday)
    assert desk.state("weekly 2024-05-26") == "published"
    assert desk.mails() == {"2024-05-25": 2, "weekly-2024-W21": 1}
    desk.at(sunday + MINUTE)
    assert "[Daily] weekly-2024-W21: sent to 1 of 1" in [subject for subject, _ in desk.told()]
    desk.at(sunday + HOUR)
    assert desk.mails()["weekly-2024-W21"] == 1


def test_a_week_without_an_issue_or_a_reader_is_skipped(desk: Desk) -> None:
    sunday = datetime(2024, 5, 26, 7, tzinfo=UTC)
    desk.at(sunday)
    assert desk.state("weekly 2024-05-26") == "skipped: no issue"
    assert desk.slots()["weekly 2024-05-26"].detail == "No reader wants a weekly roll-up."


def test_a_relay_that_is_away_is_told_and_tried_again(desk: Desk) -> None:
    desk.write("2024-05-25")
    (desk.folder / "outbox").write_text("in the way")
    desk.at(DUE)
    assert desk.state() == "published"
    ((subject, text),) = desk.told()
    assert subject == "[Daily] Trouble with sending 2024-05-25"
    assert "outbox" in text
    (desk.folder / "outbox").unlink()
    desk.at(DUE + 30 * timedelta(seconds=1))  # it rests
    assert desk.mails() == {}
    desk.at(DUE + 2 * MINUTE)
    assert desk.mails() == {"2024-05-25": 2}


def test_a_copy_is_made_when_it_is_time(desk: Desk) -> None:
    if "sqlite" not in desk.app.settings.database.url:
        assert not (desk.folder / "backups").exists()
        return
    assert [path.name for path in (desk.folder / "backups").iterdir()] == ["newsletter-20240524T120000Z.db"]
    desk.at(EVE + 23 * HOUR)
    desk.at(EVE + 25 * HOUR)
    assert len(list((desk.folder / "backups").iterdir())) == 2


def test_the_open_slots_are_those_that_are_due(desk: Desk) -> None:
    assert {key for key, slot in desk.slots().items() if slot.state is SlotState.DUE} == {
        "2024-05-25",
        "2024-05-26",
        "2024-05-27",
        "weekly 2024-05-26",
    }
    assert desk.slots()["2024-05-25"].key.day == date(2024, 5, 25)
    assert Role.SCHEDULER in {tick.role for tick in TICKS}
