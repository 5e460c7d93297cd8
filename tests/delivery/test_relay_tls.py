"""The relay's TLS and login: insisted on, step by step, and each failure told as what it is."""

import base64
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword, Session
from aiosmtpd.smtp import Envelope as ReceivedEnvelope
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from newsletter.config import Smtp
from newsletter.delivery.lanes import Mail
from newsletter.delivery.policy import Fault, Phase
from newsletter.delivery.relay import RelayTransport
from newsletter.errors import TransportError
from newsletter.model.delivery import Accepted, Reply
from tests.delivery.conftest import Relay, find_free_port
from tests.delivery.relaying import deliver

MakeMail = Callable[..., Mail]


async def test_without_starttls_neither_password_nor_mail_is_sent(mail: Mail) -> None:
    script = {"ehlo": "250-relay.test\n250 AUTH PLAIN LOGIN"}
    async with Relay(script).serve() as relay:
        (verdict,) = await deliver(relay.smtp(tls="starttls", user="ann"), mail, password="secret")
    assert isinstance(verdict, Fault)
    assert verdict.phase is Phase.TLS
    assert "no STARTTLS" in verdict.reply.text
    assert relay.said == ["EHLO here.test"]


async def test_a_refused_starttls_ends_it_too(mail: Mail) -> None:
    script = {"ehlo": "250-relay.test\n250-AUTH PLAIN\n250 STARTTLS", "starttls": "454 4.7.0 not now"}
    async with Relay(script).serve() as relay:
        (verdict,) = await deliver(relay.smtp(tls="starttls", user="ann"), mail, password="secret")
    assert verdict == Fault(Reply(454, "4.7.0", "not now"), Phase.TLS)
    assert relay.said == ["EHLO here.test", "STARTTLS"]


class Sink:
    """What aiosmtpd received, and over what."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, bool, str]] = []

    async def handle_DATA(self, server: Any, session: Session, envelope: ReceivedEnvelope) -> str:  # noqa: N802
        login = session.auth_data.login.decode() if isinstance(session.auth_data, LoginPassword) else ""
        over_tls = server.transport.get_extra_info("sslcontext") is not None
        self.mails += [(recipient, over_tls, login) for recipient in envelope.rcpt_tos]
        return "250 2.0.0 queued"


def check_login(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    right = data == LoginPassword(b"ann", b"secret")
    return AuthResult(success=right, handled=False, auth_data=data)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1, signed by itself, and its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay.test")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "relay.pem"
    path.write_bytes(
        built.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


@pytest.fixture
def server_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def secure_sink(server_context: ssl.SSLContext) -> Iterator[tuple[Sink, int]]:
    """aiosmtpd that wants STARTTLS and a login."""
    sink = Sink()
    controller = Controller(
        sink,
        hostname="127.0.0.1",
        port=find_free_port(),
        tls_context=server_context,
        require_starttls=True,
        auth_required=True,
        authenticator=check_login,
    )
    controller.start()
    try:
        yield sink, controller.port
    finally:
        controller.stop()


def secure(port: int, certificate: Path | None, **changes: object) -> Smtp:
    values = {"host": "127.0.0.1", "port": port, "user": "ann", "ca_file": certificate, "timeout": 5.0}
    return Smtp.model_validate(values | {"local_name": "here.test"} | changes)


async def test_starttls_and_a_login(mail: Mail, secure_sink: tuple[Sink, int], certificate: Path) -> None:
    sink, port = secure_sink
    (verdict,) = await deliver(secure(port, certificate), mail, password="secret")
    assert isinstance(verdict, Accepted)
    assert sink.mails == [("ann@example.net", True, "ann")]


async def test_a_wrong_password_is_about_us_and_stays_out_of_the_message(
    mail: Mail, secure_sink: tuple[Sink, int], certificate: Path
) -> None:
    sink, port = secure_sink
    (verdict,) = await deliver(secure(port, certificate), mail, password="wrong")
    assert isinstance(verdict, Fault)
    assert verdict.phase is Phase.AUTH
    assert verdict.reply.code == 535
    assert not {"wrong", base64.b64encode(b"wrong").decode()} & set(verdict.reply.text.split())
    assert sink.mails == []


async def test_a_certificate_nobody_vouches_for_is_refused(
    mail: Mail, server_context: ssl.SSLContext, certificate: Path
) -> None:
    script = {"ehlo": "250-relay.test\n250-AUTH PLAIN\n250 STARTTLS"}
    async with Relay(script, starttls=server_context).serve() as relay:
        (stranger,) = await deliver(relay.smtp(tls="starttls", user="ann"), mail, password="secret")
        said = list(relay.said)
        (trusted,) = await deliver(relay.smtp(tls="starttls", user="ann", ca_file=certificate), mail, password="secret")
    assert isinstance(stranger, Fault)
    assert stranger.phase is Phase.TLS
    assert "certificate" in stranger.reply.text
    assert said == ["EHLO here.test", "STARTTLS"]
    assert isinstance(trusted, Accepted)


async def test_implicit_tls(mail: Mail, server_context: ssl.SSLContext, certificate: Path) -> None:
    async with Relay().serve(server_context) as relay:
        trusted = relay.smtp(tls="implicit", ca_file=certificate)
        (verdict,) = await deliver(trusted, mail)
        (stranger,) = await deliver(relay.smtp(tls="implicit"), mail)
    assert isinstance(verdict, Accepted)
    assert isinstance(stranger, Fault)
    assert stranger.phase is Phase.TLS
    assert relay.recipients() == ["ann@example.net"]


def test_a_ca_file_that_is_none_is_named(tmp_path: Path) -> None:
    bad = tmp_path / "ca.pem"
    bad.write_text("no certificate")
    with pytest.raises(TransportError, match=r"ca\.pem: smtp\.ca_file holds no PEM certificate"):
        RelayTransport(Smtp(host="127.0.0.1", ca_file=bad), "")
    with pytest.raises(TransportError, match=r"gone\.pem: smtp\.ca_file can't be read: No such file"):
        RelayTransport(Smtp(host="127.0.0.1", ca_file=tmp_path / "gone.pem"), "")
