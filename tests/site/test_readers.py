"""Five rounds of publish, edit, correct, rename and rebuild, in real feed readers that fetch over HTTP.

newsboat and sfeed_update are Debian's; where they are missing the tests are skipped, but never under CI.
"""

import os
import shutil
import sqlite3
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, timedelta
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import feedparser
import pytest

from newsletter.config import Templates

Ledger = Any
"""The Ledger in conftest.py; a test file can't import it, so it has no name here."""

FEEDS = ("feed.xml", "atom.xml", "papers/feed.xml", "papers/atom.xml", "sections/news/atom.xml")
FIRST = date(2024, 3, 1)
ISSUES, PAPERS = 4, 2

Round = Callable[[Ledger, Path], None]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Town:
    """A server on this machine that shows the site as it was after each round, always at the same address."""

    def __init__(self, shown: Path) -> None:
        self.shown = shown
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._answer)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.sites: list[Path] = []

    def _answer(self, *args: Any) -> Quiet:
        return Quiet(*args, directory=str(self.shown))

    def rounds(self) -> Iterator[int]:
        """Show the site before the first round and after each, and yield how many there were."""
        for number, site in enumerate(self.sites):
            self.shown = site
            yield number


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, make_ledger: Callable[[Path], Ledger]) -> Iterator[Town]:
    """A publication that went through all rounds, its site kept as it was after each."""
    folder = tmp_path_factory.mktemp("readers")
    ledger = make_ledger(folder / "public")
    town = Town(folder)
    publication = ledger.settings.publication.model_copy(update={"url": town.url})
    ledger.settings = ledger.settings.model_copy(update={"publication": publication})
    for n in range(ISSUES):
        ledger.publish(FIRST + timedelta(days=n), [f"2403.{n:03}01v1", f"2403.{n:03}02v1"])
    for number, change in enumerate((None, *ROUNDS)):
        if change:
            change(ledger, folder / f"templates-{number}")
        ledger.build()
        site = Path(shutil.copytree(ledger.folder, folder / f"site-{number}"))
        for feed in FEEDS:
            # Rounds are faster than the clock of HTTP, which knows whole seconds.
            os.utime(site / feed, (number * 60, number * 60))
        town.sites.append(site)
    thread = threading.Thread(target=town.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield town
    town.server.shutdown()
    town.server.server_close()
    thread.join()


def publish_another(ledger: Ledger, _: Path) -> None:
    """Publish an issue that has a paper of its own, and one that two earlier issues had."""
    ledger.publish(FIRST + timedelta(days=ISSUES), ["2403.99901v1", "2403.00001v2"])


def edit_and_correct(ledger: Ledger, _: Path) -> None:
    """Correct an issue: its title, its words, a paper's title and its order."""
    slug = str(FIRST + timedelta(days=ISSUES - 2))
    papers = [f"2403.{ISSUES - 2:03}02v2", f"2403.{ISSUES - 2:03}01v1"]
    ledger.revise(slug, ledger.source(date.fromisoformat(slug), papers, title="All new", intro="Mended."))


def rename_the_publication(ledger: Ledger, _: Path) -> None:
    """Give the publication another name and other words under it."""
    publication = ledger.settings.publication.model_copy(update={"title": "Renamed", "tagline": "Better."})
    ledger.settings = ledger.settings.model_copy(update={"publication": publication})


def change_a_template(ledger: Ledger, folder: Path) -> None:
    """Show papers in another way, so that every item's content changes."""
    (folder / "site").mkdir(parents=True)
    for name in ("feed_content.html", "feed_paper.html"):
        (folder / "site" / name).write_text(f'<p>Hello.</p>{{% include "default:site/{name}" %}}')
    ledger.settings = ledger.settings.model_copy(update={"templates": Templates(folder=folder)})


def build_from_nothing(ledger: Ledger, _: Path) -> None:
    """Lose the folder with everything that a build remembers."""
    for path in ledger.folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


ROUNDS: tuple[Round, ...] = (
    publish_another,
    edit_and_correct,
    rename_the_publication,
    change_a_template,
    build_from_nothing,
)


def expected(feed: str, rounds: int) -> int:
    """Return how many entries a reader has of a feed after so many rounds."""
    issues = ISSUES + (1 if rounds else 0)
    return issues if "/" not in feed else ISSUES * PAPERS + (1 if rounds else 0)


def test_every_round_changes_what_readers_are_shown(town: Town) -> None:
    seen = [tuple((site / feed).read_bytes() for feed in FEEDS) for site in town.sites]
    assert len(seen) == len(ROUNDS) + 1
    # A build from nothing gives the same bytes, which is what it is for.
    assert len(set(seen)) == len(ROUNDS)
    assert seen[-1] == seen[-2]


@pytest.mark.parametrize("feed", FEEDS)
def test_feedparser_never_sees_an_id_again_for_something_else(town: Town, feed: str) -> None:
    first_seen: dict[str, tuple[str, str]] = {}
    for rounds in town.rounds():
        parsed = feedparser.parse(f"{town.url}/{feed}")
        assert not parsed.bozo
        for entry in parsed.entries:
            facts = (entry.link, entry.published)
            assert first_seen.setdefault(entry.id, facts) == facts
        assert len(parsed.entries) == len({entry.id for entry in parsed.entries})
        assert len(first_seen) == expected(feed, rounds)


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{name} is missing; install Debian's packages newsboat, sfeed and curl")
        pytest.skip(f"{name} isn't installed (Debian's packages newsboat, sfeed and curl)")
    return found


def environment(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TERM": "dumb", "no_proxy": "*"}


@pytest.mark.parametrize("feed", FEEDS)
def test_newsboat_keeps_each_entry_once(town: Town, tmp_path: Path, feed: str) -> None:
    newsboat = program("newsboat")
    (tmp_path / "urls").write_text(f"{town.url}/{feed}\n")
    (tmp_path / "config").write_text("")
    files = ["-u", str(tmp_path / "urls"), "-c", str(tmp_path / "cache.db"), "-C", str(tmp_path / "config")]
    for rounds in town.rounds():
        run = [newsboat, *files, "-x", "reload"]
        subprocess.run(run, env=environment(tmp_path), check=True, capture_output=True, timeout=120)
        with closing(sqlite3.connect(tmp_path / "cache.db")) as cache:
            rows = cache.execute("SELECT url, title FROM rss_item WHERE deleted = 0").fetchall()
        assert len(rows) == expected(feed, rounds)
        assert max(Counter(url for url, _ in rows).values()) == 1
        now = feedparser.parse(f"{town.url}/{feed}").entries
        assert {(entry.link, entry.title) for entry in now} <= set(rows)


@pytest.mark.parametrize("feed", FEEDS)
def test_sfeed_knows_each_entry_by_one_id(town: Town, tmp_path: Path, feed: str) -> None:
    update, _ = program("sfeed_update"), program("curl")
    # By itself it takes an entry with a new title for another one; by id and link, a corrected one is the same.
    (tmp_path / "sfeedrc").write_text(
        f"""sfeedpath="{tmp_path}"
fetch() {{ curl -fsSL "$2"; }}
merge() {{ sort -t '\t' -u -k6,6 -k3,3 "$2" "$3" 2>/dev/null; }}
feeds() {{ feed "news" "{town.url}/{feed}"; }}
"""
    )
    for rounds in town.rounds():
        run = [update, str(tmp_path / "sfeedrc")]
        subprocess.run(run, env=environment(tmp_path), check=True, capture_output=True, timeout=120)
        lines = [line.split("\t") for line in (tmp_path / "news").read_text().splitlines()]
        assert len(lines) == len({line[5] for line in lines}) == expected(feed, rounds)
