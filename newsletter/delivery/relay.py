"""The relay: opens connections to it, secured and logged in, and wears each one out before the next.

Owns what stands in the way of a connection, told as a Fault in the server's words, and how much the relay gets: a lane
without tokens waits for them. Refuses to go on without TLS where it is asked for: neither password nor mail is sent.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from time import monotonic
from typing import Final

import aiosmtplib

from newsletter.config import Smtp
from newsletter.delivery.exchange import Result
from newsletter.delivery.lanes import Lane, Mail, Transport
from newsletter.delivery.meter import Meter, Meters, make_limits
from newsletter.delivery.pace import is_complaint
from newsletter.delivery.policy import TOO_LARGE, Fault, Phase, parse_reply
from newsletter.delivery.relays import NO_SMTPUTF8, Relays
from newsletter.delivery.wire import Wire
from newsletter.errors import TransportError
from newsletter.model.delivery import Reply
from newsletter.secret import load_password

_QUIT_TIMEOUT: Final = 5.0
_PULSE: Final = 0.01  # seconds that a lane waits at the least
_CLOSING: Final = 421
_DIGITS: Final = 20  # of a size, at the most (RFC 1870)
_SMTPUTF8: Final = b" SMTPUTF8\r\n"


class RelayPace:
    """What all connections to a relay together may hand over, and what it bears. `meter` None: as much as goes."""

    def __init__(
        self, meter: Meter | None = None, *, adapt: bool = True, clock: Callable[[], float] = monotonic
    ) -> None:
        self._meter = meter
        self._adapt = adapt and meter is not None
        self._clock = clock
        self._answers = self._told = 0  # answers since then, and how many of them the meter knows
        self._since = clock()

    @property
    def open(self) -> bool:
        """Return whether a mail may be handed over now."""
        return self._meter is None or not self._meter.limited or not self._meter.wait(self._clock())

    def take(self) -> None:
        """Count a mail that is handed over."""
        if self._meter is not None and self._meter.limited:
            self._meter.take(self._clock())

    async def wait(self, stopped: asyncio.Event) -> None:
        """Wait until a mail may be handed over, or `stopped`."""
        while self._meter is not None and not stopped.is_set():
            needed = self._meter.wait(self._clock())
            if not needed:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(max(needed, _PULSE)):
                    await stopped.wait()

    def note(self, result: Result) -> None:
        """Slow down when the relay itself puts mail off: a 4xx to MAIL, which names no reader yet.

        A 421 is about one connection, such as one that has carried enough.
        """
        self._answers += 1
        if self._meter is None or not self._adapt:
            return
        reply = result.reply
        if result.phase is Phase.MAIL and reply.code != _CLOSING and is_complaint(reply):
            now = self._clock()
            if self._meter.bearing is None:
                self._meter.remember(self._answers - self._told - 1)
            self._told = self._answers
            self._meter.complain(now, lambda: self._answers / max(1.0, now - self._since))
        elif self._meter.bearing is not None and reply.code:
            self._meter.note(self._clock(), accepted=reply.code < 400)


class RelayTransport:
    """Connections to one relay."""

    def __init__(self, smtp: Smtp, password: str, pace: RelayPace | None = None) -> None:
        self.name = f"{smtp.host}:{smtp.port}"
        self.width = smtp.connections
        self._smtp = smtp
        self._password = password
        self._context = _make_tls_context(smtp)
        self._pace = pace or RelayPace()

    async def open_lane(self) -> Lane | Fault:
        """Connect, secure, log in; return a lane, or what stood in the way."""
        smtp, phase = self._smtp, Phase.GREETING
        wire = self._make_wire()
        try:
            await wire.connect()
            phase = Phase.EHLO
            await _greet(wire, smtp)
            if smtp.tls == "starttls":
                phase = Phase.TLS
                await _secure(wire)
            if smtp.user:
                phase = Phase.AUTH
                await wire.login(smtp.user, self._password)
            return _RelayLane(wire, smtp, self._pace)
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            wire.close()
            return Fault(_reply_of(error), Phase.TLS if _is_tls(error) else phase)
        except BaseException:
            wire.close()
            raise

    def _make_wire(self) -> Wire:
        smtp = self._smtp
        return Wire(
            hostname=smtp.host,
            port=smtp.port,
            # STARTTLS is said below, step by step, so that it can be told which step failed.
            tls="implicit" if smtp.tls == "implicit" else "none",
            tls_context=self._context,
            local_hostname=smtp.local_name or None,
            timeout=smtp.timeout,
            data_timeout=smtp.data_timeout,
            window=smtp.window,
        )


class _RelayLane:
    """One connection; it is worn out after its share of messages or its time."""

    def __init__(self, wire: Wire, smtp: Smtp, pace: RelayPace) -> None:
        self._wire = wire
        self._pace = pace
        self._stopped = asyncio.Event()
        self._left = smtp.messages_per_connection
        self._until = monotonic() + smtp.connection_minutes * 60
        self._largest = _read_size(wire)

    @property
    def usable(self) -> bool:
        """Return whether more mail may be pumped here."""
        return self._wire.is_connected and not self._worn

    @property
    def _worn(self) -> bool:
        return self._left <= 0 or monotonic() >= self._until

    async def pump(
        self,
        next_mail: Callable[[], Mail | None],
        before_body: Callable[[Mail], None],
        on_result: Callable[[Mail, Result], None],
    ) -> None:
        """Hand over mails (`delivery.lanes`), as many as the relay may have; wait for its tokens."""
        starved = True

        def take_one() -> Mail | None:
            nonlocal starved
            if self._worn:
                return None
            if not self._pace.open:
                starved = True
                return None
            mail = next_mail()
            while mail is not None and (refusal := self._refuse(mail)) is not None:
                on_result(mail, refusal)
                mail = next_mail()
            if mail is not None:
                self._left -= 1
                self._pace.take()
            return mail

        def hear(mail: Mail, result: Result) -> None:
            self._pace.note(result)
            on_result(mail, result)

        while starved and self.usable and not self._stopped.is_set():
            await self._pace.wait(self._stopped)
            starved = False
            try:
                await self._wire.pump(take_one, before_body, hear)
            except aiosmtplib.SMTPException:
                self._wire.close()  # the server closed it while it was idle: nothing was asked for yet

    def _refuse(self, mail: Mail) -> Result | None:
        """Return why there is no use in asking the relay to take a mail, by what it said in its EHLO."""
        if _SMTPUTF8 in mail.envelope and not self._wire.supports_extension("smtputf8"):
            return NO_SMTPUTF8
        if self._largest and (size := sum(map(len, mail.body))) > self._largest:
            text = f"the mail has {size:,} bytes, and the relay takes no more than {self._largest:,}"
            return Result(Phase.MAIL, Reply(552, TOO_LARGE, text))
        return None

    def stop(self) -> None:
        """Begin no further mail."""
        self._stopped.set()
        self._wire.stop()

    async def close(self) -> None:
        """Say QUIT and close."""
        if self._wire.is_connected:
            with suppress(aiosmtplib.SMTPException, OSError):
                await self._wire.quit(timeout=_QUIT_TIMEOUT)
        self._wire.close()


def open_relays(
    smtp: Smtp, environ: Mapping[str, str], meters: Meters | None = None, *, adapt: bool = True
) -> Transport:
    """Return the configured relay, or all of them as one; nothing is connected yet.

    Their limits are kept by `meters`; without it there are none. Raises UsageError or NewsletterError for a password
    that can't be found, TransportError for a bad `ca_file`.
    """
    opened: list[tuple[Transport, int]] = []
    for number, relay in enumerate(list_relays(smtp), 1):
        password = load_password(relay, environ, number)
        pace = RelayPace()
        if meters is not None:
            limits = make_limits(relay.per_second, relay.per_hour, relay.per_day)
            pace = RelayPace(meters.find(f"relay:{relay.host}:{relay.port}", limits), adapt=adapt, clock=meters.clock)
        opened.append((RelayTransport(relay, password, pace), relay.weight))
    return opened[0][0] if len(opened) == 1 else Relays(opened)


def list_relays(smtp: Smtp) -> list[Smtp]:
    """Return the settings of each relay; what an entry of `relays` doesn't name it shares with the first."""
    first = smtp.model_copy(update={"relays": ()})
    return [first, *(first.model_copy(update=dict(relay)) for relay in smtp.relays)]


async def _greet(wire: Wire, smtp: Smtp) -> None:
    """Say EHLO, or HELO to a server that knows nothing newer, if nothing newer is needed."""
    try:
        await wire.ehlo()
    except aiosmtplib.SMTPHeloError as error:
        if error.code < 500 or smtp.tls == "starttls" or smtp.user or not wire.is_connected:
            raise
        await wire.helo()


async def _secure(wire: Wire) -> None:
    if not wire.supports_extension("starttls"):
        raise aiosmtplib.SMTPNotSupported("it offers no STARTTLS, so neither password nor mail was sent")
    await wire.starttls()
    await wire.ehlo()  # RFC 3207 section 4.2: what was said before TLS counts no more


def _read_size(wire: Wire) -> int:
    """Return the most bytes that the relay says a mail may have, or 0 when it sets or tells no limit (RFC 1870)."""
    stated = wire.esmtp_extensions.get("size", "").strip()
    return int(stated) if stated.isascii() and stated.isdigit() and len(stated) <= _DIGITS else 0


def _is_tls(error: BaseException) -> bool:
    return isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError)


def _reply_of(error: Exception) -> Reply:
    """Return the reply an exception stands for; code 0 for one that never came or made no sense."""
    if isinstance(error, aiosmtplib.SMTPResponseException) and error.code > 0:
        return parse_reply(error.code, error.message)
    message = error.message if isinstance(error, aiosmtplib.SMTPException) else str(error)
    return parse_reply(0, str(message) or type(error).__name__)


def _make_tls_context(smtp: Smtp) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=smtp.ca_file)
    except OSError as error:  # an SSLError is one, too
        reason = "holds no PEM certificate" if isinstance(error, ssl.SSLError) else f"can't be read: {error.strerror}"
        raise TransportError(f"{smtp.ca_file}: smtp.ca_file {reason}. No mail was sent.") from None
