"""What `status` shows first, on a terminal and for machines."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from newsletter.cli.overview import format_span
from newsletter.model.delivery import DeliveryState
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


def test_several_publications_are_shown_one_after_another(office: Office) -> None:
    for name in ("one", "two"):
        folder = Path() / name
        folder.mkdir()
        (folder / "config.toml").write_text(f'[publication]\ntitle = "Paper {name}"\n[schedule]\nat = "07:30"\n')
    (Path() / "config.toml").write_text('[serve]\npublications = ["one/config.toml", "two/config.toml"]\n')
    views = office.read("status")["publications"]
    assert [view["publication"] for view in views] == ["Paper one", "Paper two"]


def test_two_publications_have_no_one_database(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        (Path() / f"{name}.toml").write_text("")
    (Path() / "config.toml").write_text('[serve]\npublications = ["one.toml", "two.toml"]\n')
    assert "have one database; give each its own" in office.run("status", code=2)
    monkeypatch.setenv("NEWSLETTER_DATABASE_URL", f"sqlite:///{Path('x.db').absolute()}")
    assert "NEWSLETTER_DATABASE_URL would give them one database" in office.run("status", code=2)


def test_watching_wants_a_terminal(office: Office) -> None:
    assert "this is none" in office.run("status", "--watch", code=2)
    assert "leave out the rest" in office.run("status", "2024-05-25", "--watch", code=2)
