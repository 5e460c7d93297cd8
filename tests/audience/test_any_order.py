"""Whatever readers, strangers and the operator do, in whatever order, nobody gets mail he hasn't asked for."""

from collections.abc import Callable
from datetime import datetime
from itertools import count

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from newsletter.audience.confirming import load_open_request
from newsletter.audience.joining import expire_requests
from newsletter.audience.leaving import unsubscribe
from newsletter.audience.moving import ask_to_move
from newsletter.audience.policy_joining import JoinAnswer, JoinStatus
from newsletter.audience.policy_preferences import Choices
from newsletter.audience.preferences import change_preferences
from newsletter.audience.privacy import erase_reader
from newsletter.mail.token import Purpose, make_token
from newsletter.model.delivery import DeliveryState, Reply, Settlement
from newsletter.model.notice import LetterKind
from newsletter.model.subscriber import NewSubscriber, Subscriber, SuppressionReason
from newsletter.store.bounces import suspend_reader
from newsletter.store.database import Database
from newsletter.store.deliveries import claim_deliveries, count_deliveries, list_deliveries, settle_deliveries
from newsletter.store.editions import list_editions
from newsletter.store.schema import metadata, subscribers
from newsletter.store.subscribers import add_subscribers, load_subscriber
from tests.audience.door import FORM, HOUR, KEY, NOW, OFFER, Door, make_reception, publish

ADDRESSES = ("ann@example.org", "bob@example.org", "cho@example.org")
COOLING = HOUR
SLUGS = count()

address = st.sampled_from(ADDRESSES)
ORDERS = st.one_of(
    st.tuples(st.just("join"), address),
    st.tuples(st.just("confirm"), st.integers(0, 9)),
    st.tuples(st.sampled_from(["leave", "erase", "complain", "bounce", "choose"]), address),
    st.tuples(st.just("move"), st.tuples(address, address)),
    st.tuples(st.sampled_from(["import", "publish", "send", "expire"]), st.just("")),
    st.tuples(st.just("wait"), st.integers(1, 400)),
)


class Village:
    """Three mailboxes, their owners, strangers and an operator; checks what must hold after each step."""

    def __init__(self, database: Database, *, double_opt_in: bool) -> None:
        reception = make_reception(double_opt_in=double_opt_in, per_address_per_week=1000, moves_per_day=100)
        self.door = Door(database, reception, NOW)
        self.links: list[tuple[str, str]] = []  # (address it was sent to, token), used or not
        self.asked: dict[str, datetime] = {}
        self.heard: dict[str, datetime] = {}
        self.went: dict[str, int] = {}
        self.agreed: dict[str, int] = {}
        self.complained: set[str] = set()
        self.steps = 0

    def step(self, word: str, what: object) -> None:
        self.steps += 1
        action: Callable[[object], None] = getattr(self, f"_{word}")
        action(what)
        self._collect()
        self._audit()

    def _find(self, address: str) -> Subscriber | None:
        return self.door.find(address)

    def _join(self, address: str) -> None:
        answer = self.door.join(address, client="192.0.2.1", name="Mallory")
        assert answer == JoinAnswer(JoinStatus.ACCEPTED)

    def _confirm(self, number: int) -> None:
        """The owner of a mailbox uses one of the links he got, an old one perhaps."""
        if not self.links:
            return
        address, token = self.links[number % len(self.links)]
        mover = self._find_mover(token)
        done = self.door.confirm(token)
        if done is not None and done.changed:
            assert address not in self.complained
            self.agreed[address] = self.steps
            assert self._find(address) == done.subscriber
            if mover is not None:
                self._out(mover.address)

    def _find_mover(self, token: str) -> Subscriber | None:
        request = load_open_request(self.door.database, self.door.reception, token, self.door.now)
        if request is None or request.request.subscriber_id is None:
            return None
        with self.door.database.read() as connection:
            return load_subscriber(connection, request.request.subscriber_id)

    def _out(self, address: str) -> None:
        self.went[address] = self.steps

    def _leave(self, address: str) -> None:
        reader = self._find(address)
        if reader is None:
            return
        before = reader.address
        left = unsubscribe(self.door.database, [KEY], self.door.link(Purpose.UNSUBSCRIBE, reader), FORM, self.door.now)
        assert left is not None
        self._out(before)

    def _erase(self, address: str) -> None:
        reader = self._find(address)
        if reader is not None and erase_reader(self.door.database, reader.id, FORM, self.door.now):
            self._out(address)
            with self.door.database.read() as connection:
                stored = [
                    str(tuple(row)) for table in metadata.sorted_tables for row in connection.execute(select(table))
                ]
            assert not [line for line in stored if address in line]

    def _complain(self, address: str) -> None:
        self._suspend(address, SuppressionReason.COMPLAINED)

    def _bounce(self, address: str) -> None:
        self._suspend(address, SuppressionReason.BOUNCED)

    def _suspend(self, address: str, reason: SuppressionReason) -> None:
        reader = self._find(address)
        if reader is None:
            return
        with self.door.database.transaction() as connection:
            suspend_reader(connection, reader, reason, self.door.now)
        self._out(address)
        if reason is SuppressionReason.COMPLAINED:
            self.complained.add(address)

    def _choose(self, address: str) -> None:
        reader = self._find(address)
        if reader is not None:
            choices = Choices(language="de", name="Name")
            change_preferences(self.door.database, OFFER, reader.id, choices, FORM, self.door.now)

    def _move(self, addresses: tuple[str, str]) -> None:
        reader = self._find(addresses[0])
        if reader is not None:
            answer = ask_to_move(self.door.database, self.door.reception, reader.id, addresses[1], FORM, self.door.now)
            assert answer.status is not JoinStatus.THROTTLED

    def _import(self, _nothing: object) -> None:
        with self.door.database.transaction() as connection:
            known = set(connection.execute(select(subscribers.c.address_key)).scalars())
            count = add_subscribers(connection, [NewSubscriber(address) for address in ADDRESSES], self.door.now)
        fresh = [address for address in ADDRESSES if address not in known and self._find(address) is not None]
        assert count.added == len(fresh)
        for address in fresh:  # the operator says so, of whom nobody knew
            assert address not in self.went
            self.agreed[address] = self.steps

    def _publish(self, _nothing: object) -> None:
        publish(self.door, f"issue-{next(SLUGS)}")

    def _send(self, _nothing: object) -> None:
        """Mail every edition, and look at who gets it."""
        with self.door.database.transaction() as connection:
            for line in list_editions(connection):
                rows = claim_deliveries(connection, line.id, "one", self.door.now + HOUR, self.door.now, 100)
                for row in rows:
                    self._check_wanted(row.address)
                taken = Reply(250, "2.0.0", "taken")
                done = [Settlement(row.id, DeliveryState.SENT, taken, 1, self.door.now) for row in rows]
                settle_deliveries(connection, "one", done)

    def _check_wanted(self, address: str) -> None:
        """An owner who went gets mail only once he has agreed again since."""
        assert address in ADDRESSES
        assert self.agreed[address] > self.went.get(address, 0)
        assert address not in self.complained

    def _expire(self, _nothing: object) -> None:
        expire_requests(self.door.database, self.door.now)

    def _wait(self, minutes: int) -> None:
        self.door.now += HOUR * minutes / 60

    def _collect(self) -> None:
        """Read the letters that were written; their owners keep the links."""
        for mail in self.door.mails():
            address = mail.address
            assert address not in self.complained
            if mail.kind is LetterKind.MOVED:
                continue  # it follows from what was confirmed, not from what a stranger typed
            last = self.heard.get(address)
            assert last is None or self.door.now - last >= COOLING
            self.heard[address] = self.door.now
            if mail.kind in (LetterKind.CONFIRM_JOIN, LetterKind.CONFIRM_MOVE):
                self.links.append((address, mail.token))
            elif mail.kind is LetterKind.WELCOME:
                assert address not in self.went
                self.agreed[address] = self.steps

    def list_active(self) -> list[str]:
        """Return whose mail goes on."""
        active = select(subscribers.c.address).where(subscribers.c.state == "active")
        with self.door.database.read() as connection:
            return sorted(connection.execute(active).scalars())

    def list_served(self) -> list[str]:
        """Return who was sent the latest edition."""
        with self.door.database.read() as connection:
            latest = max(line.id for line in list_editions(connection))
            rows = list_deliveries(connection, latest, DeliveryState.SENT)
        return sorted(row.address for row in rows)

    def _audit(self) -> None:
        with self.door.database.read() as connection:
            for line in list_editions(connection):
                assert count_deliveries(connection, line.id).holds


def empty(database: Database) -> None:
    with database.transaction() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())


ANN = "ann@example.org"


@settings(max_examples=25, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.booleans(), st.lists(ORDERS, max_size=20))
@example(
    True, [("join", "ann@example.org"), ("confirm", 0), ("publish", ""), ("leave", "ann@example.org"), ("send", "")]
)
@example(True, [("import", ""), ("erase", ANN), ("import", "")])
@example(True, [("import", ""), ("complain", ANN), ("erase", ANN), ("join", ANN)])
@example(False, [("import", ""), ("leave", ANN), ("join", ANN)])
@example(True, [("join", ANN), ("complain", ANN), ("wait", 61), ("join", ANN), ("confirm", 0)])
@example(
    True,
    [
        ("import", ""),
        ("move", ("ann@example.org", "bob@example.org")),
        ("erase", "bob@example.org"),
        ("wait", 61),
        ("move", ("ann@example.org", "bob@example.org")),
        ("publish", ""),
        ("confirm", 0),
        ("send", ""),
        ("import", ""),
        ("send", ""),
    ],
)
def test_nobody_gets_mail_that_he_has_not_asked_for(
    database: Database, double_opt_in: bool, orders: list[tuple[str, object]]
) -> None:
    empty(database)
    village = Village(database, double_opt_in=double_opt_in)
    for word, what in orders:
        village.step(word, what)
    village.step("publish", "")
    village.step("send", "")
    assert village.list_served() == village.list_active()


@pytest.mark.parametrize("edition_id", [0, 1, 2**31])
def test_a_link_of_every_age_ends_the_mail_of_its_reader(door: Door, edition_id: int) -> None:
    reader = door.admit("ann@example.org")
    token = make_token(KEY, Purpose.UNSUBSCRIBE, reader.id, edition_id)
    assert unsubscribe(door.database, [KEY], token, FORM, door.now) is not None
    with door.database.read() as connection:
        after = load_subscriber(connection, reader.id)
    assert after is not None
    assert after.left_at == door.now
