"""What follows when servers refuse a mail while it is sent."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from newsletter.app import App
from newsletter.cli.sending import describe_waiting, format_moment
from newsletter.model.subscriber import NewSubscriber
from newsletter.publishing import publish_issue
from newsletter.store.dispatch import next_attempt_at
from newsletter.store.subscribers import add_subscribers
from tests.cli.conftest import NOW, Office
from tests.conftest import _free_port
from tests.press import compose_issue


class _Refusing:
    """Knows nobody who is called gone, and puts off who is called later."""

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        if address.startswith("gone"):
            return "550 5.1.1 no such user here"
        if address.startswith("later"):
            return "451 4.7.1 greylisted, try again later"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, _server: Any, _session: Any, _envelope: Any) -> str:  # noqa: N802
        return "250 2.0.0 taken"


@pytest.fixture
def port() -> Iterator[int]:
    controller = Controller(_Refusing(), hostname="127.0.0.1", port=_free_port())
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


@pytest.fixture
def folder(office: Office, port: int) -> Office:
    """A folder with an issue, and that relay."""
    Path("issues").mkdir()
    Path("issues/2024-05-25.md").write_text(compose_issue(date(2024, 5, 25), {"Agents": [1]}), encoding="utf-8")
    Path("config.toml").write_text(
        '[publication]\nurl = "https://news.acme.example"\npostal_address = "1 Some Street"\n'
        '[mail]\nfrom_address = "news@acme.example"\n'
        f'[smtp]\nhost = "127.0.0.1"\nport = {port}\ntls = "none"\n'
    )
    return office


def add(office: Office, *names: str) -> None:
    with office.database.transaction() as connection:
        add_subscribers(connection, [NewSubscriber(f"{name}@acme.example") for name in names], NOW)


def test_whom_his_server_does_not_know_is_suspended_by_the_publish_that_learned_it(folder: Office) -> None:
    add(folder, "gone", "here")
    assert "1 refused" in folder.run("publish", "2024-05-25")
    assert "1 suspended" in folder.run("subscribers", "list", "--count")
    listed = folder.run("bounces", "list")
    assert "gone@acme.example" in listed
    assert listed.count("550") == listed.count("5.1.1") == 1


def test_who_is_put_off_is_told_with_the_next_try_and_who_else_is_cancelled_with_the_way_out(folder: Office) -> None:
    add(folder, "later", "here")
    said = folder.run("publish", "2024-05-25")
    with folder.database.read() as connection:
        at = next_attempt_at(connection, 1)
    assert at is not None
    moment = format_moment(at, datetime.now(UTC))
    assert f"1 put off by their servers, next try {moment}: by newsletter serve or worker, or publish again" in said
    assert folder.read("publish", "2024-05-25")["next_try_at"] == at.isoformat()
    folder.run("cancel", "2024-05-25", "--yes", "--reason", "wrong list")
    said = folder.run("publish", "2024-05-25")
    assert "nobody was mailed: 2024-05-25 was cancelled for good at " in said
    assert "wrong list. 1 reader won't get it. To reach them, publish what you have to say as another issue" in said
    assert "127.0.0.1" not in said


def test_who_is_put_off_is_not_done(folder: Office) -> None:
    add(folder, "later", "here", "gone")
    seen: list[tuple[int, int]] = []
    with App.load(None) as app:
        publish_issue(app, "2024-05-25", correct=False, another=False, progress=lambda *step: seen.append(step))
    assert (seen[0], seen[-1]) == ((0, 3), (2, 3))


def test_who_only_waits_for_his_turn_is_not_said_to_be_put_off_by_his_server() -> None:
    assert describe_waiting(2, 0) == "2 put off by their servers"
    assert describe_waiting(2, 1) == "2 put off by their servers and 1 waiting for his domain's turn"
    assert describe_waiting(0, 1200) == "1,200 waiting for their domain's turn"


def test_a_time_to_come_is_told_by_the_minute_that_has_it() -> None:
    now = datetime(2024, 5, 25, 23, 50, tzinfo=UTC)
    assert format_moment(now + timedelta(minutes=3, microseconds=1), now) == "at 23:54 UTC"
    assert format_moment(now + timedelta(minutes=3), now) == "at 23:53 UTC"
    assert format_moment(now + timedelta(minutes=10), now) == "on 2024-05-26 at 00:00 UTC"


def test_an_issue_sent_by_hand_is_reported_to_the_editor_once_and_a_relay_that_is_away_is_told(folder: Office) -> None:
    add(folder, "here")
    config = Path("config.toml").read_text() + '[alerts]\neditor = ["editor@acme.example"]\n'
    Path("config.toml").write_text(re.sub(r"port = \d+", f"port = {_free_port()}", config))
    assert "the editor hasn't been told all yet: " in folder.run("publish", "2024-05-25", code=1)
    (line,) = [line for line in folder.run("notices", "list").splitlines() if "\t" in line]
    _, state, kind, address, subject, again, *_ = line.split("\t")
    assert (state, kind, address) == ("queued", "editor", "editor@acme.example")
    assert subject == "[LLM Papers Daily] Trouble with sending 2024-05-25"
    assert re.fullmatch(r"next try \d{4}-\d\d-\d\d \d\d:\d\d UTC", again)
    said = folder.run("status")
    assert "Trouble with sending 2024-05-25" in said
    assert "where none runs, run the command again" in said
    Path("config.toml").write_text(config.partition("[smtp]")[0] + '[alerts]\neditor = ["editor@acme.example"]\n')
    for _ in range(2):
        folder.run("publish", "2024-05-25")
        (mail,) = Path("outbox/notices").iterdir()
        assert "2024-05-25: sent to 1 of 1" in mail.read_text()
    assert "Trouble" not in folder.run("status") + folder.run("notices", "list")


def test_an_issue_cancelled_by_hand_is_reported(office: Office) -> None:
    Path("config.toml").write_text('[alerts]\neditor = ["editor@acme.example"]\n')
    office.publish(2)
    office.run("cancel", "2024-05-25", "--yes")
    (mail,) = Path("outbox/notices").iterdir()
    assert "2024-05-25: sent to 0 of 2" in mail.read_text()
    assert "It is cancelled: as asked" in mail.read_text()
