"""Sending an edition by the real transports: to a real server, side by side, stopped by signals."""

import asyncio
import re
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import dkim
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope as ReceivedEnvelope
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from newsletter.config import Settings
from newsletter.delivery.desk import Tally
from newsletter.delivery.outbox import OutboxTransport
from newsletter.delivery.publish import Keys, open_transport, send_edition, send_test
from newsletter.delivery.relay import RelayTransport
from newsletter.delivery.signers import SignerProcess
from newsletter.errors import TransportError, UsageError
from newsletter.mail.address import AddressError
from newsletter.mail.dkim import RsaKey, SigningKeys, compose_record
from newsletter.mail.token import Purpose, Token, read_token
from newsletter.mail.verp import read_envelope_sender
from newsletter.model.delivery import Accepted, Audit, Refused
from newsletter.model.edition import Edition
from newsletter.store.database import Database, open_database
from newsletter.store.editions import load_edition
from tests.delivery.conftest import KEY, NOW, Relay, audit, find_free_port, publish

KEYS = Keys(KEY)

SENDER = """
import sys
from newsletter.config import Settings
from newsletter.delivery.publish import Keys, open_transport, send_edition
from newsletter.store.database import open_database
from newsletter.store.editions import load_edition

url, settings = sys.argv[1], Settings.model_validate_json(sys.argv[2])
with open_database(url) as database:
    with database.read() as connection:
        stored = load_edition(connection, "2024-05-25")
    transport = open_transport(settings, {}, "2024-05-25")
    print(send_edition(database, stored, transport, Keys(b"k" * 32), settings, lambda tally: None))
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


def configure(folder: Path, port: int = 0, **smtp: object) -> Settings:
    """Return settings for a relay on this machine, or without a port for the outbox."""
    relay = {"host": "127.0.0.1" if port else "", "port": port or 25, "tls": "none", "local_name": "here.test"}
    return Settings.model_validate(
        {
            "smtp": relay | smtp,
            "delivery": {"journal": folder / "journal"},
            "outbox": {"folder": folder / "outbox"},
        }
    )


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[tuple[Sink, Settings]]:
    received = Sink()
    controller = Controller(received, hostname="127.0.0.1", port=find_free_port())
    controller.start()
    try:
        yield received, configure(tmp_path, controller.port)
    finally:
        controller.stop()


def send(database: Database, edition: Edition, settings: Settings, readers: int) -> Tally:
    """Publish to so many readers and send; without new ones, send again."""
    if readers:
        publish(database, edition, readers)
    with database.read() as connection:
        stored = load_edition(connection, edition.slug)
    assert stored
    transport = open_transport(settings, {}, edition.slug)
    return send_edition(database, stored, transport, KEYS, settings, lambda tally: None)


def test_a_long_signed_run_is_signed_in_processes_and_every_mail_verifies(
    database: Database, edition: Edition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.delivery.signers.LEAST", 1)
    monkeypatch.setattr("newsletter.delivery.signers._count_cores", lambda: 2)
    in_processes: list[int] = []
    sign = SignerProcess.sign

    def count(process: SignerProcess, digests: Sequence[bytes]) -> list[bytes]:
        in_processes.append(len(digests))
        return sign(process, digests)

    monkeypatch.setattr(SignerProcess, "sign", count)
    private = generate_private_key(65537, 2048)
    publish(database, edition, 40)
    with database.read() as connection:
        stored = load_edition(connection, edition.slug)
    assert stored
    settings, keys = configure(tmp_path), Keys(KEY, SigningKeys("example.org", RsaKey("news", private)))
    transport = open_transport(settings, {}, edition.slug)
    assert send_edition(database, stored, transport, keys, settings, lambda tally: None) == Tally(sent=40)
    assert sum(in_processes) == 40
    files = list((tmp_path / "outbox").rglob("*.eml"))
    assert len(files) == 40
    record = compose_record(private).encode()
    assert all(dkim.verify(file.read_bytes(), dnsfunc=lambda name, timeout=5: record) for file in files)


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
        purposes = {"u": Purpose.UNSUBSCRIBE, "p": Purpose.PREFERENCES}
        assert [read_token([KEY], purposes[kind], token) for kind, token in links] == [owner, owner]
        assert read_envelope_sender([KEY], sender, "bounces.example.org") == owner
        assert message["To"] == recipient
    assert len({message["Message-ID"] for _, _, message in received.mails}) == 1000

    received.mails.clear()
    assert send(database, edition, settings, 0) == Tally()
    assert received.mails == []


def test_without_a_relay_mail_goes_to_the_outbox(database: Database, edition: Edition, tmp_path: Path) -> None:
    assert send(database, edition, configure(tmp_path), 250) == Tally(sent=250)
    assert len(list((tmp_path / "outbox" / "2024-05-25").glob("*.eml"))) == 250
    assert list((tmp_path / "journal").glob("*.journal")) == []


def test_a_relay_that_is_away_ends_it_with_a_sentence(database: Database, edition: Edition, tmp_path: Path) -> None:
    with pytest.raises(TransportError, match=r"127\.0\.0\.1:\d+ doesn't take our mail \(connecting\).*stays queued"):
        send(database, edition, configure(tmp_path, find_free_port()), 5)
    with database.read() as connection:
        stored = load_edition(connection, edition.slug)
    assert stored
    assert audit(database, stored).queued == 5
    assert list((tmp_path / "journal").glob("*.journal")) == []


def test_a_journal_that_cannot_be_made_stops_it_before_anything_is_sent(
    database: Database, edition: Edition, sink: tuple[Sink, Settings], tmp_path: Path
) -> None:
    received, settings = sink
    (tmp_path / "journal").write_text("in the way")
    with pytest.raises(Exception, match="the sender's journal can't be used"):
        send(database, edition, settings, 5)
    assert received.mails == []


def test_an_edition_that_cannot_be_a_mail_is_told_before_anything_is_claimed(
    database: Database, edition: Edition, sink: tuple[Sink, Settings]
) -> None:
    received, settings = sink
    stored = publish(database, edition, 5)
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE editions SET subject = 'a\nBcc: b@example.org'")
    with pytest.raises(ValueError, match="line"):
        send(database, edition, settings, 0)
    assert audit(database, stored).queued == 5
    assert received.mails == []


async def test_mails_go_out_side_by_side_on_as_many_connections_as_configured(
    database: Database, edition: Edition, tmp_path: Path
) -> None:
    async with Relay(delays={"dot": 0.02}).serve() as relay:
        settings = configure(tmp_path, relay.port, connections=4)
        assert await asyncio.to_thread(send, database, edition, settings, 40) == Tally(sent=40)
    assert relay.connections == 4
    assert Counter(relay.recipients()) == Counter({f"reader{number}@example.net": 1 for number in range(1, 41)})


async def test_a_relay_that_wants_fewer_connections_gets_fewer(
    database: Database, edition: Edition, tmp_path: Path
) -> None:
    async with Relay(most_connections=2, delays={"dot": 0.01}).serve() as relay:
        settings = configure(tmp_path, relay.port, connections=5)
        assert await asyncio.to_thread(send, database, edition, settings, 40) == Tally(sent=40)
    assert relay.connections == 5


@pytest.mark.parametrize("farewell", ["421 4.3.2 that was enough", "drop"])
async def test_a_used_connection_that_closes_costs_nothing(
    database: Database, edition: Edition, tmp_path: Path, farewell: str
) -> None:
    async with Relay({"mail": ["250 ok", farewell, "250 ok"]}).serve() as relay:
        settings = configure(tmp_path, relay.port, connections=1)
        assert await asyncio.to_thread(send, database, edition, settings, 3) == Tally(sent=3)
    assert relay.connections == 2
    assert Counter(relay.recipients()) == Counter({f"reader{number}@example.net": 1 for number in range(1, 4)})


async def test_connections_are_renewed_and_nobody_notices(database: Database, edition: Edition, tmp_path: Path) -> None:
    async with Relay().serve() as relay:
        settings = configure(tmp_path, relay.port, connections=3, messages_per_connection=4)
        assert await asyncio.to_thread(send, database, edition, settings, 60) == Tally(sent=60)
    assert relay.connections >= 15
    assert set(Counter(relay.recipients()).values()) == {1}


def test_in_a_thread_of_its_own_it_leaves_signals_alone(
    database: Database, edition: Edition, sink: tuple[Sink, Settings]
) -> None:
    received, settings = sink
    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=send, args=(database, edition, settings, 5))
    thread.start()
    thread.join(30)
    assert len(received.mails) == 5
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_test_mail_is_marked_and_its_links_name_nobody(edition: Edition, sink: tuple[Sink, Settings]) -> None:
    received, settings = sink
    outcome = send_test(edition, "You@Example.net", open_transport(settings, {}, "test"), KEYS, NOW)
    assert isinstance(outcome, Accepted)
    ((sender, recipient, message),) = received.mails
    assert recipient == "You@example.net"
    assert message["Subject"] == "[Test] Twenty-one papers"
    assert read_envelope_sender([KEY], sender, "bounces.example.org") == Token(0, 0)


def test_a_test_mail_takes_no_reader_s_place_in_the_outbox(edition: Edition, tmp_path: Path) -> None:
    send_test(edition, "ann@example.net", OutboxTransport(tmp_path, "2024-05-25-test"), KEYS, NOW)
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.eml")] == [
        "2024-05-25-test/ann@example.net.eml"
    ]


def test_a_test_mail_to_no_address_or_no_relay_is_told(edition: Edition, tmp_path: Path) -> None:
    with pytest.raises(AddressError):
        send_test(edition, "ann@", OutboxTransport(tmp_path, "test"), KEYS, NOW)
    settings = configure(tmp_path, find_free_port())
    with pytest.raises(TransportError, match="doesn't take our mail"):
        send_test(edition, "ann@example.net", open_transport(settings, {}, "test"), KEYS, NOW)


async def test_a_test_mail_that_is_refused_says_why(edition: Edition, tmp_path: Path) -> None:
    async with Relay({"rcpt": "550 5.1.1 nobody"}).serve() as relay:
        transport = open_transport(configure(tmp_path, relay.port), {}, "test")
        outcome = await asyncio.to_thread(send_test, edition, "ann@example.net", transport, KEYS, NOW)
    assert isinstance(outcome, Refused)
    assert outcome.reply.text == "nobody"


def test_the_settings_choose_the_transport(tmp_path: Path) -> None:
    outbox = open_transport(configure(tmp_path), {}, "slug")
    assert isinstance(outbox, OutboxTransport)
    assert outbox.name == str(tmp_path / "outbox")
    relay = Settings.model_validate({"smtp": {"host": "relay.test", "user": "ann"}})
    with pytest.raises(UsageError, match="NEWSLETTER_SMTP_PASSWORD"):
        open_transport(relay, {}, "slug")
    transport = open_transport(relay, {"NEWSLETTER_SMTP_PASSWORD": "secret"}, "slug")
    assert isinstance(transport, RelayTransport)
    assert transport.name == "relay.test:587"


# Signals


@asynccontextmanager
async def sender_process(
    url: str, relay: Relay, connections: int, **delivery: float
) -> AsyncIterator[asyncio.subprocess.Process]:
    folder = Path(url.removeprefix("sqlite:///")).parent
    settings = configure(folder, relay.port, connections=connections)
    changed = settings.delivery.model_copy(update=delivery)
    words = settings.model_copy(update={"delivery": changed}).model_dump_json(exclude_defaults=True)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", SENDER, url, words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def wait_until(process: asyncio.subprocess.Process, there: Any) -> None:
    deadline = time.monotonic() + 60
    while not there():
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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_gracefully_and_the_next_run_goes_on(
    ledger: str, edition: Edition, number: signal.Signals
) -> None:
    with open_database(ledger) as database:
        stored = publish(database, edition, 60)
        async with Relay(delays={"dot": 0.02}).serve() as relay:
            async with sender_process(ledger, relay, 5) as process:
                await wait_until(process, lambda: len(relay.mails) >= 10)
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


async def test_a_relay_that_is_slow_to_answer_does_not_hold_up_a_stop_for_longer_than_configured(
    ledger: str, edition: Edition
) -> None:
    with open_database(ledger) as database:
        stored = publish(database, edition, 10)
        async with Relay(delays={"dot": 60}).serve() as relay:
            async with sender_process(ledger, relay, 2, drain_seconds=0.5) as process:
                await wait_until(process, lambda: relay.said.count("DATA") == 2)
                await asyncio.sleep(0.1)
                began = time.monotonic()
                process.send_signal(signal.SIGTERM)
                output, _ = await asyncio.wait_for(process.communicate(), 20)
            assert process.returncode == 0, output.decode()
            assert time.monotonic() - began < 3
        assert audit(database, stored) == Audit(10, sent=0, queued=8, deferred=0, failed=0, cancelled=0, unknown=2)


async def test_a_second_signal_ends_it_at_once_and_the_next_run_knows_what_was_on_the_wire(
    ledger: str, edition: Edition
) -> None:
    with open_database(ledger) as database:
        stored = publish(database, edition, 10)
        async with Relay(delays={"dot": 60}).serve() as relay:
            async with sender_process(ledger, relay, 2) as process:
                await wait_until(process, lambda: relay.said.count("DATA") == 2)
                await asyncio.sleep(0.1)
                process.send_signal(signal.SIGTERM)
                await asyncio.sleep(0.3)
                waiting = process.returncode is None
                assert waiting
                process.send_signal(signal.SIGTERM)
                await asyncio.wait_for(process.communicate(), 10)
            assert process.returncode == -signal.SIGTERM
            assert audit(database, stored).queued == 10
            relay.delays.clear()
            assert "sent=8" in await finish(ledger, relay, 2)
        assert audit(database, stored) == Audit(10, sent=8, queued=0, deferred=0, failed=0, cancelled=0, unknown=2)


# Two at a time


async def test_two_senders_at_once_share_the_readers_and_one_that_is_killed_harms_only_itself(
    ledger: str, edition: Edition
) -> None:
    with open_database(ledger) as database:
        stored = publish(database, edition, 200)
        async with Relay(delays={"dot": 0.01}).serve() as relay:
            async with (
                sender_process(ledger, relay, 2, claim_ahead=10) as one,
                sender_process(ledger, relay, 2, claim_ahead=10) as two,
            ):
                await wait_until(one, lambda: len(relay.mails) >= 60)
                one.kill()
                await one.wait()
                output, _ = await asyncio.wait_for(two.communicate(), 60)
                assert two.returncode == 0, output.decode()
            left = audit(database, stored)
            assert left.queued <= 10
            await finish(ledger, relay, 2)
        found = audit(database, stored)
    assert set(Counter(relay.recipients()).values()) == {1}
    assert found.queued == 0
    assert found.unknown <= 2
    assert len(relay.mails) >= found.sent >= 198
