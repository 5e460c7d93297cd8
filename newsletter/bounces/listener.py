"""Mail for the bounce domain by LMTP (RFC 2033) or SMTP, straight from its MX.

Owns which recipients are ours and the promise behind a 250: the mail is in the ledger. Many mails that come at the same
time are taken in by one transaction. Refuses to relay: mail for anybody else is turned away at RCPT. The only importer
of aiosmtpd.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

from newsletter.bounces.intake import Desk, Incoming, Taken, take_mails
from newsletter.errors import NewsletterError
from newsletter.mail.reports.limits import LIMITS
from newsletter.mail.verp import PREFIXES
from newsletter.model.verdict import Way

_AT_ONCE: Final = 100
_TIMEOUT: Final = 300.0
_LATER: Final = "451 4.3.0 not now, try again later"
_logger = logging.getLogger(__name__)

IsOurs = Callable[[str], bool]
"""Whether an envelope recipient is one of our return addresses, or the one that takes unsubscribe requests."""


def make_recipient_check(bounce_domain: str, unsubscribe_address: str) -> IsOurs:
    """Return what knows our addresses: return addresses in the bounce domain, and the one that ends mail."""
    domain, leave = bounce_domain.lower(), unsubscribe_address.lower()

    def is_ours(address: str) -> bool:
        folded = address.lower()
        local, _, host = folded.rpartition("@")
        return folded == leave or (host == domain and local.startswith(PREFIXES))

    return is_ours


class Intake:
    """Takes mails in together, as many as wait; `run` it beside the server, and `stop` it at the end."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._thread = ThreadPoolExecutor(1, "intake")  # of its own: other work must not keep a mail waiting
        self._waiting: asyncio.Queue[tuple[Incoming, asyncio.Future[Taken]] | None] = asyncio.Queue(_AT_ONCE * 4)

    async def take(self, mail: Incoming) -> Taken:
        """Return what became of a mail, once the ledger has it. Raises what the ledger raises."""
        future: asyncio.Future[Taken] = asyncio.get_running_loop().create_future()
        await self._waiting.put((mail, future))
        return await future

    async def run(self) -> None:
        """Take in what comes until stopped."""
        try:
            await self._work()
        finally:
            self._thread.shutdown(wait=False)

    async def _work(self) -> None:
        while first := await self._waiting.get():
            batch = [first]
            ends = False
            while len(batch) < _AT_ONCE and not self._waiting.empty() and not ends:
                following = self._waiting.get_nowait()
                ends = following is None
                batch += [following] if following else []
            await self._take(batch)
            if ends:
                return

    async def stop(self) -> None:
        """Take in what waits, and end."""
        await self._waiting.put(None)

    async def _take(self, batch: list[tuple[Incoming, asyncio.Future[Taken]]]) -> None:
        try:
            mails = [mail for mail, _ in batch]
            taken = await asyncio.get_running_loop().run_in_executor(self._thread, take_mails, self._desk, mails)
        except Exception as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), result in zip(batch, taken, strict=True):
            if not future.done():
                future.set_result(result)


class Handler:
    """What aiosmtpd asks."""

    def __init__(self, intake: Intake, is_ours: IsOurs) -> None:
        self._intake = intake
        self._is_ours = is_ours

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take our own addresses only; one mail has one of them."""
        if not self._is_ours(address):
            return "550 5.1.1 no such address here"
        if envelope.rcpt_tos:
            return "452 4.5.3 one recipient at a time"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - same
        """Say 250 once the ledger has the mail."""
        raw = envelope.original_content or b""
        try:
            await self._intake.take(Incoming(raw, Way.LMTP, envelope.rcpt_tos[0]))
        except Exception as error:  # whatever it is, the mail must not get lost by it
            _logger.warning("a bounce could not be taken in: %s", error)
            return _LATER
        return "250 2.0.0 taken in"


async def listen(desk: Desk, is_ours: IsOurs, address: str, protocol: str, stop: asyncio.Event) -> None:
    """Take mail at HOST:PORT until `stop`; what is being taken in then is finished.

    Raises NewsletterError if the address can't be used.
    """
    intake = Intake(desk)
    host, _, port = address.rpartition(":")
    try:
        server = await asyncio.get_running_loop().create_server(
            lambda: _make_protocol(protocol, Handler(intake, is_ours)), host.strip("[]"), int(port)
        )
    except OSError as error:
        raise NewsletterError(f"bounces.listen: {address} can't be used: {error.strerror}.") from None
    running = asyncio.create_task(intake.run())
    try:
        await stop.wait()
    finally:
        server.close()
        await intake.stop()
        await running


def _make_protocol(protocol: str, handler: Handler) -> SMTP:
    options: dict[str, Any] = {
        "data_size_limit": LIMITS.size * 10,
        "timeout": _TIMEOUT,
        "ident": "newsletter",
        "enable_SMTPUTF8": True,
    }
    return LMTP(handler, **options) if protocol == "lmtp" else SMTP(handler, **options)
