"""One worker, several editions: trouble with one doesn't hold up the others."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from newsletter.app import App
from newsletter.config import Alerts, Secret, Settings
from newsletter.delivery.brake import Brake
from newsletter.delivery.desk import Tally
from newsletter.delivery.owner import is_dead_owner
from newsletter.errors import TransportError
from newsletter.model.subscriber import NewSubscriber
from newsletter.schedule.delivering import FIRST_REST, Sender
from newsletter.schedule.telling import Teller
from newsletter.store.database import Database
from newsletter.store.dispatch import list_due_editions
from newsletter.store.editions import StoredEdition, freeze_edition, publish_edition
from newsletter.store.subscribers import add_subscribers
from tests.schedule.desks import an_edition

NOW = datetime(2024, 5, 25, 8, tzinfo=UTC)
DAYS = (1, 2, 3)


@pytest.fixture
def published(database: Database) -> Database:
    """Three editions, a day apart, of each of which somebody is due."""
    for day in DAYS:
        with database.transaction() as connection:
            add_subscribers(connection, [NewSubscriber(f"reader{day}@example.org")], NOW)
            stored = freeze_edition(
                connection, an_edition(f"day-{day}", date(2024, 5, day)), "source", NOW + timedelta(days=day)
            )
            publish_edition(connection, stored.id, NOW + timedelta(days=day))
    return database


@pytest.fixture
def make_sender(published: Database, tmp_path: Path) -> Callable[..., Sender]:
    def make_sender(send: Callable[[StoredEdition], Tally]) -> Sender:
        alerts = Alerts(editor=("editor@example.org",))
        app = App(Settings(alerts=alerts, secret=Secret(file=tmp_path / "newsletter.secret")))
        vars(app)["database"] = published
        teller = Teller(alerts, "Daily", "https://news.example.org")
        return Sender(app, teller, Brake(), lambda: NOW + timedelta(days=9), send)

    return make_sender


def test_the_newest_goes_first_and_each_once(make_sender: Callable[..., Sender]) -> None:
    assert make_sender(lambda stored: Tally(sent=1)).deliver_due() == ["day-3", "day-2", "day-1"]


def test_an_edition_in_trouble_holds_up_no_other_and_is_asked_again_after_a_rest(
    make_sender: Callable[..., Sender],
) -> None:
    asked: list[str] = []

    def send(stored: StoredEdition) -> Tally:
        asked.append(stored.edition.slug)
        if stored.edition.slug == "day-3":
            raise TransportError("one reader's server bars us")
        return Tally(sent=1)

    sender = make_sender(send)
    assert sender.deliver_due() == ["day-2", "day-1"]
    assert sender.deliver_due() == []
    assert asked == ["day-3", "day-2", "day-1"], "it rests"
    sender.clock = lambda: NOW + timedelta(days=9) + FIRST_REST
    sender.deliver_due()
    assert asked[3:] == ["day-3", "day-2", "day-1"]


def test_two_editions_in_trouble_are_the_relay_s(make_sender: Callable[..., Sender]) -> None:
    asked: list[str] = []

    def send(stored: StoredEdition) -> Tally:
        asked.append(stored.edition.slug)
        raise TransportError("the relay is down")

    sender = make_sender(send)
    assert sender.deliver_due() == []
    assert asked == ["day-3", "day-2"]


def test_what_is_newer_than_an_edition_is_known(published: Database) -> None:
    with published.read() as connection:
        later = NOW + timedelta(days=9)
        due = [list_due_editions(connection, later, is_dead_owner, NOW + timedelta(days=day)) for day in DAYS]
    assert due == [["day-3", "day-2"], ["day-3"], []]
