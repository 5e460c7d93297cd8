"""An edition as rendering makes it, small."""

from datetime import UTC, date, datetime

import pytest

from newsletter.model.edition import PREFERENCES_FIELD, UNSUBSCRIBE_FIELD, Edition, Sender

KEY = b"k" * 32
PUBLISHED_AT = datetime(2024, 5, 25, 6, 0, tzinfo=UTC)


@pytest.fixture
def key() -> bytes:
    return KEY


@pytest.fixture
def published_at() -> datetime:
    return PUBLISHED_AT


@pytest.fixture
def sender() -> Sender:
    return Sender(
        name="LLM Papers Daily",
        address="news@example.org",
        reply_to="editor@example.org",
        bounce_domain="bounces.example.org",
        unsubscribe_address="unsubscribe@bounces.example.org",
        list_id="papers.example.org",
        list_name="LLM Papers Daily",
        url="https://news.example.org",
    )


@pytest.fixture
def edition(sender: Sender) -> Edition:
    links = f"https://news.example.org/u/{UNSUBSCRIBE_FIELD} https://news.example.org/p/{PREFERENCES_FIELD}"
    return Edition(
        slug="2024-05-25",
        issue_date=date(2024, 5, 25),
        title="Twenty-one papers",
        subject="Naïve attention – 21 papers 🎉",
        preheader="What is new",
        language="en",
        page_url="https://news.example.org/issues/2024-05-25/",
        html=f"<!doctype html>\n<p style='color:#111'>Grüße, = . \n.dot at start\nFrom here</p>\n<a href='{links}'>",
        text=f"Grüße an alle,\n\n.hidden\nFrom me  \n{'long ' * 40}\n{links}\n",
        sender=sender,
    )
