"""An SMTP server in the same process as its test: counts by reader, and calls back at an exact point of a send.

Offers PIPELINING, and CHUNKING when asked to. A mail counts as delivered when its last byte is here: whether the sender
hears of it is another matter. What a killed sender had written is still read, as a real server would.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

STEPS: Final = ("mail", "body", "dot", "ok")
"""Points of a mail: its MAIL is here; its body begins to be; all of it is, unanswered; it is answered."""

_END: Final = b"\r\n.\r\n"


@dataclass
class CountingSink:
    """`delivered` says how often each reader got a mail, `seen` how often each step was reached."""

    chunking: bool = False
    delay: float = 0.0
    delivered: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    most_open: int = 0
    port: int = 0
    _alarm: tuple[str, int, Callable[[], None]] | None = None
    _open: int = 0
    _closed: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator["CountingSink"]:
        """Listen on a free port of this machine until the block ends."""
        server = await asyncio.get_running_loop().create_server(lambda: _Conversation(self), "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    def set_alarm(self, step: str, number: int, ring: Callable[[], None]) -> None:
        """Call `ring` when a step is reached for the `number`th time from now."""
        self._alarm = (step, self.seen[step] + number, ring)

    async def settle(self) -> None:
        """Wait until everything that is on its way here has been read."""
        while self._open:
            self._closed.clear()
            await self._closed.wait()

    def reach(self, step: str) -> None:
        """Count a step, and ring if it is the one that is waited for."""
        self.seen[step] += 1
        if self._alarm and self._alarm[:2] == (step, self.seen[step]):
            _, _, ring = self._alarm
            self._alarm = None
            ring()

    def open(self) -> None:
        """Count a connection."""
        self._open += 1
        self.most_open = max(self.most_open, self._open)

    def close(self) -> None:
        """Count a connection's end."""
        self._open -= 1
        self._closed.set()


class _Conversation(asyncio.Protocol):
    """One connection; obeys whole lines, and takes bodies as they come."""

    def __init__(self, sink: CountingSink) -> None:
        self._sink = sink
        self._buffer = bytearray()
        self._recipient = ""
        self._text = False
        self._chunk = -1  # bytes that are still to come, or -1
        self._searched = 0
        self._thinking = False  # a mail is here and not yet answered
        self._writer: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._writer = transport
        self._sink.open()
        self._say("220 sink ESMTP")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._sink.close()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._go_on()

    def _go_on(self) -> None:
        while self._buffer and not self._thinking and self._take():
            pass

    def _take(self) -> bool:
        """Take one line or what is here of a body; return whether more may be taken."""
        if self._chunk >= 0:
            return self._take_chunk()
        return self._take_text() if self._text else self._take_line()

    def _take_line(self) -> bool:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            return False
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        self._obey(line)
        return True

    def _obey(self, line: bytes) -> None:
        verb = line[:4].upper()
        if verb == b"EHLO":
            offers = "250-PIPELINING\r\n" + ("250-CHUNKING\r\n" if self._sink.chunking else "")
            self._say(f"250-sink\r\n{offers}250 ENHANCEDSTATUSCODES")
        elif verb == b"MAIL":
            self._sink.reach("mail")
            self._say("250 2.1.0 Ok")
        elif verb == b"RCPT":
            self._recipient = line[line.index(b"<") + 1 : line.index(b">")].decode()
            self._say("250 2.1.5 Ok")
        elif verb == b"DATA":
            self._text, self._searched = True, 0
            self._say("354 Go on")
        elif verb == b"BDAT":
            self._chunk = int(line.split()[1])
            self._sink.reach("body")
        elif verb == b"QUIT":
            self._say("221 2.0.0 Bye")
            self._writer.close()
        else:
            self._say("250 2.0.0 Ok")

    def _take_text(self) -> bool:
        if self._searched == 0:
            self._sink.reach("body")
        end = self._buffer.find(_END, max(0, self._searched - len(_END)))
        self._searched = len(self._buffer)
        if end < 0:
            return False
        del self._buffer[: end + len(_END)]
        self._text = False
        self._accept()
        return True

    def _take_chunk(self) -> bool:
        taken = min(self._chunk, len(self._buffer))
        del self._buffer[:taken]
        self._chunk -= taken
        if self._chunk:
            return False
        self._chunk = -1
        self._accept()
        return True

    def _accept(self) -> None:
        """Take a mail, and answer it: at once, or after the delay and before what follows it."""
        self._sink.delivered[self._recipient] += 1
        self._sink.reach("dot")
        if self._sink.delay:
            self._thinking = True
            asyncio.get_running_loop().call_later(self._sink.delay, self._answer)
        else:
            self._answer()

    def _answer(self) -> None:
        if self._writer.is_closing():
            return
        self._say("250 2.0.0 Ok: queued")
        self._sink.reach("ok")
        if self._thinking:
            self._thinking = False
            self._go_on()

    def _say(self, line: str) -> None:
        self._writer.write(f"{line}\r\n".encode())
