"""Keeps house: forgets what nobody needs any more, and brings back what a clock that was wrong has put off too far."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from newsletter import config
from newsletter.logs import get_logger
from newsletter.model.pace import Period
from newsletter.schedule.calls import LONGEST_WAIT
from newsletter.store.calls import forget_calls
from newsletter.store.database import Database
from newsletter.store.notices import forget_notices
from newsletter.store.paces import forget_paces
from newsletter.store.strays import Reach, recall_strays
from newsletter.store.throttles import forget_throttles

KEPT: Final = timedelta(days=90)
"""How long it is kept what was told to whom, so that it isn't told twice."""

PACES_KEPT: Final = timedelta(days=30)

MARGIN: Final = timedelta(hours=1)
"""What is added to the longest wait, so that neither another machine's clock nor a slow domain's turn is a stray."""

CLAIM: Final = timedelta(days=1)
"""Longer than any claim; a sender renews his long before."""

_PERIODS: Final[Mapping[Period, timedelta]] = {
    Period.SECOND: timedelta(seconds=1),
    Period.HOUR: timedelta(hours=1),
    Period.DAY: timedelta(days=1),
}

_log = get_logger(__name__)


def prune(database: Database, rules: config.Delivery, now: datetime) -> int:
    """Forget what is old, and recall strays; return how many of these there were. One transaction."""
    with database.transaction() as connection:
        forget_throttles(connection, now)
        forget_paces(connection, now - PACES_KEPT)
        forget_notices(connection, now - KEPT)
        forget_calls(connection, now - KEPT)
        strays = recall_strays(connection, now, decide_reach(rules))
    if strays:
        _log.warning("times too far ahead brought back", rows=strays, reason="a clock was wrong when they were written")
    return strays


def decide_reach(rules: config.Delivery) -> Reach:
    """Return how far ahead times can lie that were written by a clock that was right.

    A wait is stretched by a fifth at the most, so that tries don't come in herds; twice the longest is beyond all of
    them. Of what limits let through, several senders may have used up more than a period together.
    """
    longest = 2 * timedelta(minutes=rules.longest_retry_minutes) + MARGIN
    limits = {period: 2 * length + MARGIN for period, length in _PERIODS.items()}
    return Reach(longest, longest, LONGEST_WAIT + MARGIN, CLAIM, limits, MARGIN)
