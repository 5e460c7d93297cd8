"""One click (RFC 8058) as bytes on a real connection to a real server."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest

from newsletter.mail.token import Purpose, make_token
from newsletter.model.subscriber import NewSubscriber, Subscriber, SubscriberState
from newsletter.secret import load_secret
from newsletter.store.database import Database, open_database
from newsletter.store.subscribers import add_subscriber, load_subscriber
from tests.web.live import Server, served

NUMBERS = count(1)
FORM = b"application/x-www-form-urlencoded"
CLICK = b"List-Unsubscribe=One-Click"
PART = b'Content-Disposition: form-data; name="List-Unsubscribe"'
MULTIPART = b"--b\r\n" + PART + b"\r\n\r\nOne-Click\r\n--b--\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(tmp_path_factory.mktemp("one-click")) as running:
        yield running


@pytest.fixture(scope="module")
def store(server: Server) -> Iterator[Database]:
    with open_database(f"sqlite:///{server.folder / 'newsletter.db'}") as database:
        yield database


class Reader:
    """A reader, and the link in his last mail."""

    def __init__(self, server: Server, store: Database) -> None:
        self._store = store
        new = NewSubscriber(f"reader{next(NUMBERS)}@example.org", source="test")
        with store.transaction() as connection:
            _, found = add_subscriber(connection, new, datetime.now(UTC))
        assert found is not None
        self.reader: Subscriber = found
        key = load_secret(Path(server.folder) / "newsletter.secret")
        self.path = f"/u/{make_token(key, Purpose.UNSUBSCRIBE, found.id, 3)}".encode()
        self.preferences = make_token(key, Purpose.PREFERENCES, found.id, 3).encode()

    @property
    def reads(self) -> bool:
        with self._store.read() as connection:
            found = load_subscriber(connection, self.reader.id)
        assert found is not None
        return found.state is SubscriberState.ACTIVE


@pytest.fixture
def reader(server: Server, store: Database) -> Reader:
    return Reader(server, store)


def post(path: bytes, body: bytes, kind: bytes = FORM, *headers: bytes, method: bytes = b"POST") -> bytes:
    lines = [method + b" " + path + b" HTTP/1.1", b"Host: localhost", b"Connection: close"]
    lines += [b"Content-Type: " + kind, b"Content-Length: %d" % len(body), *headers, b"", body]
    return b"\r\n".join(lines)


def split(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(status.split()[1]), headers, body


def assert_left(answer: bytes, reader: Reader) -> None:
    status, headers, body = split(answer)
    assert status == 200
    assert "location" not in headers
    assert "set-cookie" not in headers
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert b"You are unsubscribed" in body
    assert len(body) < 5000
    assert not reader.reads


def test_a_urlencoded_click_leaves(server: Server, reader: Reader) -> None:
    assert_left(server.ask(post(reader.path, CLICK)), reader)


def test_a_multipart_click_leaves(server: Server, reader: Reader) -> None:
    assert_left(server.ask(post(reader.path, MULTIPART, b"multipart/form-data; boundary=b")), reader)


def test_a_multipart_click_with_bare_line_feeds_leaves(server: Server, reader: Reader) -> None:
    body = MULTIPART.replace(b"\r\n", b"\n")
    assert_left(server.ask(post(reader.path, body, b'multipart/form-data; boundary="b"')), reader)


def test_a_click_in_chunks_leaves(server: Server, reader: Reader) -> None:
    head = b"POST " + reader.path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: " + FORM
    chunks = b"\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nList-Unsubscribe\r\na\r\n=One-Click\r\n0\r\n\r\n"
    assert_left(server.ask(head + chunks), reader)


def test_a_click_that_waits_for_100_continue_leaves(server: Server, reader: Reader) -> None:
    answer = server.ask(post(reader.path, CLICK, FORM, b"Expect: 100-continue"))
    interim, _, final = answer.partition(b"\r\n\r\n")
    assert interim == b"HTTP/1.1 100 Continue"
    assert_left(final, reader)


def test_a_click_over_http_1_0_leaves(server: Server, reader: Reader) -> None:
    request = post(reader.path, CLICK).replace(b"HTTP/1.1", b"HTTP/1.0").replace(b"Connection: close\r\n", b"")
    assert_left(server.ask(request), reader)


def test_a_second_click_is_answered_as_the_first(server: Server, reader: Reader) -> None:
    first, second = (split(server.ask(post(reader.path, CLICK))) for _ in range(2))
    assert (first[0], first[2]) == (second[0], second[2])
    assert not reader.reads


def test_a_click_needs_no_cookie_and_heeds_none(server: Server, reader: Reader) -> None:
    headers = (b"Cookie: session=somebody-else", b"Authorization: Basic eDp5")
    assert_left(server.ask(post(reader.path, CLICK, FORM, *headers)), reader)


def test_a_click_from_anywhere_is_taken(server: Server, reader: Reader) -> None:
    headers = (b"Origin: https://mail.example", b"Referer: https://mail.example/inbox", b"Sec-Fetch-Site: cross-site")
    assert_left(server.ask(post(reader.path, CLICK, FORM, *headers)), reader)


def test_a_click_with_a_charset_and_other_fields_leaves(server: Server, reader: Reader) -> None:
    body = b"utm_source=x&" + CLICK + b"&empty="
    assert_left(server.ask(post(reader.path, body, FORM + b"; charset=UTF-8")), reader)


def test_a_click_with_a_query_leaves(server: Server, reader: Reader) -> None:
    assert_left(server.ask(post(reader.path + b"?utm_source=mail", CLICK)), reader)


def test_a_token_in_capitals_leaves(server: Server, reader: Reader) -> None:
    assert_left(server.ask(post(b"/u/" + reader.path[3:].upper(), CLICK)), reader)


def test_the_pages_own_button_leaves_alike(server: Server, reader: Reader) -> None:
    assert_left(server.ask(post(reader.path, b"")), reader)


def test_a_body_of_an_unknown_type_leaves_too(server: Server, reader: Reader) -> None:
    assert_left(server.ask(post(reader.path, b'{"List-Unsubscribe": "One-Click"}', b"application/json")), reader)


def test_a_click_that_also_asks_for_fewer_leaves(server: Server, reader: Reader) -> None:
    assert_left(server.ask(post(reader.path, CLICK + b"&fewer=weekly")), reader)


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"PATCH"])
def test_no_other_method_leaves(server: Server, reader: Reader, method: bytes) -> None:
    status, headers, _ = split(server.ask(post(reader.path, CLICK, method=method)))
    assert status == (200 if method in (b"GET", b"HEAD") else 405)
    assert "set-cookie" not in headers
    assert reader.reads


def test_the_field_in_the_query_of_a_get_does_not_leave(server: Server, reader: Reader) -> None:
    assert split(server.ask(post(reader.path + b"?" + CLICK, b"", method=b"GET")))[0] == 200
    assert reader.reads


def test_a_method_override_does_not_leave(server: Server, reader: Reader) -> None:
    request = post(reader.path + b"?_method=POST", b"", FORM, b"X-HTTP-Method-Override: POST", method=b"GET")
    assert split(server.ask(request))[0] == 200
    assert reader.reads


def test_a_token_that_was_tampered_with_leaves_nobody(server: Server, reader: Reader) -> None:
    last = b"b" if reader.path.endswith(b"a") else b"a"
    for path in (reader.path[:-1] + last, reader.path + b"a", reader.path[:-1], b"/u/", b"/u/" + reader.preferences):
        assert split(server.ask(post(path, CLICK)))[0] == 404
    assert reader.reads


def test_a_body_that_is_too_large_is_refused(server: Server, reader: Reader) -> None:
    request = post(reader.path, b"").replace(b"Content-Length: 0", b"Content-Length: 100000000")
    assert split(server.ask(request))[0] == 413
    assert reader.reads


def test_two_clicks_down_one_connection_are_both_answered(server: Server, reader: Reader, store: Database) -> None:
    other = Reader(server, store)
    first = post(reader.path, CLICK).replace(b"Connection: close\r\n", b"")
    answer = server.ask(first + post(other.path, CLICK))
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert not reader.reads
    assert not other.reads


def test_no_click_leaves_a_trace_of_who_it_was(server: Server, reader: Reader) -> None:
    server.ask(post(reader.path, CLICK))
    for text in (server.log, server.said):
        assert reader.path[3:].decode() not in text
        assert "example.org" not in text
