"""What comes back in proportion to what was sent: of everything, and of the domains with most of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from newsletter.model.bounce import Reason

SPAN: Final = timedelta(days=7)
"""What is looked at: mailbox providers judge by days, and a daily or weekly letter has one issue at least in it."""

COMPLAINT_SHARES: Final = (0.003, 0.001)
"""What Google and Yahoo bar for, and what they want senders to stay below (guidelines for bulk senders, 2024)."""

FEWEST_COMPLAINTS: Final = 2
"""One reader of a few hundred is no share."""


def find_reached(complaints: int, mails: int) -> float | None:
    """Return the gravest of `COMPLAINT_SHARES` that complaints have reached, if any."""
    if complaints < FEWEST_COMPLAINTS or not mails:
        return None
    return next((limit for limit in COMPLAINT_SHARES if complaints / mails >= limit), None)


@dataclass(frozen=True, slots=True)
class Rate:
    """One domain's share; the empty domain stands for all others.

    `mails` were given to its servers, accepted or refused for good; of them `hard` and `soft` came back, and
    `complaints` were called spam. `reasons` counts all that was said, most frequent first; what lost no mail is there,
    too.
    """

    domain: str
    mails: int
    hard: int = 0
    soft: int = 0
    complaints: int = 0
    reasons: Mapping[Reason, int] = field(default_factory=dict)

    @property
    def bounced(self) -> float:
        """Return which share came back; 0 where nothing was sent. More than 1 if old mail comes back late."""
        return (self.hard + self.soft) / self.mails if self.mails else 0.0

    @property
    def complained(self) -> float:
        """Return which share was called spam; 0 where nothing was sent."""
        return self.complaints / self.mails if self.mails else 0.0


@dataclass(frozen=True, slots=True)
class Rates:
    """What came back since a time. `domains`: those with most of it first, and then all others as one."""

    since: datetime
    total: Rate
    domains: tuple[Rate, ...] = ()
