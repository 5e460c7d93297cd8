"""What a run of the engine works with, and what it comes to."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from newsletter import config
from newsletter.delivery.books import Ledger
from newsletter.delivery.lanes import Mail, Transport
from newsletter.delivery.meter import Meters
from newsletter.delivery.policy import Phase
from newsletter.model.control import Control
from newsletter.model.delivery import Delivery, DeliveryState, Reply, Settlement

RUNNING: Final = Control()
PHASES: Final = tuple(Phase)
"""The journal keeps a phase as its number here; add only at the end."""

Compose = Callable[[Delivery], Mail]
"""Makes a reader's mail, ready for the wire; called in threads. Raises ValueError for a reader who can't be written."""

Unwritable = tuple[Delivery, Reply]
"""A reader for whom no mail can be made, and why, as if a server had said it."""

Made = Mail | Unwritable

ComposeAll = Callable[[Sequence[Delivery]], Sequence[Made]]
"""Makes the mails of many readers, in their order; called in threads."""


@dataclass(slots=True)
class Tally:
    """What one run did. `recovered` were left by a dead worker; `stopped` says that it was asked to end early.

    `control` is what ended it, when the edition was paused, cancelled or halted.
    """

    sent: int = 0
    deferred: int = 0
    failed: int = 0
    unknown: int = 0
    recovered: int = 0
    stopped: bool = False
    control: Control = RUNNING

    @property
    def done(self) -> int:
        """Return how many tries this run finished."""
        return self.sent + self.deferred + self.failed + self.unknown

    @property
    def settled(self) -> int:
        """Return how many readers this run is through with; who was put off isn't one of them."""
        return self.sent + self.failed + self.unknown

    def count(self, settlements: Iterable[Settlement]) -> None:
        """Add what was settled."""
        states = Counter(settlement.state for settlement in settlements)
        self.sent += states[DeliveryState.SENT]
        self.deferred += states[DeliveryState.DEFERRED]
        self.failed += states[DeliveryState.FAILED]
        self.unknown += states[DeliveryState.UNKNOWN]


@dataclass(frozen=True, slots=True)
class Desk:
    """What a run works with. `jitter` returns a factor of about 1; `drain` is how long a stop waits for answers.

    `meters` know how fast mail may go, by the rules of `pace`. `is_overtaken` says whether another edition should have
    the wire as soon as here everybody only waits for his domain's turn; called in a thread.
    """

    ledger: Ledger
    transport: Transport
    rules: config.Delivery
    compose: ComposeAll
    jitter: Callable[[], float]
    drain: timedelta
    on_progress: Callable[[Tally], None]
    meters: Meters
    pace: config.Pace = field(default_factory=config.Pace)
    is_overtaken: Callable[[], bool] = lambda: False
