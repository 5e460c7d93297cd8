"""`newsletter serve` as operators run it: two publications, pages, schedule and delivery, all in one process."""

import asyncio
import hashlib
import hmac
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import urlopen

import pytest

from newsletter.app import App
from newsletter.model.delivery import Audit
from newsletter.model.subscriber import NewSubscriber
from newsletter.schedule.planning import load_calendar, plan
from newsletter.secret import load_secret
from newsletter.store.deliveries import count_deliveries
from newsletter.store.editions import list_editions
from newsletter.store.subscribers import add_subscribers
from tests.delivery.conftest import Relay

READERS = 30
PATIENCE = 60


@dataclass
class Ear:
    """Another program that is called: what it was asked for, with headers and body."""

    heard: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    port: int = 0

    @contextmanager
    def listen(self) -> Iterator["Ear"]:
        heard = self.heard

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._take()

            def do_POST(self) -> None:
                self._take()

            def _take(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                heard.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            self.port = server.server_port
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
            thread.start()
            try:
                yield self
            finally:
                server.shutdown()
                thread.join()


@contextmanager
def relay_in_a_thread(relay: Relay) -> Iterator[Relay]:
    ready, end = threading.Event(), threading.Event()

    async def run() -> None:
        async with relay.serve():
            ready.set()
            await asyncio.to_thread(end.wait)

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        assert ready.wait(PATIENCE)
        yield relay
    finally:
        end.set()
        thread.join(PATIENCE)


@dataclass
class House:
    """A folder with two publications under one config; an issue of the daily one came due two minutes ago."""

    folder: Path
    due: datetime

    @property
    def daily(self) -> App:
        return App.load(self.folder / "daily" / "config.toml")

    def audit(self) -> Audit | None:
        with self.daily as app, app.database.read() as connection:
            editions = list_editions(connection, 2)
            assert len(editions) <= 1
            return count_deliveries(connection, editions[0].id) if editions else None

    @contextmanager
    def serve(self) -> Iterator["subprocess.Popen[bytes]"]:
        """Run the service, and see that SIGTERM ends it in good order."""
        words = [sys.executable, "-m", "newsletter", "--config", str(self.folder / "config.toml"), "serve"]
        kept = {key: value for key, value in os.environ.items() if not key.startswith("NEWSLETTER_")}
        with (self.folder / "said").open("ab") as said:
            process = subprocess.Popen(
                words, stdout=said, stderr=said, env={**kept, "NOTIFY_SOCKET": str(self.folder / "notify")}
            )
        try:
            yield process
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0, self.said()
        finally:
            process.kill()
            process.wait()

    def said(self) -> str:
        return (self.folder / "said").read_text()


@pytest.fixture
def relay() -> Iterator[Relay]:
    with relay_in_a_thread(Relay(delays={"dot": 0.1})) as relay:
        yield relay


@pytest.fixture
def ear() -> Iterator[Ear]:
    with Ear().listen() as ear:
        yield ear


@pytest.fixture
def house(tmp_path: Path, relay: Relay, ear: Ear) -> House:
    due = (datetime.now(UTC) - timedelta(minutes=2)).replace(second=0, microsecond=0)
    config = """
[publication]
title = "The {name}"
url = "http://127.0.0.1"
postal_address = "1 Example Road"
time_zone = "UTC"
[web]
port = 0
[mail]
from_address = "news@example.org"
"""
    daily = f"""
[schedule]
at = "{due:%H:%M}"
[alerts]
editor = ["editor@example.org"]
webhook = "http://127.0.0.1:{ear.port}/hook"
heartbeat = "http://127.0.0.1:{ear.port}/beat"
[smtp]
host = "127.0.0.1"
port = {relay.port}
tls = "none"
connections = 2
"""
    for name, rest in (("daily", daily), ("weekly", "")):
        (tmp_path / name / "issues").mkdir(parents=True)
        (tmp_path / name / "config.toml").write_text(config.format(name=name) + rest)
    (tmp_path / "config.toml").write_text('[serve]\npublications = ["daily/config.toml", "weekly/config.toml"]\n')
    issue = f"---\ntitle: Papers\ndate: {due.date()}\n---\n\n## News\n\n### [A paper](https://example.org/a)\n\nIt.\n"
    (tmp_path / "daily" / "issues" / f"{due.date()}.md").write_text(issue)
    house = House(tmp_path, due)
    with house.daily as app:
        yesterday = due - timedelta(days=1)
        plan(app.database, load_calendar(app.settings), yesterday)
        with app.database.transaction() as connection:
            new = [NewSubscriber(f"r{number}@example.net") for number in range(READERS)]
            add_subscribers(connection, new, yesterday)
    return house


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.settimeout(PATIENCE)
        yield ear


def wait_for(happened: Callable[[], object], house: House) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, house.said()
        time.sleep(0.02)


def test_one_process_serves_publishes_sends_and_tells_and_a_stop_loses_nobody(
    house: House, relay: Relay, ear: Ear, systemd: socket.socket
) -> None:
    with house.serve():
        assert systemd.recv(100) == b"READY=1"
        wait_for(lambda: len(relay.mails) >= 3, house)
    assert systemd.recv(100) == b"STOPPING=1"
    audit = house.audit()
    assert audit is not None
    assert (audit.audience, audit.unknown, audit.holds) == (READERS, 0, True)
    assert audit.sent == len(relay.mails) < READERS  # stopped in the middle, and what was on the wire was heard

    relay.delays.clear()
    with house.serve():
        wait_for(lambda: {path for path, _, _ in ear.heard} == {"/hook", "/beat"}, house)
        for title in ("The daily", "The weekly"):
            where = re.findall(rf"Serving {title} at (http://127\.0\.0\.1:\d+/)", house.said())[-1]
            with urlopen(where, timeout=PATIENCE) as answer:  # noqa: S310 - it is ours
                assert title in answer.read().decode()
        wait_for(lambda: "editor@example.org" in relay.recipients(), house)
    got = Counter(relay.recipients())
    assert got == {f"r{number}@example.net": 1 for number in range(READERS)} | {"editor@example.org": 1}
    check_calls(house, ear)


def check_calls(house: House, ear: Ear) -> None:
    """See that the hook and the heartbeat were called once, and the hook by us."""
    (_, headers, body), _ = sorted(ear.heard, key=lambda call: call[0], reverse=True)
    assert len(ear.heard) == 2
    with house.daily as app:
        key = load_secret(app.settings.alerts.webhook_secret)
    signed = b".".join((headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body))
    expected = b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    told = json.loads(body)
    assert (told["type"], told["data"]["sent"], told["data"]["audience"]) == ("sent", READERS, READERS)
    assert b"@" not in body
