"""`newsletter bounce` and `newsletter bounces`, as an operator and a mail server use them."""

import io
import sys
from pathlib import Path
from typing import Any

import pytest

from newsletter.app import App
from newsletter.mail.verp import make_envelope_sender
from newsletter.model.delivery import DeliveryState
from tests.bounces.conftest import FULL, GONE, KEY, bounce
from tests.cli.conftest import Office

DOMAIN = "newsletter.example"


class _Pipe:
    def __init__(self, raw: bytes) -> None:
        self.buffer = io.BytesIO(raw)


@pytest.fixture
def feed(office: Office, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Hand a mail to the command on its standard input."""

    def feed(raw: bytes, *words: str, code: int = 0) -> str:
        monkeypatch.setattr(sys, "stdin", _Pipe(raw))
        return office.run("bounce", *words, code=code)

    return feed


def mail(said: str, edition: int, reader: int = 1) -> tuple[bytes, str]:
    """Return a bounce that came to our own return address, and that address."""
    with App.load(None) as app:
        to = make_envelope_sender(app.link_keys[0], reader, edition, DOMAIN)
    raw = bounce(said, edition, reader).raw
    theirs = make_envelope_sender(KEY, reader, edition, "bounces.example.org")
    return raw.replace(theirs.encode(), to.encode()), to


def test_a_mail_on_standard_input_is_taken_in_and_shown(office: Office, feed: Any) -> None:
    edition = office.publish(2)
    raw, _ = mail(GONE, edition)
    assert feed(raw) == ""
    (found,) = office.read("bounces", "list")["bounces"]
    assert (found["verdict"], found["reason"], found["address"]) == ("suspend", "user_unknown", "reader0@example.org")
    assert "no such user here" in office.run("bounces", "show", str(found["id"]))
    assert office.read("bounces", "show", str(found["id"])) == found


def test_status_and_the_readers_record_tell_what_came_back(office: Office, feed: Any) -> None:
    edition = office.publish(2)
    office.settle(office.claim(2), DeliveryState.SENT)
    feed(mail(GONE, edition)[0])
    record = office.run("subscribers", "show", "reader0@example.org")
    assert "suspend    user unknown (hard)  550 5.1.1 no such user here" in record
    assert office.read("subscribers", "show", "reader0@example.org")["bounces"][0]["reason"] == "user_unknown"
    assert "Came back" not in office.run("subscribers", "show", "reader1@example.org")
    (publication,) = office.read("status")["publications"]
    total = publication["rates"]["total"]
    assert (total["hard"], total["soft"], total["reasons"]) == (1, 0, {"user_unknown": 1})
    shown = office.run("status")
    assert "came back" in shown
    assert "example.org: " in shown
    assert "user unknown 1" in shown


def test_the_pipe_says_to_whom_it_came(office: Office, feed: Any) -> None:
    edition = office.publish(1)
    raw, to = mail(FULL, edition)
    feed(raw.replace(to.encode(), b"undisclosed"), "--to", to)
    assert len(office.read("bounces", "list", "--reader", "reader0@example.org")["bounces"]) == 1


def test_a_ledger_that_refuses_makes_the_mail_server_wait(
    office: Office, feed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw, _ = mail(GONE, office.publish(1))
    monkeypatch.setenv("NEWSLETTER_DATABASE_URL", "sqlite:////nowhere/at/all.db")
    assert "can't be made" in feed(raw, code=75)


def test_a_reader_is_let_in_again(office: Office, feed: Any) -> None:
    raw, _ = mail(GONE, office.publish(1))
    feed(raw)
    assert office.read("bounces", "retry", "reader0@example.org") == {"restored": ["reader0@example.org"]}
    assert "was not suspended" in office.run("bounces", "retry", "reader0@example.org")
    assert "(undone)" in office.run("bounces", "list")
    assert "Nobody has the address" in office.run("bounces", "retry", "nobody@example.org", code=1)


def test_what_nobody_can_read_is_listed(office: Office, feed: Any) -> None:
    feed(b"\x00\x01 what is this")
    (kept,) = office.read("bounces", "list", "--kept")["kept"]
    assert kept["size"] == 15
    assert "no kept mail 99" in office.run("bounces", "show", "--kept", "99", code=1)


def test_there_is_nothing_to_see_yet(office: Office) -> None:
    assert "Nothing came back" in office.run("bounces", "list")
    assert "No mail waits" in office.run("bounces", "list", "--kept")
    assert "no bounce 7" in office.run("bounces", "show", "7", code=1)
    assert "Nobody has the address" in office.run("bounces", "list", "--reader", "nobody@example.org", code=1)


def test_one_look_into_the_mailbox(office: Office) -> None:
    assert "No mailbox is configured" in office.run("bounces", "poll")
    assert office.read("bounces", "poll") == {"mails": 0, "ended": 0, "refusals": 0}
