"""Relays that say what they are told to, a ledger with readers in it, and an edition to send."""

import asyncio
import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert

from newsletter.config import Smtp
from newsletter.delivery.compose import make_compose
from newsletter.delivery.lanes import Mail
from newsletter.model.delivery import Audit, Delivery, DeliveryState
from newsletter.model.edition import PREFERENCES_FIELD, UNSUBSCRIBE_FIELD, Edition, Sender
from newsletter.store.database import Database
from newsletter.store.deliveries import count_deliveries
from newsletter.store.editions import StoredEdition, freeze_edition, load_edition, publish_edition
from newsletter.store.schema import subscribers

KEY = b"k" * 32
NOW = datetime(2024, 5, 25, 6, 0, tzinfo=UTC)

DROP = "drop"
"""In a script: close the connection instead of answering."""

DEFAULTS = {
    "greeting": "220 relay.test ready",
    "ehlo": "250-relay.test\n250-SIZE 10000000\n250-ENHANCEDSTATUSCODES\n250 HELP",
    "helo": "250 relay.test",
    "mail": "250 2.1.0 ok",
    "rcpt": "250 2.1.5 ok",
    "data": "354 go on",
    "dot": "250 2.0.0 queued",
    "rset": "250 2.0.0 ok",
    "quit": "221 2.0.0 bye",
    "auth": "235 2.7.0 welcome",
    "starttls": "220 2.0.0 go on",
}


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Relay:
    """An SMTP server that answers each command from a script: one reply, or a list whose last entry stays.

    `rcpt` and `dot` may be functions of the recipient. `said` is every command it heard, `mails` what it accepted.
    """

    script: Mapping[str, str | Sequence[str] | Callable[[str], str]] = field(default_factory=dict)
    delays: dict[str, float] = field(default_factory=dict)
    most_connections: int = 1000
    drop_in_body: bool = False
    starttls: ssl.SSLContext | None = None
    said: list[str] = field(default_factory=list)
    mails: list[tuple[str, str, bytes]] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    def smtp(self, **changes: object) -> Smtp:
        values = {"host": "127.0.0.1", "port": self.port, "tls": "none", "connections": 1, "timeout": 2.0}
        return Smtp.model_validate(values | {"data_timeout": 2.0, "local_name": "here.test"} | changes)

    def recipients(self) -> list[str]:
        return [recipient for _, recipient, _ in self.mails]

    def _answer(self, phase: str, recipient: str = "") -> str:
        wanted = self.script.get(phase, DEFAULTS[phase])
        if callable(wanted):
            return wanted(recipient)
        if isinstance(wanted, str):
            return wanted
        if len(wanted) > 1:
            self.script = {**self.script, phase: wanted[1:]}
        return wanted[0]

    @asynccontextmanager
    async def serve(self, context: ssl.SSLContext | None = None) -> AsyncIterator["Relay"]:
        tasks: set[asyncio.Task[None]] = set()

        async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task
            tasks.add(task)
            self.connections += 1
            try:
                if len(tasks) > self.most_connections:
                    writer.write(b"421 4.7.0 too many connections\r\n")
                else:
                    await self._talk(reader, writer)
            except (OSError, asyncio.IncompleteReadError):
                pass  # the client went away, or refused our certificate
            finally:
                writer.close()
                tasks.discard(task)

        server = await asyncio.start_server(meet, "127.0.0.1", 0, ssl=context, limit=2**22)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await server.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sender = recipient = ""
        content = b""
        phase = "greeting"
        while True:
            await asyncio.sleep(self.delays.get(phase, 0.0))
            answer = self._answer(phase, recipient)
            if answer == DROP:
                return
            writer.write(answer.replace("\n", "\r\n").encode() + b"\r\n")
            await writer.drain()
            if phase == "dot" and answer.startswith("2"):
                self.mails.append((sender, recipient, content))
            if answer.startswith(("221", "421", "554 5.3.2 no")):
                return
            if phase == "starttls" and answer.startswith("220") and self.starttls:
                await writer.start_tls(self.starttls)
            if phase == "data" and answer.startswith("354"):
                content, phase = await self._read_body(reader), "dot"
                continue
            line = (await reader.readuntil(b"\r\n")).decode().rstrip("\r\n")
            self.said.append(line)
            phase = line.split()[0].lower()
            if phase == "mail":
                sender = line.split("<")[1].split(">")[0]
            elif phase == "rcpt":
                recipient = line.split("<")[1].split(">")[0]
            elif phase == "bdat":
                content, phase = await reader.readexactly(int(line.split()[1])), "dot"

    async def _read_body(self, reader: asyncio.StreamReader) -> bytes:
        if self.drop_in_body:
            await reader.readexactly(1000)
            raise ConnectionResetError
        return (await reader.readuntil(b"\r\n.\r\n"))[:-3]


StartSink = Callable[..., int]


@pytest.fixture
def start_sink() -> Iterator[StartSink]:
    """Starts Postfix's smtp-sink with options and returns its port."""
    found = shutil.which("smtp-sink", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        reason = "smtp-sink isn't installed (Debian's package postfix has it)"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason}, and CI must test with it")
        pytest.skip(reason)
    running: list[subprocess.Popen[bytes]] = []

    def start(*options: str) -> int:
        port = find_free_port()
        user = ["-u", "nobody"] if os.geteuid() == 0 else []  # it refuses to run as root
        sink = subprocess.Popen([found, *user, *options, f"127.0.0.1:{port}", "100"], cwd=Path("/"))
        running.append(sink)
        _wait_for_sink(port, sink)
        return port

    yield start
    for sink in running:
        sink.terminate()
        sink.wait(10)


def _wait_for_sink(port: int, sink: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        assert sink.poll() is None, "smtp-sink didn't start"
        # Looked up, not connected to: a connection would use up what a fault is counted in.
        if f":{port:04X} 00000000:0000 0A" in Path("/proc/net/tcp").read_text(encoding="ascii"):
            return
        time.sleep(0.02)
    raise AssertionError("smtp-sink doesn't listen")


@pytest.fixture
def edition() -> Edition:
    links = f"https://news.example.org/u/{UNSUBSCRIBE_FIELD}\nhttps://news.example.org/p/{PREFERENCES_FIELD}\n"
    return Edition(
        slug="2024-05-25",
        issue_date=date(2024, 5, 25),
        title="Twenty-one papers",
        subject="Twenty-one papers",
        preheader="What is new",
        language="en",
        page_url="https://news.example.org/issues/2024-05-25/",
        html=f"<p>Grüße\n{links}</p>",
        text=f".hidden\nGrüße\n{links}",
        sender=Sender(
            name="LLM Papers Daily",
            address="news@example.org",
            reply_to="",
            bounce_domain="bounces.example.org",
            unsubscribe_address="unsubscribe@bounces.example.org",
            list_id="papers.example.org",
            list_name="LLM Papers Daily",
            url="https://news.example.org",
        ),
    )


@pytest.fixture
def make_mail(edition: Edition) -> Callable[..., Mail]:
    """Makes the mail of a reader who is not in any ledger."""
    compose = make_compose(edition, NOW, KEY, None)

    def make(address: str = "ann@example.net", subscriber_id: int = 7) -> Mail:
        return compose(Delivery(subscriber_id, 1, subscriber_id, address, "Ann", DeliveryState.SENDING, 0, NOW))

    return make


@pytest.fixture
def mail(make_mail: Callable[..., Mail]) -> Mail:
    return make_mail("ann@example.net")


def publish(database: Database, edition: Edition, readers: int) -> StoredEdition:
    """Publish the edition to so many readers, `reader1@example.net` and so on."""
    add_readers(database, [f"reader{number}@example.net" for number in range(1, readers + 1)])
    with database.transaction() as connection:
        frozen = freeze_edition(connection, edition, "source", NOW)
        publish_edition(connection, frozen.id, NOW)
        stored = load_edition(connection, edition.slug)
    assert stored
    return stored


def audit(database: Database, stored: StoredEdition) -> Audit:
    with database.read() as connection:
        found = count_deliveries(connection, stored.id)
    assert found.holds
    return found


def add_readers(database: Database, addresses: Sequence[str]) -> None:
    rows = [
        {
            "address": address,
            "address_key": address.lower(),
            "name": "",
            "state": "active",
            "language": "en",
            "joined_at": NOW,
            "source": "test",
        }
        for address in addresses
    ]
    with database.transaction() as connection:
        connection.execute(insert(subscribers), rows)
