"""The books of a run: answers go into the ledger and claims come out of it, many in one transaction.

Owns the batches, the lease, and when the journal may forget. A page that the ledger refuses is kept and tried once
more at the end; what isn't taken then stays in the journal, so nothing that was answered is lost by it.

Never overwrites what another has written: a delivery whose lease was over, and that was taken from us, keeps the state
it was given then, whatever we have heard about it since.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from newsletter.delivery.answers import log_answers
from newsletter.delivery.fence import Fence
from newsletter.delivery.journal import Journal
from newsletter.errors import StoreError
from newsletter.model.control import Control, Stage
from newsletter.model.delivery import Delivery, Settlement
from newsletter.model.pace import Pace, Spending
from newsletter.store.controls import halt_edition, load_control
from newsletter.store.database import Database
from newsletter.store.deliveries import (
    claim_deliveries,
    hasten_deliveries,
    list_departed,
    postpone_deliveries,
    release_deliveries,
    renew_leases,
    settle_deliveries,
)
from newsletter.store.dispatch import has_readers_served
from newsletter.store.fences import advance_ledger
from newsletter.store.paces import save_paces

_RESTORED = (
    "Sending stopped: the database was restored while mail was being sent from it. What was on the wire is unknown; "
    "`newsletter publish` goes on with who is left."
)


_FEW: Final = 8
"""The part of all that is claimed ahead below which nothing is claimed."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """Which rows a run may take: those of one edition, for `owner`, each for `lease`; `ahead` of them at once."""

    database: Database
    journal: Journal
    fence: Fence
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
    postponed: list[tuple[int, datetime]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.settlements) + len(self.returned) + len(self.postponed)


@dataclass(frozen=True, slots=True)
class Turn:
    """What a page brought: claims, what was settled, held readers who have left since, and whether to go on.

    `through` says that everything due was asked for and nobody was there; `paces` are what all senders spent.
    """

    claimed: Sequence[Delivery]
    settled: Sequence[Settlement]
    departed: Sequence[int]
    control: Control
    through: bool
    paces: Sequence[Pace] = ()


class Books:
    """A run's account with the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._held: set[int] = set()  # claimed, and not yet written down as answered
        self._page = Page()
        self._doubtful = False
        self._dry = False  # the last claim took all who were due
        self._begun = False  # something was claimed, or asked for
        self._leased_at = ledger.clock()
        self._leased_until = self._leased_at + ledger.lease

    @property
    def held(self) -> int:
        """Return how many deliveries are claimed and not yet written down as answered."""
        return len(self._held)

    @property
    def settled(self) -> bool:
        """Return whether the ledger knows all that the journal does, so that nothing has to be kept for the next run.

        A claim that failed may have been made all the same, when only the answer was lost.
        """
        return not self._held and not self._doubtful

    @property
    def waiting(self) -> int:
        """Return how many claimed deliveries have no answer yet."""
        return len(self._held) - len(self._page)

    @property
    def low(self) -> bool:
        """Return whether it is time for a page, so that the wire never waits for the ledger.

        As long as nobody else is due, that is only when every answer is there: pages cost more than what is on them.
        """
        return self.waiting < (1 if self._dry else self.ledger.ahead // 2)

    @property
    def expired(self) -> bool:
        """Return whether others may have taken what we hold: the machine slept, or its clock was put forward."""
        return self.ledger.clock() >= self._leased_until

    def settle(self, settlement: Settlement) -> None:
        """Put an answer on the page."""
        self._page.settlements.append(settlement)

    def give_back(self, delivery_id: int) -> None:
        """Put on the page that a delivery was not sent."""
        self._page.returned.append(delivery_id)

    def postpone(self, delivery_id: int, due_at: datetime) -> None:
        """Put on the page that a delivery was not sent, and waits for its turn."""
        self._page.postponed.append((delivery_id, due_at))

    def give_back_the_rest(self) -> None:
        """Put on the page whatever has no answer and never was on the wire."""
        written = {settlement.delivery_id for settlement in self._page.settlements}.union(self._page.returned)
        written.update(delivery_id for delivery_id, _ in self._page.postponed)
        rest = self._held - written
        self._page.returned += [number for number in sorted(rest) if not self.ledger.journal.knows(number)]

    async def turn_page(self, *, claim: bool, stage: Stage = Stage.REST, spendings: Sequence[Spending] = ()) -> Turn:
        """Write the page down, and claim up to `ahead` of the stages up to `stage`; add to what senders spent.

        Raises StoreError; the page is kept then.
        """
        page, self._page = self._page, Page()
        want = self._count_room(page) if claim else 0
        try:
            turn, lost = await asyncio.to_thread(self._write, page, want, stage, spendings)
        except BaseException:
            self._doubtful = True
            self._page.settlements[:0] = page.settlements
            self._page.returned[:0] = page.returned
            self._page.postponed[:0] = page.postponed
            raise
        settled = [settlement.delivery_id for settlement in page.settlements]
        for delivery_id in (*settled, *page.returned, *(number for number, _ in page.postponed)):
            self.ledger.journal.forget(delivery_id)
            self._held.discard(delivery_id)
        self._dry = len(turn.claimed) < want if want else self._dry
        fresh = [delivery for delivery in turn.claimed if delivery.id not in self._held]  # one of each at a time
        self._held.update(delivery.id for delivery in fresh)
        told = [settlement for settlement in page.settlements if settlement.delivery_id not in lost]
        return replace(turn, claimed=fresh, settled=told)

    def _count_room(self, page: Page) -> int:
        """Return how many to claim: not a few at a time, for asking costs more than they do."""
        room = self.ledger.ahead - len(self._held) + len(page)
        return room if room >= self.ledger.ahead // _FEW else 0

    def _write(self, page: Page, want: int, stage: Stage, spendings: Sequence[Spending]) -> tuple[Turn, set[int]]:
        """Return what the ledger says, and which answers came too late: those rows were taken from us."""
        ledger, now = self.ledger, self.ledger.clock()
        with ledger.database.transaction() as connection:
            lost = settle_deliveries(connection, ledger.owner, page.settlements)
            release_deliveries(connection, ledger.owner, page.returned)
            postpone_deliveries(connection, ledger.owner, page.postponed)
            paces = save_paces(connection, spendings) if spendings else []
            due = abs(now - self._leased_at) > ledger.lease / 3  # a clock may be set back, too
            if due:
                renew_leases(connection, ledger.owner, now + ledger.lease)
            departed = list_departed(connection, ledger.owner)
            claimed: Sequence[Delivery] = ()
            if want > 0 and not self._begun:
                hasten_deliveries(connection, ledger.edition_id, now)  # whose turn it is, this run decides anew
            if want > 0:
                until = now + ledger.lease
                claimed = claim_deliveries(connection, ledger.edition_id, ledger.owner, until, now, want, stage)
            control = load_control(connection, ledger.edition_id)  # after the claim, which holds on to it
            epoch = advance_ledger(connection, ledger.fence.life)  # last, for senders wait for each other here
            if epoch is None:
                raise StoreError(_RESTORED)
        ledger.fence.note(epoch)  # before anything that was claimed can go out, and the journal forget
        log_answers(ledger.edition_id, page.settlements)
        if due:
            self._leased_at, self._leased_until = now, now + ledger.lease
        self._begun = self._begun or want > 0
        turn = Turn(claimed, page.settlements, departed, control, through=want > 0 and not claimed, paces=paces)
        return turn, {settlement.delivery_id for settlement in lost}

    async def was_taken(self) -> bool:
        """Return whether a relay has taken the edition's mail to anybody, in whatever run."""
        return await asyncio.to_thread(self._was_taken)

    def _was_taken(self) -> bool:
        with self.ledger.database.read() as connection:
            return has_readers_served(connection, self.ledger.edition_id)

    async def halt(self, reason: str) -> Control:
        """Halt the edition, and return how it stands then."""
        return await asyncio.to_thread(self._halt, reason)

    def _halt(self, reason: str) -> Control:
        ledger = self.ledger
        with ledger.database.transaction() as connection:
            return halt_edition(connection, ledger.edition_id, ledger.clock(), reason).after
