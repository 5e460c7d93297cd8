"""The server as a process: the short way for files, limits on connections, an orderly end."""

import json
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.live import Server, read_all, served

LIMITS = "request_seconds = 1.0\nkeep_alive_seconds = 2\ntrusted_proxies = ['127.0.0.1']\nbody_kb = 8"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(tmp_path_factory.mktemp("server"), web=LIMITS) as running:
        yield running


def get(path: str, *headers: str, method: str = "GET", close: bool = True) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *headers, *(["Connection: close"] if close else [])]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def without_date(answer: bytes) -> bytes:
    return re.sub(rb"(?mi)^(date: .*|connection: close)\r\n", b"", answer)


def headers_of(answer: bytes) -> dict[str, str]:
    lines = answer.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    return dict(line.lower().split(": ", 1) for line in lines)


@pytest.mark.parametrize("headers", [(), ("Accept-Encoding: gzip",), ("Accept-Encoding: br", "Accept-Language: de")])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_short_way_says_the_same_as_the_long_one(server: Server, method: str, headers: tuple[str, ...]) -> None:
    # Asking to close leads the long way; so does whatever else the short one doesn't know.
    long = server.ask(get("/feed.xml", *headers, method=method))
    request = get("/feed.xml", *headers, method=method, close=False)
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        for _ in range(3):  # parsed, remembered, and remembered again
            connection.sendall(request)
            short = b""
            while len(short) < len(without_date(long)) or b"\r\n\r\n" not in short:
                short += connection.recv(65_536)
            assert sorted(without_date(short).split(b"\r\n")) == sorted(without_date(long).split(b"\r\n"))
            assert b"\r\ndate: " in short


def test_requests_in_a_row_are_answered_in_order(server: Server) -> None:
    row = [
        get("/feed.xml", close=False),
        get("/join/done", close=False),
        get("/feed.json", close=False),
        get("/atom.xml"),
    ]
    answer = server.ask(b"".join(row))
    kinds = re.findall(rb"(?m)^content-type: (\S+?);?(?: .*)?\r$", answer)
    assert kinds == [b"application/rss+xml", b"text/html", b"application/feed+json", b"application/atom+xml"]


def test_a_request_in_pieces_is_understood(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        for piece in (b"GET /feed", b".xml HTTP/1.1\r\nHo", b"st: localhost\r\nConnection: close\r", b"\n\r\n"):
            connection.sendall(piece)
            time.sleep(0.02)
        assert read_all(connection).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_file_that_changed_is_served_anew(server: Server) -> None:
    path = server.folder / "public" / "note.txt"
    path.write_text("one")
    assert server.ask(get("/note.txt")).endswith(b"\r\n\r\none")
    request = get("/note.txt", close=False)
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(request)
        assert connection.recv(65_536).endswith(b"one")
        path.write_text("another")
        deadline = time.monotonic() + 10
        answer = b""
        while not answer.endswith(b"another") and time.monotonic() < deadline:
            connection.sendall(request)
            answer = connection.recv(65_536)
    assert answer.endswith(b"another")


@pytest.mark.parametrize(
    "target", ["/../newsletter.db", "/..%2fnewsletter.secret", "/.build.json", "//etc/passwd", "/%2e%2e/config.toml"]
)
def test_nothing_outside_is_served(server: Server, target: str) -> None:
    answer = server.ask(get(target))
    assert answer.startswith(b"HTTP/1.1 404")
    assert b"SQLite" not in answer


def test_another_host_is_refused_on_the_short_way_too(server: Server) -> None:
    for close in (True, False):
        request = get("/feed.xml", close=close).replace(b"Host: localhost", b"Host: evil.example")
        if not close:
            request += get("/feed.xml")
        assert server.ask(request).startswith(b"HTTP/1.1 421")


def test_two_hosts_or_none_are_no_way_in(server: Server) -> None:
    assert b" 200 " not in server.ask(get("/feed.xml", "Host: evil.example")).split(b"\r\n")[0]
    assert b" 200 " not in server.ask(b"GET /feed.xml HTTP/1.1\r\nConnection: close\r\n\r\n").split(b"\r\n")[0]


@pytest.mark.parametrize(
    "request_",
    [b"nonsense\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00", b"GET /\xff\xfe HTTP/1.1\r\n\r\n"],
)
def test_what_is_no_request_is_refused(server: Server, request_: bytes) -> None:
    assert server.ask(request_).startswith(b"HTTP/1.1 400")


def test_a_head_that_never_ends_is_refused(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(b"GET /feed.xml HTTP/1.1\r\n")
        try:
            for at in range(2000):
                connection.sendall(b"X-Header-%d: %s\r\n" % (at, b"x" * 100))
                time.sleep(0.0005)
            answer = read_all(connection)
        except (BrokenPipeError, ConnectionResetError):
            return  # it closed on us while we talked on
    assert answer.startswith(b"HTTP/1.1 431")


def test_who_is_slow_to_ask_is_given_up(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(b"GET /feed.xml HTTP/1.1\r\nHost: local")
        assert read_all(connection).startswith(b"HTTP/1.1 408")


def test_who_is_slow_with_a_body_is_given_up(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(b"POST /join HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\naddress=")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 408")


def test_who_asks_nothing_is_closed(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        assert read_all(connection) == b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(get("/feed.xml", close=False))
        assert read_all(connection).startswith(b"HTTP/1.1 200")


def test_a_body_beyond_the_limit_is_refused(server: Server) -> None:
    answer = server.ask(
        b"POST /join HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 9000\r\n\r\n" + b"x" * 9000
    )
    assert answer.startswith(b"HTTP/1.1 413")


def test_the_log_is_one_object_a_line(server: Server) -> None:
    server.ask(get("/feed.xml?secret=1"))
    deadline = time.monotonic() + 10
    while '"/feed.xml"' not in server.log and time.monotonic() < deadline:
        time.sleep(0.05)
    lines = [json.loads(line) for line in server.log.splitlines()]
    assert {"at", "method", "path", "status", "bytes", "ms"} == set(lines[-1])
    assert "secret" not in server.log
    assert "127.0.0.1" not in server.log


def test_a_request_under_way_is_answered_before_the_end(tmp_path: Path) -> None:
    with served(tmp_path) as server, socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(b"POST /join HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\naddr")
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        connection.sendall(b"ess=")
        assert read_all(connection).startswith(b"HTTP/1.1 200")
        assert server.process.wait(30) == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port), timeout=5)


def test_several_workers_serve_and_one_that_dies_is_replaced(tmp_path: Path) -> None:
    with served(tmp_path, web="workers = 2") as server:
        children = _children(server)
        assert len(children) == 2
        import os

        os.kill(children[0], signal.SIGKILL)
        deadline = time.monotonic() + 30
        while (len(now := _children(server)) < 2 or children[0] in now) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert len(_children(server)) == 2
        assert server.ask(get("/join/done")).startswith(b"HTTP/1.1 200")
        assert server.stop() == 0


def test_a_unix_socket_is_served_and_a_dead_servers_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "web.sock"
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(path))
    stale.close()
    (tmp_path / "site").mkdir()
    answers: list[bytes] = []

    def ask() -> None:
        deadline = time.monotonic() + 60
        while not answers and time.monotonic() < deadline:
            try:
                with socket.socket(socket.AF_UNIX) as connection:
                    connection.settimeout(10)
                    connection.connect(str(path))
                    connection.sendall(get("/join/done"))
                    answers.append(read_all(connection))
            except OSError:
                time.sleep(0.1)

    asking = threading.Thread(target=ask)
    (tmp_path / "config.toml").write_text("[web]\nsocket = 'web.sock'\n")
    import subprocess
    import sys

    words = [sys.executable, "-m", "newsletter", "--config", str(tmp_path / "config.toml"), "serve"]
    process = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        asking.start()
        asking.join()
        assert answers[0].startswith(b"HTTP/1.1 200")
        assert path.stat().st_mode & 0o777 == 0o660
    finally:
        process.terminate()
        assert process.wait(30) == 0


def _children(server: Server) -> list[int]:
    listed = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text()
    return [int(number) for number in listed.split()]
