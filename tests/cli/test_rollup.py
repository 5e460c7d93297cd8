"""`newsletter rollup`, and what other commands say of roll-ups and of readers who are excluded."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from newsletter.model.edition import EditionKind
from newsletter.model.rollup import period_of
from newsletter.model.subscriber import Cadence, NewSubscriber
from newsletter.store.controls import pause_edition
from newsletter.store.schema import deliveries, subscribers
from newsletter.store.subscribers import add_subscribers
from tests.cli.conftest import NOW, Office
from tests.press import compose_issue

DAY = date(2024, 5, 25)


@pytest.fixture
def office(office: Office, tmp_path: Path) -> Office:
    """A folder with an issue, and readers of every kind."""
    (tmp_path / "issues").mkdir()
    issue = compose_issue(DAY, {"Agents": [1], "Safety": [2]})
    (tmp_path / "issues" / "2024-05-25.md").write_text(issue, encoding="utf-8")
    readers = [
        NewSubscriber("all@example.org"),
        NewSubscriber("none@example.org", topics=frozenset({"evaluations"})),
        NewSubscriber("away@example.org"),
        NewSubscriber("weekly@example.org", cadence=Cadence.WEEKLY),
        NewSubscriber("other@example.org", cadence=Cadence.WEEKLY, topics=frozenset({"evaluations"})),
    ]
    with office.database.transaction() as connection:
        add_subscribers(connection, readers, NOW)
        until = datetime.now(UTC).replace(hour=0, minute=0) + timedelta(days=7)
        away = subscribers.c.address == "away@example.org"
        connection.execute(update(subscribers).where(away).values(paused_until=until))
    return office


def test_a_publish_says_how_many_are_excluded_and_status_why(office: Office) -> None:
    said = office.run("publish", "2024-05-25")
    assert "audience 3 = sent 1 + queued 0 + deferred 0 + failed 0 + cancelled 0 + unknown 0 + excluded 2  ✓" in said
    assert "excluded: nothing in it is for these readers, or they are paused:" in said
    status = office.run("status", "2024-05-25")
    assert "        1 excluded  nothing in this issue for: evaluations" in status
    assert "        1 excluded  paused until " in status
    assert "none@example.org\tnothing in this issue for: evaluations" in office.run(
        "status", "2024-05-25", "--list", "excluded"
    )
    audit = office.read("status", "2024-05-25")["editions"][0]["audit"]
    assert (audit["audience"], audit["excluded"], audit["holds"]) == (3, 2, True)


def test_a_key_that_signs_nothing_stops_it_before_anybody_is_due(office: Office) -> None:
    office.run("publish", "2024-05-25")
    Path("config.toml").write_text('[secret]\nfile = "short"\n', encoding="utf-8")
    Path("short").write_text("short", encoding="utf-8")
    assert "too short" in office.run("rollup", "weekly", "2024-05-25", code=1)
    assert [edition["slug"] for edition in office.read("status")["editions"]] == ["2024-05-25"]


def test_a_rollup_is_sent_once_and_listed_with_its_kind(office: Office) -> None:
    office.run("publish", "2024-05-25")
    said = office.run("rollup", "weekly", "2024-05-25")
    assert "What this week brought: 25 May 2024" in said
    assert "2024-05-20 to 2024-05-26 (weekly-2024-W21)" in said
    assert "1 mail sent now → outbox/weekly-2024-W21/" in said
    assert "audience 2 = sent 1 + " in said
    told = office.read("rollup", "weekly", "2024-05-20")
    assert (told["slug"], told["kind"], told["mail"]["sent"]) == ("weekly-2024-W21", "weekly", 0)
    assert told["audit"]["excluded"] == 1
    status = office.run("status")
    assert "weekly-2024-W21  What this week brought: 25 May 2024\n    weekly roll-up, published " in status
    assert office.read("status", "weekly-2024-W21")["editions"][0]["kind"] == "weekly"
    assert "nothing this week for: evaluations" in office.run("status", "weekly-2024-W21")
    assert [line["slug"] for line in office.read("status", "2024-05-25")["editions"]] == ["2024-05-25"]


@pytest.mark.parametrize("kind", ["weekly", "monthly"])
def test_what_is_not_over_is_refused_with_the_day_from_which_it_goes_out(office: Office, kind: str) -> None:
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)  # so the period isn't over, whatever day it is
    period = period_of(EditionKind(kind), tomorrow)
    said = office.run("rollup", kind, str(tomorrow), code=2)
    assert f"({period.slug}) goes out from {period.last + timedelta(days=1)} 00:00 UTC on" in said
    assert f"The one before it: newsletter rollup {kind} {period.previous.last}" in said
    assert office.read("rollup", kind, str(tomorrow), "--now")["not_sent"]


def test_where_there_is_nothing_to_send_it_says_so_and_is_no_failure(office: Office) -> None:
    assert "monthly-2024-05: not sent: no reader wants a monthly roll-up." in office.run(
        "rollup", "monthly", "2024-05-25"
    )
    said = office.run("rollup", "weekly", "2024-05-25")
    assert "weekly-2024-W21: not sent: nothing was published from 2024-05-20 to 2024-05-26." in said
    assert office.read("rollup", "weekly", "--now")["not_sent"].startswith("nothing was published from ")
    assert "is not a date" in office.run("rollup", "weekly", "soon", code=2)


def test_a_rollup_under_way_is_paused_and_goes_on_by_its_own_command(office: Office) -> None:
    office.run("publish", "2024-05-25")
    office.run("rollup", "weekly", "2024-05-25")
    with office.database.transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE deliveries SET state='queued', settled_at=NULL WHERE edition_id=2 AND variant=0"
        )
        pause_edition(connection, 2, NOW)
    assert "paused" in office.run("rollup", "weekly", "2024-05-25", code=1)
    assert office.read("rollup", "weekly", "2024-05-25", code=1)["next_try_at"] is None
    with office.database.transaction() as connection:
        waiting = update(deliveries).where(deliveries.c.edition_id == 2, deliveries.c.state == "queued")
        connection.execute(waiting.values(state="deferred", next_attempt_at=NOW))
    assert office.read("rollup", "weekly", "2024-05-25")["next_try_at"] == NOW.isoformat()
    assert "To send: newsletter rollup weekly 2024-05-26" in office.run("resume", "weekly-2024-W21")


def test_a_test_mail_shows_what_readers_of_some_sections_get(office: Office, tmp_path: Path) -> None:
    office.run("send-test", "2024-05-25", "you@example.org", "--topics", "Agents, evaluations")
    (path,) = (tmp_path / "outbox").rglob("*.eml")
    assert "Paper 1" in path.read_text()
    assert "Paper 2" not in path.read_text()
    said = office.run("send-test", "2024-05-25", "you@example.org", "--topics", "evaluations", code=1)
    assert "2024-05-25: nothing in this issue for: evaluations. It has: agents, safety." in said


def test_a_section_that_readers_cant_choose_is_a_warning(office: Office, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[issues]\nsections = ["Agents", "Evaluations"]\n')
    found = json.loads(office.run("check", "--json"))["problems"]
    assert [problem["code"] for problem in found if "Safety" in problem["message"]] == ["unknown-section"]
