"""One mail on one connection, and the pool: every phase answered every way, TLS insisted on, connections lent."""

import asyncio
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
from newsletter.delivery.policy import Fault, Phase, Verdict
from newsletter.delivery.transport import SmtpTransport
from newsletter.errors import TransportError
from newsletter.mail.message import Envelope
from newsletter.model.delivery import Accepted, Deferred, DeliveryState, Refused, Reply, Unknown
from tests.delivery.conftest import DROP, Relay, find_free_port

MakeEnvelope = Callable[..., Envelope]


async def deliver(smtp: Smtp, *envelopes: Envelope, password: str = "") -> list[Verdict]:
    """Deliver one after the other."""
    transport = SmtpTransport(smtp, password)
    try:
        return [await transport.deliver(envelope) for envelope in envelopes]
    finally:
        await transport.close()


async def test_a_mail_arrives_byte_for_byte_with_its_own_return_address(envelope: Envelope) -> None:
    async with Relay().serve() as relay:
        assert await deliver(relay.smtp(), envelope) == [Accepted(Reply(250, "2.0.0", "queued"))]
    assert relay.mails == [(envelope.sender, "ann@example.net", envelope.message)]
    assert relay.said == [
        "EHLO here.test",
        f"MAIL FROM:<{envelope.sender}> SIZE={len(envelope.message)}",
        "RCPT TO:<ann@example.net>",
        "DATA",
        "QUIT",
    ]


@pytest.mark.parametrize(
    ("phase", "said", "kind"),
    [
        ("greeting", "554 5.3.2 no", Fault),
        ("greeting", "421 4.3.2 busy", Fault),
        ("greeting", DROP, Fault),
        ("ehlo", DROP, Fault),
        ("ehlo", "421 4.3.2 busy", Fault),
        ("mail", "550 5.1.8 not you", Fault),
        ("mail", "451 4.3.0 later", Deferred),
        ("mail", "421 4.3.2 closing", Deferred),
        ("mail", DROP, Deferred),
        ("rcpt", "550 5.1.1 nobody", Refused),
        ("rcpt", "450 4.2.1 greylisted", Deferred),
        ("rcpt", "452 4.5.3 too many", Deferred),
        ("rcpt", "552 5.2.2 full", Deferred),
        ("rcpt", "554 5.7.1 relay access denied", Fault),
        ("rcpt", "421 4.3.2 closing", Deferred),
        ("rcpt", DROP, Deferred),
        ("data", "451 4.3.0 later", Deferred),
        ("data", "554 5.6.0 no", Refused),
        ("data", DROP, Deferred),
        ("dot", "451 4.3.0 later", Deferred),
        ("dot", "421 4.3.2 closing", Deferred),
        ("dot", "554 5.6.0 content", Refused),
        ("dot", "554 5.7.1 spam", Fault),
        ("dot", DROP, Unknown),
        ("dot", "nonsense", Unknown),
        ("rcpt", "nonsense", Deferred),
    ],
)
async def test_every_phase_answered_every_way(envelope: Envelope, phase: str, said: str, kind: type) -> None:
    async with Relay({phase: said}).serve() as relay:
        (verdict,) = await deliver(relay.smtp(), envelope)
    assert isinstance(verdict, kind)
    assert relay.mails == []
    if said[:3].isdecimal():
        code, enhanced, text = said.split(" ", 2)
        assert verdict.reply == Reply(int(code), enhanced, text)
    else:
        assert verdict.reply.code == 0
        assert verdict.reply.text


@pytest.mark.parametrize(("phase", "kind"), [("rcpt", Deferred), ("data", Deferred), ("dot", Unknown)])
async def test_a_reply_that_takes_too_long_is_none(envelope: Envelope, phase: str, kind: type) -> None:
    async with Relay(delays={phase: 1.0}).serve() as relay:
        (verdict,) = await deliver(relay.smtp(timeout=0.2, data_timeout=0.2), envelope)
    assert isinstance(verdict, kind)
    assert "imed out" in verdict.reply.text


async def test_the_final_dot_has_a_time_limit_of_its_own(envelope: Envelope) -> None:
    async with Relay(delays={"dot": 0.5}).serve() as relay:
        (verdict,) = await deliver(relay.smtp(timeout=0.2, data_timeout=5.0), envelope)
    assert isinstance(verdict, Accepted)


async def test_a_connection_lost_amid_the_body_is_not_unknown(envelope: Envelope) -> None:
    """No dot was written, so nothing can have arrived."""
    big = Envelope(envelope.slug, envelope.name, envelope.sender, envelope.recipient, b"x: y\r\n" * 4_000_000, False)
    async with Relay(drop_in_body=True).serve() as relay:
        (verdict,) = await deliver(relay.smtp(), big)
    assert isinstance(verdict, Deferred)


async def test_a_refusal_leaves_the_connection_fit_for_the_next_mail(make_envelope: MakeEnvelope) -> None:
    script = {"rcpt": ["550 5.1.1 nobody", "250 ok"], "dot": ["554 5.6.0 no", "250 2.0.0 queued"]}
    async with Relay(script).serve() as relay:
        verdicts = await deliver(relay.smtp(), *(make_envelope(f"r{n}@example.net", n) for n in range(3)))
    assert [type(verdict) for verdict in verdicts] == [Refused, Refused, Accepted]
    assert relay.connections == 1
    assert relay.said.count("RSET") == 1


async def test_a_connection_is_renewed_after_its_share_of_mails(make_envelope: MakeEnvelope) -> None:
    async with Relay().serve() as relay:
        envelopes = [make_envelope(f"r{n}@example.net", n) for n in range(5)]
        await deliver(relay.smtp(messages_per_connection=2), *envelopes)
    assert relay.connections == 3
    assert relay.said.count("QUIT") == 3
    assert len(relay.mails) == 5


@pytest.mark.parametrize("farewell", ["421 4.3.2 that was enough", DROP])
async def test_a_used_connection_that_closes_costs_nothing(make_envelope: MakeEnvelope, farewell: str) -> None:
    async with Relay({"mail": ["250 ok", farewell, "250 ok"]}).serve() as relay:
        verdicts = await deliver(relay.smtp(), make_envelope("a@example.net", 1), make_envelope("b@example.net", 2))
    assert [type(verdict) for verdict in verdicts] == [Accepted, Accepted]
    assert relay.connections == 2
    assert relay.recipients() == ["a@example.net", "b@example.net"]


async def test_a_mail_whose_fate_is_unknown_is_not_tried_on_another_connection(make_envelope: MakeEnvelope) -> None:
    async with Relay({"dot": ["250 ok", DROP, "250 ok"]}).serve() as relay:
        verdicts = await deliver(relay.smtp(), *(make_envelope(f"r{n}@example.net", n) for n in range(3)))
    assert [type(verdict) for verdict in verdicts] == [Accepted, Unknown, Accepted]
    assert relay.recipients() == ["r0@example.net", "r2@example.net"]


async def test_mails_go_out_side_by_side_on_as_many_connections_as_configured(make_envelope: MakeEnvelope) -> None:
    async with Relay().serve() as relay:
        transport = SmtpTransport(relay.smtp(connections=4), "")
        envelopes = [make_envelope(f"r{n}@example.net", n) for n in range(40)]
        verdicts = await asyncio.gather(*(transport.deliver(envelope) for envelope in envelopes))
        await transport.close()
    assert all(isinstance(verdict, Accepted) for verdict in verdicts)
    assert relay.connections == 4
    assert sorted(relay.recipients()) == sorted(envelope.recipient for envelope in envelopes)


async def test_a_relay_that_wants_fewer_connections_gets_fewer(make_envelope: MakeEnvelope) -> None:
    async with Relay(most_connections=2).serve() as relay:
        transport = SmtpTransport(relay.smtp(connections=5), "")
        envelopes = [make_envelope(f"r{n}@example.net", n) for n in range(20)]
        verdicts = await asyncio.gather(*(transport.deliver(envelope) for envelope in envelopes))
        assert transport.width == 2
        await transport.close()
    assert all(isinstance(verdict, Accepted) for verdict in verdicts)
    assert len(relay.mails) == 20


async def test_a_relay_that_is_away_is_asked_once_and_not_by_everybody(make_envelope: MakeEnvelope) -> None:
    async with Relay({"greeting": "421 4.3.2 busy"}).serve() as relay:
        transport = SmtpTransport(relay.smtp(connections=3), "")
        envelopes = [make_envelope(f"r{n}@example.net", n) for n in range(9)]
        verdicts = await asyncio.gather(*(transport.deliver(envelope) for envelope in envelopes))
        await transport.close()
    assert all(isinstance(verdict, Fault) and verdict.temporary for verdict in verdicts)
    assert relay.connections == 3


async def test_a_relay_that_is_not_there_is_a_fault_of_ours(envelope: Envelope) -> None:
    async with Relay().serve() as relay:
        smtp = relay.smtp()
    (verdict,) = await deliver(smtp, envelope)
    assert isinstance(verdict, Fault)
    assert verdict.phase is Phase.GREETING
    assert str(smtp.port) in verdict.reply.text


async def test_an_address_in_another_script_needs_a_relay_that_offers_smtputf8(make_envelope: MakeEnvelope) -> None:
    foreign = make_envelope("用户@xn--fsqu00a.example")
    async with Relay().serve() as relay:
        (verdict,) = await deliver(relay.smtp(), foreign)
    assert isinstance(verdict, Refused)
    assert "SMTPUTF8" in verdict.reply.text
    async with Relay({"ehlo": "250-relay.test\n250-8BITMIME\n250 SMTPUTF8"}).serve() as relay:
        (verdict,) = await deliver(relay.smtp(), foreign)
    assert isinstance(verdict, Accepted)
    assert relay.said[1].endswith(" BODY=8BITMIME SMTPUTF8")
    assert relay.recipients() == ["用户@xn--fsqu00a.example"]


async def test_helo_is_enough_for_a_relay_that_knows_no_ehlo(envelope: Envelope) -> None:
    async with Relay({"ehlo": "502 5.5.1 what"}).serve() as relay:
        (verdict,) = await deliver(relay.smtp(), envelope)
    assert isinstance(verdict, Accepted)
    assert relay.said[:2] == ["EHLO here.test", "HELO here.test"]


async def test_without_starttls_neither_password_nor_mail_is_sent(envelope: Envelope) -> None:
    script = {"ehlo": "250-relay.test\n250 AUTH PLAIN LOGIN"}
    async with Relay(script).serve() as relay:
        (verdict,) = await deliver(relay.smtp(tls="starttls", user="ann"), envelope, password="secret")
    assert isinstance(verdict, Fault)
    assert verdict.phase is Phase.TLS
    assert "no STARTTLS" in verdict.reply.text
    assert relay.said == ["EHLO here.test"]


async def test_a_refused_starttls_ends_it_too(envelope: Envelope) -> None:
    script = {"ehlo": "250-relay.test\n250-AUTH PLAIN\n250 STARTTLS", "starttls": "454 4.7.0 not now"}
    async with Relay(script).serve() as relay:
        (verdict,) = await deliver(relay.smtp(tls="starttls", user="ann"), envelope, password="secret")
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


async def test_starttls_and_a_login(envelope: Envelope, secure_sink: tuple[Sink, int], certificate: Path) -> None:
    sink, port = secure_sink
    (verdict,) = await deliver(secure(port, certificate), envelope, password="secret")
    assert isinstance(verdict, Accepted)
    assert sink.mails == [("ann@example.net", True, "ann")]


async def test_a_wrong_password_is_about_us_and_stays_out_of_the_message(
    envelope: Envelope, secure_sink: tuple[Sink, int], certificate: Path
) -> None:
    sink, port = secure_sink
    (verdict,) = await deliver(secure(port, certificate), envelope, password="wrong")
    assert isinstance(verdict, Fault)
    assert verdict.phase is Phase.AUTH
    assert verdict.reply.code == 535
    assert not {"wrong", base64.b64encode(b"wrong").decode()} & set(verdict.reply.text.split())
    assert sink.mails == []


async def test_a_certificate_nobody_vouches_for_is_refused(
    envelope: Envelope, server_context: ssl.SSLContext, certificate: Path
) -> None:
    script = {"ehlo": "250-relay.test\n250-AUTH PLAIN\n250 STARTTLS"}
    async with Relay(script, starttls=server_context).serve() as relay:
        (stranger,) = await deliver(relay.smtp(tls="starttls", user="ann"), envelope, password="secret")
        said = list(relay.said)
        (trusted,) = await deliver(
            relay.smtp(tls="starttls", user="ann", ca_file=certificate), envelope, password="secret"
        )
    assert isinstance(stranger, Fault)
    assert stranger.phase is Phase.TLS
    assert "certificate" in stranger.reply.text
    assert said == ["EHLO here.test", "STARTTLS"]
    assert isinstance(trusted, Accepted)


async def test_implicit_tls(envelope: Envelope, server_context: ssl.SSLContext, certificate: Path) -> None:
    async with Relay().serve(server_context) as relay:
        trusted = relay.smtp(tls="implicit", ca_file=certificate)
        (verdict,) = await deliver(trusted, envelope)
        (stranger,) = await deliver(relay.smtp(tls="implicit"), envelope)
    assert isinstance(verdict, Accepted)
    assert isinstance(stranger, Fault)
    assert stranger.phase is Phase.TLS
    assert relay.recipients() == ["ann@example.net"]


def test_a_ca_file_that_is_none_is_named(tmp_path: Path) -> None:
    bad = tmp_path / "ca.pem"
    bad.write_text("no certificate")
    with pytest.raises(TransportError, match=r"ca\.pem: smtp\.ca_file holds no PEM certificate"):
        SmtpTransport(Smtp(host="127.0.0.1", ca_file=bad), "")
    with pytest.raises(TransportError, match=r"gone\.pem: smtp\.ca_file can't be read: No such file"):
        SmtpTransport(Smtp(host="127.0.0.1", ca_file=tmp_path / "gone.pem"), "")


def test_a_mail_whose_sender_died_is_unknown() -> None:
    assert SmtpTransport(Smtp(host="127.0.0.1"), "").landing is DeliveryState.UNKNOWN
