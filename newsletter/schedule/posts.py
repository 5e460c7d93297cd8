"""One publication at its post: everything that its ticks work with, opened once for the life of a daemon.

The wiring of the schedule: what is a port in `deciding` and `delivering` becomes the real press and the real sender.
"""

import os
import secrets
import threading
from collections.abc import Callable
from datetime import datetime
from functools import cached_property

from newsletter.app import App
from newsletter.committing import Witness
from newsletter.delivery.brake import Brake
from newsletter.delivery.owner import is_dead_owner, load_owner
from newsletter.delivery.publish import open_transport
from newsletter.delivery.recovery import name_ledger
from newsletter.issues.folder import list_issues_of
from newsletter.model.edition import EditionKind
from newsletter.model.slot import SlotKey
from newsletter.publishing import publish_issue
from newsletter.rollups import commit_rollup
from newsletter.schedule.calendar import Calendar
from newsletter.schedule.deciding import NothingToSend, SlotDesk
from newsletter.schedule.delivering import Sender, make_send
from newsletter.schedule.looking import Looks, period_before
from newsletter.schedule.planning import load_calendar
from newsletter.schedule.policy import NO_ISSUE
from newsletter.schedule.telling import make_teller
from newsletter.store.database import read_clock
from newsletter.store.editions import load_edition


class Post:
    """A publication, opened for its ticks; close its app at the end. Each tick runs in one thread at a time."""

    def __init__(self, app: App, brake: Brake, clock: Callable[[], datetime] = read_clock) -> None:
        self.app = app
        self.brake = brake
        self.clock = clock
        self.noted: dict[str, datetime] = {}
        self.progress = threading.Event()
        self.owner = load_owner(secrets.token_hex(4))
        self.name = app.settings.publication.title
        self.calendar: Calendar = load_calendar(app.settings)
        self.teller = make_teller(app.settings)

    @cached_property
    def ledger(self) -> str:
        """Return a name for the publication's ledger that is fit for a file's."""
        return name_ledger(self.app.database)[:16]

    @cached_property
    def desk(self) -> SlotDesk:
        """Return what slots are decided with."""
        return SlotDesk(
            database=self.app.database,
            calendar=self.calendar,
            rules=self.app.settings.schedule,
            look=Looks(self.app, self.clock).look,
            publish=self._publish,
            teller=self.teller,
            owner=self.owner,
            is_dead=is_dead_owner,
            clock=self.clock,
        )

    @cached_property
    def sender(self) -> Sender:
        """Return what sends the publication's editions."""
        return Sender(self.app, self.teller, self.brake, self.clock, make_send(self.app, self.brake, self.clock))

    def _publish(self, key: SlotKey, witness: Witness) -> None:
        """Publish what a slot is for, and leave sending it to whoever delivers."""
        if key.kind is EditionKind.ISSUE:
            self._publish_issue(key, witness)
        else:
            self._publish_rollup(key, witness)

    def _publish_rollup(self, key: SlotKey, witness: Witness) -> None:
        period = period_before(key)
        open_transport(self.app.settings, os.environ, period.slug)  # a missing password is found now
        with self.app.database.read() as connection:
            stored = load_edition(connection, period.slug)
        if stored and stored.audience is not None:
            with self.app.database.transaction() as connection:
                witness(connection, stored.id)
            return
        made = commit_rollup(self.app, period, self.clock(), witness)
        if isinstance(made, str):
            raise NothingToSend(f"{made[0].upper()}{made[1:]}.")

    def _publish_issue(self, key: SlotKey, witness: Witness) -> None:
        files = list_issues_of(self.app.settings.issues.folder, key.day)
        if not files:
            raise NothingToSend(NO_ISSUE)
        publish_issue(
            self.app,
            str(files[0]),
            correct=False,
            another=False,
            progress=_say_nothing,
            witness=witness,
            send=False,
            clock=self.clock,
        )


def _say_nothing(_done: int, _total: int) -> None:
    """Show no progress: nobody watches."""
