"""A mail server with faults, on 127.0.0.1: what it does to a mail is told by the recipient's local part.

    unknown@    550 to RCPT                     full@       552 to RCPT
    greylisted@ 450 to RCPT, each time          content@    554 to the final dot
    dropped@    the connection ends before the final dot is answered

Anything else it takes and keeps. It listens on a port for each domain in `DOMAINS`, since some servers leave a host
alone for a while that let them down, and on one for the rest. That of `SMALL` takes no mail of more than 1,000 bytes.
"""

import asyncio
import re
import threading
from dataclasses import dataclass, field
from typing import Final, Self

SMALL: Final = "small.example"
DOMAINS: Final = (SMALL, "dropping.example", "bounces.example.org")

_TIMEOUT: Final = 30.0
_ROOM: Final = 1_000
_TOO_LARGE: Final = "552 5.3.4 Message size exceeds fixed limit"
_SIZE: Final = re.compile(r"\bSIZE=(\d{1,9})", re.IGNORECASE)
_AT_RCPT: Final = {
    "unknown": "550 5.1.1 <{}>: Recipient address rejected: User unknown in virtual mailbox table",
    "full": "552 5.2.2 <{}>: Mailbox full: the user has exceeded his quota",
    "greylisted": "450 4.2.0 <{}>: Recipient address rejected: Greylisted, see http://postgrey.example.net/",
}
_CONTENT: Final = "554 5.6.0 Message content rejected: attachments of this type are not accepted here"


@dataclass(slots=True)
class Sink:
    """Listens in a thread of its own while it is entered. `kept` are recipient and mail of what was taken."""

    port: int = 0
    ports: dict[str, int] = field(default_factory=dict)
    kept: list[tuple[str, bytes]] = field(default_factory=list)
    _servers: list[asyncio.Server] = field(default_factory=list)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port = self._listen(0)
        self.ports = {domain: self._listen(_ROOM if domain == SMALL else 0) for domain in DOMAINS}
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(_TIMEOUT)
        self._loop.call_soon_threadsafe(self._loop.stop)
        if self._thread:
            self._thread.join()
        self._loop.close()

    def _listen(self, size: int) -> int:
        async def start() -> int:
            server = await asyncio.start_server(lambda r, w: self._talk(r, w, size), "127.0.0.1", 0)
            self._servers.append(server)
            port: int = server.sockets[0].getsockname()[1]
            return port

        return asyncio.run_coroutine_threadsafe(start(), self._loop).result(_TIMEOUT)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, size: int) -> None:
        try:
            await self._answer(reader, writer, size)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError, TimeoutError):
            pass  # who hangs up is free to, and at the end everybody does
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, size: int) -> None:
        recipient = ""
        writer.write(b"220 sink.example.net ESMTP\r\n")
        while line := (await asyncio.wait_for(reader.readline(), _TIMEOUT)).decode("utf-8", "replace").rstrip("\r\n"):
            verb = line[:4].upper()
            answer = "250 2.0.0 ok"
            if verb == "EHLO":
                announced = f"250-SIZE {size}\r\n" if size else ""
                answer = f"250-sink.example.net\r\n{announced}250 ENHANCEDSTATUSCODES"
            elif verb == "MAIL" and (said := _SIZE.search(line)) and 0 < size < int(said[1]):
                answer = _TOO_LARGE
            elif verb == "RCPT":
                recipient = line.partition("<")[2].partition(">")[0]
                answer = _AT_RCPT.get(recipient.partition("@")[0], answer).format(recipient)
            elif verb == "DATA":
                writer.write(b"354 go on\r\n")
                raw = await asyncio.wait_for(reader.readuntil(b"\r\n.\r\n"), _TIMEOUT)
                if recipient.startswith("dropped@"):
                    return
                answer = _TOO_LARGE if 0 < size < len(raw) else self._take(recipient, raw)
            elif verb == "QUIT":
                writer.write(b"221 2.0.0 bye\r\n")
                await writer.drain()
                return
            writer.write(f"{answer}\r\n".encode())
            await writer.drain()

    def _take(self, recipient: str, raw: bytes) -> str:
        if recipient.startswith("content@"):
            return _CONTENT
        self.kept.append((recipient, raw[:-3].replace(b"\r\n..", b"\r\n.")))
        return "250 2.0.0 taken"

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        mine = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not mine]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
