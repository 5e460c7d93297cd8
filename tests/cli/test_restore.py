"""A restore while somebody is at work with the database is refused, with the way out."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from newsletter.delivery.journal import Journal
from newsletter.delivery.owner import load_owner
from newsletter.delivery.presence import list_senders, lock_role
from newsletter.delivery.recovery import name_ledger
from tests.cli.conftest import Office

JOURNAL = Path("journal")


@pytest.fixture
def locks() -> Iterator[ExitStack]:
    with ExitStack() as locks:
        yield locks


def test_a_service_and_a_sender_must_end_first(office: Office, locks: ExitStack) -> None:
    copy = office.read("backup")["file"]
    ledger = name_ledger(office.database)
    assert lock_role(locks, JOURNAL, ledger, "worker")
    sender = Journal.create(JOURNAL, load_owner("a"), ledger, "boot", 4)
    Journal.create(JOURNAL, load_owner("b"), "another ledger", "boot", 4).close()
    said = office.run("restore", copy, "--yes", code=1)
    assert f"At work with this database: a service that is worker and a sender, process {_number(sender)}." in said
    assert "Nothing was changed." in said
    sender.close()
    assert "a service that is worker. Nothing" in office.run("restore", copy, "--yes", code=1)
    assert "is in its place" in office.run("restore", copy, "--yes", "--force")
    locks.close()
    assert "is in its place" in office.run("restore", copy, "--yes")


def test_who_joined_after_the_copy_is_taken_in_by_the_way_that_is_told(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = office.read("backup")["file"]
    office.run("subscribers", "add", "joe@example.org")
    said = office.run("restore", copy, "--yes")
    assert office.run("subscribers", "list") == ""
    url, export, take_in = re.findall(r"(?<=URL=)\S+|(?<=^  newsletter ).*", said, re.MULTILINE)
    monkeypatch.setenv("NEWSLETTER_DATABASE_URL", url)
    office.run(*export.split())
    monkeypatch.delenv("NEWSLETTER_DATABASE_URL")
    office.run(*take_in.split())
    assert "joe@example.org\tactive" in office.run("subscribers", "list")


def test_what_is_no_copy_is_refused_before_anybody_is_asked(office: Office) -> None:
    assert "copy.db: there is no such file" in office.run("restore", "copy.db", code=1)
    Path("copy.db").write_text("a shopping list", encoding="utf-8")
    assert "is no sound copy" in office.run("restore", "copy.db", code=1)
    assert "say --yes" in office.run("restore", office.read("backup")["file"], code=2)


def _number(sender: Journal) -> str:
    return sender.path.name.split(":")[-2]


def test_who_died_is_nobody_at_work(office: Office) -> None:
    office.run("status", code=0)
    dead = Journal.create(JOURNAL, load_owner("a"), "ledger", "boot", 4)
    dead.close(keep=True)
    (JOURNAL / "half.journal").write_bytes(b"newsletter")
    assert list_senders(JOURNAL, "ledger") == []
