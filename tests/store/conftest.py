"""Readers and editions for the store's tests."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from newsletter.model.edition import Edition, Sender
from newsletter.model.subscriber import NewSubscriber
from newsletter.store.database import Database
from newsletter.store.editions import StoredEdition, freeze_edition, load_edition, publish_edition
from newsletter.store.subscribers import add_subscribers

NOW = datetime(2024, 5, 25, 6, 30, 0, 123456, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def edition() -> Edition:
    sender = Sender(
        name="Ünïcode Daily",
        address="news@example.org",
        reply_to="editor@example.org",
        bounce_domain="bounces.example.org",
        unsubscribe_address="unsubscribe@example.org",
        list_id="news.example.org",
        list_name="Daily",
        url="https://news.example.org",
    )
    return Edition(
        slug="2024-05-25",
        issue_date=date(2024, 5, 25),
        title="Twenty papers",
        subject="Twenty papers 🙂",
        preheader="What is new",
        language="en",
        page_url="https://news.example.org/issues/2024-05-25/",
        html="<p>Häh\r\n</p>",
        text="Häh\n",
        sender=sender,
    )


@pytest.fixture
def publish(database: Database, edition: Edition) -> Callable[..., StoredEdition]:
    """Publish an edition to so many new readers and return it."""

    def publish(readers: int, slug: str = edition.slug) -> StoredEdition:
        new = [NewSubscriber(f"reader{number}@example.org", f"Reader {number}") for number in range(readers)]
        with database.transaction() as connection:
            add_subscribers(connection, new, NOW)
            frozen = freeze_edition(connection, replace(edition, slug=slug), "source", NOW)
            publish_edition(connection, frozen.id, NOW)
            stored = load_edition(connection, slug)
        assert stored is not None
        return stored

    return publish
