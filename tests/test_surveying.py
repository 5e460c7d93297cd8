"""What the admin pages show beside the overview."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from newsletter.errors import NotFoundError
from newsletter.model.delivery import Audit
from newsletter.model.subscriber import SubscriberState
from newsletter.store.database import Database
from newsletter.surveying import load_closeup, load_growth, load_mail, load_page, load_returned, sum_days
from tests.web.scenery import furnish

NOW = datetime(2024, 5, 25, 8, tzinfo=UTC)


@pytest.fixture
def engine_name() -> str:
    """One engine is enough: the queries are tested on both where they are."""
    return "sqlite"


@pytest.fixture
def furnished(database: Database) -> Database:
    furnish(database, NOW)
    return database


def test_days_are_counted_back_from_what_there_is_now() -> None:
    changes = {
        datetime(2024, 5, 23, 12, tzinfo=UTC): 3,
        datetime(2024, 5, 23, 22, 30, tzinfo=UTC): 1,  # half past midnight on the 24th in Berlin
        datetime(2024, 5, 25, 6, tzinfo=UTC): -2,
    }
    days = sum_days(10, changes, date(2024, 5, 22), 4, ZoneInfo("Europe/Berlin"))
    assert days == [
        (date(2024, 5, 22), 8),
        (date(2024, 5, 23), 11),
        (date(2024, 5, 24), 12),
        (date(2024, 5, 25), 10),
    ]


def test_a_closeup_is_of_one_edition(furnished: Database) -> None:
    closeup = load_closeup(furnished, "2024-05-25", NOW)
    assert closeup.audit == Audit(40, sent=20, queued=11, deferred=3, failed=2, cancelled=0, unknown=4)
    assert len(closeup.unknown) == 4
    assert [reply.count for reply in closeup.replies] == [4, 3, 2]
    assert closeup.rate == 0
    with pytest.raises(NotFoundError):
        load_closeup(furnished, "2024-05-01", NOW)
    assert load_mail(furnished, "2024-05-01") is None


def test_editions_come_in_pages(furnished: Database) -> None:
    first, more = load_page(furnished, 1, 1)
    assert ([line.slug for line, _ in first], more) == (["2024-05-25"], True)
    last, more = load_page(furnished, 2, 1)
    assert ([line.slug for line, _ in last], more) == (["2024-05-24"], False)
    assert load_page(furnished, 3, 1) == ([], False)


def test_growth_ends_with_who_reads_now(furnished: Database) -> None:
    growth = load_growth(furnished, "UTC", NOW, 90)
    assert len(growth.days) == 90
    assert growth.days[-1] == (NOW.date(), growth.states[SubscriberState.ACTIVE])
    assert growth.states[SubscriberState.ACTIVE] == 40
    assert growth.days[0] == (date(2024, 2, 26), 0)
    assert growth.change == 40
    assert max(number for _, number in growth.days) == 40


def test_what_came_back_is_told_with_its_share(furnished: Database) -> None:
    returned = load_returned(furnished, NOW, 7)
    assert (returned.rates.total.mails, returned.rates.total.hard, returned.kept) == (62, 1, 0)
    assert returned.rates.domains[0].domain == "example.org"
    assert [bounce.address for bounce in returned.newest] == ["reader3@example.org"]
