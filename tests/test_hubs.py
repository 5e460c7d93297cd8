"""Hubs are told of changed feeds: by a real server that fails before it takes them."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.app import App
from newsletter.config import Settings, Site
from newsletter.delivery.brake import Brake
from newsletter.hubs import Told, compose_ping, ping_hubs
from newsletter.model.ping import Ping
from newsletter.schedule.posts import Post
from newsletter.schedule.ticks import TICKS
from newsletter.site.files import lock_folder
from newsletter.site.pings import HUBS_NAME, load_pings, note_pings
from newsletter.telling import Untold, retell_hubs, tell_hubs

FEEDS = {"https://news.example/atom.xml": "v1", "https://news.example/feed.xml": "v1"}

Answers = Callable[[int], int]
"""From a request's number, from 1, to the status it gets; 0 closes the connection without an answer."""


class Hub(ThreadingHTTPServer):
    """A hub on this machine that answers as it was told to and remembers what it was asked."""

    daemon_threads = True

    def __init__(self, answers: Answers) -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.answers, self.numbers = answers, count(1)
        self.asked: list[tuple[str, dict[str, list[str]], int]] = []
        self.padding = b""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/publish?key=1"

    @property
    def taken(self) -> list[str]:
        return [form["hub.url"][0] for _, form, status in self.asked if 200 <= status < 300]


class Asked(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        form = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.answers(next(self.server.numbers))
        self.server.asked.append((self.path, parse_qs(form.decode(), strict_parsing=True), status))
        if not status:
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Length", str(len(self.server.padding)))
        self.end_headers()
        self.wfile.write(self.server.padding)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def hub(answers: Answers) -> Iterator[Hub]:
    server = Hub(answers)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def tell(url: str, *, deadline: float = 30.0) -> Told:
    return ping_hubs([Ping(url, topic, version) for topic, version in FEEDS.items()], pause=0, deadline=deadline)()


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_the_form_says_what_is_published_whatever_its_address(topic: str) -> None:
    assert parse_qs(compose_ping(topic).decode("ascii")) == {"hub.mode": ["publish"], "hub.url": [topic]}


def test_a_hub_that_fails_twice_and_then_takes_it_was_told() -> None:
    with hub(lambda number: 503 if number == 1 else 0 if number == 2 else 204) as server:
        told = ping_hubs([Ping(server.url, "https://news.example/atom.xml", "v1")], pause=0)()
        assert told == Told((Ping(server.url, "https://news.example/atom.xml", "v1"),), {})
        assert [status for _, _, status in server.asked] == [503, 0, 204]
        path, form, _ = server.asked[-1]
        assert path == "/publish?key=1"
        assert form == {"hub.mode": ["publish"], "hub.url": ["https://news.example/atom.xml"]}


def test_each_feed_is_told_once_whatever_happened_to_the_others() -> None:
    with hub(lambda number: 500 if number == 2 else 202) as server:
        assert tell(server.url).failed == {}
        assert sorted(server.taken) == sorted(FEEDS)
        assert len(server.asked) == 3


def test_a_refusal_is_not_argued_with() -> None:
    with hub(lambda _: 400) as server:
        told = tell(server.url)
        assert told == Told((), {server.url: "it answered 400"})
        assert len(server.asked) == len(FEEDS)


def test_a_hub_that_is_not_there_does_not_keep_others_from_being_told() -> None:
    with hub(lambda _: 204) as server:
        with hub(lambda _: 204) as gone:
            pass
        pings = [Ping(url, topic, "v") for topic in FEEDS for url in (gone.url, server.url)]
        told = ping_hubs(pings, pause=0)()
        assert {ping.hub for ping in told.done} == {server.url}
        assert "refused" in told.failed[gone.url]


def test_nobody_waits_longer_than_the_deadline() -> None:
    stop = threading.Event()
    with hub(lambda _: 204 if stop.wait(20) else 500) as server:
        told = tell(server.url, deadline=0.2)
        assert told == Told((), {server.url: "it took too long"})
        stop.set()


def test_an_endless_answer_is_not_read_to_its_end() -> None:
    with hub(lambda _: 200) as server:
        server.padding = b"x" * 5_000_000
        assert tell(server.url).failed == {}


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999/", "http://127.0.0.1:1/\x00", "http:///", "http://[::1/"])
def test_an_address_that_cannot_be_used_is_a_reason_and_no_crash(url: str) -> None:
    (reason,) = tell(url).failed.values()
    assert reason


def test_nothing_is_said_in_the_clear_to_a_hub_that_is_to_be_told_by_https() -> None:
    with hub(lambda _: 204) as server:
        told = tell(server.url.replace("http:", "https:"))
        assert len(told.failed) == 1
        assert not told.done
        assert server.asked == []


def settings_for(folder: Path, *hubs: str) -> Settings:
    folder.mkdir(exist_ok=True)
    return Settings(site=Site(folder=folder, hub=hubs))


def test_what_was_told_is_crossed_out(tmp_path: Path) -> None:
    with hub(lambda _: 204) as server:
        note_pings(tmp_path, [server.url], FEEDS)
        assert tell_hubs(settings_for(tmp_path, server.url))() == ()
        assert sorted(server.taken) == sorted(FEEDS)
        assert not (tmp_path / HUBS_NAME).exists()
        assert tell_hubs(settings_for(tmp_path, server.url))() == ()
        assert len(server.asked) == len(FEEDS)


def test_what_was_not_told_is_tried_again_in_the_next_round(tmp_path: Path) -> None:
    with hub(lambda number: 403 if number <= len(FEEDS) else 204) as server:
        note_pings(tmp_path, [server.url], FEEDS)
        settings = settings_for(tmp_path, server.url)
        assert tell_hubs(settings)() == (Untold("127.0.0.1", len(FEEDS), "it answered 403"),)
        assert len(load_pings(tmp_path, [server.url])) == len(FEEDS)
        assert tell_hubs(settings)() == ()
        assert sorted(server.taken) == sorted(FEEDS)
        assert not (tmp_path / HUBS_NAME).exists()


def test_a_worker_tells_what_a_publish_could_not(tmp_path: Path) -> None:
    tick = next(tick for tick in TICKS if tick.name == "hubs")
    with hub(lambda number: 403 if number <= len(FEEDS) else 204) as server:
        note_pings(tmp_path, [server.url], FEEDS)
        post = Post(App(settings_for(tmp_path, server.url)), Brake())
        for _ in range(3):
            tick.run(post)
        assert sorted(server.taken) == sorted(FEEDS)
        assert len(server.asked) == 2 * len(FEEDS)


def test_no_hub_is_told_of_a_feed_before_it_has_changed(tmp_path: Path) -> None:
    with hub(lambda _: 204) as server, ThreadPoolExecutor(1) as pool:
        settings = settings_for(tmp_path, server.url)
        with lock_folder(tmp_path):
            note_pings(tmp_path, [server.url], FEEDS)
            told = pool.submit(retell_hubs, settings)
            with pytest.raises(TimeoutError):
                told.result(0.2)
            assert server.asked == []
        assert told.result(20) == ()
        assert sorted(server.taken) == sorted(FEEDS)


def test_a_feed_that_changed_while_it_was_told_is_told_again(tmp_path: Path) -> None:
    with hub(lambda _: 204) as server:
        note_pings(tmp_path, [server.url], FEEDS)
        settle = tell_hubs(settings_for(tmp_path, server.url))
        note_pings(tmp_path, [server.url], {"https://news.example/atom.xml": "v2"})
        settle()
        assert load_pings(tmp_path, [server.url]) == [Ping(server.url, "https://news.example/atom.xml", "v2")]


def test_a_hub_that_is_no_longer_configured_is_left_alone(tmp_path: Path) -> None:
    with hub(lambda _: 204) as server:
        note_pings(tmp_path, [server.url], FEEDS)
        assert tell_hubs(settings_for(tmp_path))() == ()
        assert server.asked == []


def test_what_was_told_but_cannot_be_noted_is_said(tmp_path: Path) -> None:
    with hub(lambda _: 204) as server:
        note_pings(tmp_path, [server.url], FEEDS)
        settle = tell_hubs(settings_for(tmp_path, server.url))
        (tmp_path / HUBS_NAME).unlink()
        (tmp_path / HUBS_NAME).mkdir()
        (untold,) = settle()
        assert (untold.hub, untold.feeds) == ("127.0.0.1", 0)
        assert untold.reason.startswith("it was told, but")
