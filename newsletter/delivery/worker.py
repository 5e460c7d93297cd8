"""The worker: takes deliveries out of the ledger, hands them over, and writes down what came of it.

Owns the order of claim, compose, send, decide, settle, and what happens when it is stopped or the relay bars us.
Decides nothing about replies (`delivery.policy`) and knows no SQL (`store.deliveries`).

Guarantee: a delivery is on the wire only while it is claimed, so nobody is mailed twice by two workers or two runs.
Limit: one commit settles a batch and claims the next, and a batch is as wide as the transport; a process killed at any
instant leaves at most that many `unknown`.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from newsletter import config
from newsletter.delivery.owner import is_dead_owner
from newsletter.delivery.policy import Fault, Verdict, decide_batch, decide_settlement, describe_fault
from newsletter.delivery.transport import Transport
from newsletter.errors import TransportError
from newsletter.mail.message import Frame, compose_envelope
from newsletter.model.delivery import Delivery, DeliveryState, Refused, Reply, Settlement, Unknown
from newsletter.store.database import Database
from newsletter.store.deliveries import (
    claim_deliveries,
    recover_deliveries,
    release_deliveries,
    settle_deliveries,
)


@dataclass(frozen=True, slots=True)
class Job:
    """An edition to deliver: its frame, and the key that signs its readers' links."""

    edition_id: int
    frame: Frame
    key: bytes


@dataclass(frozen=True, slots=True)
class Desk:
    """What a worker works with. `lease` must outlast the slowest batch; `jitter` returns a factor of about 1."""

    database: Database
    transport: Transport
    rules: config.Delivery
    owner: str
    lease: timedelta
    clock: Callable[[], datetime]
    jitter: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Tally:
    """What one run did. `recovered` were left by a dead worker; `stopped` says that it was asked to end early."""

    sent: int = 0
    deferred: int = 0
    failed: int = 0
    unknown: int = 0
    recovered: int = 0
    stopped: bool = False

    @property
    def done(self) -> int:
        """Return how many tries this run finished."""
        return self.sent + self.deferred + self.failed + self.unknown


Progress = Callable[[Tally], None]


@dataclass(frozen=True, slots=True)
class _Turn:
    """What one batch came to: what to write down, what to give back, and why to stop."""

    settlements: Sequence[Settlement] = ()
    returned: Sequence[int] = ()
    error: Exception | None = None


async def deliver_due(desk: Desk, job: Job, stop: asyncio.Event, on_progress: Progress) -> Tally:
    """Deliver an edition to everyone who is due now, and return what came of it.

    Deferred deliveries that aren't due yet are left. `stop` ends it gracefully: nothing new is begun, what is on the
    wire is waited for, the rest is given back. Raises TransportError when the relay bars us, StoreError when the
    ledger does.
    """
    tally = Tally(recovered=await asyncio.to_thread(_recover, desk))
    turn = _Turn()
    while True:
        going_on = turn.error is None and not stop.is_set()
        batch, lost = await asyncio.to_thread(_settle_and_claim, desk, job, turn, desk.transport.width * going_on)
        tally = _count(tally, [settlement for settlement in turn.settlements if settlement not in lost])
        on_progress(tally)
        if turn.error is not None:
            raise turn.error
        if not batch:
            return replace(tally, stopped=stop.is_set())
        turn = await _send(desk, job, batch, stop)


def _recover(desk: Desk) -> int:
    with desk.database.transaction() as connection:
        return recover_deliveries(connection, desk.clock(), is_dead_owner, desk.transport.landing)


def _settle_and_claim(desk: Desk, job: Job, turn: _Turn, limit: int) -> tuple[list[Delivery], list[Settlement]]:
    """Write one batch down and claim the next, in one transaction.

    Also returns the settlements of rows that were taken from us because our lease was over.
    """
    now = desk.clock()
    with desk.database.transaction() as connection:
        lost = settle_deliveries(connection, desk.owner, turn.settlements)
        release_deliveries(connection, desk.owner, turn.returned)
        if not limit:
            return [], lost
        return claim_deliveries(connection, job.edition_id, desk.owner, now + desk.lease, now, limit), lost


async def _send(desk: Desk, job: Job, batch: Sequence[Delivery], stop: asyncio.Event) -> _Turn:
    """Send a batch at the same time; every delivery ends up settled or returned, whatever happens."""
    if stop.is_set():
        return _Turn(returned=[delivery.id for delivery in batch])
    results = await asyncio.gather(*(_deliver(desk, job, delivery) for delivery in batch), return_exceptions=True)
    return _decide_turn(desk, batch, results)


async def _deliver(desk: Desk, job: Job, delivery: Delivery) -> Verdict:
    try:
        envelope = compose_envelope(
            job.frame,
            job.key,
            edition_id=delivery.edition_id,
            subscriber_id=delivery.subscriber_id,
            address=delivery.address,
            name=delivery.name,
        )
    except ValueError as error:
        return Refused(Reply(0, "", str(error)))
    return await desk.transport.deliver(envelope)


def _decide_turn(desk: Desk, batch: Sequence[Delivery], results: Sequence[Verdict | BaseException]) -> _Turn:
    settlements: list[Settlement] = []
    returned: list[int] = []
    errors: list[Exception] = []
    now = desk.clock()
    for delivery, result in zip(batch, _decide_results(results), strict=True):
        if isinstance(result, TransportError):
            errors.append(result)
            returned.append(delivery.id)
        elif isinstance(result, Fault):
            errors.append(TransportError(describe_fault(result, desk.transport.name)))
            returned.append(delivery.id)
        elif isinstance(result, Exception):  # a mistake of ours; nobody knows how far the mail came
            errors.insert(0, result)
            outcome = Unknown(Reply(0, "", f"{type(result).__name__}: {result}"))
            settlements.append(decide_settlement(delivery, outcome, now, desk.rules, 1.0))
        elif isinstance(result, BaseException):
            raise result
        else:
            settlements.append(decide_settlement(delivery, result, now, desk.rules, desk.jitter()))
    return _Turn(settlements, returned, errors[0] if errors else None)


def _decide_results(results: Sequence[Verdict | BaseException]) -> list[Verdict | BaseException]:
    """Judge a batch's verdicts together and leave exceptions where they are."""
    judged = iter(decide_batch([result for result in results if not isinstance(result, BaseException)]))
    return [result if isinstance(result, BaseException) else next(judged) for result in results]


def _count(tally: Tally, settlements: Sequence[Settlement]) -> Tally:
    states = Counter(settlement.state for settlement in settlements)
    return replace(
        tally,
        sent=tally.sent + states[DeliveryState.SENT],
        deferred=tally.deferred + states[DeliveryState.DEFERRED],
        failed=tally.failed + states[DeliveryState.FAILED],
        unknown=tally.unknown + states[DeliveryState.UNKNOWN],
    )
