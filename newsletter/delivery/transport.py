"""Hands mail to the relay: one transaction on one connection, and a pool of connections.

The only importer of aiosmtplib. Owns the phases of SMTP (RFC 5321), TLS and logging in. Refuses to go on without TLS
where it is asked for: neither password nor mail is sent. What the replies mean is decided in `delivery.policy`.

The seam: `open_connection` and `Connection.deliver` are all that knows the wire; the pool only lends connections.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Protocol, cast

import aiosmtplib

from newsletter.config import Smtp
from newsletter.delivery.policy import Fault, Phase, Verdict, decide_outcome, parse_reply
from newsletter.errors import TransportError
from newsletter.mail.message import Envelope
from newsletter.model.delivery import Deferred, DeliveryState, Refused, Reply

_CLOSING = 421
_QUIT_TIMEOUT = 5.0
_FLUSH_INTERVAL = 0.01


class Transport(Protocol):
    """Where mail goes: a relay, or the outbox.

    `name` is for messages. `landing` is what becomes of a mail whose sender died: UNKNOWN, or QUEUED if sending it
    again can't repeat it. `width` is how many mails are worth handing over at once; it may shrink.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def landing(self) -> DeliveryState: ...  # noqa: D102
    @property
    def width(self) -> int: ...  # noqa: D102

    async def deliver(self, envelope: Envelope) -> Verdict:
        """Hand over one mail and say what came of it; raise TransportError when there is no reply to judge."""

    async def close(self) -> None:
        """End politely what is open."""


class Connection:
    """One open connection, ready for mail; not for two mails at once."""

    def __init__(self, client: aiosmtplib.SMTP, data_timeout: float) -> None:
        self.sent = 0
        self._client = client
        self._data_timeout = data_timeout

    @property
    def usable(self) -> bool:
        """Return whether another mail may be tried here."""
        return self._client.is_connected

    async def deliver(self, envelope: Envelope) -> Verdict:
        """Run one transaction; whatever fails without a reply closes the connection, whose state nobody knows then."""
        self.sent += 1
        if envelope.needs_smtputf8 and not self._client.supports_extension("smtputf8"):
            return Refused(Reply(0, "5.6.7", "the address isn't ASCII, and the relay doesn't offer SMTPUTF8"))
        phase = Phase.MAIL
        try:
            for phase, command in self._commands(envelope):
                reply = parse_reply(*await self._client.execute_command(*command))
                if reply.code // 100 != (3 if phase is Phase.DATA else 2):
                    return await self._give_up(reply, phase)
            await self._write_body(envelope.message)
            self._write(b".\r\n")
            phase = Phase.DOT
            return decide_outcome(await self._read_last_reply(), phase)
        except (aiosmtplib.SMTPException, OSError) as error:
            self.abort()
            return decide_outcome(_reply_of(error), phase)
        except BaseException:
            self.abort()
            raise

    def _commands(self, envelope: Envelope) -> Iterator[tuple[Phase, tuple[bytes, ...]]]:
        options = [b"SIZE=%d" % len(envelope.message)] if self._client.supports_extension("size") else []
        if envelope.needs_smtputf8:
            options += [b"BODY=8BITMIME", b"SMTPUTF8"]
        yield Phase.MAIL, (b"MAIL", b"FROM:<%b>" % envelope.sender.encode(), *options)
        yield Phase.RCPT, (b"RCPT", b"TO:<%b>" % envelope.recipient.encode())
        yield Phase.DATA, (b"DATA",)

    async def _write_body(self, message: bytes) -> None:
        """Write the message and wait until the system has all of it: as long as no dot is written, nothing arrived.

        A frame promises CRLF line ends and no line that starts with a dot, so the bytes go out as they are.
        """
        transport = self._write(message)
        async with asyncio.timeout(self._client.timeout):
            while transport.get_write_buffer_size():
                await asyncio.sleep(_FLUSH_INTERVAL)

    def _write(self, data: bytes) -> asyncio.WriteTransport:
        """Hand bytes to the system; raise SMTPServerDisconnected if the connection is known to be gone."""
        if self._client.protocol is None:
            raise aiosmtplib.SMTPServerDisconnected("the connection was lost")
        self._client.protocol.write(data)
        # aiosmtplib names the base class; it is always a stream's transport.
        return cast(asyncio.WriteTransport, self._client.protocol.transport)

    async def _read_last_reply(self) -> Reply:
        if self._client.protocol is None:
            raise aiosmtplib.SMTPServerDisconnected("the connection was lost")
        response = await self._client.protocol.read_response(timeout=self._data_timeout)
        if response.code == _CLOSING:
            self.abort()
        return parse_reply(*response)

    async def _give_up(self, reply: Reply, phase: Phase) -> Verdict:
        """Judge a transaction that ended early, and clear it away (RSET) for the next one."""
        if self.usable and phase is not Phase.MAIL:
            try:
                await self._client.rset()
            except (aiosmtplib.SMTPException, OSError):
                self.abort()
        return decide_outcome(reply, phase)

    def abort(self) -> None:
        """Close without another word."""
        _abort(self._client)

    async def close(self) -> None:
        """Say QUIT and close."""
        transport = self._client.transport
        with suppress(aiosmtplib.SMTPException, OSError):
            await self._client.quit(timeout=_QUIT_TIMEOUT)
        _abort(self._client, transport)


def _abort(client: aiosmtplib.SMTP, transport: asyncio.BaseTransport | None = None) -> None:
    """Close now: a polite end of TLS would wait for the server's, and outlive the event loop."""
    transport = client.transport or transport
    client.close()
    if transport is not None:
        cast(asyncio.WriteTransport, transport).abort()


async def open_connection(smtp: Smtp, password: str, context: ssl.SSLContext) -> Connection | Fault:
    """Connect, secure, log in; return a connection that is ready for mail, or what stood in the way."""
    phase = Phase.GREETING
    client = aiosmtplib.SMTP(
        hostname=smtp.host,
        port=smtp.port,
        use_tls=smtp.tls == "implicit",
        start_tls=False,  # we do it ourselves: the library's "if offered" sends the password in the clear otherwise
        tls_context=context,
        timeout=smtp.timeout,
    )
    try:
        await client.connect(local_hostname=smtp.local_name or None)
        phase = Phase.EHLO
        await _greet(client, smtp)
        if smtp.tls == "starttls":
            phase = Phase.TLS
            await _secure(client)
        if smtp.user:
            phase = Phase.AUTH
            await client.login(smtp.user, password)
        return Connection(client, smtp.data_timeout)
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        _abort(client)
        return Fault(_reply_of(error), Phase.TLS if _is_tls(error) else phase)
    except BaseException:
        _abort(client)
        raise


async def _greet(client: aiosmtplib.SMTP, smtp: Smtp) -> None:
    """Say EHLO, or HELO to a server that knows nothing newer, if nothing newer is needed."""
    try:
        await client.ehlo()
    except aiosmtplib.SMTPHeloError as error:
        if error.code < 500 or smtp.tls == "starttls" or smtp.user or not client.is_connected:
            raise
        await client.helo()


async def _secure(client: aiosmtplib.SMTP) -> None:
    if not client.supports_extension("starttls"):
        raise aiosmtplib.SMTPNotSupported("it offers no STARTTLS, so neither password nor mail was sent")
    await client.starttls()
    await client.ehlo()  # RFC 3207 section 4.2: what was said before TLS counts no more


def _is_tls(error: BaseException) -> bool:
    return isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError)


def _reply_of(error: Exception) -> Reply:
    """Return the reply an exception stands for; code 0 for one that never came or made no sense."""
    if isinstance(error, aiosmtplib.SMTPResponseException) and error.code > 0:
        return parse_reply(error.code, error.message)
    message = error.message if isinstance(error, aiosmtplib.SMTPException) else str(error)
    return parse_reply(0, str(message) or type(error).__name__)


class SmtpTransport:
    """A pool of connections to the relay; mails wait for one, and a connection is renewed after its share of them."""

    landing = DeliveryState.UNKNOWN

    def __init__(self, smtp: Smtp, password: str) -> None:
        self.name = f"{smtp.host}:{smtp.port}"
        self.width = smtp.connections
        self._smtp = smtp
        self._password = password
        self._context = _make_tls_context(smtp)
        self._idle: list[Connection] = []
        self._holders = 0
        self._changed = asyncio.Condition()
        self._fault: Fault | None = None

    async def deliver(self, envelope: Envelope) -> Verdict:
        """Hand over one mail on a connection of its own.

        A relay that wants fewer connections than configured gets fewer: who is turned away waits for another's.
        """
        while True:
            async with self._slot():
                opened = self._fault or await self._borrow()
                if isinstance(opened, Connection):
                    return await self._deliver_on(opened, envelope)
                if self._holders == 1 or not opened.temporary:
                    self._fault = opened  # those who wait needn't find out one by one
                if self._fault:
                    return self._fault
                self.width -= 1

    async def close(self) -> None:
        """Say goodbye on every connection that is idle."""
        idle, self._idle = self._idle, []
        await asyncio.gather(*(connection.close() for connection in idle))
        await asyncio.sleep(0)  # sockets are closed one turn of the loop later

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        """Wait until fewer than `width` hold a connection, and be one of them."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._holders < self.width)
            self._holders += 1
        try:
            yield
        finally:
            self._holders -= 1
            async with self._changed:
                self._changed.notify_all()

    async def _borrow(self) -> Connection | Fault:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
        return await self._open()

    async def _open(self) -> Connection | Fault:
        return await open_connection(self._smtp, self._password, self._context)

    async def _deliver_on(self, connection: Connection, envelope: Envelope) -> Verdict:
        """Deliver, at once on a new connection if one that was used before turns out to be closed (RFC 5321, 3.8)."""
        used = connection.sent > 0
        verdict = await self._deliver_and_keep(connection, envelope)
        if used and isinstance(verdict, Deferred) and verdict.reply.code in (0, _CLOSING):
            opened = await self._open()
            if isinstance(opened, Connection):
                return await self._deliver_and_keep(opened, envelope)
            return verdict if opened.temporary else opened
        return verdict

    async def _deliver_and_keep(self, connection: Connection, envelope: Envelope) -> Verdict:
        verdict = await connection.deliver(envelope)
        if connection.usable and connection.sent < self._smtp.messages_per_connection:
            self._idle.append(connection)
        elif connection.usable:
            await connection.close()
        return verdict


def _make_tls_context(smtp: Smtp) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=smtp.ca_file)
    except OSError as error:  # an SSLError is one, too
        reason = "holds no PEM certificate" if isinstance(error, ssl.SSLError) else f"can't be read: {error.strerror}"
        raise TransportError(f"{smtp.ca_file}: smtp.ca_file {reason}. No mail was sent.") from None
