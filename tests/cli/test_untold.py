"""Hubs that aren't reached are said, cost nothing, and are told by the next command."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

Office = Any
"""The Office in conftest.py; a test file can't import it, so it has no name here."""

ISSUE = """---
title: Papers
date: 2024-05-25
---

## News

### [A paper](https://arxiv.org/abs/2405.00001)

**Why?** Because.
"""


class Refusing(BaseHTTPRequestHandler):
    status = 404
    taken = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        type(self).taken += self.status == 204
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def handler() -> Iterator[tuple[type[Refusing], str]]:
    class Handler(Refusing):
        pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield Handler, f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def desk(office: Office, handler: tuple[type[Refusing], str]) -> Office:
    Path("issues").mkdir()
    Path("issues/2024-05-25.md").write_text(ISSUE)
    Path("config.toml").write_text(f'[site]\nhub = "{handler[1]}"\n')
    return office


def test_a_publish_succeeds_although_no_hub_was_told(desk: Office, handler: tuple[type[Refusing], str]) -> None:
    printed = desk.run("publish", "2024-05-25")
    assert "127.0.0.1 was not told of 9 feeds: it answered 404; the next publish tries again" in printed
    handler[0].status = 204
    assert "was not told" not in desk.run("publish", "2024-05-25")
    assert handler[0].taken == 9
    desk.run("publish", "2024-05-25")
    assert handler[0].taken == 9


def test_the_site_command_tells_what_is_left_and_says_what_still_is(
    desk: Office, handler: tuple[type[Refusing], str]
) -> None:
    untold = desk.read("publish", "2024-05-25")["site"]["untold"]
    assert untold == [{"hub": "127.0.0.1", "feeds": 9, "reason": "it answered 404"}]
    assert json.loads(desk.run("site", "--json"))["untold"] == untold
    assert "127.0.0.1 was not told of 9 feeds" in desk.run("site")
    handler[0].status = 204
    assert desk.read("site")["untold"] == []
    assert handler[0].taken == 9
