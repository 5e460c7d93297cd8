"""Postfix's smtp-sink and its faults: each gives the right verdict to the right mail."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import aiosmtplib
import pytest

from newsletter.delivery.policy import Phase
from newsletter.delivery.wire import Wire
from tests.delivery.talks import ON_EACH_LOOP, SENT, Play, Sending, make_wire

pytestmark = ON_EACH_LOOP

Start = Callable[..., int]


@pytest.fixture
def start_sink() -> Iterator[Start]:
    """Starts smtp-sink with options and returns its port."""
    found = shutil.which("smtp-sink", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        reason = "smtp-sink isn't installed (Debian's package postfix has it)"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason}, and CI must test with it")
        pytest.skip(reason)
    running: list[subprocess.Popen[bytes]] = []

    def start(*options: str) -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        user = ["-u", "nobody"] if os.geteuid() == 0 else []  # it refuses to run as root
        sink = subprocess.Popen([found, *user, *options, f"127.0.0.1:{port}", "100"], cwd=Path("/"))
        running.append(sink)
        wait_for(port, sink)
        return port

    yield start
    for sink in running:
        sink.terminate()
        sink.wait(10)


def wait_for(port: int, sink: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        assert sink.poll() is None, "smtp-sink didn't start"
        # Looked up, not connected to: a connection would use up what a fault is counted in.
        if f":{port:04X} 00000000:0000 0A" in Path("/proc/net/tcp").read_text(encoding="ascii"):
            return
        time.sleep(0.02)
    raise AssertionError("smtp-sink doesn't listen")


def send(
    play: Play, port: int, count: int = 3, timeout: float = 5.0, size: int = 5_000
) -> dict[int, tuple[Phase, int]]:
    """Send mails over one connection."""
    sending = Sending(count, size)

    async def scene() -> None:
        await connect_and_send(make_wire(port, timeout=timeout, data_timeout=timeout), sending)

    play(scene())
    return sending.results


@pytest.mark.parametrize("options", [[], ["-p"], ["-e"], ["-8", "-N", "-E"], ["-P"], ["-h", "relay.test"]], ids=str)
def test_whatever_it_offers_it_gets_the_mails(play: Play, start_sink: Start, options: list[str]) -> None:
    assert send(play, start_sink(*options), 20) == dict.fromkeys(range(1, 21), SENT)


@pytest.mark.parametrize(
    ("command", "phase"), [("MAIL", Phase.MAIL), ("RCPT", Phase.RCPT), ("DATA", Phase.DATA), (".", Phase.DOT)]
)
def test_a_soft_and_a_hard_refusal(play: Play, start_sink: Start, command: str, phase: Phase) -> None:
    soft = start_sink("-r", command, "-b", "450 4.2.0 later please")
    assert send(play, soft) == dict.fromkeys((1, 2, 3), (phase, 450))
    hard = start_sink("-f", command, "-B", "554 5.7.1 not you")
    assert send(play, hard) == dict.fromkeys((1, 2, 3), (phase, 554))


@pytest.mark.parametrize(
    ("command", "first", "second"),
    [
        ("MAIL", (Phase.MAIL, 421), None),
        ("RCPT", (Phase.RCPT, 421), None),
        ("DATA", (Phase.DATA, 421), None),
        (".", (Phase.DOT, 421), (Phase.MAIL, 0)),
    ],
)
def test_421_and_a_closed_door(
    play: Play, start_sink: Start, command: str, first: tuple[Phase, int], second: tuple[Phase, int] | None
) -> None:
    expected = {1: first} | ({2: second} if second else {})
    assert send(play, start_sink("-Q", command)) == expected


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
def test_a_door_closed_without_a_word(play: Play, start_sink: Start, command: str) -> None:
    """Answers to what came before may be lost with it, so the phase may be an earlier one."""
    ((number, (phase, code)),) = send(play, start_sink("-q", command)).items()
    assert (number, code) == (1, 0)
    assert phase in (Phase.MAIL, Phase.RCPT, Phase.DATA)


def test_a_door_closed_without_a_word_after_the_final_dot(play: Play, start_sink: Start) -> None:
    assert send(play, start_sink("-q", ".")) == {1: (Phase.DOT, 0), 2: (Phase.MAIL, 0)}


@pytest.mark.parametrize("command", ["CONNECT", "EHLO"])
@pytest.mark.parametrize("fault", ["-q", "-Q", "-f", "-r"])
def test_nothing_is_begun_with_a_server_that_doesnt_let_us_in(
    play: Play, start_sink: Start, command: str, fault: str
) -> None:
    # A server that refuses EHLO alone is asked with HELO; so HELO is refused, too.
    port = start_sink(fault, f"{command},HELO")
    sending = Sending(3)

    async def scene() -> None:
        wire = make_wire(port)
        with pytest.raises(aiosmtplib.SMTPException):
            await connect_and_send(wire, sending)

    play(scene())
    assert sending.begun == 0


async def connect_and_send(wire: Wire, sending: Sending) -> None:
    try:
        await wire.connect()
        await sending.over(wire)
    finally:
        wire.close()


def test_a_slow_answer_is_waited_for_and_a_slower_one_isnt(play: Play, start_sink: Start) -> None:
    slow = start_sink("-W", ".:1")
    assert send(play, slow, 1, timeout=5.0) == {1: SENT}
    assert send(play, slow, 1, timeout=0.3) == {1: (Phase.DOT, 0)}
    assert send(play, start_sink("-p", "-W", "RCPT:3"), 1, timeout=0.3) == {1: (Phase.RCPT, 0)}


def test_an_abort_in_the_middle_of_a_body(play: Play, start_sink: Start) -> None:
    """It says 550 right after its 354, reads no more, and hangs up: nobody can count on hearing that."""
    results = send(play, start_sink("-A", "0"), 1, timeout=2.0, size=3_000_000)
    assert results in ({1: (Phase.DATA, 550)}, {1: (Phase.DOT, 550)}, {1: (Phase.DOT, 0)})
