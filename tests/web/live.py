"""A server that runs in a process of its own, as operators run it; and plain bytes over a real connection to it."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 60
EXAMPLE = Path(__file__).parent.parent.parent / "issues" / "2024-05-25.md"


@dataclass
class Server:
    """A running `newsletter serve`; `said` and `log` are what it wrote."""

    process: subprocess.Popen[bytes]
    folder: Path
    port: int

    def ask(self, request: bytes, *, wait: float = 10.0) -> bytes:
        """Send bytes, and return all that comes until the server closes, or says nothing more."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=wait) as connection:
            connection.sendall(request)
            return read_all(connection)

    @property
    def said(self) -> str:
        return (self.folder / "serve.err").read_text()

    @property
    def log(self) -> str:
        return (self.folder / "access.log").read_text()

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


def read_all(connection: socket.socket) -> bytes:
    """Return what comes until the other side closes."""
    parts = []
    while part := connection.recv(65_536):
        parts.append(part)
    return b"".join(parts)


def publish_example(folder: Path, web: str = "") -> None:
    """Publish the example issue to nobody, before the folder is served: a site, and something to be found."""
    _write_config(folder, web)
    (folder / "issues").mkdir()
    shutil.copy(EXAMPLE, folder / "issues")
    words = [sys.executable, "-m", "newsletter", "--config", str(folder / "config.toml"), "publish", EXAMPLE.stem]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@contextmanager
def served(folder: Path, *options: str, web: str = "") -> Iterator[Server]:
    """Run a server on a free port, with a site and a database in `folder`."""
    _write_config(folder, web)
    with serving(folder, *options) as server:
        yield server


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[Server]:
    """Run a server with the config that lies in `folder`."""
    words = [sys.executable, "-m", "newsletter", "--config", str(folder / "config.toml"), "serve", *options]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("NEWSLETTER_")}
    with (folder / "serve.err").open("wb") as err, (folder / "access.log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=err, cwd=folder, env=environment)
    server = Server(process, folder, 0)
    try:
        server.port = _wait_for_port(server)
        yield server
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _write_config(folder: Path, web: str) -> None:
    (folder / "config.toml").write_text(f'[publication]\nurl = "http://127.0.0.1"\n[web]\nport = 0\n{web}\n')


def _wait_for_port(server: Server) -> int:
    deadline = time.monotonic() + PATIENCE
    while True:
        found = re.search(r"at http://127\.0\.0\.1:(\d+)/", server.said)
        if found and _answers(int(found[1])):
            return int(found[1])
        assert server.process.poll() is None, server.said
        assert time.monotonic() < deadline, server.said
        time.sleep(0.05)


def _answers(port: int) -> bool:
    """Return whether the server answers; the listener takes connections before anybody serves them."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
            connection.sendall(b"GET /join/done HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return read_all(connection).startswith(b"HTTP/1.1 200")
    except OSError:
        return False
