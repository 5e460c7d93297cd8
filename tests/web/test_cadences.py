"""How often mail comes: only what is sent can be chosen, and what was chosen stays to be seen."""

import re

import pytest

from newsletter.mail.token import Purpose
from newsletter.model.subscriber import Cadence, Subscriber
from newsletter.store.subscribers import load_subscriber
from tests.web.conftest import MakeTown, Town

NOT_SENT = "This mail isn't sent at present: choose another, or you get none."
EACH, WEEKLY, MONTHLY = Cadence


@pytest.fixture
def quiet(make_town: MakeTown) -> Town:
    """A publication without roll-ups."""
    return make_town(cadences=(EACH,))


@pytest.fixture
def weekly(make_town: MakeTown) -> Town:
    """A publication that sends weeks, and no months."""
    return make_town(cadences=(EACH, WEEKLY))


def offered(page: str) -> list[str]:
    return re.findall(r'name="cadence" value="(\w+)"', page)


def cadence_of(town: Town, reader: Subscriber) -> Cadence:
    with town.database.read() as connection:
        found = load_subscriber(connection, reader.id)
    assert found is not None
    return found.cadence


def test_nobody_is_asked_where_there_is_one_answer(quiet: Town) -> None:
    reader = quiet.add_reader()
    for place in ("/join", "/embed/join", f"/p/{quiet.token(Purpose.PREFERENCES, reader.id)}"):
        page = quiet.client.get(place).text
        assert (offered(page), "How often" in page) == ([], False)
    assert "Or rather fewer?" not in quiet.client.get(f"/u/{quiet.token(Purpose.UNSUBSCRIBE, reader.id)}").text


def test_what_is_sent_is_offered(weekly: Town) -> None:
    reader = weekly.add_reader()
    assert offered(weekly.client.get("/join").text) == ["each", "weekly"]
    assert offered(weekly.client.get(f"/p/{weekly.token(Purpose.PREFERENCES, reader.id)}").text) == ["each", "weekly"]
    leave = weekly.client.get(f"/u/{weekly.token(Purpose.UNSUBSCRIBE, reader.id)}").text
    assert re.findall(r'name="fewer" value="(\w+)"', leave) == ["weekly"]


def test_what_was_chosen_stays_to_be_seen_and_kept_and_is_told_for_what_it_is(quiet: Town) -> None:
    reader = quiet.add_reader(cadence=MONTHLY)
    link = f"/p/{quiet.token(Purpose.PREFERENCES, reader.id)}"
    page = quiet.client.get(link).text
    assert offered(page) == ["each", "monthly"]
    assert page.count(NOT_SENT) == 1
    assert quiet.client.post(link, data={"do": "save", "cadence": "monthly"}).status_code == 303
    assert cadence_of(quiet, reader) is MONTHLY
    assert quiet.client.post(link, data={"do": "save", "cadence": "each"}).status_code == 303
    assert cadence_of(quiet, reader) is EACH


def test_a_form_that_is_older_than_the_settings_is_shown_again(weekly: Town) -> None:
    reader = weekly.add_reader()
    wish = {"address": "new@example.org", "stamp": weekly.stamp(), "cadence": "monthly"}
    preferences = f"/p/{weekly.token(Purpose.PREFERENCES, reader.id)}"
    for place, fields in (("/join", wish), (preferences, {"do": "save", "cadence": "monthly"})):
        answer = weekly.client.post(place, data=fields)
        assert (answer.status_code, answer.text.count(NOT_SENT)) == (422, 1)
    answer = weekly.client.post(f"/u/{weekly.token(Purpose.UNSUBSCRIBE, reader.id)}", data={"fewer": "monthly"})
    assert (answer.status_code, "Or rather fewer?" in answer.text) == (409, True)
    assert cadence_of(weekly, reader) is EACH
    assert weekly.states() == {"reader@example.org": "active"}


def test_programs_are_told_what_is_offered(weekly: Town) -> None:
    schemas = weekly.client.get("/api/openapi.json").json()["components"]["schemas"]
    assert schemas["Cadence"]["enum"] == ["each", "weekly"]
    answer = weekly.client.post("/api/join", json={"address": "new@example.org", "cadence": "monthly"})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["cadence"]
    assert weekly.client.post("/api/join", json={"address": "new@example.org", "cadence": "weekly"}).status_code == 202
