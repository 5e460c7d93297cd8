"""What the admin pages show beside the overview (`watching`): one edition, readers over time, what came back.

Reads the ledger, changes nothing, and decides nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from newsletter.model.delivery import Audit, Delivery, DeliveryState, ReplyCount
from newsletter.model.edition import Edition
from newsletter.model.rates import Rates
from newsletter.model.slot import Slot
from newsletter.model.subscriber import Cadence, SubscriberState
from newsletter.model.verdict import Bounce
from newsletter.store.bounces import count_kept, list_bounces
from newsletter.store.database import Database
from newsletter.store.deliveries import count_deliveries, count_replies, list_deliveries
from newsletter.store.dispatch import count_settled_since
from newsletter.store.editions import EditionLine, list_editions, load_edition, load_slug_line
from newsletter.store.rates import load_rates
from newsletter.store.slots import load_slots
from newsletter.store.subscribers import count_subscribers
from newsletter.store.surveys import count_cadences, count_comings

RATE_WINDOW: Final = timedelta(seconds=30)
MOST_UNKNOWN: Final = 100
NEWEST_BOUNCES: Final = 30
MOST_DOMAINS: Final = 20


@dataclass(frozen=True, slots=True)
class Closeup:
    """One edition: where everybody stands, why, and the first MOST_UNKNOWN of who may or may not have it."""

    edition: EditionLine
    audit: Audit
    rate: float
    replies: Sequence[ReplyCount]
    unknown: Sequence[Delivery]


@dataclass(frozen=True, slots=True)
class Growth:
    """Readers now, and how many there were at the end of each day, oldest first; the last one is today, so far."""

    states: Mapping[SubscriberState, int]
    cadences: Mapping[Cadence, int]
    days: Sequence[tuple[date, int]]

    @property
    def change(self) -> int:
        """Return how many more there are than at the end of the first day."""
        return self.days[-1][1] - self.days[0][1]


@dataclass(frozen=True, slots=True)
class Returned:
    """What came back in some days, how many mails that nobody could read wait for a human, and the newest bounces."""

    rates: Rates
    kept: int
    newest: Sequence[Bounce]


def load_closeup(database: Database, slug: str, now: datetime) -> Closeup:
    """Return what there is to see of one edition. Raises NotFoundError."""
    with database.read() as connection:
        line = load_slug_line(connection, slug)
        recent = count_settled_since(connection, line.id, now - RATE_WINDOW)
        return Closeup(
            edition=line,
            audit=count_deliveries(connection, line.id),
            rate=recent / RATE_WINDOW.total_seconds(),
            replies=count_replies(connection, line.id),
            unknown=list_deliveries(connection, line.id, DeliveryState.UNKNOWN, limit=MOST_UNKNOWN),
        )


def load_page(database: Database, number: int, size: int) -> tuple[list[tuple[EditionLine, Audit]], bool]:
    """Return a page of editions, newest first, counted from 1, and whether there are older ones."""
    with database.read() as connection:
        lines = list_editions(connection, number * size + 1)
        shown = lines[(number - 1) * size : number * size]
        return [(line, count_deliveries(connection, line.id)) for line in shown], len(lines) > number * size


def load_mail(database: Database, slug: str) -> Edition | None:
    """Return an edition as it is mailed to who gets all of it, or None."""
    with database.read() as connection:
        stored = load_edition(connection, slug)
    return stored.edition if stored else None


def load_recent_slots(database: Database, since: datetime) -> list[Slot]:
    """Return every slot from an instant on and every open one, newest first."""
    with database.read() as connection:
        return list(reversed(load_slots(connection, since)))


def load_growth(database: Database, time_zone: str, now: datetime, days: int) -> Growth:
    """Return how many readers there were over some days, in a time zone."""
    zone = ZoneInfo(time_zone)
    first = now.astimezone(zone).date() - timedelta(days=days - 1)
    with database.read() as connection:
        states, cadences = count_subscribers(connection), count_cadences(connection)
        changes = count_comings(connection, datetime.combine(first, time(), zone))
    return Growth(states, cadences, sum_days(states[SubscriberState.ACTIVE], changes, first, days, zone))


def sum_days(
    today: int, changes: Mapping[datetime, int], first: date, days: int, zone: ZoneInfo
) -> list[tuple[date, int]]:
    """Return the number of readers at the end of each day, going back from what it is at the end of the last one."""
    by_day: dict[date, int] = {}
    for at, change in changes.items():
        day = at.astimezone(zone).date()
        by_day[day] = by_day.get(day, 0) + change
    found, count = [], today
    for day in (first + timedelta(days=number) for number in reversed(range(days))):
        found.append((day, count))
        count -= by_day.get(day, 0)
    return found[::-1]


def load_returned(database: Database, now: datetime, days: int) -> Returned:
    """Return what came back in the last days."""
    since = now - timedelta(days=days)
    with database.read() as connection:
        rates = load_rates(connection, since, MOST_DOMAINS)
        return Returned(rates, count_kept(connection), list_bounces(connection, since=since, limit=NEWEST_BOUNCES))
