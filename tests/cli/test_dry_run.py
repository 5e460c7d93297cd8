"""`publish --dry-run` says what a publish would do, and nothing is as much as touched."""

from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import insert, text, update

from newsletter.errors import StoreError
from newsletter.model.edition import EditionKind
from newsletter.model.slot import Plan, SlotKey
from newsletter.model.subscriber import Cadence, NewSubscriber
from newsletter.store.controls import pause_edition
from newsletter.store.database import VERSION_TABLE, open_as_it_is, open_database
from newsletter.store.schema import fenced, subscribers
from newsletter.store.slots import plan_slots
from newsletter.store.subscribers import add_subscribers
from tests.cli.conftest import NOW, Office
from tests.press import compose_issue

DAY = "2024-05-25"
RELAYS = """\
[publication]
url = "https://news.acme.example"
postal_address = "1 Some Street"
[mail]
from_address = "news@acme.example"
[schedule]
at = "07:30"
[delivery]
seeds = ["seed@acme.example"]
[smtp]
host = "one.acme.example"
relays = [{host = "two.acme.example", weight = 3}]
"""


@pytest.fixture
def office(office: Office) -> Office:
    """A folder with an issue of two sections, and readers of every kind."""
    Path("issues").mkdir()
    Path(f"issues/{DAY}.md").write_text(
        compose_issue(datetime.fromisoformat(DAY).date(), {"Agents": [1], "Safety": [2]}), encoding="utf-8"
    )
    readers = [
        NewSubscriber("all@example.org"),
        NewSubscriber("both@example.org", topics=frozenset({"agents", "safety"})),
        NewSubscriber("one@example.org", topics=frozenset({"agents"})),
        NewSubscriber("none@example.org", topics=frozenset({"evaluations"})),
        NewSubscriber("away@example.org"),
        NewSubscriber("weekly@example.org", cadence=Cadence.WEEKLY),
    ]
    with office.database.transaction() as connection:
        add_subscribers(connection, readers, NOW)
        until = datetime.now(UTC) + timedelta(days=7)
        connection.execute(
            update(subscribers).where(subscribers.c.address == "away@example.org").values(paused_until=until)
        )
    return office


def snapshot() -> dict[str, str]:
    """Return a digest of every file there is, and every folder; SQLite's side files come and go with who looks."""
    paths = [path for path in Path().rglob("*") if not path.name.endswith(("-wal", "-shm"))]
    return {str(path): sha256(path.read_bytes()).hexdigest() if path.is_file() else "" for path in paths}


def test_it_tells_who_would_get_it_and_changes_nothing(office: Office) -> None:
    Path("config.toml").write_text('[schedule]\nat = "07:30"\n')
    before = snapshot()
    said = office.run("publish", DAY, "--dry-run")
    assert f"3 mails would be sent → outbox/{DAY}/" in said
    assert [line.split(maxsplit=1)[1].strip() for line in said.splitlines() if line.startswith("who")] == [
        "1 everything",
        "1 agents",
        "1 agents, safety",
    ]
    assert "1 nothing in this issue for: evaluations" in said
    assert "1 paused" in said
    assert "1 weekly, by the roll-up" in said
    assert "by hand: its time was 2024-05-25 07:30 UTC, and nobody has planned it" in said
    assert f"Nothing was changed. To do it: newsletter publish {DAY}" in said
    assert snapshot() == before


def test_as_json_with_relays_seeds_and_a_schedule(office: Office) -> None:
    Path("config.toml").write_text(RELAYS)
    before = snapshot()
    found = office.read("publish", DAY, "--dry-run")
    assert snapshot() == before
    assert (found["mails"], found["slot"], found["audit"], found["missing_seeds"]) == (
        3,
        None,
        None,
        ["seed@acme.example"],
    )
    assert found["due_at"] == "2024-05-25T07:30:00+00:00"
    assert found["to"] == ["one.acme.example:587 (weight 1)", "two.acme.example:587 (weight 3)"]
    assert found["readers"]["mailed"][0] == {"topics": [], "readers": 1}
    assert found["readers"]["later"] == {"weekly": 1, "monthly": 0}


def test_of_one_that_is_out_it_tells_who_is_left_and_what_stops_it(office: Office) -> None:
    office.run("publish", DAY)
    with office.database.transaction() as connection:
        connection.execute(text("UPDATE deliveries SET state='queued', settled_at=NULL WHERE state='sent'"))
    left = office.read("publish", DAY, "--dry-run")
    assert (left["mails"], left["audit"]["queued"], left["readers"]) == (3, 3, None)
    with office.database.transaction() as connection:
        pause_edition(connection, 1, NOW)
    before = snapshot()
    said = office.run("publish", DAY, "--dry-run")
    assert "it would go on with who is left" in said
    assert "0 mails would be sent" in said
    assert f"To go on: newsletter resume {DAY}" in said
    path = Path(f"issues/{DAY}.md")
    path.write_text(path.read_text() + "\nMore.\n")
    assert f"{DAY} has changed since it was published" in office.run("publish", DAY, "--dry-run", code=1)
    assert {**snapshot(), str(path): before[str(path)]} == before


def test_what_would_stop_a_publish_stops_it(office: Office) -> None:
    path = Path(f"issues/{DAY}.md")
    good = path.read_text()
    path.write_text(good.replace("title:", "titel:"))
    before = snapshot()
    assert "it wouldn't be published" in office.run("publish", DAY, "--dry-run", code=1)
    assert "leave one of them out" in office.run("publish", DAY, "--dry-run", "--correct", code=2)
    assert snapshot() == before
    path.write_text(good)
    with office.database.transaction() as connection:
        connection.execute(insert(fenced).values(key=f"day:{DAY}", noted_at=NOW))
        key = SlotKey(EditionKind.ISSUE, date.fromisoformat(DAY))
        plan_slots(connection, [Plan(key, NOW, "07:30", "UTC")], (), (), NOW)
    said = office.run("publish", DAY, "--dry-run")
    assert "due by itself at 2024-05-25 06:30 UTC" in said
    assert "3 readers would be unknown and get no mail" in said
    assert "0 mails would be sent" in said


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ('[dkim]\nkey_file = "gone.pem"\nselector = "news"\n', "dkim.key_file names no file"),
        ('[secret]\nfile = "short"\n', "the key that signs personal links is too short"),
    ],
)
def test_a_key_that_signs_nothing_stops_either_before_anything_has_begun(
    office: Office, config: str, said: str
) -> None:
    Path("config.toml").write_text(config)
    Path("short").write_text("short")
    assert said in office.run("publish", DAY, "--dry-run", code=1)
    before = snapshot()
    assert said in office.run("publish", DAY, code=1)
    assert {path: digest for path, digest in snapshot().items() if path not in before} == {}
    assert office.read("status")["editions"] == []


def test_before_there_is_a_database_none_is_made(tmp_path: Path, office: Office) -> None:
    Path("config.toml").write_text('[database]\nurl = "sqlite:///other.db"\n')
    said = office.run("publish", DAY, "--dry-run")
    assert "there are no readers yet" in said
    assert "by hand: [schedule] has no such day" in said
    assert not Path("other.db").exists()


def test_a_database_that_is_only_looked_at_takes_no_change_and_is_not_migrated(database_url: str) -> None:
    with open_database(database_url) as made, made.transaction() as connection:
        add_subscribers(connection, [NewSubscriber("reader@example.org")], NOW)
    with open_as_it_is(database_url) as database:
        with pytest.raises(StoreError, match="read"), database.transaction() as connection:
            add_subscribers(connection, [NewSubscriber("other@example.org")], NOW)
        with database.read() as connection:
            assert len(connection.execute(subscribers.select()).all()) == 1
    with open_database(database_url) as made, made.transaction() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '0007'"))  # noqa: S608 - a constant
    with pytest.raises(StoreError, match="has the tables of another version"):
        open_as_it_is(database_url)
