import pytest

from newsletter.mail.token import Purpose
from newsletter.model.consent import ConsentEvent
from newsletter.model.subscriber import Cadence, Subscriber
from newsletter.store.consents import list_consents
from newsletter.store.subscribers import load_subscriber
from tests.web.conftest import Town


@pytest.fixture
def reader(town: Town) -> Subscriber:
    return town.add_reader()


@pytest.fixture
def link(town: Town, reader: Subscriber) -> str:
    return f"/u/{town.token(Purpose.UNSUBSCRIBE, reader.id, 7)}"


def sources(town: Town, reader: Subscriber) -> list[tuple[ConsentEvent, str]]:
    with town.database.read() as connection:
        return [(line.event, line.origin.source) for line in list_consents(connection, reader.id)]


def test_looking_changes_nothing(town: Town, link: str) -> None:
    for _ in range(3):
        page = town.client.get(link)
        assert page.status_code == 200
        assert '<form class="form" method="post"' in page.text
    assert town.states() == {"reader@example.org": "active"}


def test_the_pages_button_and_the_mail_programs_click_do_the_same(town: Town, reader: Subscriber, link: str) -> None:
    page = town.client.post(link)
    assert page.status_code == 200
    assert "You are unsubscribed" in page.text
    assert town.states() == {"reader@example.org": "left"}
    again = town.client.post(link, data={"List-Unsubscribe": "One-Click"})
    assert (again.status_code, again.text) == (page.status_code, page.text)
    assert sources(town, reader) == [(ConsentEvent.LEFT, "page")]
    assert "You get no more mail" in town.client.get(link).text


def test_one_click_is_written_down_as_what_it_is(town: Town, reader: Subscriber, link: str) -> None:
    town.client.post(link, data={"List-Unsubscribe": "One-Click", "fewer": "weekly"})
    assert sources(town, reader) == [(ConsentEvent.LEFT, "one-click")]


def test_fewer_can_be_had_in_place_of_none(town: Town, reader: Subscriber, link: str) -> None:
    page = town.client.get(link).text
    assert page.index('method="post"') < page.index('value="weekly"')
    answer = town.client.post(link, data={"fewer": "weekly"})
    assert "You get LLM Papers Daily once a week." in answer.text
    with town.database.read() as connection:
        found = load_subscriber(connection, reader.id)
    assert found is not None
    assert found.cadence is Cadence.WEEKLY
    page = town.client.get(link).text
    assert 'value="weekly"' not in page
    assert 'value="monthly"' in page


def test_who_gets_the_fewest_is_offered_no_fewer(town: Town, link: str) -> None:
    town.client.post(link, data={"fewer": "monthly"})
    assert "Or rather fewer?" not in town.client.get(link).text


def test_a_test_mails_link_belongs_to_nobody(town: Town) -> None:
    for purpose, path in ((Purpose.UNSUBSCRIBE, "u"), (Purpose.PREFERENCES, "p")):
        link = f"/{path}/{town.token(purpose, 0)}"
        for answer in (town.client.get(link), town.client.post(link, data={"fewer": "weekly"})):
            assert answer.status_code == 200
            assert "This is a test mail&#39;s link" in answer.text
        assert "Dieser Link stammt aus einer Testmail" in town.client.get(link, headers={"accept-language": "de"}).text
    assert town.client.get("/u/each-reader-has-his-own").status_code == 200  # as the preview shows it
    assert town.client.get(f"/u/{town.token(Purpose.PREFERENCES, 0)}").status_code == 404


def test_a_preferences_token_ends_no_mail(town: Town, reader: Subscriber) -> None:
    assert town.client.post(f"/u/{town.token(Purpose.PREFERENCES, reader.id)}").status_code == 404
    assert town.states() == {"reader@example.org": "active"}


def test_a_link_in_capitals_works_too(town: Town, link: str) -> None:
    assert town.client.post(f"/u/{link[3:].upper()}").status_code == 200
    assert town.states() == {"reader@example.org": "left"}
