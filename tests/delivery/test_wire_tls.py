"""TLS is insisted on, and nothing said before it is believed."""

import asyncio
import ssl
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import aiosmtplib
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.delivery.talks import (
    ON_EACH_LOOP,
    SENT,
    Play,
    Sending,
    Talk,
    connected,
    greet,
    make_wire,
    serve,
    take_all,
    take_mails,
)

pytestmark = ON_EACH_LOOP


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's context, with a certificate of 127.0.0.1, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay.test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path: Path = tmp_path_factory.mktemp("tls") / "relay.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(path)
    return server, ssl.create_default_context(cafile=path)


Contexts = tuple[ssl.SSLContext, ssl.SSLContext]


def starttls_talk(context: ssl.SSLContext, said: list[bytes]) -> Talk:
    async def talk(reader: Reader, writer: Writer) -> None:
        await greet(reader, writer, "STARTTLS")
        assert await reader.readuntil(b"\r\n") == b"STARTTLS\r\n"
        writer.write(b"220 go on\r\n")
        await writer.start_tls(context)
        await reader.readuntil(b"EHLO here.test\r\n")
        writer.write(b"250-relay.test\r\n250-PIPELINING\r\n250 AUTH PLAIN\r\n")
        said.append(await reader.readuntil(b"\r\n"))
        writer.write(b"235 2.7.0 welcome\r\n")
        await take_mails(reader, writer)

    return talk


def test_starttls_a_login_and_mails_in_a_pipeline(play: Play, contexts: Contexts) -> None:
    server, client = contexts
    said: list[bytes] = []

    async def scene() -> None:
        async with connected(
            starttls_talk(server, said), tls="starttls", context=client, login=("ann", "secret")
        ) as wire:
            assert (await Sending(20, 50_000).over(wire)).results == dict.fromkeys(range(1, 21), SENT)

    play(scene())
    assert said == [b"AUTH PLAIN AGFubgBzZWNyZXQ=\r\n"]


def test_implicit_tls(play: Play, contexts: Contexts) -> None:
    server, client = contexts

    async def scene() -> None:
        async with serve(take_all, server) as port:
            wire = make_wire(port, tls="implicit", context=client)
            await wire.connect()
            assert (await Sending(20, 50_000).over(wire)).results == dict.fromkeys(range(1, 21), SENT)
            wire.close()
            with pytest.raises(aiosmtplib.SMTPConnectError):
                await make_wire(port, tls="implicit", context=ssl.create_default_context()).connect()

    play(scene())


@pytest.mark.parametrize("together", [True, False])
def test_a_reply_planted_before_tls_is_refused(play: Play, contexts: Contexts, together: bool) -> None:
    _, client = contexts
    heard: list[bytes] = []

    async def talk(reader: Reader, writer: Writer) -> None:
        await greet(reader, writer, "STARTTLS")
        await reader.readuntil(b"STARTTLS\r\n")
        if together:
            writer.write(b"220 go on\r\n250-planted\r\n250 AUTH PLAIN\r\n")
        else:
            writer.write(b"220 go on\r\n")
            await writer.drain()
            writer.write(b"250-planted\r\n250 AUTH PLAIN\r\n")
        heard.append(await reader.read(2000))

    async def scene() -> None:
        async with serve(talk) as port:
            wire = make_wire(port, tls="starttls", context=client, login=("ann", "secret"))
            with pytest.raises((aiosmtplib.SMTPException, OSError)):
                await wire.connect()
            assert not wire.is_connected

    play(scene())
    assert b"AUTH" not in b"".join(heard)


def test_no_starttls_no_mail_and_no_password(play: Play) -> None:
    said: list[bytes] = []

    async def talk(reader: Reader, writer: Writer) -> None:
        await greet(reader, writer, "PIPELINING", "AUTH PLAIN")
        said.append(await reader.read())

    async def scene() -> None:
        async with serve(talk) as port:
            wire = make_wire(port, tls="starttls", login=("ann", "secret"))
            with pytest.raises(aiosmtplib.SMTPException, match="STARTTLS"):
                await wire.connect()
            assert not wire.is_connected
            await asyncio.sleep(0.05)

    play(scene())
    assert said == [b""]
