"""A web application around a real database and a real folder, with a clock that stands still until it is told."""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import brotli
import pytest
from jinja2 import Environment
from sqlalchemy import select
from starlette.testclient import TestClient

from newsletter.audience.policy_joining import Offer
from newsletter.audience.policy_limits import make_form_stamp
from newsletter.audience.reception import Reception
from newsletter.bounces.intake import Desk
from newsletter.bounces.letters import Letters
from newsletter.config import Bounces, Joining, Publication, Settings, Site, Web
from newsletter.mail.reports.read import Ours
from newsletter.mail.token import Purpose, make_token
from newsletter.model.subscriber import Cadence, NewSubscriber, Subscriber
from newsletter.operators import passwords
from newsletter.render.environment import load_environment
from newsletter.render.letters import make_letter_writer
from newsletter.site import make_frame
from newsletter.store.database import Database
from newsletter.store.schema import notices, subscribers
from newsletter.store.subscribers import add_subscriber
from newsletter.web.gate import Gate
from newsletter.web.service import Service, make_service
from newsletter.web.visit import House
from tests.web.scenery import CHEAP

KEY = b"k" * 64
BASE = "https://news.example"
DOMAIN = "bounces.news.example"
NOW = datetime(2024, 5, 25, 8, tzinfo=UTC)
TOPICS = {"medical-llms": "Medical LLMs", "llms-agents": "LLMs agents"}
FEED = b"<rss>" + b"news " * 400 + b"</rss>"


@cache
def share_environment() -> Environment:
    """The built-in templates, compiled once for all towns."""
    return load_environment()


@dataclass
class Town:
    """A publication that is served, and what happens in it."""

    settings: Settings
    database: Database
    cadences: tuple[Cadence, ...] = tuple(Cadence)
    now: datetime = NOW
    rung: int = 0
    lines: list[str] = field(default_factory=list)
    world: dict[str, bytes] = field(default_factory=dict)
    fetched: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        environment = share_environment()
        offer = Offer(TOPICS, ("en", "de"), self.cadences)
        write = make_letter_writer(self.settings, environment)
        self.reception = Reception((KEY,), self.settings.joining, write, offer)
        self.house = House(
            self.settings,
            make_frame(self.settings, environment),
            self.database,
            self.reception,
            self._ring,
            self.clock,
            self._make_intake(environment),
            self._fetch,
        )
        self.service: Service = make_service(self.house, Gate(self.settings, self.lines.append))
        self.client = self.visitor("192.0.2.1")

    def _make_intake(self, environment: Environment) -> Desk:
        letters = Letters(make_letter_writer(self.settings, environment), KEY, "", "en")
        return Desk(self.database, Ours([KEY], DOMAIN), self.settings.bounces, letters, self.clock)

    def _fetch(self, url: str) -> bytes:
        if url not in self.world:
            raise OSError("nobody answers")
        self.fetched.append(url)
        return self.world[url]

    def visitor(self, address: str, **headers: str) -> TestClient:
        client = TestClient(self.service.app, BASE, client=(address, 50_000), follow_redirects=False)
        client.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
        return client

    def clock(self) -> datetime:
        return self.now

    def _ring(self) -> None:
        self.rung += 1

    def wait(self, **time: float) -> None:
        self.now += timedelta(**time)

    def stamp(self) -> str:
        """The stamp of a form that was given out a while ago."""
        return make_form_stamp(KEY, self.now - timedelta(minutes=1))

    def token(self, purpose: Purpose, number: int, edition: int = 0) -> str:
        return make_token(KEY, purpose, number, edition)

    def add_reader(self, address: str = "reader@example.org", **values: object) -> Subscriber:
        with self.database.transaction() as connection:
            _, reader = add_subscriber(connection, NewSubscriber(address, source="test", **values), self.now)  # type: ignore[arg-type]
        assert reader is not None
        return reader

    def letters(self) -> list[tuple[str, str]]:
        """Every notice, as kind and address."""
        with self.database.read() as connection:
            rows = connection.execute(notices.select().order_by(notices.c.id))
            return [(row.kind, row.address) for row in rows]

    def letter(self) -> str:
        """The text of the last notice."""
        with self.database.read() as connection:
            return str(connection.execute(select(notices.c.text).order_by(notices.c.id.desc())).scalars().first())

    def states(self) -> dict[str, str]:
        with self.database.read() as connection:
            return {row.address: row.state for row in connection.execute(subscribers.select())}

    def log(self) -> list[dict[str, object]]:
        self.service.gate.flush()
        return [json.loads(line) for line in "".join(self.lines).splitlines()]


MakeTown = Callable[..., Town]


@pytest.fixture
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have passwords hashed in a millisecond; what a real hash takes is tested where they are."""
    monkeypatch.setattr(passwords, "_hasher", lambda: CHEAP)


@pytest.fixture
def engine_name() -> str:
    """One engine is enough: what is stored is tested on both where it is stored."""
    return "sqlite"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A site's folder, as a build leaves it."""
    site = tmp_path / "public"
    for name, content in {
        "index.html": b"<h1>Front page</h1>",
        "404.html": b"<h1>Nothing here</h1>",
        "style.css": b"p{}",
        "icon.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "feed.xml": FEED,
        "atom.xml": b"<feed/>",
        "feed.json": b"{}",
        "issues/2024-05-25/index.html": b"<h1>An issue</h1>",
        ".build.json": b'{"secret": 1}',
    }.items():
        path = site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (site / "feed.xml.gz").write_bytes(gzip.compress(FEED, mtime=0))
    (site / "feed.xml.br").write_bytes(brotli.compress(FEED))
    return site


@pytest.fixture
def make_town(folder: Path, database: Database) -> MakeTown:
    """Makes a town with tables of settings other than the usual ones."""

    def make(
        url: str = BASE,
        web: Web | None = None,
        joining: Joining | None = None,
        bounces: Bounces | None = None,
        cadences: tuple[Cadence, ...] = tuple(Cadence),
    ) -> Town:
        settings = Settings(
            publication=Publication(url=url, postal_address="1 Main Street"),
            site=Site(folder=folder),
            web=web or Web(),
            joining=joining or Joining(),
            bounces=bounces or Bounces(),
        )
        return Town(settings, database, cadences)

    return make


@pytest.fixture
def town(make_town: MakeTown) -> Town:
    """The usual town."""
    return make_town()
