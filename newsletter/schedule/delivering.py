"""Sends what is due, edition after edition, newest first: what `newsletter publish` does, again and again.

Owns how often a relay that doesn't take our mail is asked again, and that the editor hears of it. Everything that must
be true of a send is `delivery.engine`'s.

**Limit.** One edition is sent at a time by each process and publication; another one's later tries wait for its end.
Where only readers are left who wait for the turn of their domain, a newer edition goes first.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from newsletter.app import App
from newsletter.delivery.brake import Brake
from newsletter.delivery.desk import Tally
from newsletter.delivery.owner import is_dead_owner
from newsletter.delivery.publish import make_meters, open_transport, send_edition
from newsletter.errors import NewsletterError
from newsletter.logs import get_logger
from newsletter.schedule.policy_troubles import Trouble
from newsletter.schedule.telling import Teller
from newsletter.schedule.troubles import end_trouble, tell_trouble
from newsletter.store.dispatch import list_due_editions
from newsletter.store.editions import StoredEdition, load_edition

FIRST_REST: Final = timedelta(minutes=1)
LONGEST_REST: Final = timedelta(minutes=30)
_TROUBLED: Final = 2

_log = get_logger(__name__)

Send = Callable[[StoredEdition], Tally]
"""Sends an edition to who is due now. Raises NewsletterError."""


@dataclass(slots=True)
class Sender:
    """One publication's worker; lives as long as the process. After trouble it rests, longer each time."""

    app: App
    teller: Teller
    brake: Brake
    clock: Callable[[], datetime]
    send: Send
    _rests_until: datetime | None = None
    _troubles: int = 0
    _sent: list[str] = field(default_factory=list)

    def deliver_due(self) -> list[str]:
        """Send what is due now; return the slugs of the editions that something was sent of."""
        self._sent = []
        now = self.clock()
        # A clock that was put back must not make a rest endless.
        if self._rests_until and now < self._rests_until <= now + LONGEST_REST:
            return []
        troubled: list[str] = []
        # One edition may have trouble of its own; with two it is the relay's.
        while not self.brake.pulled and len(troubled) < _TROUBLED and (slug := self._next((*self._sent, *troubled))):
            if not self._deliver(slug):
                troubled.append(slug)
        self._rest(bool(troubled))
        return self._sent

    def _next(self, done: Sequence[str]) -> str | None:
        with self.app.database.read() as connection:
            due = list_due_editions(connection, self.clock(), is_dead_owner)
        return next((slug for slug in due if slug not in done), None)

    def _deliver(self, slug: str) -> bool:
        """Send one edition; return whether to go on with another."""
        with self.app.database.read() as connection:
            stored = load_edition(connection, slug)
        assert stored is not None  # noqa: S101 - the ledger named it just now
        try:
            tally = self.send(stored)
        except NewsletterError as error:
            self._tell(stored, error)
            return False
        self._sent.append(slug)
        with self.app.database.transaction() as connection:
            end_trouble(connection, _name(slug))
        _log.info("edition sent", edition=stored.id, slug=slug, **_describe(tally))
        return True

    def _rest(self, troubled: bool) -> None:
        """Rest after trouble, twice as long each time; after a call without any, don't."""
        if not troubled:
            self._troubles, self._rests_until = 0, None
            return
        self._troubles += 1
        self._rests_until = self.clock() + min(FIRST_REST * 2.0 ** min(self._troubles - 1, 10), LONGEST_REST)

    def _tell(self, stored: StoredEdition, error: NewsletterError) -> None:
        now = self.clock()
        _log.error("edition not sent", edition=stored.id, slug=stored.edition.slug, error=str(error))
        trouble = Trouble(_name(stored.edition.slug), type(error).__name__, str(error))
        with self.app.database.transaction() as connection:
            tell_trouble(connection, self.teller, trouble, now)


def make_send(app: App, brake: Brake, clock: Callable[[], datetime]) -> Send:
    """Return what sends an edition by the relay or to the outbox that the config names."""

    def send(stored: StoredEdition) -> Tally:
        meters = make_meters(clock)
        transport = open_transport(app.settings, os.environ, stored.edition.slug, meters)

        def is_overtaken() -> bool:
            with app.database.read() as connection:
                return bool(list_due_editions(connection, clock(), is_dead_owner, stored.published_at))

        return send_edition(
            app.database,
            stored,
            transport,
            app.keys,
            app.settings,
            lambda _tally: None,
            clock,
            meters,
            brake,
            is_overtaken,
        )

    return send


def _name(slug: str) -> str:
    return f"sending {slug}"


def _describe(tally: Tally) -> dict[str, object]:
    numbers = {"sent": tally.sent, "deferred": tally.deferred, "failed": tally.failed, "unknown": tally.unknown}
    return {**numbers, "recovered": tally.recovered, "stopped": tally.stopped, "control": str(tally.control.state)}
