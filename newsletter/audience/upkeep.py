"""Upkeep: what is forgotten in time, by a tick of the scheduler or by hand."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from newsletter.audience.joining import expire_requests
from newsletter.store.database import Database
from newsletter.store.notices import forget_notices
from newsletter.store.throttles import forget_throttles

NOTICES_KEPT = timedelta(days=30)
"""How long it is known that a notice was sent, or why not; its words are gone at once."""


@dataclass(frozen=True, slots=True)
class Swept:
    """How many rows were forgotten: unconfirmed requests, full buckets, old notices."""

    requests: int
    throttles: int
    notices: int


def sweep(database: Database, now: datetime) -> Swept:
    """Forget what nobody needs any more; doing it at any time, or twice, does no harm."""
    requests = expire_requests(database, now)
    with database.transaction() as connection:
        throttles = forget_throttles(connection, now)
        notices = forget_notices(connection, now - NOTICES_KEPT)
    return Swept(requests, throttles, notices)
