import re
from datetime import date, datetime, timedelta

import pytest
from starlette.testclient import TestClient

from newsletter.mail.token import Purpose
from newsletter.model.subscriber import Cadence, Subscriber
from newsletter.store.subscribers import load_subscriber
from tests.web.conftest import NOW, Town


@pytest.fixture
def reader(town: Town) -> Subscriber:
    return town.add_reader(topics=frozenset({"medical-llms"}), cadence=Cadence.WEEKLY)


@pytest.fixture
def link(town: Town, reader: Subscriber) -> str:
    return f"/p/{town.token(Purpose.PREFERENCES, reader.id, 7)}"


def now_of(town: Town, reader: Subscriber) -> Subscriber:
    with town.database.read() as connection:
        found = load_subscriber(connection, reader.id)
    assert found is not None
    return found


def test_the_page_shows_what_was_chosen(town: Town, link: str) -> None:
    page = town.client.get(link).text
    assert "For reader@example.org" in page
    assert 'value="medical-llms" checked' in page
    assert 'value="llms-agents" checked' not in page
    assert 'value="weekly" checked' in page


def test_choices_are_saved_all_at_once(town: Town, reader: Subscriber, link: str) -> None:
    wishes = {
        "topics": ["llms-agents"],
        "cadence": "monthly",
        "language": "de",
        "paused_until": "2024-07-01",
        "do": "save",
    }
    answer = town.client.post(link, data=wishes)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{link}?done=saved")
    after = now_of(town, reader)
    assert (after.topics, after.cadence, after.language) == (frozenset({"llms-agents"}), Cadence.MONTHLY, "de")
    assert after.paused_until == datetime.fromisoformat("2024-07-01T00:00:00+00:00")
    page = town.client.get(answer.headers["location"]).text
    assert "Gespeichert." in page
    assert "keine E-Mails vor dem 1. Juli 2024" in page
    town.client.post(link, data={"cadence": "each", "paused_until": "", "do": "save"})
    assert now_of(town, reader).paused_until is None
    assert now_of(town, reader).topics == frozenset()


@pytest.mark.parametrize(
    "day", ["tomorrow", "2024-02-31", "99999-01-01", "0001-01-01x", str(date(2024, 5, 25) + timedelta(days=500))]
)
def test_a_day_that_is_none_changes_nothing(town: Town, reader: Subscriber, link: str, day: str) -> None:
    answer = town.client.post(link, data={"cadence": "each", "paused_until": day, "do": "save"})
    assert answer.status_code == 422
    assert 'aria-describedby="paused_until-wrong"' in answer.text
    assert now_of(town, reader) == reader


def test_a_new_address_is_asked_first(town: Town, reader: Subscriber, link: str) -> None:
    answer = town.client.post(link, data={"address": "other@example.org", "do": "move"})
    assert answer.headers["location"] == f"{link}?done=asked#address"
    assert town.letters() == [("confirm-move", "other@example.org")]
    assert town.rung == 1
    assert "We have asked other@example.org" in town.client.get(link).text
    assert now_of(town, reader).address == "reader@example.org"
    confirm = re.search(r"https://news\.example(/c/\S+)", town.letter())
    assert confirm
    assert "send LLM Papers Daily to other@example.org" in town.client.get(confirm[1]).text
    assert now_of(town, reader).address == "reader@example.org"
    assert "Your address is changed" in town.client.post(confirm[1]).text
    assert now_of(town, reader).address == "other@example.org"
    assert town.letters()[-1] == ("moved", "reader@example.org")


def test_a_new_address_that_is_none_is_said(town: Town, link: str) -> None:
    for address, words in (
        ("nonsense", "This is not a mail address."),
        ("READER@example.org", "This is your address already."),
    ):
        answer = town.client.post(link, data={"address": address, "do": "move"})
        assert answer.status_code == 422
        assert words in answer.text
    assert town.letters() == []


def test_a_reader_takes_all_that_is_kept_of_him(town: Town, link: str) -> None:
    answer = town.client.post(link, data={"do": "export"})
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == 'attachment; filename="my-data.json"'
    assert answer.headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in answer.headers
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.json()["reader"]["address"] == "reader@example.org"


def test_erasing_wants_a_second_click(town: Town, reader: Subscriber, link: str) -> None:
    asked = town.client.post(link, data={"do": "erase"})
    assert "Erase everything about you?" in asked.text
    assert now_of(town, reader) == reader
    done = town.client.post(link, data={"do": "erase-for-good"})
    assert "You are forgotten" in done.text
    assert "reader@example.org" not in town.states()
    assert town.client.get(link).status_code == 404


def test_who_left_can_see_it_and_nothing_can_be_changed(town: Town, reader: Subscriber, link: str) -> None:
    town.client.post(f"/u/{town.token(Purpose.UNSUBSCRIBE, reader.id)}")
    page = town.client.get(link)
    assert "You have unsubscribed" in page.text
    assert 'value="save"' not in page.text
    assert town.client.post(link, data={"cadence": "each", "do": "save"}).status_code == 409


def test_a_button_that_nobody_knows_does_nothing(town: Town, reader: Subscriber, link: str) -> None:
    for data in ({}, {"do": "everything"}):
        assert town.client.post(link, data=data).status_code == 400
    assert now_of(town, reader) == reader


@pytest.mark.parametrize("purpose", [Purpose.UNSUBSCRIBE, Purpose.BOUNCE, Purpose.MESSAGE, Purpose.CONFIRM])
def test_a_token_for_something_else_opens_nothing(town: Town, reader: Subscriber, purpose: Purpose) -> None:
    for method in ("GET", "POST"):
        answer = town.client.request(method, f"/p/{town.token(purpose, reader.id)}")
        assert answer.status_code == 404
        assert "This link doesn&#39;t work" in answer.text


def test_a_page_speaks_the_readers_language_before_the_browsers(town: Town) -> None:
    reader = town.add_reader("leser@example.org", language="de")
    link = f"/p/{town.token(Purpose.PREFERENCES, reader.id)}"
    client: TestClient = town.visitor("192.0.2.1", accept_language="en")
    assert "Einstellungen" in client.get(link).text
    assert "Preferences" in client.get(f"{link}?lang=en").text
    assert town.now == NOW
