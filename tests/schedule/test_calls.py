"""Webhooks and heartbeats: signed, tried again, made once when they are heard."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from sqlalchemy import select

from newsletter.config import Alerts
from newsletter.schedule.calls import Answer, decide_again, fetch_url, make_calls, name_call, parse_key, sign_call
from newsletter.store.calls import Call, claim_call, count_calls, forget_calls, write_call
from newsletter.store.database import Database
from newsletter.store.schema import calls

NOW = datetime(2024, 5, 25, 6, 30, tzinfo=UTC)
SECRET = b"k" * 40


@dataclass
class World:
    """A database with calls, a clock, and another program that answers as it is told."""

    database: Database
    folder: Path
    now: datetime = NOW
    site: str = "https://daily.example/"
    answers: list[Answer] = field(default_factory=list)
    heard: list[tuple[str, bytes | None, dict[str, str]]] = field(default_factory=list)

    @property
    def alerts(self) -> Alerts:
        secret = self.folder / "webhook.secret"
        secret.write_bytes(SECRET)
        secret.chmod(0o600)
        return Alerts(webhook="https://a.example/hook", heartbeat="https://b.example/beat", webhook_secret=secret)

    def write(self, key: str, kind: str = "webhook") -> bool:
        with self.database.transaction() as connection:
            return write_call(connection, kind, key, '{"type": "sent"}', self.now, self.now + timedelta(days=3))

    def fetch(self, url: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        self.heard.append((url, body, headers))
        return self.answers.pop(0) if self.answers else Answer(204, "HTTP 204")

    def make(self, alerts: Alerts | None = None) -> int:
        return make_calls(
            self.database,
            alerts or self.alerts,
            "one",
            lambda: self.now,
            self.fetch,
            lambda owner: owner == "dead",
            site=self.site,
        )

    def counts(self) -> dict[str, int]:
        with self.database.read() as connection:
            return count_calls(connection)


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    return World(database, tmp_path)


def test_a_call_is_made_once_for_its_key(world: World) -> None:
    assert world.write("report:issue:2024-05-25")
    assert not world.write("report:issue:2024-05-25")
    assert (world.make(), world.make()) == (1, 0)
    ((url, body, headers),) = world.heard
    assert (url, body) == ("https://a.example/hook", b'{"type": "sent"}')
    assert headers["content-type"] == "application/json"
    assert world.counts() == {"done": 1}


def test_it_is_signed_as_standard_webhooks_are(world: World) -> None:
    world.write("key")
    world.make()
    headers = world.heard[0][2]
    name = name_call(world.site, "key")
    signed = f"{name}.{int(NOW.timestamp())}.".encode() + b'{"type": "sent"}'
    expected = base64.b64encode(hmac.new(SECRET, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-id"] == name
    assert headers["webhook-timestamp"] == "1716618600"
    assert headers["webhook-signature"] == f"v1,{expected}"


def test_publications_that_call_one_webhook_have_ids_of_their_own_that_attempts_keep(world: World) -> None:
    world.write("report:issue:2024-05-25")
    world.answers = [Answer(503, "HTTP 503")]
    world.make()
    world.now += timedelta(minutes=1)
    world.make()
    first, second = (headers["webhook-id"] for _, _, headers in world.heard)
    other = name_call("https://weekly.example/", "report:issue:2024-05-25")
    assert first == second != other
    assert first.endswith(":report:issue:2024-05-25")


def test_the_example_of_the_standard_is_signed_as_it_says() -> None:
    key = parse_key(b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    headers = sign_call("msg_p5jXN8AQM9LWM0D4loKWxJek", datetime.fromtimestamp(1614265330, UTC), body, key)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_that_is_no_base64_is_taken_as_it_is() -> None:
    assert parse_key(b"whsec_ not base64!") == b"whsec_ not base64!"
    assert parse_key(SECRET) == SECRET


def test_a_call_that_is_not_taken_is_made_again_later_and_later(world: World) -> None:
    world.answers = [Answer(500, "HTTP 500"), Answer(0, "ConnectionRefusedError"), Answer(302, "HTTP 302")]
    world.write("key")
    assert (world.make(), world.make()) == (0, 0)
    for seconds in (20, 40, 80):
        world.now += timedelta(seconds=seconds - 1)
        world.make()
        world.now += timedelta(seconds=1)
        world.make()
    assert len(world.heard) == 4
    assert world.counts() == {"done": 1}


def test_what_is_gone_is_not_called_again(world: World) -> None:
    world.answers = [Answer(410, "HTTP 410")]
    world.write("key")
    world.make()
    assert world.counts() == {"failed": 1}


def test_what_is_no_longer_configured_is_not_called(world: World) -> None:
    world.write("key")
    world.make(Alerts())
    assert (world.heard, world.counts()) == ([], {"failed": 1})


def test_in_the_end_it_is_given_up(world: World) -> None:
    world.answers = [Answer(500, "HTTP 500")] * 100
    world.write("key")
    for _ in range(80):
        world.make()
        world.now += timedelta(hours=1)
    assert world.counts() == {"failed": 1}
    assert 10 < len(world.heard) < 40


def test_a_heartbeat_is_fetched_and_says_nothing(world: World) -> None:
    world.write("heartbeat:2024-05-25", "heartbeat")
    world.make()
    assert world.heard == [("https://b.example/beat", None, {})]


def test_the_call_of_a_dead_process_is_made_by_another(world: World) -> None:
    world.write("key")
    with world.database.transaction() as connection:
        assert claim_call(connection, "alive", NOW + timedelta(minutes=2), NOW, lambda owner: False)
    assert world.make() == 0
    world.now += timedelta(minutes=2)
    assert world.make() == 1
    world.write("other")
    with world.database.transaction() as connection:
        assert claim_call(connection, "dead", world.now + timedelta(minutes=2), world.now, lambda owner: False)
    assert world.make() == 1


def test_waits_double_until_it_is_not_worth_it() -> None:
    call = Call(1, "webhook", "key", "", 0, NOW, NOW + timedelta(seconds=30))
    assert decide_again(call, NOW) == NOW + timedelta(seconds=20)
    assert decide_again(call, NOW + timedelta(seconds=10)) is None


def test_old_calls_are_forgotten(world: World) -> None:
    world.write("key")
    world.make()
    with world.database.transaction() as connection:
        assert forget_calls(connection, NOW) == 0
        assert forget_calls(connection, NOW + timedelta(seconds=1)) == 1
        assert connection.execute(select(calls)).all() == []


class _Handler(BaseHTTPRequestHandler):
    seen: list[tuple[str, str, bytes]] = []  # noqa: RUF012 - the server makes the handlers

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"] or 0))
        self.seen.append((self.command, self.path, body))
        self.send_response({"/moved": 302, "/broken": 500}.get(self.path, 200))
        self.send_header("location", "/elsewhere")
        self.end_headers()

    def do_GET(self) -> None:
        self.seen.append((self.command, self.path, b""))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    _Handler.seen.clear()
    with HTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_over_real_http(server: str) -> None:
    assert fetch_url(f"{server}/hook", json.dumps({"a": 1}).encode(), {}) == Answer(200, "HTTP 200")
    assert fetch_url(f"{server}/beat", None, {}) == Answer(204, "HTTP 204")
    assert fetch_url(f"{server}/moved", b"{}", {}) == Answer(302, "HTTP 302")
    assert fetch_url(f"{server}/broken", b"{}", {}).status == 500
    assert [(method, path) for method, path, _ in _Handler.seen] == [
        ("POST", "/hook"),
        ("GET", "/beat"),
        ("POST", "/moved"),
        ("POST", "/broken"),
    ]


def test_nobody_listens() -> None:
    answer = fetch_url("http://127.0.0.1:1/", None, {})
    assert answer.status == 0
    assert "refused" in answer.text
