import asyncio
import json
from collections.abc import Iterator

import pytest
from starlette.responses import Response
from starlette.testclient import TestClient
from starlette.types import Message

from newsletter.config import Web
from newsletter.errors import StoreError
from newsletter.mail.token import Purpose
from newsletter.web.service import Action, make_service
from newsletter.web.visit import Visit
from tests.web.conftest import BASE, MakeTown, Town


@pytest.mark.parametrize(
    "host", ["evil.example", "news.example.evil.example", "", "news.example@evil.example", "192.0.2.7"]
)
@pytest.mark.parametrize("path", ["/", "/join", "/feed.xml"])
def test_another_name_is_refused(town: Town, host: str, path: str) -> None:
    assert town.client.get(path, headers={"host": host}).status_code == 421


@pytest.mark.parametrize(
    "host", ["news.example", "NEWS.example:443", "news.example.", "localhost:8000", "127.0.0.1", "[::1]:80"]
)
def test_our_own_names_are_answered(town: Town, host: str) -> None:
    assert town.client.get("/join", headers={"host": host}).status_code == 200


def test_more_names_can_be_configured(make_town: MakeTown) -> None:
    town = make_town(web=Web(hosts=("inner.example",)))
    assert town.client.get("/join", headers={"host": "inner.example"}).status_code == 200


def test_a_body_that_is_too_large_is_refused_unread(town: Town) -> None:
    answer = town.client.post("/join", content=b"x" * 70_000)
    assert answer.status_code == 413
    assert "<h1>That was too much</h1>" in answer.text


def test_a_body_that_grows_too_large_is_refused(town: Town) -> None:
    def grow() -> Iterator[bytes]:
        for _ in range(100):
            yield b"x" * 1000

    assert town.client.post("/join", content=grow()).status_code == 413
    assert town.client.post("/api/join", content=b"x" * 70_000).headers["content-type"] == "application/problem+json"


async def test_a_body_that_does_not_come_is_given_up(make_town: MakeTown) -> None:
    town = make_town(web=Web(request_seconds=0.05))
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.sleep(60)
        return {}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/join",
        "raw_path": b"/join",
        "query_string": b"",
        "headers": [(b"host", b"news.example")],
        "scheme": "http",
        "client": ("192.0.2.1", 1),
    }
    await town.service.app(scope, receive, send)
    assert sent[0]["status"] == 408


def test_every_answer_guards_who_opens_it(town: Town) -> None:
    reader = town.add_reader()
    token = town.token(Purpose.PREFERENCES, reader.id)
    for path in (
        "/join",
        "/nothing",
        f"/p/{token}",
        "/p/bad",
        "/search",
        "/embed/join",
        "/api/search",
        "/api/openapi.json",
    ):
        headers = town.client.get(path).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'"), path
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["permissions-policy"]
        assert "set-cookie" not in headers
        assert "server" not in headers


def test_a_readers_pages_tell_nobody_their_address(town: Town) -> None:
    token = town.token(Purpose.PREFERENCES, town.add_reader().id)
    answer = town.client.get(f"/p/{token}")
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-robots-tag"] == "noindex"
    assert '<meta name="robots" content="noindex">' in answer.text
    assert "canonical" not in answer.text
    assert "og:url" not in answer.text


def test_hsts_is_said_over_tls_alone(make_town: MakeTown) -> None:
    town = make_town(web=Web(trusted_proxies=("10.0.0.1",)))
    proxy = town.visitor("10.0.0.1", x_forwarded_for="192.0.2.1", x_forwarded_proto="https")
    plain = town.visitor("10.0.0.1", x_forwarded_for="192.0.2.1", x_forwarded_proto="http")
    for path in ("/", "/join", "/nothing"):
        assert proxy.get(path).headers["strict-transport-security"] == "max-age=31536000"
        assert "strict-transport-security" not in plain.get(path).headers


def test_a_strangers_word_about_tls_is_not_believed(make_town: MakeTown) -> None:
    town = make_town()
    client = town.visitor("192.0.2.1", x_forwarded_proto="https")
    client.base_url = client.base_url.copy_with(scheme="http")
    assert "strict-transport-security" not in client.get("/join").headers


@pytest.mark.parametrize(("path", "allowed"), [("/join/done", "GET"), ("/api/join", "POST"), ("/search", "GET")])
def test_a_method_that_an_address_does_not_know_is_refused(town: Town, path: str, allowed: str) -> None:
    answer = town.client.delete(path)
    assert answer.status_code == 405
    assert allowed in answer.headers["allow"]


def test_what_went_wrong_here_is_said_without_a_word_about_it(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_visit: Visit) -> Response:
        raise RuntimeError("a secret of reader@example.org")

    def refuse(_visit: Visit) -> Response:
        raise StoreError("newsletter.db: database is locked.")

    table: dict[str, dict[str, Action]] = {
        "/fail": {"GET": fail},
        "/api/fail": {"GET": fail},
        "/locked": {"GET": refuse},
    }
    client = TestClient(make_service(town.house, town.service.gate, table).app, BASE)
    answer = client.get("/fail?secret=1")
    assert answer.status_code == 500
    assert "RuntimeError" not in answer.text
    assert "reader@example.org" not in answer.text
    assert client.get("/api/fail").json()["status"] == 500
    locked = client.get("/locked")
    assert locked.status_code == 503
    assert locked.headers["retry-after"] == "60"
    assert "GET /fail failed" in caplog.text
    assert "secret=1" not in caplog.text


def test_the_access_log_holds_no_address_no_token_and_no_query(town: Town) -> None:
    token = town.token(Purpose.UNSUBSCRIBE, town.add_reader().id)
    town.client.get(f"/u/{token}?x=y")
    town.client.post(f"/u/{token}", data={"List-Unsubscribe": "One-Click"})
    town.client.get("/search?q=reader@example.org")
    town.client.get("/feed.xml?who=reader@example.org")
    town.client.get(f"/nothing/{token}")
    town.client.post("/join", data={"address": "new@example.org"})
    town.client.get("/", headers={"host": "192.0.2.1"})
    lines = town.log()
    assert [line["path"] for line in lines] == ["/u/{token}", "/u/{token}", "/search", "/feed.xml", "-", "/join", "-"]
    assert [line["status"] for line in lines] == [200, 200, 200, 200, 404, 200, 421]
    assert set(lines[0]) == {"at", "method", "path", "status", "bytes", "ms"}
    text = json.dumps(lines)
    for secret in (token, "example.org", "192.0.2.1", "x=y"):
        assert secret not in text


def test_pages_speak_the_visitors_language(town: Town) -> None:
    assert '<html lang="en"' in town.client.get("/join").text
    assert '<html lang="de"' in town.client.get("/join", headers={"accept-language": "fr, de-AT;q=0.9, en;q=0.8"}).text
    assert '<html lang="de"' in town.client.get("/nothing?lang=de").text
    assert '<html lang="en"' in town.client.get("/join?lang=tlh").text
