"""What `status` shows first, on a terminal and for machines."""

import os
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from newsletter.cli.overview import format_span
from newsletter.model.delivery import DeliveryState
from newsletter.store.database import open_database
from newsletter.store.marks import set_mark
from tests.cli.conftest import Office


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0 s"), (59, "59 s"), (60, "1 min"), (3 * 3600 + 300, "3 h 05 min"), (100_000, "1 d 3 h")],
)
def test_a_span_as_people_say_it(seconds: int, text: str) -> None:
    assert format_span(timedelta(seconds=seconds)) == text


def test_what_comes_next_and_who_is_missing(office: Office) -> None:
    (Path() / "config.toml").write_text('[schedule]\nat = "07:30"\n')
    shown = office.run("status")
    assert "next       20" in shown
    assert "needs you  No scheduler has been at work." in shown
    assert "→ newsletter scheduler, or: newsletter serve" in shown
    (publication,) = office.read("status")["publications"]
    assert publication["publication"] == "LLM Papers Daily"
    assert len(publication["needs"]) == 2
    assert publication["coming"][0]["rule"] == "07:30"
    with office.database.transaction() as connection:
        for tick in ("decide", "calls"):
            set_mark(connection, f"tick:{tick}", datetime.now(UTC))
    assert "needs you" not in office.run("status")


def test_an_edition_under_way_has_a_bar(office: Office) -> None:
    office.publish(8)
    office.settle(office.claim(4), DeliveryState.SENT)
    shown = office.run("status")
    assert f"under way  2024-05-25  {'━' * 30} 4 of 8" in shown


def test_without_anything_to_say_there_are_the_editions_alone(office: Office) -> None:
    assert office.run("status").startswith("Nothing was published yet.")


@pytest.fixture
def two_papers(office: Office) -> Office:
    """A config that names two publications; both have their issue of one day."""
    for name in ("one", "two"):
        folder = Path() / name
        folder.mkdir()
        (folder / "config.toml").write_text(f'[publication]\ntitle = "Paper {name}"\n[schedule]\nat = "07:30"\n')
        shutil.copy("newsletter.db", folder)
        with open_database(f"sqlite:///{folder.absolute() / 'newsletter.db'}") as database:
            Office(database, office.capsys).publish(3)
    (Path() / "config.toml").write_text('[serve]\npublications = ["one/config.toml", "two/config.toml"]\n')
    return office


def test_several_publications_are_shown_one_after_another(two_papers: Office) -> None:
    found = two_papers.read("status")
    assert [view["publication"] for view in found["publications"]] == ["Paper one", "Paper two"]
    assert [(line["publication"], line["audience"]) for line in found["editions"]] == [
        ("Paper one", 3),
        ("Paper two", 3),
    ]
    shown = two_papers.run("status")
    places = [shown.index(word) for word in ("Paper one", "audience 3", "Paper two")]
    assert places == sorted(places)
    assert shown.count("audience 3 = ") == 2


def test_an_edition_is_looked_for_in_each_of_several_publications(two_papers: Office) -> None:
    assert two_papers.run("status", "2024-05-25").splitlines()[::4] == ["Paper one", "Paper two"]
    assert two_papers.run("status", "2024-05-25", "--list", "queued").count("reader1@example.org") == 2
    assert "was never published" in two_papers.run("status", "2024-05-26", code=1)


def test_a_command_about_one_publication_asks_which(two_papers: Office) -> None:
    head = Path() / "config.toml"
    for words in (("publish", "2024-05-25"), ("backup",), ("subscribers", "list")):
        said = two_papers.run(*words, code=2)
        assert "config.toml: serve.publications: none is this config's own; say which you mean: " in said
        assert "--config one/config.toml or --config two/config.toml" in said
    assert "newsletter-by-hand-2" in two_papers.run("--config", "one/config.toml", "backup")
    text = head.read_text()
    for own in ('[publication]\ntitle = "Mine"\n' + text, text.replace('"two/', '"config.toml", "two/')):
        head.write_text(own)
        two_papers.run("backup")


def test_two_publications_have_no_one_database(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        (Path() / f"{name}.toml").write_text("")
    (Path() / "config.toml").write_text('[serve]\npublications = ["one.toml", "two.toml"]\n')
    assert "have one database; give each its own" in office.run("status", code=2)
    monkeypatch.setenv("NEWSLETTER_DATABASE_URL", f"sqlite:///{Path('x.db').absolute()}")
    assert "NEWSLETTER_DATABASE_URL would give them one database" in office.run("status", code=2)


def test_watching_draws_it_again_until_ctrl_c(office: Office) -> None:
    office.publish(8)
    office.settle(office.claim(4), DeliveryState.SENT)
    seen = watch_until("4 of 8")
    assert "under way" in seen
    assert "sent         4 of         8" in seen
    assert "Traceback" not in seen


def watch_until(wanted: str) -> str:
    """Watch on a terminal of our own until it shows something, press Ctrl-C, and return all that was shown."""
    ours, its = os.openpty()
    words = [sys.executable, "-m", "newsletter", "status", "--watch"]
    size = {"COLUMNS": "120", "LINES": "40", "TERM": "xterm"}
    process = subprocess.Popen(
        words, stdin=its, stdout=its, stderr=its, env={**os.environ, **size}, start_new_session=True
    )
    os.close(its)
    shown, pressed = b"", False
    try:
        while chunk := _read(ours):
            shown += chunk
            if wanted in shown.decode(errors="replace") and not pressed:
                process.send_signal(signal.SIGINT)
                pressed = True
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    return shown.decode()


def _read(terminal: int) -> bytes:
    """Return what comes next; nothing when nobody has the other side open any more."""
    try:
        return os.read(terminal, 65_536)
    except OSError:
        return b""


def test_watching_wants_a_terminal(office: Office) -> None:
    assert "this is none" in office.run("status", "--watch", code=2)
    assert "leave out the rest" in office.run("status", "2024-05-25", "--watch", code=2)
