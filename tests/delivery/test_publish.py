"""Sending an edition by the real transports: to a real server, stopped by signals, and killed."""

import asyncio
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope as ReceivedEnvelope

from newsletter.config import Outbox, Settings, Smtp
from newsletter.delivery.outbox import OutboxTransport
from newsletter.delivery.publish import open_transport, send_edition, send_test
from newsletter.delivery.transport import SmtpTransport
from newsletter.delivery.worker import Tally
from newsletter.errors import TransportError, UsageError
from newsletter.mail.address import AddressError
from newsletter.mail.token import Purpose, Token, read_token
from newsletter.mail.verp import read_envelope_sender
from newsletter.model.delivery import Accepted, Audit, DeliveryState
from newsletter.model.edition import Edition
from newsletter.store.database import Database, open_database
from newsletter.store.deliveries import list_deliveries
from newsletter.store.editions import load_edition
from tests.delivery.conftest import KEY, NOW, Relay, audit, find_free_port, publish

SENDER = """
import sys
from newsletter.config import Settings, Smtp
from newsletter.delivery.publish import open_transport, send_edition
from newsletter.store.database import open_database
from newsletter.store.editions import load_edition

url, port, connections = sys.argv[1:]
smtp = Smtp(host="127.0.0.1", port=int(port), tls="none", connections=int(connections), local_name="here.test")
settings = Settings(smtp=smtp)
with open_database(url) as database:
    with database.read() as connection:
        stored = load_edition(connection, "2024-05-25")
    print(send_edition(database, stored, open_transport(settings, {}), b"k" * 32, settings, lambda tally: None))
"""


class Sink:
    """Every mail aiosmtpd received."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, str, EmailMessage]] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: ReceivedEnvelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        message = BytesParser(policy=policy.default).parsebytes(envelope.content)
        self.mails += [(str(envelope.mail_from), recipient, message) for recipient in envelope.rcpt_tos]
        return "250 2.0.0 queued"


@pytest.fixture
def sink() -> Iterator[tuple[Sink, Settings]]:
    received = Sink()
    controller = Controller(received, hostname="127.0.0.1", port=find_free_port())
    controller.start()
    try:
        yield received, Settings(smtp=Smtp(host="127.0.0.1", port=controller.port, tls="none", local_name="here.test"))
    finally:
        controller.stop()


def send(database: Database, edition: Edition, settings: Settings, readers: int) -> Tally:
    """Publish to so many readers and send; without new ones, send again."""
    if readers:
        publish(database, edition, readers)
    with database.read() as connection:
        stored = load_edition(connection, edition.slug)
    assert stored
    return send_edition(database, stored, open_transport(settings, {}), KEY, settings, lambda tally: None)


def test_a_thousand_readers_get_one_mail_each_with_their_own_links(
    database: Database, edition: Edition, sink: tuple[Sink, Settings]
) -> None:
    received, settings = sink
    assert send(database, edition, settings, 1000) == Tally(sent=1000)
    assert Counter(recipient for _, recipient, _ in received.mails) == Counter(
        {f"reader{number}@example.net": 1 for number in range(1, 1001)}
    )
    for sender, recipient, message in received.mails:
        owner = Token(int(recipient.removeprefix("reader").partition("@")[0]), 1)
        links = re.findall(r"/([up])/([a-z2-7]{32})", str(message.get_body(("plain",))))
        assert [read_token([KEY], {"u": Purpose.UNSUBSCRIBE, "p": Purpose.PREFERENCES}[k], t) for k, t in links] == [
            owner,
            owner,
        ]
        assert read_envelope_sender([KEY], sender, "bounces.example.org") == owner
        assert message["To"] == recipient
    assert len({message["Message-ID"] for _, _, message in received.mails}) == 1000

    received.mails.clear()
    assert send(database, edition, settings, 0) == Tally()
    assert received.mails == []


def test_without_a_relay_mail_goes_to_the_outbox(database: Database, edition: Edition, tmp_path: Path) -> None:
    settings = Settings(outbox=Outbox(folder=tmp_path / "outbox"))
    assert send(database, edition, settings, 250) == Tally(sent=250)
    assert len(list((tmp_path / "outbox" / "2024-05-25").glob("*.eml"))) == 250


def test_a_relay_that_is_away_ends_it_with_a_sentence(database: Database, edition: Edition) -> None:
    settings = Settings(smtp=Smtp(host="127.0.0.1", port=find_free_port(), tls="none"))
    stored = publish(database, edition, 5)
    with pytest.raises(TransportError, match=r"127\.0\.0\.1:\d+ doesn't take our mail \(connecting\).*stays queued"):
        send_edition(database, stored, open_transport(settings, {}), KEY, settings, lambda tally: None)
    assert audit(database, stored).queued == 5


def test_a_test_mail_is_marked_and_its_links_name_nobody(edition: Edition, sink: tuple[Sink, Settings]) -> None:
    received, settings = sink
    outcome = send_test(edition, "You@Example.net", open_transport(settings, {}), KEY, NOW)
    assert isinstance(outcome, Accepted)
    ((sender, recipient, message),) = received.mails
    assert recipient == "You@example.net"
    assert message["Subject"] == "[Test] Twenty-one papers"
    assert read_envelope_sender([KEY], sender, "bounces.example.org") == Token(0, 0)


def test_a_test_mail_takes_no_reader_s_place_in_the_outbox(edition: Edition, tmp_path: Path) -> None:
    send_test(edition, "ann@example.net", OutboxTransport(tmp_path), KEY, NOW)
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.eml")] == [
        "2024-05-25-test/ann@example.net.eml"
    ]


def test_a_test_mail_to_no_address_or_no_relay_is_told(edition: Edition, tmp_path: Path) -> None:
    with pytest.raises(AddressError):
        send_test(edition, "ann@", OutboxTransport(tmp_path), KEY, NOW)
    settings = Settings(smtp=Smtp(host="127.0.0.1", port=find_free_port(), tls="none"))
    with pytest.raises(TransportError, match="doesn't take our mail"):
        send_test(edition, "ann@example.net", open_transport(settings, {}), KEY, NOW)


def test_the_settings_choose_the_transport(tmp_path: Path) -> None:
    outbox = open_transport(Settings(outbox=Outbox(folder=tmp_path)), {})
    assert isinstance(outbox, OutboxTransport)
    assert outbox.name == str(tmp_path)
    relay = Settings(smtp=Smtp(host="relay.test", user="ann"))
    with pytest.raises(UsageError, match="NEWSLETTER_SMTP_PASSWORD"):
        open_transport(relay, {})
    transport = open_transport(relay, {"NEWSLETTER_SMTP_PASSWORD": "secret"})
    assert isinstance(transport, SmtpTransport)
    assert transport.name == "relay.test:587"


@asynccontextmanager
async def sender_process(url: str, relay: Relay, connections: int) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", SENDER, url, str(relay.port), str(connections)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def wait_for_mails(relay: Relay, count: int, process: asyncio.subprocess.Process) -> None:
    deadline = time.monotonic() + 60
    while len(relay.mails) < count:
        assert process.returncode is None, await process.communicate()
        assert time.monotonic() < deadline
        await asyncio.sleep(0.001)


async def finish(url: str, relay: Relay, connections: int) -> str:
    async with sender_process(url, relay, connections) as process:
        output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, output.decode()
    return output.decode()


@pytest.fixture
def ledger(tmp_path: Path, migrated_file: Path) -> str:
    """The URL of a SQLite file with every table."""
    path = tmp_path / "newsletter.db"
    path.write_bytes(migrated_file.read_bytes())
    return f"sqlite:///{path}"


@pytest.mark.parametrize("kill_after", [1, 37, 79])
async def test_killed_at_any_moment_nobody_gets_it_twice_and_nobody_is_forgotten(
    ledger: str, edition: Edition, kill_after: int
) -> None:
    connections, readers = 5, 80
    with open_database(ledger) as database:
        stored = publish(database, edition, readers)
        async with Relay(delays={"dot": 0.01}).serve() as relay:
            async with sender_process(ledger, relay, connections) as process:
                await wait_for_mails(relay, kill_after, process)
                process.send_signal(signal.SIGKILL)
                await process.wait()
            await finish(ledger, relay, connections)
        found = audit(database, stored)
        with database.read() as connection:
            unknown = {row.address for row in list_deliveries(connection, stored.id, DeliveryState.UNKNOWN)}
    received = Counter(relay.recipients())
    assert set(received.values()) == {1}
    assert len(unknown) <= connections
    assert found == Audit(
        readers, sent=readers - len(unknown), queued=0, deferred=0, failed=0, cancelled=0, unknown=len(unknown)
    )
    assert set(received) | unknown == {f"reader{number}@example.net" for number in range(1, readers + 1)}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_gracefully_and_the_next_run_goes_on(
    ledger: str, edition: Edition, number: signal.Signals
) -> None:
    with open_database(ledger) as database:
        stored = publish(database, edition, 60)
        async with Relay(delays={"dot": 0.02}).serve() as relay:
            async with sender_process(ledger, relay, 5) as process:
                await wait_for_mails(relay, 10, process)
                process.send_signal(number)
                output, _ = await asyncio.wait_for(process.communicate(), 30)
            assert process.returncode == 0, output.decode()
            assert "stopped=True" in output.decode()
            stopped = audit(database, stored)
            assert stopped.unknown == 0
            assert stopped.sent == len(relay.mails) < 60
            await finish(ledger, relay, 5)
        assert audit(database, stored).sent == 60
    assert set(Counter(relay.recipients()).values()) == {1}


async def test_a_second_signal_ends_it_at_once(ledger: str, edition: Edition) -> None:
    with open_database(ledger) as database:
        stored = publish(database, edition, 10)
        async with Relay(delays={"dot": 60}).serve() as relay:
            async with sender_process(ledger, relay, 2) as process:
                deadline = time.monotonic() + 30
                while "DATA" not in relay.said:
                    assert time.monotonic() < deadline
                    await asyncio.sleep(0.01)
                process.send_signal(signal.SIGTERM)
                await asyncio.sleep(0.3)
                waiting = process.returncode is None
                assert waiting
                process.send_signal(signal.SIGTERM)
                await asyncio.wait_for(process.communicate(), 10)
            assert process.returncode == -signal.SIGTERM
        assert audit(database, stored).queued == 10
