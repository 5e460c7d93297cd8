"""Whatever is done to an edition, in whatever order, every reader stays accounted for exactly once."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from newsletter.errors import NewsletterError
from newsletter.model.control import Control, ControlChange, ControlState
from newsletter.model.delivery import Delivery, DeliveryState, Reply, Settlement
from newsletter.store.controls import (
    accept_unknown,
    cancel_edition,
    halt_edition,
    load_control,
    pause_edition,
    resend_unknown,
    resume_edition,
)
from newsletter.store.database import Database
from newsletter.store.deliveries import (
    claim_deliveries,
    count_deliveries,
    list_deliveries,
    postpone_deliveries,
    recover_deliveries,
    release_deliveries,
    settle_deliveries,
)
from newsletter.store.editions import StoredEdition
from newsletter.store.subscribers import mark_left

Publish = Callable[..., StoredEdition]
MINUTE = timedelta(minutes=1)
OK = Reply(250, "2.0.0", "taken")

ORDERS = st.one_of(
    st.sampled_from(["pause", "resume", "cancel", "halt", "recover", "crash", "resend", "accept"]).map(
        lambda word: (word, 0)
    ),
    st.tuples(st.just("claim"), st.integers(1, 4)),
    st.tuples(st.sampled_from(["sent", "deferred", "failed", "unknown", "release", "postpone"]), st.integers(1, 3)),
    st.tuples(st.just("leave"), st.integers(0, 5)),
)
CONTROLS: dict[str, Callable[..., ControlChange]] = {
    "pause": pause_edition,
    "resume": resume_edition,
    "cancel": cancel_edition,
}
SLUGS = count()
FINAL = {"sent", "failed", "cancelled"}


class Run:
    """An edition to six readers, and a sender that does what it is told; checks what must hold after each step."""

    def __init__(self, database: Database, edition_id: int, now: datetime) -> None:
        self.database, self.edition_id, self.now = database, edition_id, now
        self.held: list[Delivery] = []
        self.rows = self._load()

    def step(self, word: str, number: int) -> None:
        before = self._control()
        with self.database.transaction() as connection:
            try:
                self._do(word, number, connection)
            except NewsletterError:
                assert before.state is ControlState.CANCELLED or not self._open()
        self.now += MINUTE
        self._check(before, word)

    def _do(self, word: str, number: int, connection: Connection) -> None:
        taken, now, key = self.held[:number], self.now, self.edition_id
        if word in CONTROLS:
            CONTROLS[word](connection, key, now)
        elif word == "halt":
            halt_edition(connection, key, now, "trouble")
        elif word == "claim":
            self.held += claim_deliveries(connection, key, "one", now + 99 * MINUTE, now, number)
        elif word == "release":
            assert release_deliveries(connection, "one", [row.id for row in taken]) == len(taken)
            self.held = self.held[number:]
        elif word == "postpone":
            assert postpone_deliveries(connection, "one", [(row.id, now) for row in taken]) == len(taken)
            self.held = self.held[number:]
        elif word in ("recover", "crash"):
            landing = DeliveryState.QUEUED if word == "recover" else DeliveryState.UNKNOWN
            recover_deliveries(connection, now, lambda _: True, landing)
            self.held = []
        elif word in ("resend", "accept"):
            (resend_unknown if word == "resend" else accept_unknown)(connection, key, now)
        elif word == "leave":
            mark_left(connection, f"reader{number}@example.org", now)
        else:
            again = now if word == "deferred" else None
            answers = [Settlement(row.id, DeliveryState(word), OK, 1, now, again) for row in taken]
            assert settle_deliveries(connection, "one", answers) == []
            self.held = self.held[number:]

    def _check(self, before: Control, word: str) -> None:
        control, rows = self._control(), self._load()
        with self.database.read() as connection:
            assert count_deliveries(connection, self.edition_id).holds
        for key, state in self.rows.items():
            assert state not in FINAL or rows[key] == state
            assert state != "unknown" or rows[key] == state or word in ("resend", "accept")
            assert before.runs or rows[key] != "sending" or state == "sending"
        assert {row.id for row in self.held} == {key for key, state in rows.items() if state == "sending"}
        if before.state is ControlState.CANCELLED:
            assert control == before
        if control.state is ControlState.CANCELLED:
            assert not {"queued", "deferred"} & set(rows.values())
        self.rows = rows

    def _open(self) -> bool:
        return bool({"queued", "deferred", "sending"} & set(self.rows.values()))

    def _control(self) -> Control:
        with self.database.read() as connection:
            return load_control(connection, self.edition_id)

    def _load(self) -> dict[int, str]:
        with self.database.read() as connection:
            return {row.id: str(row.state) for row in list_deliveries(connection, self.edition_id)}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(orders=st.lists(ORDERS, max_size=25))
def test_any_order_of_events_keeps_every_reader_accounted_for(
    database: Database, now: datetime, publish: Publish, orders: list[tuple[str, int]]
) -> None:
    for number in range(6):
        with database.transaction() as connection:
            _bring_back(connection, number)
    run = Run(database, publish(6, slug=f"edition-{next(SLUGS)}").id, now)
    for word, number in orders:
        run.step(word, number)
    assert len(run.rows) == 6, "each step holds the rows against what it may have done"


def _bring_back(connection: Connection, number: int) -> None:
    words = "UPDATE subscribers SET state = 'active', left_at = NULL WHERE address = :address"
    connection.execute(text(words), {"address": f"reader{number}@example.org"})
    connection.execute(text("DELETE FROM suppressions"))
