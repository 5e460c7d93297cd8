"""Sends notices: claims one that is due, hands it to the transport, writes down what became of it, and takes the next.

**Guarantee.** A notice that was written down is sent, or fails for a reason that is kept; it outlives a crash at any
instant. **Limit.** One whose answer was never heard, or whose sender died before he could write it down, is sent again:
at most one for each sender that dies, and with the same Message-ID.
"""

import asyncio
import os
import random
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from newsletter.config import Settings
from newsletter.delivery.exchange import Prepared, Result, compose_commands
from newsletter.delivery.lanes import Lane, Mail, Transport
from newsletter.delivery.outbox import OutboxTransport, file_stem
from newsletter.delivery.owner import is_dead_owner, load_owner
from newsletter.delivery.policy import Fault, Phase, Verdict, decide_outcome, describe_fault
from newsletter.delivery.policy_notices import decide_notice, stops_run
from newsletter.delivery.publish import Keys, open_transport
from newsletter.mail.dkim import prepare_signing, sign_pieces
from newsletter.mail.message import compose_pieces
from newsletter.mail.notice import compose_return_address, encode_notice
from newsletter.model.delivery import Delivery, DeliveryState, Refused, Reply
from newsletter.model.edition import Sender
from newsletter.model.notice import Notice, NoticeSettlement, NoticeState
from newsletter.store.database import Database
from newsletter.store.notices import claim_notices, release_notices, settle_notices

FOLDER = "notices"
"""Where the outbox keeps them, beside the folders of editions."""

_COMMANDS_PER_MAIL = 12  # replies waited for at most (`delivery.publish`)


@dataclass(slots=True)
class NoticeTally:
    """What a run came to. `fault` says what is wrong between us and the relay, if it ended the run."""

    sent: int = 0
    deferred: int = 0
    failed: int = 0
    fault: str = ""

    def count(self, state: NoticeState) -> None:
        """Count a notice that was settled."""
        self.sent += state is NoticeState.SENT
        self.failed += state is NoticeState.FAILED
        self.deferred += state is NoticeState.QUEUED


@dataclass(frozen=True, slots=True)
class NoticeDesk:
    """What a run works with; notices in `without` wait on."""

    database: Database
    transport: Transport
    sender: Sender
    keys: Keys
    settings: Settings
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    jitter: Callable[[], float] = lambda: random.uniform(0.8, 1.2)  # noqa: S311 - spreads load, protects nothing
    should_stop: Callable[[], bool] = lambda: False
    without: Collection[int] = ()
    owner: str = field(default_factory=lambda: load_owner(secrets.token_hex(4)))


def open_notice_transport(settings: Settings, environ: Mapping[str, str] = os.environ) -> Transport:
    """Return the relays, or the outbox when none is configured. Raises as `delivery.publish.open_transport`."""
    if settings.smtp.host:
        return open_transport(settings, environ, FOLDER)
    return OutboxTransport(settings.outbox.folder, FOLDER, lambda row: f"{file_stem(row)}-{row.id}")


def deliver_notices(desk: NoticeDesk) -> NoticeTally:
    """Send every notice that is due now; returns when none is left, or the relay takes none from us.

    Each is settled before the next is begun. Raises StoreError, and TransportError where the outbox can't be written.
    """
    with desk.database.transaction() as connection:
        release_notices(connection, desk.clock(), is_dead_owner)
    return asyncio.run(_deliver(desk))


async def _deliver(desk: NoticeDesk) -> NoticeTally:
    tally, line = NoticeTally(), _Line(desk.transport)
    try:
        while not desk.should_stop() and (notice := await asyncio.to_thread(_claim, desk)) is not None:
            try:
                verdict = await _send(desk, line, notice)
            except BaseException:
                await asyncio.to_thread(_give_back, desk, notice)
                raise
            tally.count(await asyncio.to_thread(_settle, desk, notice, verdict))
            if isinstance(verdict, Fault) and stops_run(verdict):
                tally.fault = describe_fault(verdict, desk.transport.name)
                break
    finally:
        await line.close()
    return tally


class _Line:
    """One lane to the transport, opened when it is needed and again when it is worn out."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._lane: Lane | None = None

    async def hand_over(self, mail: Mail) -> Verdict:
        """Hand one mail over and return what came of it."""
        if self._lane is not None and not self._lane.usable:
            await self.close()
        if self._lane is None:
            opened = await self._transport.open_lane()
            if isinstance(opened, Fault):
                return opened
            self._lane = opened
        waiting, results = [mail], list[Result]()
        await self._lane.pump(
            lambda: waiting.pop() if waiting else None, lambda _mail: None, lambda _mail, result: results.append(result)
        )
        result = results[0] if results else Result(Phase.RCPT, Reply(0, "", "the connection ended"))
        return decide_outcome(result.reply, result.phase)

    async def close(self) -> None:
        """End the lane politely, if there is one."""
        if self._lane is not None:
            lane, self._lane = self._lane, None
            await lane.close()


async def _send(desk: NoticeDesk, line: _Line, notice: Notice) -> Verdict:
    try:
        mail = compose_notice_mail(notice, desk.sender, desk.keys)
    except ValueError as error:
        return Refused(Reply(0, "", f"it can't be a mail: {error}"))
    return await line.hand_over(mail)


def compose_notice_mail(notice: Notice, sender: Sender, keys: Keys) -> Mail:
    """Return a notice ready for the wire, signed if there are keys. Raises ValueError for one that can't be a mail."""
    frame, personal = encode_notice(notice, sender, keys.links)
    signing = prepare_signing(frame, keys.mail, notice.created_at) if keys.mail else None
    pieces = sign_pieces(signing, personal) if signing else compose_pieces(frame, personal)
    address = notice.notice.address
    row = Delivery(
        id=notice.id,
        edition_id=0,
        subscriber_id=notice.notice.subscriber_id or 0,
        address=address,
        name="",
        state=DeliveryState.SENDING,
        attempts=notice.attempts,
        queued_at=notice.created_at,
    )
    return_address = compose_return_address(notice, sender, keys.links)
    return Prepared(row, compose_commands(return_address, address, "" if address.isascii() else "SMTPUTF8"), pieces)


def _claim(desk: NoticeDesk) -> Notice | None:
    now, smtp = desk.clock(), desk.settings.smtp
    lease = timedelta(seconds=2 * (_COMMANDS_PER_MAIL * smtp.timeout + smtp.data_timeout))
    with desk.database.transaction() as connection:
        return next(iter(claim_notices(connection, desk.owner, now + lease, now, 1, desk.without)), None)


def _settle(desk: NoticeDesk, notice: Notice, verdict: Verdict) -> NoticeState:
    settlement = decide_notice(notice, verdict, desk.clock(), desk.settings.delivery, desk.jitter())
    with desk.database.transaction() as connection:
        settle_notices(connection, desk.owner, [settlement])
    return settlement.state


def _give_back(desk: NoticeDesk, notice: Notice) -> None:
    now = desk.clock()
    back = NoticeSettlement(notice.id, NoticeState.QUEUED, notice.attempts, now, next_attempt_at=now)
    with desk.database.transaction() as connection:
        settle_notices(connection, desk.owner, [back])
