"""The books of a run: answers go into the ledger and claims come out of it, many in one transaction.

Owns the batches, the lease, and when the journal may forget. A page that the ledger refuses stays in the journal, so
nothing that was answered is lost by it.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from newsletter.delivery.journal import Journal
from newsletter.model.delivery import Delivery, Settlement
from newsletter.store.database import Database
from newsletter.store.deliveries import claim_deliveries, release_deliveries, renew_leases, settle_deliveries


@dataclass(frozen=True, slots=True)
class Ledger:
    """Which rows a run may take: those of one edition, for `owner`, each for `lease`; `ahead` of them at once."""

    database: Database
    journal: Journal
    edition_id: int
    owner: str
    lease: timedelta
    ahead: int
    clock: Callable[[], datetime]


@dataclass(slots=True)
class Page:
    """What waits to be written down: answers, and deliveries to give back unsent."""

    settlements: list[Settlement] = field(default_factory=list)
    returned: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.settlements) + len(self.returned)


class Books:
    """A run's account with the ledger. `held` counts what is claimed and not yet written down as answered."""

    def __init__(self, ledger: Ledger) -> None:
        self.held = 0
        self.ledger = ledger
        self._page = Page()
        self._leased_at = ledger.clock()

    @property
    def waiting(self) -> int:
        """Return how many claimed deliveries have no answer yet."""
        return self.held - len(self._page)

    @property
    def low(self) -> bool:
        """Return whether more should be claimed, so that the wire never waits for the ledger."""
        return self.waiting < self.ledger.ahead // 2

    def settle(self, settlement: Settlement) -> None:
        """Put an answer on the page."""
        self._page.settlements.append(settlement)

    def give_back(self, delivery_id: int) -> None:
        """Put on the page that a delivery was not sent."""
        self._page.returned.append(delivery_id)

    async def turn_page(self, *, claim: bool) -> tuple[list[Delivery], list[Settlement]]:
        """Write the page down and claim up to `ahead`; return what was claimed and what was settled."""
        page, self._page = self._page, Page()
        want = self.ledger.ahead - self.held + len(page) if claim else 0
        claimed = await asyncio.to_thread(self._write, page, want)
        for settlement in page.settlements:
            self.ledger.journal.forget(settlement.delivery_id)
        for delivery_id in page.returned:
            self.ledger.journal.forget(delivery_id)
        self.held += len(claimed) - len(page)
        return list(claimed), page.settlements

    def _write(self, page: Page, want: int) -> Sequence[Delivery]:
        ledger, now = self.ledger, self.ledger.clock()
        with ledger.database.transaction() as connection:
            settle_deliveries(connection, ledger.owner, page.settlements)
            release_deliveries(connection, ledger.owner, page.returned)
            if now - self._leased_at > ledger.lease / 3:
                renew_leases(connection, ledger.owner, now + ledger.lease)
                self._leased_at = now
            if want <= 0:
                return []
            return claim_deliveries(connection, ledger.edition_id, ledger.owner, now + ledger.lease, now, want)
