"""The fault matrix, down to the ledger: whatever a relay does, the right verdict stands in the right reader's row.

Postfix's smtp-sink plays the faults that hit everybody; a scripted relay those that hit one reader among others.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from newsletter.config import Settings
from newsletter.delivery.desk import Tally
from newsletter.delivery.publish import Keys, open_transport, send_edition
from newsletter.errors import TransportError
from newsletter.model.delivery import Audit, DeliveryState
from newsletter.model.edition import Edition
from newsletter.store.database import Database, open_database
from newsletter.store.deliveries import list_deliveries
from newsletter.store.editions import StoredEdition
from tests.delivery.announcing import announce_pipelining
from tests.delivery.conftest import KEY, Relay, StartSink, add_readers, audit, publish

READERS = 4
SENT, FAILED, DEFERRED = DeliveryState.SENT, DeliveryState.FAILED, DeliveryState.DEFERRED
QUEUED, UNKNOWN = DeliveryState.QUEUED, DeliveryState.UNKNOWN

Row = tuple[DeliveryState, int, int]
"""State, reply code, and tries that count."""


class Desk:
    """An edition for a few readers, and the way to send it. SQLite: what a relay does is the same to every engine."""

    def __init__(self, database: Database, stored: StoredEdition, folder: Path) -> None:
        self.database = database
        self._stored = stored
        self._folder = folder

    def send(self, port: int, *, adapt: bool = True, **smtp: Any) -> Tally:
        relay = {"host": "127.0.0.1", "port": port, "tls": "none", "connections": 1, "timeout": 5.0}
        settings = Settings.model_validate(
            {
                "smtp": relay | {"data_timeout": 5.0, "local_name": "here.test"} | smtp,
                "delivery": {"journal": self._folder / "journal"},
                "pace": {"adapt": adapt},
            }
        )
        transport = open_transport(settings, {"NEWSLETTER_SMTP_PASSWORD": "secret"}, "slug")
        try:
            return send_edition(self.database, self._stored, transport, Keys(KEY), settings, lambda tally: None)
        finally:
            assert list((self._folder / "journal").glob("*.journal")) == []
            assert self.audit().holds

    def send_in_vain(self, port: int, **smtp: Any) -> str:
        """Send where the relay bars us; return what the operator is told."""
        with pytest.raises(TransportError) as told:
            self.send(port, **smtp)
        return str(told.value)

    def rows(self) -> list[Row]:
        with self.database.read() as connection:
            rows = list_deliveries(connection, self._stored.id)
        return [(row.state, row.reply.code if row.reply else -1, row.attempts) for row in rows]

    def audit(self) -> Audit:
        return audit(self.database, self._stored)


@pytest.fixture
def desk(migrated_file: Path, tmp_path: Path, edition: Edition, request: pytest.FixtureRequest) -> Iterator[Desk]:
    path = tmp_path / "newsletter.db"
    path.write_bytes(migrated_file.read_bytes())
    with open_database(f"sqlite:///{path}") as database:
        yield Desk(database, publish(database, edition, getattr(request, "param", READERS)), tmp_path)


NOBODY_BLAMED: list[Row] = [(QUEUED, -1, 0)] * READERS


@pytest.mark.parametrize("options", [[], ["-p"], ["-e"], ["-8", "-N", "-E"], ["-P"]], ids=str)
def test_whatever_the_relay_offers_everybody_gets_it(desk: Desk, start_sink: StartSink, options: list[str]) -> None:
    assert desk.send(start_sink(*options)) == Tally(sent=READERS)
    assert desk.rows() == [(SENT, 250, 1)] * READERS


def test_a_relay_that_knows_no_ehlo_is_greeted_the_old_way(desk: Desk, start_sink: StartSink) -> None:
    assert desk.send(start_sink("-f", "EHLO")) == Tally(sent=READERS)
    assert desk.rows() == [(SENT, 250, 1)] * READERS


@pytest.mark.parametrize(
    ("options", "smtp", "reason"),
    [
        ([], {"tls": "starttls"}, "it offers no STARTTLS"),
        (["-a"], {"user": "news"}, "AUTH"),
        (["-f", "EHLO"], {"user": "news"}, "(EHLO): 500"),
    ],
    ids=["no STARTTLS", "no AUTH", "no EHLO"],
)
def test_what_we_insist_on_and_the_relay_lacks_is_about_us(
    desk: Desk, start_sink: StartSink, options: list[str], smtp: dict[str, object], reason: str
) -> None:
    assert reason in desk.send_in_vain(start_sink(*options), **smtp)
    assert desk.rows() == NOBODY_BLAMED


def test_an_address_that_the_relay_can_t_write_fails_and_holds_up_nobody(
    migrated_file: Path, tmp_path: Path, edition: Edition, start_sink: StartSink
) -> None:
    path = tmp_path / "newsletter.db"
    path.write_bytes(migrated_file.read_bytes())
    with open_database(f"sqlite:///{path}") as database:
        add_readers(database, ["jörg@example.net"])
        desk = Desk(database, publish(database, edition, 2), tmp_path)
        assert desk.send(start_sink()) == Tally(sent=2, failed=1)
        assert desk.rows() == [(FAILED, 553, 1), (SENT, 250, 1), (SENT, 250, 1)]


@pytest.mark.parametrize("command", ["CONNECT", "EHLO,HELO"])
@pytest.mark.parametrize("fault", ["-r", "-f", "-Q", "-q"], ids=["4xx", "5xx", "421", "drop"])
def test_a_door_that_is_shut_is_told_and_blames_nobody(
    desk: Desk, start_sink: StartSink, command: str, fault: str
) -> None:
    said = desk.send_in_vain(start_sink(fault, command))
    assert "doesn't take our mail" in said
    assert desk.rows() == NOBODY_BLAMED


Reach = Callable[..., int]
"""Starts smtp-sink with a fault and returns the port by which it is reached."""


@pytest.fixture(params=["pipelining", "one by one"])
def reach(start_sink: StartSink, request: pytest.FixtureRequest) -> Iterator[Reach]:
    with ExitStack() as ways:

        def reach(*options: str) -> int:
            port = start_sink("-p", *options)
            return port if request.param == "one by one" else ways.enter_context(announce_pipelining(port))

        yield reach


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA", "."])
def test_a_soft_refusal_waits(desk: Desk, reach: Reach, command: str) -> None:
    assert desk.send(reach("-r", command, "-b", "450 4.2.0 later")) == Tally(deferred=READERS)
    assert desk.rows() == [(DEFERRED, 450, 1)] * READERS


@pytest.mark.parametrize("command", ["RCPT", "DATA", "."])
def test_a_hard_refusal_is_final(desk: Desk, reach: Reach, command: str) -> None:
    assert desk.send(reach("-f", command, "-B", "554 5.6.0 never")) == Tally(failed=READERS)
    assert desk.rows() == [(FAILED, 554, 1)] * READERS


def test_a_mail_that_is_refused_before_it_was_heard_out_is_refused(desk: Desk, reach: Reach) -> None:
    assert desk.send(reach("-A", "0")) == Tally(failed=READERS)
    assert desk.rows() == [(FAILED, 550, 1)] * READERS


def test_a_hard_refusal_of_our_sender_is_about_us(desk: Desk, reach: Reach) -> None:
    assert "(MAIL FROM): 550 5.1.8" in desk.send_in_vain(reach("-f", "MAIL", "-B", "550 5.1.8 not you"))
    assert desk.rows() == NOBODY_BLAMED


@pytest.mark.parametrize("command", ["RCPT", "DATA", "."])
def test_a_policy_that_bars_everybody_is_about_us(desk: Desk, reach: Reach, command: str) -> None:
    said = desk.send_in_vain(reach("-f", command, "-B", "554 5.7.1 not you"))
    assert "554 5.7.1 not you" in said
    assert desk.rows() == NOBODY_BLAMED


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA", "."])
def test_a_421_waits_and_is_no_try_of_the_reader_s(desk: Desk, reach: Reach, command: str) -> None:
    desk.send(reach("-Q", command), adapt=False)  # or each waits two seconds longer: they are all of one domain
    assert desk.rows() == [(DEFERRED, 421, 0)] * READERS


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
def test_a_connection_lost_before_the_body_waits(desk: Desk, reach: Reach, command: str) -> None:
    desk.send(reach("-q", command))
    assert desk.rows() == [(DEFERRED, 0, 0)] * READERS


def test_a_connection_lost_at_the_final_dot_is_unknown(desk: Desk, reach: Reach) -> None:
    desk.send(reach("-q", "."))
    assert desk.rows() == [(UNKNOWN, 0, 1)] * READERS


# While smtp-sink delays its reply to MAIL or RCPT, it goes on with what came behind: its pipeline is none then.


@pytest.mark.parametrize("desk", [1], indirect=True)
@pytest.mark.parametrize("command", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "."])
def test_a_slow_reply_is_waited_for(desk: Desk, start_sink: StartSink, command: str) -> None:
    desk.send(start_sink("-p", "-W", f"{command}:1"))
    assert desk.rows() == [(SENT, 250, 1)]


@pytest.mark.parametrize("desk", [1], indirect=True)
@pytest.mark.parametrize("command", ["CONNECT", "EHLO"])
def test_a_door_that_opens_too_slowly_is_shut(desk: Desk, start_sink: StartSink, command: str) -> None:
    desk.send_in_vain(start_sink("-W", f"{command}:1"), timeout=0.2)
    assert desk.rows() == [(QUEUED, -1, 0)]


@pytest.mark.parametrize("desk", [1], indirect=True)
@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
def test_a_reply_that_is_too_slow_is_none(desk: Desk, start_sink: StartSink, command: str) -> None:
    desk.send(start_sink("-p", "-W", f"{command}:1"), timeout=0.2)
    assert desk.rows() == [(DEFERRED, 0, 0)]


@pytest.mark.parametrize("desk", [1], indirect=True)
def test_an_answer_to_the_final_dot_that_is_too_slow_leaves_it_unknown(desk: Desk, reach: Reach) -> None:
    desk.send(reach("-W", ".:1"), data_timeout=0.2)
    assert desk.rows() == [(UNKNOWN, 0, 1)]


FATES = {
    "rcpt": {1: "550 5.1.1 nobody", 4: "450 4.2.1 greylisted", 5: "552 5.2.2 full", 8: "550 5.7.1 barred"},
    "dot": {2: "554 5.6.0 content", 6: "451 4.3.0 later", 9: "554 5.7.1 spam"},
}
EXPECTED = [
    (FAILED, 550, 1),
    (FAILED, 554, 1),
    (SENT, 250, 1),
    (DEFERRED, 450, 1),
    (DEFERRED, 552, 1),
    (DEFERRED, 451, 1),
    (SENT, 250, 1),
    (FAILED, 550, 1),
    (FAILED, 554, 1),
    (SENT, 250, 1),
]


@pytest.mark.parametrize("connections", [1, 3])
@pytest.mark.parametrize("offers", ["PIPELINING", "CHUNKING", "PIPELINING CHUNKING", ""])
async def test_each_reader_has_his_own_verdict_in_the_middle_of_a_pipeline(
    migrated_file: Path, tmp_path: Path, edition: Edition, offers: str, connections: int
) -> None:
    path = tmp_path / "newsletter.db"
    path.write_bytes(migrated_file.read_bytes())

    def fate(phase: str, usual: str) -> Callable[[str], str]:
        return lambda recipient: FATES[phase].get(int(recipient.removeprefix("reader").partition("@")[0]), usual)

    script: dict[str, str | Callable[[str], str]] = {
        "ehlo": "\n".join(["250-relay.test", *(f"250-{extension}" for extension in offers.split()), "250 HELP"]),
        "rcpt": fate("rcpt", "250 2.1.5 ok"),
        "data": "354 go on",
        "dot": fate("dot", "250 2.0.0 queued"),
    }
    with open_database(f"sqlite:///{path}") as database:
        desk = Desk(database, publish(database, edition, len(EXPECTED)), tmp_path)
        async with RefusingRelay(script).serve() as relay:
            tally = await asyncio.to_thread(desk.send, relay.port, connections=connections, window=3)
        assert desk.rows() == EXPECTED
    assert tally == Tally(sent=3, failed=4, deferred=3)
    assert sorted(relay.recipients()) == ["reader10@example.net", "reader3@example.net", "reader7@example.net"]


class RefusingRelay(Relay):
    """Also refuses a body after a refused RCPT, as a server must when they come in one go (RFC 2920 section 3.1)."""

    def _answer(self, phase: str, recipient: str = "") -> str:
        if phase in ("data", "dot") and not super()._answer("rcpt", recipient).startswith("2"):
            return "554 5.5.1 no valid recipients"
        return super()._answer(phase, recipient)
