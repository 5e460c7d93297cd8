"""What the operator sees and says about readers who may or may not have their mail."""

import shutil
from pathlib import Path

from sqlalchemy import text

from newsletter.model.delivery import DeliveryState
from tests.cli.conftest import Office

EXAMPLE = Path(__file__).parent.parent.parent / "issues" / "2024-05-25.md"


def _lose(office: Office, number: int, edition_id: int = 1) -> None:
    office.settle(office.claim(number, edition_id), DeliveryState.UNKNOWN, "nothing was heard")


def test_the_unknown_are_listed_over_all_issues_or_one(office: Office) -> None:
    office.publish(3)
    other = office.publish(3, slug="other")
    assert office.run("unknown", "list") == "Nobody is unknown.\n"
    _lose(office, 2)
    _lose(office, 1, other)
    lines = office.run("unknown", "list").splitlines()
    assert lines[1:] == [
        "2024-05-25\treader0@example.org\t2024-05-25 06:30 UTC\tnothing was heard",
        "2024-05-25\treader1@example.org\t2024-05-25 06:30 UTC\tnothing was heard",
    ]
    assert lines[0].startswith("other\treader0@example.org")
    assert office.run("unknown", "list", "other").count("\n") == 1
    told = office.read("unknown", "list", "other")["unknown"]
    assert [(one["slug"], one["address"], one["reply"]["text"]) for one in told] == [
        ("other", "reader0@example.org", "nothing was heard")
    ]
    assert "newsletter unknown list 2024-05-25" in office.run("status", "2024-05-25")


def test_some_are_queued_again_and_some_taken_as_sent(office: Office) -> None:
    office.publish(4)
    _lose(office, 3)
    said = office.run("unknown", "resend", "2024-05-25", "Reader0@example.org")
    assert said == ("2024-05-25: 1 reader queued again. To send: newsletter publish 2024-05-25. 2 still unknown.\n")
    assert office.run("unknown", "accept", "2024-05-25", "--all") == "2024-05-25: 2 readers taken as sent.\n"
    assert office.run("unknown", "accept", "2024-05-25", "--all") == "Nobody is unknown in 2024-05-25.\n"
    audit = office.audit()
    assert (audit.sent, audit.queued, audit.unknown) == (2, 2, 0)


def test_machines_are_told_whom_it_was_about(office: Office) -> None:
    office.publish(2)
    _lose(office, 2)
    assert office.read("unknown", "resend", "2024-05-25", "reader1@example.org") == {
        "slug": "2024-05-25",
        "state": "queued",
        "addresses": ["reader1@example.org"],
        "unknown": 1,
    }


def test_addresses_or_everybody_must_be_said(office: Office) -> None:
    office.publish(1)
    _lose(office, 1)
    for verb in ("resend", "accept"):
        assert "or say --all" in office.run("unknown", verb, "2024-05-25", code=2)
        assert "or say --all" in office.run("unknown", verb, "2024-05-25", "reader0@example.org", "--all", code=2)
    assert "Not among the unknown: a@example.org" in office.run(
        "unknown", "resend", "2024-05-25", "a@example.org", code=1
    )
    assert office.audit().unknown == 1


def test_a_date_that_was_forgotten_is_missed(office: Office) -> None:
    for verb, more in (("resend", ()), ("accept", ("b@example.org",)), ("accept", ("--all",))):
        said = office.run("unknown", verb, "a@example.org", *more, code=2)
        assert f"The issue's date comes before the addresses: newsletter unknown {verb} DATE a@example.org" in said


def test_a_stopped_issue_is_pointed_out(office: Office) -> None:
    office.publish(2)
    _lose(office, 1)
    office.run("pause", "2024-05-25")
    said = office.run("unknown", "resend", "2024-05-25", "--all")
    assert "But first: it is paused since" in said
    assert "newsletter resume 2024-05-25" in said
    office.run("cancel", "2024-05-25", "--yes")


def test_a_mail_that_is_sent_again_has_the_same_bytes(office: Office, tmp_path: Path) -> None:
    (tmp_path / "issues").mkdir()
    shutil.copy(EXAMPLE, tmp_path / "issues")
    office.run("subscribers", "add", "you@example.org")
    office.run("publish", "2024-05-25")
    (mail,) = (tmp_path / "outbox").rglob("*.eml")
    before = mail.read_bytes()
    mail.unlink()
    with office.database.transaction() as connection:
        connection.execute(text("UPDATE deliveries SET state = 'unknown'"))
    office.run("unknown", "resend", "2024-05-25", "you@example.org")
    office.run("publish", "2024-05-25")
    assert mail.read_bytes() == before
    assert office.audit().sent == 1
