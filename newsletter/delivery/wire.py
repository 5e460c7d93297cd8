"""The client on the wire: aiosmtplib's, with many mails in flight.

Owns the connection: bytes, time, the write buffer, and what a server may not do out of turn. EHLO, STARTTLS and logging
in are aiosmtplib's own. Which bytes go out when is `delivery.pipeline`.

Refuses a server that speaks when nothing was asked: so are plain-text replies slipped in front of TLS (RFC 3207
section 5), and so would every later reply be taken for another's. Refuses TLS "if offered": it is insisted on or off.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, Literal, cast

from aiosmtplib import SMTP, SMTPConnectError, SMTPConnectResponseError, SMTPConnectTimeoutError, SMTPServerDisconnected
from aiosmtplib.protocol import SMTPProtocol
from aiosmtplib.response import SMTPResponse
from aiosmtplib.typing import Default

from newsletter.delivery.exchange import Key, Prepared, Result, decide_dialect
from newsletter.delivery.pipeline import Pipeline
from newsletter.delivery.policy import Phase

_READY = 220
_CHECKS = 10
"""How often the clock is looked at within the shortest time limit: a limit is kept to a tenth."""


class Wire(SMTP):
    """One connection to a relay, over TCP; `connect` it, `pump` mails through it, then `quit` or `close`.

    `timeout` and `data_timeout` are seconds to wait for a reply to a command and to the final dot (RFC 5321 section
    4.5.3.2). `window` is how many bodies may be unanswered at a time, where the server offers chunking: a crash leaves
    as many mails of which nobody knows.
    """

    protocol: "WireProtocol | None"

    def __init__(
        self,
        *,
        hostname: str,
        port: int,
        tls: Literal["starttls", "implicit", "none"],
        tls_context: ssl.SSLContext | None = None,
        username: str | None = None,
        password: str | None = None,
        local_hostname: str | None = None,
        timeout: float = 60.0,
        data_timeout: float = 600.0,
        window: int = 1,
    ) -> None:
        super().__init__(
            hostname=hostname,
            port=port,
            use_tls=tls == "implicit",
            start_tls=tls == "starttls",
            tls_context=tls_context,
            username=username,
            password=password,
            local_hostname=local_hostname,
            timeout=timeout,
        )
        self._command_timeout = timeout
        self._data_timeout = data_timeout
        self._window = window
        self._fresh = True
        self._pumping = False
        self._stopping = False

    async def pump(
        self,
        next_message: Callable[[], Prepared[Key] | None],
        before_body: Callable[[Prepared[Key]], None],
        on_result: Callable[[Prepared[Key], Result], None],
    ) -> None:
        """Send what `next_message` hands out until it hands out None, and wait for the answers.

        `before_body` is called right before the bytes that complete a mail are written; `on_result` once for each mail
        handed out. All three are called from the event loop and must not wait. An exception of theirs ends the pump:
        nothing more is begun, what is on its way is awaited, then it is raised here.

        Afterwards `is_connected` tells whether the connection can be used again: it is closed when the server went
        away, said 421 or made no sense, and after any exception. Raises aiosmtplib's SMTPException, before any mail
        was asked for, if the connection isn't ready.
        """
        if self._pumping:
            raise RuntimeError("a connection serves one pump at a time")
        self._pumping, self._stopping = True, False
        try:
            await self._ehlo_or_helo_if_needed()
            await self._pump(next_message, before_body, on_result)
        finally:
            self._pumping = False

    async def _pump(
        self,
        next_message: Callable[[], Prepared[Key] | None],
        before_body: Callable[[Prepared[Key]], None],
        on_result: Callable[[Prepared[Key], Result], None],
    ) -> None:
        protocol = self.protocol
        if protocol is None:
            raise SMTPServerDisconnected("the connection is closed")
        dialect = decide_dialect(frozenset(self.esmtp_extensions), self._window)
        pipeline = Pipeline(dialect, protocol.write_pieces, next_message, before_body, on_result, fresh=self._fresh)
        if self._stopping:
            pipeline.stop()
        try:
            await protocol.run(pipeline, self._command_timeout, self._data_timeout)
        except BaseException:
            pipeline.lose("sending was cancelled")
            raise
        finally:
            self._fresh = pipeline.fresh
            if not pipeline.reusable:
                protocol.abort()
                self.close()
        if pipeline.error:
            raise pipeline.error

    def stop(self) -> None:
        """Begin no further mail; `pump` returns when those it has begun are answered."""
        self._stopping = True
        if self.protocol is not None and self.protocol.pipeline is not None:
            self.protocol.pipeline.stop()

    def close(self) -> None:
        """Close now: a polite end of TLS would wait for the server's, and outlive the event loop."""
        transport = self.transport
        super().close()
        if transport is not None:
            cast(asyncio.WriteTransport, transport).abort()

    async def execute_command(
        self, *args: bytes, timeout: float | Literal[Default.token] | None = Default.token
    ) -> SMTPResponse:
        """Say one command and return the answer; whatever fails closes the connection, whose state nobody knows."""
        if self.protocol is not None and self.protocol.pipeline is not None:
            raise RuntimeError("no command can be said while mails are pumped")
        try:
            return await super().execute_command(*args, timeout=timeout)
        except BaseException:
            self.close()
            raise

    async def _create_connection(self, timeout: float | None) -> SMTPResponse:
        """Connect and hear the greeting; the library's own leaves no room for another protocol."""
        loop = asyncio.get_running_loop()
        protocol = WireProtocol(loop, self._on_connection_lost)
        context = await self._get_tls_context() if self.use_tls else None
        host, port = self.hostname or "localhost", self.port or self._get_default_port()
        where = f"{host}:{port}"
        self._fresh = True
        try:
            async with asyncio.timeout(timeout):
                transport, _ = await loop.create_connection(lambda: protocol, host, port, ssl=context)
                self.protocol, self.transport = protocol, transport
                greeting = await protocol.read_response()
        except TimeoutError as error:
            raise SMTPConnectTimeoutError(f"{where} doesn't answer within {timeout:g} s") from error
        except (OSError, SMTPServerDisconnected) as error:
            raise SMTPConnectError(f"{where} can't be reached: {error}") from error
        if greeting.code != _READY:
            raise SMTPConnectResponseError(greeting.code, greeting.message)
        return greeting


class WireProtocol(SMTPProtocol):
    """A connection that is either aiosmtplib's, one command at a time, or a pipeline's."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_lost: Callable[[SMTPProtocol], None]) -> None:
        super().__init__(loop=loop, connection_lost_callback=on_lost)
        self.pipeline: Pipeline[Any] | None = None
        self._finished: asyncio.Future[None] | None = None
        self._command_timeout = self._data_timeout = 0.0
        self._moved = False  # since the clock was looked at
        self._deadline = 0.0
        self._clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Have what is written sent at once: the other end can work on it while we prepare the next."""
        super().connection_made(transport)
        if not self._over_ssl:  # asyncio's TLS would take a limit of 0 for always full
            cast(asyncio.WriteTransport, transport).set_write_buffer_limits(high=0)

    async def run(self, pipeline: Pipeline[Key], command_timeout: float, data_timeout: float) -> None:
        """Give the connection to a pipeline until it is finished; times are seconds."""
        self._finished = self._loop.create_future()
        self._command_timeout, self._data_timeout = command_timeout, data_timeout
        self.pipeline = pipeline
        try:
            if self._paused:
                pipeline.pause()
            self._moved = True
            pipeline.start()
            if not pipeline.finished:
                self._look_at_clock()
                await self._finished
        finally:
            self.pipeline = None
            if self._clock is not None:
                self._clock.cancel()

    def write_pieces(self, pieces: list[bytes]) -> None:
        """Hand bytes to the system, without copying them where it can be avoided."""
        # aiosmtplib names the base class; it is always a stream's transport.
        transport = cast(asyncio.WriteTransport | None, self.transport)
        if transport is None or transport.is_closing():
            return
        if self._over_ssl:
            transport.write(b"".join(pieces))  # TLS makes a record of each piece
        else:
            transport.writelines(pieces)

    def abort(self) -> None:
        """Close at once, and send nothing of what still waits to be sent."""
        if self.transport is not None:
            cast(asyncio.WriteTransport, self.transport).abort()

    def data_received(self, data: bytes) -> None:
        """Take bytes from the server, for whoever has the connection."""
        pipeline = self.pipeline
        if pipeline is not None:
            if pipeline.feed(data):
                self._moved = True
            if pipeline.finished:
                self._finish()
        elif self._response_pending and self._response_waiter and not self._response_waiter.done():
            super().data_received(data)
        else:
            self.abort()

    async def read_response(self, timeout: float | None = None) -> SMTPResponse:
        """Return the next reply; raise SMTPServerDisconnected if more came with it."""
        response = await super().read_response(timeout)
        if self._buffer:
            self.abort()
            raise SMTPServerDisconnected("the server said more than it was asked for")
        return response

    def pause_writing(self) -> None:
        """Write no more: the buffer is full."""
        super().pause_writing()
        if self.pipeline is not None:
            self.pipeline.pause()

    def resume_writing(self) -> None:
        """Write on: the buffer has drained."""
        super().resume_writing()
        if self.pipeline is not None:
            self.pipeline.resume()
            self._moved = True
            if self.pipeline.finished:
                self._finish()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell everybody who waits."""
        if self.pipeline is not None:
            self.pipeline.lose(f"the connection was lost: {exc}" if exc else "the server closed the connection")
            self._finish()
        super().connection_lost(exc)

    def _finish(self) -> None:
        if self._finished is not None and not self._finished.done():
            self._finished.set_result(None)

    def _look_at_clock(self) -> None:
        """End the pipeline when its time is up; one timer a connection costs less than one a reply."""
        pipeline, now = self.pipeline, self._loop.time()
        if pipeline is None or pipeline.finished:
            return
        if self._moved:
            self._moved = False
            self._deadline = now + (self._data_timeout if pipeline.awaiting is Phase.DOT else self._command_timeout)
        elif now >= self._deadline:
            pipeline.lose("the server didn't answer in time")
            self._finish()
            return
        tick = min(self._command_timeout, self._data_timeout) / _CHECKS
        self._clock = self._loop.call_later(tick, self._look_at_clock)
