"""Sends an edition that is in the ledger, and test mails that aren't.

Owns the event loop, the signals that end a run gracefully, and which transport the settings mean. Time and chance enter
here. The ledger's commit instant is `store.editions.publish_edition`; all of this comes after it.
"""

import asyncio
import random
import secrets
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from newsletter.config import Settings
from newsletter.delivery.outbox import OutboxTransport
from newsletter.delivery.owner import load_owner
from newsletter.delivery.policy import Fault, Verdict, describe_fault
from newsletter.delivery.transport import SmtpTransport, Transport
from newsletter.delivery.worker import Desk, Job, Progress, Tally, deliver_due
from newsletter.errors import TransportError
from newsletter.mail.address import normalise_address
from newsletter.mail.message import Envelope, compose_envelope, encode_edition
from newsletter.model.delivery import Outcome
from newsletter.model.edition import Edition
from newsletter.secret import load_password
from newsletter.store.database import Database
from newsletter.store.editions import StoredEdition

TEST_PREFIX = "[Test] "

_COMMANDS_PER_MAIL = 12  # replies waited for at most: connect, TLS, login, a transaction, and all of it once more
_Result = TypeVar("_Result")


def open_transport(settings: Settings, environ: Mapping[str, str]) -> Transport:
    """Return the relay, or the outbox when none is configured; nothing is connected yet.

    Raises UsageError or NewsletterError for a password that can't be found, TransportError for a bad `ca_file`.
    """
    if not settings.smtp.host:
        return OutboxTransport(settings.outbox.folder)
    return SmtpTransport(settings.smtp, load_password(settings.smtp, environ))


def send_edition(
    database: Database,
    stored: StoredEdition,
    transport: Transport,
    key: bytes,
    settings: Settings,
    on_progress: Progress,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Tally:
    """Send a published edition to everyone who is due now; returns when nobody is left who can be tried now.

    SIGINT or SIGTERM ends it gracefully, and a second one at once. Closes the transport. Raises TransportError and
    StoreError (`delivery.worker`), ValueError for an edition that can't be a mail.
    """
    job = Job(stored.id, encode_edition(stored.edition, stored.published_at), key)
    desk = Desk(
        database=database,
        transport=transport,
        rules=settings.delivery,
        owner=load_owner(secrets.token_hex(4)),
        lease=timedelta(seconds=2 * (_COMMANDS_PER_MAIL * settings.smtp.timeout + settings.smtp.data_timeout)),
        clock=clock,
        jitter=lambda: random.uniform(0.8, 1.2),  # noqa: S311 - spreads load, protects nothing
    )
    return _run(_deliver_until_stopped(desk, job, on_progress))


def send_test(edition: Edition, address: str, transport: Transport, key: bytes, now: datetime) -> Outcome:
    """Send one mail outside the ledger, marked as a test; its links name nobody. Closes the transport.

    Raises AddressError for an address that is none, and TransportError when the relay bars us.
    """
    marked = replace(edition, subject=f"{TEST_PREFIX}{edition.subject}")
    wire = normalise_address(address).wire
    envelope = compose_envelope(encode_edition(marked, now), key, edition_id=0, subscriber_id=0, address=wire, name="")
    # In the outbox a test has a folder of its own: it must not take the place of a reader's mail.
    verdict = _run(_deliver_one(transport, replace(envelope, slug=f"{edition.slug}-test")))
    if isinstance(verdict, Fault):
        raise TransportError(describe_fault(verdict, transport.name))
    return verdict


async def _deliver_one(transport: Transport, envelope: Envelope) -> Verdict:
    try:
        return await transport.deliver(envelope)
    finally:
        await transport.close()


async def _deliver_until_stopped(desk: Desk, job: Job, on_progress: Progress) -> Tally:
    stop = asyncio.Event()
    try:
        with _stop_on_signals(stop):
            return await deliver_due(desk, job, stop, on_progress)
    finally:
        await desk.transport.close()


def _run(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Run in an event loop of our own: uvloop, which is about twice as fast, where it is installed."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        with asyncio.Runner() as runner:
            return runner.run(work)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
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
