"""The front that `newsletter serve --print-nginx` prints, in a real nginx before a real server."""

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from newsletter.config import Publication, Settings, Web
from newsletter.web.nginx import compose_nginx
from tests.web.live import read_all, served

FORGED = b"X-Forwarded-For: 192.0.2.66\r\nForwarded: for=192.0.2.66\r\n"
HEADERS = b"Host: localhost\r\n" + FORGED + b"Connection: close\r\n\r\n"


def compose(**web: object) -> str:
    return compose_nginx(Settings(publication=Publication(url="https://news.example/daily"), web=Web(**web)))  # type: ignore[arg-type]


def test_it_says_that_it_must_be_believed_unless_it_is() -> None:
    assert "trusted_proxies" in compose(port=8123)
    assert "server 127.0.0.1:8123;" in compose(port=8123)
    assert "trusted_proxies" not in compose(trusted_proxies=("127.0.0.1",))
    assert "trusted_proxies" not in compose(socket=Path("/run/newsletter.sock"))
    assert "server unix:/run/newsletter.sock;" in compose(socket=Path("/run/newsletter.sock"))


@pytest.fixture
def nginx() -> str:
    found = shutil.which("nginx")
    if not found and os.environ.get("CI") == "true":
        pytest.fail("there is no nginx, and CI must try it")
    return found or pytest.skip("there is no nginx")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that nginx's workers may enter, who are another user when we are root."""
    tmp_path.chmod(0o755)
    return tmp_path


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def front(nginx: str, folder: Path, door: int, **web: object) -> Iterator[Path]:
    """Run nginx with what is printed; neither the well-known ports nor a certificate are ours to have in a test."""
    printed = compose(**web)
    assert printed.count("access_log off;") == printed.count("server_name news.example;") == 2
    plain = printed[: printed.rindex("server {")].replace("listen 443 ssl http2;", f"listen 127.0.0.1:{door};")
    plain = re.sub(r"(?m)^ *(ssl_certificate|listen \[).*$", "", plain).replace("/var/log/nginx", str(folder))
    scratch = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/main.log; events {{}} http {{ {scratch}\n{plain}\n}}"
    )
    process = subprocess.Popen([nginx, "-c", config], stderr=subprocess.DEVNULL)
    try:
        yield folder / "error.log"
    finally:
        process.terminate()
        process.wait(30)


def ask(port: int, line: str, body: bytes = b"", visitor: str = "127.0.0.1") -> bytes:
    kind = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n" % len(body) if body else b""
    deadline = time.monotonic() + 30
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), 30, (visitor, 0)) as connection:
                connection.sendall(f"{line} HTTP/1.1\r\n".encode() + kind + HEADERS + body)
                return read_all(connection)
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_what_it_hands_on_is_answered_and_it_writes_down_nobody(nginx: str, folder: Path, port: int) -> None:
    web = 'trusted_proxies = ["127.0.0.1"]\n[joining]\nper_client_burst = 1\nmin_seconds = 0.0'
    with served(folder, web=web) as server, front(nginx, folder, port, port=server.port) as errors:
        feed = ask(port, "GET /feed.xml")
        assert feed.startswith(b"HTTP/1.1 200 OK"), (folder / "main.log").read_text()
        assert feed.lower().count(b"content-security-policy:") == 1
        assert b"etag: " in feed.lower()
        stamp = re.search(rb'name="stamp" value="([^"]+)"', ask(port, "GET /join"))
        assert stamp
        wishes = [b"stamp=%s&address=secret%d%%40example.org" % (stamp[1], at) for at in range(3)]
        visitors = ["127.0.0.2", "127.0.0.2", "127.0.0.3"]
        answers = [ask(port, "POST /join", *one)[9:12] for one in zip(wishes, visitors, strict=True)]
        assert answers == [b"303", b"429", b"303"]
        assert ask(port, "POST /join", b"x" * 70_000)[9:12] == b"413"
        assert server.stop() == 0
        assert ask(port, "GET /p/secret-token")[9:12] == b"502"
        assert ask(port, "POST /join", b"x" * 2_000_000)[9:12] == b"413"
        assert errors.read_text() == ""
    assert not [path for path in folder.glob("client_body/**/*") if path.is_file()]


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("x-forwarded-for", [b"x-forwarded-for: 127.0.0.2", b"x-forwarded-proto: http"]),
        ("forwarded", [b'forwarded: for="127.0.0.2";proto=http']),
    ],
)
def test_it_says_itself_who_asks_and_hands_on_no_word_of_theirs(
    nginx: str, folder: Path, port: int, header: str, said: list[bytes]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as upstream, ThreadPoolExecutor(1) as pool:
        upstream.settimeout(30)
        asked = pool.submit(_hear, upstream)
        with front(nginx, folder, port, port=upstream.getsockname()[1], proxy_header=header):
            ask(port, "GET /", visitor="127.0.0.2")
    lines = asked.result().lower().split(b"\r\n")
    assert set(said) <= set(lines)
    assert not [line for line in lines if b"192.0.2.66" in line]


def _hear(upstream: socket.socket) -> bytes:
    connection, _ = upstream.accept()
    with connection:
        heard = connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
    return heard
