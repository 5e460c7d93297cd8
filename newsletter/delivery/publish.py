"""Sends an edition that is in the ledger, and test mails that aren't.

Owns the event loop, the signals that end a run gracefully, and which transport the settings mean. Time and chance enter
here. The ledger's commit instant is `store.editions.publish_edition`; all of this comes after it.
"""

import asyncio
import random
import secrets
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from newsletter.config import Settings
from newsletter.delivery.books import Ledger
from newsletter.delivery.brake import Brake
from newsletter.delivery.compose import Sign, make_compose, make_compose_all
from newsletter.delivery.desk import Desk, Tally
from newsletter.delivery.engine import Engine
from newsletter.delivery.exchange import Result
from newsletter.delivery.fence import Fence
from newsletter.delivery.journal import Journal, load_boot_id
from newsletter.delivery.lanes import Lane, Mail, Transport
from newsletter.delivery.meter import Meters
from newsletter.delivery.outbox import OutboxTransport
from newsletter.delivery.owner import is_dead_owner, load_owner
from newsletter.delivery.policy import Fault, Verdict, decide_outcome, describe_fault
from newsletter.delivery.recovery import name_ledger, recover
from newsletter.delivery.relay import open_relays
from newsletter.delivery.signers import open_signers
from newsletter.errors import TransportError
from newsletter.mail.address import normalise_address
from newsletter.mail.dkim import SigningKeys
from newsletter.model.delivery import Delivery, DeliveryState, Outcome
from newsletter.model.edition import Edition
from newsletter.store.database import Database
from newsletter.store.editions import StoredEdition
from newsletter.store.fences import open_ledger
from newsletter.store.paces import load_paces
from newsletter.store.variants import load_variant

TEST_PREFIX = "[Test] "

Progress = Callable[[Tally], None]

_COMMANDS_PER_MAIL = 12  # replies waited for at most: connect, TLS, login, a transaction, and all of it once more
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Keys:
    """What signs: `links` personal links and bounce addresses, `mail` the mail itself (DKIM), if anything does."""

    links: bytes
    mail: SigningKeys | None = None


def open_transport(
    settings: Settings, environ: Mapping[str, str], slug: str, meters: Meters | None = None
) -> Transport:
    """Return the relays, or the outbox when none is configured; nothing is connected yet. `meters` keep their limits.

    Raises UsageError or NewsletterError for a password that can't be found, TransportError for a bad `ca_file`.
    """
    if not settings.smtp.host:
        return OutboxTransport(settings.outbox.folder, slug)
    return open_relays(settings.smtp, environ, meters, adapt=settings.pace.adapt)


def make_meters(clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Meters:
    """Return what knows how fast mail may go, for a transport and the run that uses it."""
    return Meters(time.monotonic, clock)


def send_edition(
    database: Database,
    stored: StoredEdition,
    transport: Transport,
    keys: Keys,
    settings: Settings,
    on_progress: Progress,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    meters: Meters | None = None,
    brake: Brake | None = None,
    is_overtaken: Callable[[], bool] = lambda: False,
) -> Tally:
    """Send a published edition to everyone who is due now; returns when nobody is left who can be tried now.

    It returns, too, when `is_overtaken` and whoever is left only waits for the turn of his domain.

    What a dead sender left is settled first. SIGINT or SIGTERM ends it gracefully, and a second one at once; in a
    thread, `brake` does. Raises TransportError and StoreError (`delivery.engine`), ValueError for an edition that can't
    be a mail.
    """
    meters = meters or make_meters(clock)
    with database.read() as connection:
        meters.adopt(load_paces(connection))

    def load(number: int) -> Edition:
        with database.read() as connection:
            return load_variant(connection, stored.id, stored.edition, number)

    rules, boot = settings.delivery, load_boot_id()
    with closing(open_fence(database, rules.journal, stored.edition.slug)) as fence, _open_signers(keys.mail) as sign:
        compose = make_compose_all(stored.edition, stored.published_at, keys.links, keys.mail, load, sign)
        recovered = recover(database, rules.journal, boot, rules, clock(), is_dead_owner)
        owner = load_owner(secrets.token_hex(4))
        journal = Journal.create(rules.journal, owner, name_ledger(database), boot, rules.claim_ahead)
        lease = timedelta(seconds=2 * (_COMMANDS_PER_MAIL * settings.smtp.timeout + settings.smtp.data_timeout))
        desk = Desk(
            ledger=Ledger(database, journal, fence, stored.id, owner, lease, rules.claim_ahead, clock),
            transport=transport,
            rules=rules,
            compose=compose,
            jitter=lambda: random.uniform(0.8, 1.2),  # noqa: S311 - spreads load, protects nothing
            drain=timedelta(seconds=rules.drain_seconds),
            on_progress=on_progress,
            meters=meters,
            pace=settings.pace,
            is_overtaken=is_overtaken,
        )
        return _run(_send(desk, recovered, brake or Brake()))


@contextmanager
def _open_signers(keys: SigningKeys | None) -> Iterator[Sign]:
    if keys is None:
        yield list  # there is nothing to sign
        return
    with open_signers(keys.rsa.private) as signers:
        yield signers.sign


def open_fence(database: Database, folder: Path, slug: str) -> Fence:
    """Take an issue's place at the fence. Raises StoreError for a database that was restored and not compared."""
    with database.transaction() as connection:
        mark = open_ledger(connection, secrets.token_hex(16), secrets.token_hex(16))
    return Fence.open(folder, mark, slug)


async def _send(desk: Desk, recovered: int, brake: Brake) -> Tally:
    stop = asyncio.Event()
    engine = Engine(desk)
    engine.tally.recovered = recovered
    try:
        with _stop_on_signals(stop), brake.on(stop):
            return await engine.run(stop)
    finally:
        desk.ledger.journal.close(keep=not engine.settled)


def send_test(edition: Edition, address: str, transport: Transport, keys: Keys, now: datetime) -> Outcome:
    """Send one mail outside the ledger, marked as a test; its links name nobody.

    Raises AddressError for an address that is none, and TransportError when the relay bars us.
    """
    marked = replace(edition, subject=f"{TEST_PREFIX}{edition.subject}")
    wire = normalise_address(address).wire
    mail = make_compose(marked, now, keys.links, keys.mail)(Delivery(0, 0, 0, wire, "", DeliveryState.SENDING, 0, now))
    verdict = _run(_deliver_one(transport, mail))
    if isinstance(verdict, Fault):
        raise TransportError(describe_fault(verdict, transport.name, queued=False))
    return verdict


async def _deliver_one(transport: Transport, mail: Mail) -> Verdict:
    lane: Lane | Fault = await transport.open_lane()
    if isinstance(lane, Fault):
        return lane
    waiting, results = [mail], list[Result]()
    try:
        await lane.pump(
            lambda: waiting.pop() if waiting else None, lambda _mail: None, lambda _mail, result: results.append(result)
        )
    finally:
        await lane.close()
    return decide_outcome(results[0].reply, results[0].phase)


def _run(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Run in an event loop of our own: uvloop, which is about twice as fast, where it is installed."""
    make_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    with suppress(ImportError):
        from uvloop import new_event_loop

        make_loop = new_event_loop
    with asyncio.Runner(loop_factory=make_loop) as runner:
        return runner.run(work)


@contextmanager
def _stop_on_signals(stop: asyncio.Event) -> Iterator[None]:
    """Let the first SIGINT or SIGTERM set `stop`, and the second do what it did before."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may listen to signals; whoever started this thread does
        return
    loop = asyncio.get_running_loop()
    listening = (signal.SIGINT, signal.SIGTERM)

    def restore() -> None:
        for number in listening:
            loop.remove_signal_handler(number)

    def begin_to_stop() -> None:
        stop.set()
        restore()

    for number in listening:
        loop.add_signal_handler(number, begin_to_stop)
    try:
        yield
    finally:
        restore()
