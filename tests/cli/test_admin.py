"""`newsletter admin`."""

import io
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from newsletter.operators.service import has_password
from newsletter.store.operators import load_password_hash, open_session
from tests.cli.conftest import Office

PASSWORD = "correct horse battery staple"


@pytest.fixture
def hand_over(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have standard input hold a text."""
    return lambda text: monkeypatch.setattr("sys.stdin", io.StringIO(text))


def open_one(office: Office) -> None:
    with office.database.transaction() as connection:
        kept = load_password_hash(connection)
        assert kept is not None
        open_session(connection, "a" * 64, kept, datetime.now(UTC))


def test_a_password_is_taken_from_the_first_line(office: Office, hand_over: Callable[[str], None]) -> None:
    hand_over(f"{PASSWORD}\r\nanother line\n")
    printed = office.run("admin", "password")
    assert "The password is set. Sign in at https://newsletter.example/admin." in printed
    assert PASSWORD not in printed
    assert has_password(office.database)
    open_one(office)
    hand_over("another horse altogether\n")
    assert office.read("admin", "password") == {"address": "https://newsletter.example/admin", "sessions_ended": 1}


@pytest.mark.parametrize(("text", "said"), [("", "No password came"), ("short\n", "at least 12 characters")])
def test_no_password_and_a_weak_one_are_refused(
    office: Office, hand_over: Callable[[str], None], text: str, said: str
) -> None:
    hand_over(text)
    assert said in office.run("admin", "password", code=2)
    assert not has_password(office.database)


def test_sessions_are_ended_and_the_pages_taken_away(office: Office, hand_over: Callable[[str], None]) -> None:
    hand_over(PASSWORD)
    office.run("admin", "password")
    open_one(office)
    assert office.run("admin", "sign-out") == "1 session ended.\n"
    assert office.run("admin", "off") == "There are no admin pages any more.\n"
    assert office.run("admin", "off") == "There were no admin pages.\n"
    assert not has_password(office.database)
