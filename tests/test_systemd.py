"""What systemd is told, over a socket of our own."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from newsletter.systemd import ALIVE, READY, STOPPING, Pulse, load_watchdog, notify


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.settimeout(5)
        yield ear


def test_it_hears_that_we_are_ready_and_stopping(systemd: socket.socket) -> None:
    environ = {"NOTIFY_SOCKET": systemd.getsockname()}
    assert notify(READY, environ)
    assert notify(STOPPING, environ)
    assert [systemd.recv(100), systemd.recv(100)] == [b"READY=1", b"STOPPING=1"]


def test_an_abstract_socket_is_known_by_its_at() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        name = f"newsletter-test-{os.getpid()}"
        ear.bind(f"\0{name}")
        assert notify(ALIVE, {"NOTIFY_SOCKET": f"@{name}"})
        assert ear.recv(100) == b"WATCHDOG=1"


@pytest.mark.parametrize(
    "environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "/none"}, {"NOTIFY_SOCKET": "vsock:2"}]
)
def test_outside_of_systemd_nobody_is_told(environ: dict[str, str]) -> None:
    assert not notify(READY, environ)


def test_it_is_told_twice_as_often_as_it_must() -> None:
    assert load_watchdog({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}) == 30.0
    assert load_watchdog({"WATCHDOG_USEC": "60000000"}) == 30.0
    for other in ({}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "x"}, {"WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"}):
        assert load_watchdog(other) is None
    told: list[str] = []
    pulse, silent = Pulse(3.0, told.append), Pulse(None, told.append)
    for _ in range(7):
        pulse()
        silent()
    assert told == [ALIVE, ALIVE]
