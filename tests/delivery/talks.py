"""Servers that are one hand-written conversation, and mails to send to them."""

import asyncio
import ssl
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Literal

import pytest
import uvloop

from newsletter.delivery.exchange import Prepared, Result, compose_commands
from newsletter.delivery.policy import Phase
from newsletter.delivery.wire import Wire

Talk = Callable[[Reader, Writer], Awaitable[None]]
SENT = (Phase.DOT, 250)


Play = Callable[[Coroutine[Any, Any, None]], None]


def make_player(loop_factory: Callable[[], asyncio.AbstractEventLoop]) -> Play:
    """Return what runs a coroutine on such a loop, for a bounded time."""

    async def bounded(coroutine: Coroutine[Any, Any, None]) -> None:
        async with asyncio.timeout(20):
            await coroutine

    def play(coroutine: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(bounded(coroutine))

    return play


ON_EACH_LOOP = pytest.mark.parametrize(
    "play", [make_player(asyncio.SelectorEventLoop), make_player(uvloop.new_event_loop)], ids=["asyncio", "uvloop"]
)


@asynccontextmanager
async def serve(talk: Talk, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve one conversation a connection, and give the port; a fault in it fails the test."""
    faults: list[BaseException] = []
    talks: list[asyncio.Task[None]] = []

    async def answer(reader: Reader, writer: Writer) -> None:
        talks.append(asyncio.current_task())  # type: ignore[arg-type]  # streams run this in a task
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client went away, as it may
        except BaseException as fault:
            faults.append(fault)
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context, limit=1 << 20)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
    if faults:
        raise faults[0]


async def greet(reader: Reader, writer: Writer, *extensions: str) -> None:
    writer.write(b"220 relay.test\r\n")
    await reader.readuntil(b"EHLO here.test\r\n")
    lines = ["relay.test", *extensions]
    marks = ["-"] * (len(lines) - 1) + [" "]
    writer.write("".join(f"250{mark}{line}\r\n" for mark, line in zip(marks, lines, strict=True)).encode())


async def take_envelope(reader: Reader, writer: Writer) -> bytes:
    """Take MAIL RCPT DATA with thanks; return the RCPT line."""
    assert (await reader.readuntil(b"\r\n"))[:4] == b"MAIL"
    rcpt = await reader.readuntil(b"\r\n")
    assert await reader.readuntil(b"\r\n") == b"DATA\r\n"
    writer.write(b"250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 go on\r\n")
    return rcpt


async def take_mails(reader: Reader, writer: Writer, count: int = 1_000_000) -> None:
    for _ in range(count):
        rcpt = await take_envelope(reader, writer)
        body = await reader.readuntil(b"\r\n.\r\n")
        assert body.splitlines()[0].split()[-1] in rcpt, "another reader's mail"
        writer.write(b"250 2.0.0 Ok\r\n")


async def take_all(reader: Reader, writer: Writer) -> None:
    """A whole conversation with a server that offers PIPELINING and takes everything."""
    await greet(reader, writer, "PIPELINING", "ENHANCEDSTATUSCODES")
    await take_mails(reader, writer)


class Sending:
    """So many mails, and what came of them."""

    def __init__(self, count: int, body_size: int = 100) -> None:
        self.results: dict[int, tuple[Phase, int]] = {}
        self.begun = 0
        self.announced: list[int] = []
        self._count = count
        self._filling = b"x" * 70 + b"\r\n"
        self._lines = body_size // len(self._filling) + 1

    def next_message(self) -> Prepared[int] | None:
        if self.begun == self._count:
            return None
        self.begun += 1
        head = b"To: r%d@example.net\r\n\r\n" % self.begun
        commands = compose_commands("s@example.org", f"r{self.begun}@example.net")
        return Prepared(self.begun, commands, [head, self._filling * self._lines])

    def before_body(self, message: Prepared[int]) -> None:
        self.announced.append(message.key)

    def on_result(self, message: Prepared[int], result: Result) -> None:
        assert message.key not in self.results, "two results for one mail"
        self.results[message.key] = (result.phase, result.reply.code)

    async def over(self, wire: Wire) -> "Sending":
        await wire.pump(self.next_message, self.before_body, self.on_result)
        return self


def make_wire(
    port: int,
    *,
    tls: Literal["starttls", "implicit", "none"] = "none",
    context: ssl.SSLContext | None = None,
    timeout: float = 5.0,
    data_timeout: float = 5.0,
    window: int = 1,
    login: tuple[str, str] | None = None,
) -> Wire:
    user, password = login or (None, None)
    return Wire(
        hostname="127.0.0.1",
        port=port,
        tls=tls,
        tls_context=context,
        username=user,
        password=password,
        local_hostname="here.test",
        timeout=timeout,
        data_timeout=data_timeout,
        window=window,
    )


@asynccontextmanager
async def connected(talk: Talk, **how: Any) -> AsyncIterator[Wire]:
    async with serve(talk) as port:
        wire = make_wire(port, **how)
        await wire.connect()
        try:
            yield wire
        finally:
            wire.close()
