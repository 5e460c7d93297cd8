"""A build notes which hubs are to be told of what, before it changes a feed."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import NewsletterError
from newsletter.model.ping import Ping
from newsletter.site.pings import HUBS_NAME, add_pings, load_pings, parse_pings, render_pings

Ledger = Any
"""The Ledger in conftest.py; a test file can't import it, so it has no name here."""

HUBS = ("https://a.example/", "https://b.example/")
TEXT = st.text(max_size=20)
PINGS = st.lists(st.builds(Ping, TEXT, TEXT, TEXT), max_size=5)
FILES = ("atom.xml", "feed.json", "feed.xml")


@given(PINGS)
def test_notes_come_back_as_they_were(pings: list[Ping]) -> None:
    assert parse_pings(render_pings(pings)) == pings


@given(st.binary(max_size=40) | st.sampled_from([b"[[1]]", b"{}", b"null", b"[1]", b"[" * 100_000]))
def test_what_cannot_be_read_is_no_note(content: bytes) -> None:
    assert all(isinstance(ping, Ping) for ping in parse_pings(content))


@given(PINGS, st.dictionaries(TEXT, TEXT, max_size=3))
def test_a_feed_is_noted_once_for_each_hub_by_its_latest_version(pings: list[Ping], versions: dict[str, str]) -> None:
    noted = add_pings(pings, HUBS, versions)
    assert len({(ping.hub, ping.topic) for ping in noted}) == len(noted)
    assert {Ping(hub, topic, version) for hub in HUBS for topic, version in versions.items()} <= set(noted)
    assert {(ping.hub, ping.topic) for ping in pings} <= {(ping.hub, ping.topic) for ping in noted}


@pytest.fixture
def hubbed(week: Ledger) -> Ledger:
    site = week.settings.site.model_copy(update={"hub": HUBS})
    week.settings = week.settings.model_copy(update={"site": site})
    week.build()
    return week


def noted(ledger: Ledger) -> list[tuple[str, str]]:
    return [(ping.hub, ping.topic.removeprefix("https://news.example/")) for ping in load_pings(ledger.folder, HUBS)]


def expected(*folders: str) -> list[tuple[str, str]]:
    return [(hub, path) for hub in HUBS for path in sorted(folder + name for folder in folders for name in FILES)]


def test_every_feed_that_a_build_changes_is_noted_for_every_hub(hubbed: Ledger) -> None:
    assert noted(hubbed) == expected("", "papers/", "sections/news/")
    (hubbed.folder / HUBS_NAME).unlink()
    hubbed.build()
    assert noted(hubbed) == []
    hubbed.publish(date(2024, 1, 6))
    hubbed.build()
    assert noted(hubbed) == expected("")


def test_archive_documents_are_nothing_to_tell_of(hubbed: Ledger) -> None:
    for day in range(7, 28):
        hubbed.publish(date(2024, 1, day))
    hubbed.build()
    assert (hubbed.folder / "feeds/archive/1/atom.xml").is_file()
    assert noted(hubbed) == expected("", "papers/", "sections/news/")


def test_a_build_that_is_killed_has_noted_what_it_was_about_to_change(hubbed: Ledger) -> None:
    (hubbed.folder / HUBS_NAME).unlink()
    hubbed.publish(date(2024, 1, 6))
    (hubbed.folder / ".index.html.new").mkdir()
    with pytest.raises(NewsletterError, match="build again"):
        hubbed.build()
    assert noted(hubbed) == expected("")


def test_notes_of_a_hub_that_is_no_longer_configured_go(hubbed: Ledger, tmp_path: Path) -> None:
    for hubs in (HUBS[:1], ()):
        site = hubbed.settings.site.model_copy(update={"hub": hubs})
        hubbed.settings = hubbed.settings.model_copy(update={"site": site})
        hubbed.build()
        assert {hub for hub, _ in noted(hubbed)} == set(hubs)
    assert not (hubbed.folder / HUBS_NAME).exists()


def test_a_note_that_cannot_be_read_stops_no_build(hubbed: Ledger) -> None:
    (hubbed.folder / HUBS_NAME).write_text(json.dumps([["too", "short"]]))
    hubbed.publish(date(2024, 1, 6))
    hubbed.build()
    assert noted(hubbed) == expected("")
