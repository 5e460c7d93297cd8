"""Builds of a small publication: what is written, what is left alone, and what survives a mishap."""

import fcntl
import json
import os
import re
import stat
import threading
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import feedparser
import pytest

from newsletter.config import Templates
from newsletter.errors import NewsletterError
from newsletter.render.environment import load_environment
from newsletter.site import write_site

Ledger = Any
"""The Ledger in conftest.py; a test file can't import it, so it has no name here."""

NEW = date(2024, 1, 6)
FORMATS = ("feed.xml", "atom.xml", "feed.json")
ISSUES = set(FORMATS)
"""The feed of whole issues."""
PAPERS = {f"{folder}/{name}" for folder in ("papers", "sections/news") for name in FORMATS}
"""The feeds of single papers, and the page that shows the same."""
PAPERS |= {"sections/news/index.html"}
LISTS = {"index.html", *ISSUES, *PAPERS, "sections/index.html"}


def paper(name: str) -> str:
    return f"papers/arxiv-{name}/index.html"


def page(day: object) -> str:
    return f"issues/{day}/index.html"


def cites(*pages: str) -> set[str]:
    """Return the citations beside pages."""
    return {path.replace("index.html", f"cite.{kind}") for path in pages for kind in ("bib", "ris", "json")}


def test_a_build_writes_every_page_of_the_floor_plan(week: Ledger) -> None:
    days = [date(2023, 12, 30) + timedelta(days=n) for n in range(7)]
    expected = {page(day) for day in days} | {paper(f"2312.0{n}00{k}") for n in range(7) for k in (1, 2)}
    expected |= cites(*expected)
    expected |= LISTS | {
        "feeds/index.html",
        "archive/index.html",
        "archive/2023/index.html",
        "archive/2024/index.html",
        "404.html",
    }
    expected |= {"sitemap.xml", "sitemap-2023.xml", "sitemap-2024.xml", "sitemap-lists.xml", "robots.txt"}
    assert week.files().keys() == expected | {"style.css", "icon.svg"}


def test_a_build_reports_what_it_did(week: Ledger) -> None:
    week.publish(NEW, ["2401.00001"])
    report = week.build()
    assert (report.written, report.unchanged, report.removed) == (25, len(week.files()) - 25, 0)
    assert report.index.read_text().startswith("<!doctype html>")
    assert all(feed.is_file() for feed in report.feeds)
    assert report.page(str(NEW)).is_file()


def test_a_second_build_touches_nothing_and_reads_no_issue(week: Ledger) -> None:
    assert week.touched_by(lambda: None) == set()
    assert week.loaded == []


def test_a_rebuild_from_nothing_gives_the_same_bytes(week: Ledger, tmp_path: Path) -> None:
    again = week.again(tmp_path / "again")
    again.build()
    assert {path: content for path, (_, content) in again.files().items()} == {
        path: content for path, (_, content) in week.files().items()
    }


def test_a_new_issue_touches_only_what_it_changes(week: Ledger) -> None:
    touched = week.touched_by(lambda: week.publish(NEW, ["2401.00001v1", "2401.00002v1"]))
    fresh = (page(NEW), paper("2401.00001"), paper("2401.00002"))
    assert touched == LISTS | cites(*fresh) | {
        page(NEW),
        page(NEW - timedelta(days=1)),
        paper("2401.00001"),
        paper("2401.00002"),
        "archive/index.html",
        "archive/2024/index.html",
        "sitemap-2024.xml",
        "sitemap.xml",
    }


def test_a_new_issue_is_the_only_one_read_but_for_its_neighbour(week: Ledger) -> None:
    week.publish(NEW, ["2401.00001v1"])
    week.build()
    assert week.loaded == [str(NEW), "2024-01-05"]


def test_a_feed_that_someone_changed_is_made_from_the_issues_again(week: Ledger) -> None:
    feed = week.folder / "feed.json"
    right = feed.read_bytes()
    feed.write_bytes(right.replace(b"Good morning", b"Good evening"))
    week.publish(NEW)
    week.build()
    assert b"Good evening" not in feed.read_bytes()
    assert len(week.loaded) == 8


def test_an_issue_between_two_others_touches_both_neighbours(ledger: Ledger) -> None:
    for day in (1, 2, 4, 5):
        ledger.publish(date(2024, 1, day))
    ledger.build()
    touched = ledger.touched_by(lambda: ledger.publish(date(2024, 1, 3)))
    assert {path for path in touched if path.startswith("issues/") and path.endswith("html")} == {
        page(f"2024-01-0{n}") for n in (2, 3, 4)
    }


def test_a_correction_touches_the_issue_its_papers_and_the_feeds(week: Ledger) -> None:
    source = week.sources["2023-12-31"].replace("Because of *Paper 2312.01001v1*", "Since")
    touched = week.touched_by(lambda: week.revise("2023-12-31", source))
    assert touched == {
        page("2023-12-31"),
        paper("2312.01001"),
        *ISSUES,
        *PAPERS,
        "sitemap-2023.xml",
        "sitemap.xml",
    }


def test_a_new_title_reaches_the_neighbours_and_the_lists(week: Ledger) -> None:
    source = week.sources["2023-12-31"].replace("title: Papers of 2023-12-31", "title: All change")
    touched = week.touched_by(lambda: week.revise("2023-12-31", source))
    assert {page("2023-12-30"), page("2023-12-31"), page("2024-01-01"), "index.html"} < touched
    assert page("2024-01-02") not in touched


def test_a_paper_in_two_issues_has_one_page_that_lists_both(week: Ledger) -> None:
    touched = week.touched_by(lambda: week.publish(NEW, ["2312.00001v2"]))
    assert paper("2312.00001") in touched
    shown = (week.folder / paper("2312.00001")).read_text()
    places = [shown.index(f"../../issues/{slug}/#") for slug in (NEW, "2023-12-30")]
    assert places == sorted(places)
    assert "arXiv:2312.00001v2" in shown


def test_what_is_no_longer_published_is_removed_with_its_papers(week: Ledger) -> None:
    touched = week.touched_by(lambda: week.published.pop("2024-01-03"))
    gone = {page("2024-01-03"), paper("2312.04001"), paper("2312.04002")}
    assert gone < touched
    assert not gone & week.files().keys()
    assert not (week.folder / "issues/2024-01-03").exists()
    assert "2024-01-03" not in (week.folder / "feed.xml").read_text()


def test_the_last_issue_of_a_year_takes_the_year_along(ledger: Ledger) -> None:
    ledger.publish(date(2023, 5, 1))
    ledger.publish(date(2024, 5, 1))
    ledger.build()
    del ledger.published["2023-05-01"]
    ledger.build()
    assert not (ledger.folder / "archive/2023").exists()
    assert not (ledger.folder / "sitemap-2023.xml").exists()


def test_a_publication_without_issues_has_a_site(ledger: Ledger) -> None:
    ledger.build()
    assert "The first issue is on its way" in (ledger.folder / "index.html").read_text()


def ids(folder: Path) -> list[list[str]]:
    feeds = [feedparser.parse((folder / name).read_bytes()) for name in ("feed.xml", "atom.xml")]
    assert not any(feed.bozo for feed in feeds)
    items = json.loads((folder / "feed.json").read_text())["items"]
    return [[entry.id for entry in feed.entries] for feed in feeds] + [[item["id"] for item in items]]


def test_ids_and_publication_times_outlive_five_rounds_of_change(ledger: Ledger) -> None:
    day = date(2024, 5, 25)
    for later in range(3):
        ledger.publish(day + timedelta(days=later), ["2405.16325v1"])
    ledger.build()
    first = ids(ledger.folder)
    assert first[0] == first[1] == first[2]
    seen = set()
    for turn in range(5):
        title = f"Turn {turn}"
        ledger.revise("2024-05-25", ledger.source(day, [f"2405.1000{turn}v1"], title=title, intro=f"Take {turn}."))
        (ledger.folder / ".build.json").write_text("broken" * turn)
        ledger.build()
        assert ids(ledger.folder) == first
        entry = feedparser.parse((ledger.folder / "atom.xml").read_bytes()).entries[-1]
        assert entry.title == title
        assert entry.published == "2024-05-25T09:00:00+00:00"
        seen.add(entry.updated)
    assert len(seen) == 5


def test_ids_stay_when_the_site_moves_and_says_where_it_was(week: Ledger) -> None:
    first = ids(week.folder)
    publication = week.settings.publication.model_copy(update={"url": "https://moved.example"})
    site = week.settings.site.model_copy(update={"id_url": "https://news.example"})
    week.settings = week.settings.model_copy(update={"publication": publication, "site": site})
    week.build()
    assert ids(week.folder) == first
    assert "https://news.example" not in (week.folder / page("2024-01-01")).read_text()


def test_a_changed_setting_reaches_every_page(week: Ledger) -> None:
    publication = week.settings.publication.model_copy(update={"title": "Renamed"})
    week.settings = week.settings.model_copy(update={"publication": publication})
    touched = week.touched_by(lambda: None)
    pages = {path for path in week.files() if path.endswith(".html")}
    assert pages <= touched


def test_a_changed_template_reaches_every_page_and_one_for_mail_none(week: Ledger, tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    (folder / "site").mkdir(parents=True)
    (folder / "email").mkdir()
    (folder / "email/new.html").write_text("new")
    week.settings = week.settings.model_copy(update={"templates": Templates(folder=folder)})
    assert week.touched_by(lambda: None) == set()
    changed = '{% extends "default:site/issue.html" %}\n{% block head %}<meta name="x" content="y">{% endblock %}\n'
    (folder / "site/issue.html").write_text(changed)
    assert week.touched_by(lambda: None) == {page(slug) for slug in week.published}


@pytest.mark.parametrize(
    "record",
    [
        "",
        "{",
        "[]",
        "null",
        '{"format": 1}',
        '{"format": 99}',
        "[" * 100_000,
        '{"format":1,"outputs":{"../x":["","",0]}}',
    ],
)
def test_a_record_that_cannot_be_read_means_that_everything_is_built_again(week: Ledger, record: str) -> None:
    before = week.files()
    (week.folder / ".build.json").write_text(record)
    assert week.touched_by(lambda: None) == set()
    assert set(week.loaded) == set(week.published)
    del week.published["2024-01-03"]
    week.build()
    gone = (page("2024-01-03"), paper("2312.04001"), paper("2312.04002"))
    assert before.keys() - week.files().keys() == {*gone, *cites(*gone)}


def test_what_was_removed_while_the_record_was_lost_goes_too(week: Ledger) -> None:
    (week.folder / ".build.json").unlink()
    del week.published["2024-01-03"]
    week.build()
    assert page("2024-01-03") not in week.files()


def test_a_record_cannot_make_a_build_remove_what_is_outside(week: Ledger) -> None:
    outside = week.folder.parent / "precious.txt"
    outside.write_text("mine")
    record = json.loads((week.folder / ".build.json").read_text())
    record["outputs"]["../precious.txt"] = "a b 4"
    (week.folder / ".build.json").write_text(json.dumps(record))
    week.build()
    assert outside.read_text() == "mine"


def test_a_file_that_went_missing_or_was_cut_short_comes_back(week: Ledger) -> None:
    before = {path: content for path, (_, content) in week.files().items()}
    (week.folder / page("2024-01-01")).unlink()
    (week.folder / "style.css").write_text("")
    week.build()
    assert {path: content for path, (_, content) in week.files().items()} == before


def test_files_of_others_survive(week: Ledger) -> None:
    for name in ("favicon.ico", "issues/notes.txt", "papers/arxiv-2312.04001/figure.png", "CNAME"):
        (week.folder / name).write_text("mine")
    del week.published["2024-01-03"]
    week.build()
    for name in ("favicon.ico", "issues/notes.txt", "papers/arxiv-2312.04001/figure.png", "CNAME"):
        assert (week.folder / name).read_text() == "mine"


def test_the_users_robots_txt_stays_whether_it_came_before_or_after_ours(ledger: Ledger) -> None:
    ledger.publish(date(2024, 1, 1))
    ledger.folder.mkdir()
    robots = ledger.folder / "robots.txt"
    robots.write_text("User-agent: *\nDisallow: /\n")
    report = ledger.build()
    assert report.left_alone == (robots,)
    robots.unlink()
    ledger.build()
    ours = robots.read_text()
    assert "Sitemap: https://news.example/sitemap.xml" in ours
    robots.write_text(f"{ours}Crawl-delay: 10\n")
    ledger.publish(date(2024, 1, 2))
    for _ in range(2):
        assert ledger.build().left_alone == (robots,)
        assert robots.read_text() == f"{ours}Crawl-delay: 10\n"


def test_a_strangers_page_in_the_way_is_named_and_nothing_is_written(ledger: Ledger) -> None:
    ledger.publish(date(2024, 1, 1))
    ledger.folder.mkdir()
    (ledger.folder / "index.html").write_text("<h1>My home page about the newsletter</h1>")
    with pytest.raises(NewsletterError, match=r"index\.html\nMove them away, or choose another \[site\] folder"):
        ledger.build()
    assert ledger.files().keys() == {"index.html"}


def test_a_build_that_fails_midway_leaves_the_old_site_whole(week: Ledger, tmp_path: Path) -> None:
    before = week.files()
    week.publish(NEW, ["2401.00001"])
    folder = tmp_path / "templates"
    (folder / "site").mkdir(parents=True)
    (folder / "site/index.html").write_text("{{ nothing.here }}")
    good = week.settings
    week.settings = good.model_copy(update={"templates": Templates(folder=folder)})
    with pytest.raises(NewsletterError, match=re.escape(str(folder / "site/index.html"))):
        week.build()
    after = week.files()
    assert after["index.html"] == before["index.html"]
    assert all(content for _, content in after.values())
    assert not [path for path in week.folder.rglob(".*") if path.suffix == ".new"]
    week.settings = good
    week.build()
    expected = week.again(tmp_path / "fresh")
    expected.build()
    assert {path: content for path, (_, content) in week.files().items()} == {
        path: content for path, (_, content) in expected.files().items()
    }


def test_a_correction_taken_back_after_a_failed_build_is_taken_back_on_the_site_too(week: Ledger) -> None:
    before = week.files()[page("2024-01-01")][1]
    kept = week.published["2024-01-01"], week.sources["2024-01-01"]
    # The same length, so that nothing but the record can tell that the page isn't what it was.
    week.revise("2024-01-01", kept[1].replace("Good morning.", "Good evening."))
    in_the_way = week.folder / ".feed.xml.new"
    in_the_way.mkdir()
    with pytest.raises(NewsletterError, match="build again"):
        week.build()
    assert b"Good evening" in (week.folder / page("2024-01-01")).read_bytes()
    in_the_way.rmdir()
    week.published["2024-01-01"], week.sources["2024-01-01"] = kept
    week.build()
    assert week.files()[page("2024-01-01")][1] == before


def test_an_issue_that_cannot_be_read_any_more_is_named(ledger: Ledger) -> None:
    ledger.publish(date(2024, 1, 1), source="x" * 20_000_000)
    with pytest.raises(NewsletterError, match=r"issue 2024-01-01 can't be read"):
        ledger.build()


@pytest.mark.parametrize("slug", ["../../etc", "a/../b", ".hidden", "UPPER", "a\\b", "x" * 200, "new\nline"])
def test_no_slug_leads_out_of_the_folder(ledger: Ledger, slug: str) -> None:
    day = date(2024, 1, 1)
    ledger.publish(day)
    one = ledger.published.pop(str(day))
    ledger.sources[slug] = ledger.sources[str(day)]
    ledger.published[slug] = type(one)(slug, day, one.source_hash, one.published_at, one.updated_at)
    with pytest.raises(NewsletterError, match="can't be a path of the site"):
        ledger.build()
    assert ledger.files() == {}


def test_modes_are_those_of_the_umask(ledger: Ledger) -> None:
    old = os.umask(0o022)
    try:
        ledger.publish(date(2024, 1, 1))
        ledger.build()
    finally:
        os.umask(old)
    for path in ledger.folder.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o755 if path.is_dir() else 0o644), path


def test_a_second_build_waits_and_then_says_who_is_in_the_way(week: Ledger) -> None:
    with (week.folder / ".build.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(NewsletterError, match="another build of this site"):
            write_site(week.settings, load_environment(), [], week.load, patience=timedelta(seconds=0.2))
    assert page("2024-01-01") in week.files()


def test_a_list_asked_for_in_its_turn_is_never_an_old_one(week: Ledger) -> None:
    environment = load_environment()
    with (week.folder / ".build.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        waiting = threading.Thread(
            target=lambda: write_site(week.settings, environment, lambda: [*week.published.values()], week.load)
        )
        waiting.start()
        week.publish(NEW, ["2401.00001"])
    waiting.join(30)
    assert page(NEW) in week.files()


def test_an_old_issue_published_today_is_first_in_the_feed_and_in_its_place_in_the_archive(week: Ledger) -> None:
    slug = week.publish(date(2022, 3, 1))
    late = week.published["2024-01-05"].published_at + timedelta(days=1)
    old = week.published[slug]
    week.published[slug] = type(old)(slug, old.issue_date, old.source_hash, late, late)
    week.build()
    assert ids(week.folder)[0][0] == "tag:news.example,2024-01-06:/issues/2022-03-01"
    index = (week.folder / "index.html").read_text()
    assert index.index("issues/2022-03-01") > index.index("issues/2023-12-30")
