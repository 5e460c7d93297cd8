"""An issue to readers of different sections, from its file to the mail of each."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from newsletter.committing import commit_edition, make_menu
from newsletter.errors import StoreError
from newsletter.model.delivery import DeliveryState
from newsletter.model.subscriber import Cadence
from newsletter.model.variant import Rendering, VariantKey
from newsletter.previewing import load_views
from newsletter.publishing import load_publishable
from newsletter.store.controls import pause_edition, resume_edition
from newsletter.store.database import Database
from newsletter.store.editions import freeze_edition, load_edition
from newsletter.store.variants import list_variants, load_variant, write_variants
from tests.press import Press, papers_in, text_of

DAY = date(2024, 5, 25)
NOW = datetime(2024, 5, 25, 6, tzinfo=UTC)
PAPERS = {"Agents": [1, 2], "Evaluations": [3], "Safety": [], "Odds and ends": [4]}


@pytest.fixture
def press(tmp_path: Path, database: Database) -> Press:
    press = Press(tmp_path, database)
    press.write(DAY, PAPERS, intro="Good morning.")
    press.join("all")
    press.join("agents", "agents")
    press.join("both", "agents", "evaluations")
    press.join("also", "evaluations", "agents", "gone")
    press.join("safety", "safety")
    press.join("weekly", "agents", cadence=Cadence.WEEKLY)
    return press


def test_each_reader_gets_his_sections_and_who_has_none_is_told_apart(press: Press) -> None:
    done = press.publish(DAY)
    assert done.complete
    assert (done.audit.audience, done.audit.sent, done.audit.excluded) == (5, 4, 1)
    mails = press.mails(str(DAY))
    assert {name: papers_in(mail) for name, mail in mails.items()} == {
        "all": [1, 2, 3, 4],
        "agents": [1, 2],
        "both": [1, 2, 3],
        "also": [1, 2, 3],
    }
    assert {mail["Subject"] for mail in mails.values()} == {"Papers of 2024-05-25"}
    assert all("Good morning." in text_of(mail) for mail in mails.values())
    assert "Your sections: Agents." in text_of(mails["agents"])
    assert "Your sections" not in text_of(mails["all"])
    rows = press.rows(str(DAY))
    assert rows["both"].variant == rows["also"].variant != rows["agents"].variant
    assert rows["safety"].reply
    assert rows["safety"].reply.text == "nothing in this issue for: Safety"
    assert "weekly" not in rows


def test_publishing_again_mails_nobody_twice_and_gives_latecomers_nothing(press: Press) -> None:
    press.publish(DAY)
    press.join("late", "evaluations")
    done = press.publish(DAY)
    assert done.tally
    assert (done.tally.sent, done.audit.audience) == (0, 5)
    assert set(press.mails(str(DAY))) == {"all", "agents", "both", "also"}


def test_killed_between_freeze_and_commit_the_same_command_sends_the_same_bytes(press: Press) -> None:
    issue, edition, _ = load_publishable(press.app, str(DAY))
    menu = make_menu(press.app, issue, edition)
    with press.app.database.transaction() as connection:
        frozen = freeze_edition(connection, edition, issue.source, NOW)
    wanted = {name: menu.render(menu.share(topics).key).edition for name, topics in CHOICES.items()}
    done = press.publish(DAY)  # as if the first had been killed here
    assert done.stored.published_at == frozen.published_at == NOW
    assert done.stored.edition == edition
    rows = press.rows(str(DAY))
    with press.app.database.read() as connection:
        for name, expected in wanted.items():
            assert load_variant(connection, frozen.id, edition, rows[name].variant) == expected


CHOICES = {"agents": frozenset({"agents"}), "both": frozenset({"agents", "evaluations"})}


def test_killed_after_some_variants_were_stored_none_is_left_of_other_contents(press: Press) -> None:
    issue, edition, _ = load_publishable(press.app, str(DAY))
    menu = make_menu(press.app, issue, edition)
    with press.app.database.transaction() as connection:
        frozen = freeze_edition(connection, edition, issue.source, NOW)
        write_variants(connection, frozen.id, edition, [menu.render(menu.share(CHOICES["both"]).key)])
    press.write(DAY, {"Agents": [5], "Evaluations": [6]})  # killed here; the file may be mended before it goes on
    press.publish(DAY)
    assert papers_in(press.mails(str(DAY))["both"]) == [5, 6]
    assert papers_in(press.mails(str(DAY))["agents"]) == [5]


def test_a_choice_made_while_variants_are_made_is_made_too(press: Press) -> None:
    issue, edition, _ = load_publishable(press.app, str(DAY))
    with press.app.database.transaction() as connection:
        frozen = freeze_edition(connection, edition, issue.source, NOW)
    menu = make_menu(press.app, issue, edition)
    changes = iter([["evaluations"], ["evaluations", "safety"]])

    def render(key: VariantKey) -> Rendering:
        topics = next(changes, None)
        if topics:
            press.change("all", topics=topics)
        return menu.render(key)

    assert commit_edition(press.app, frozen, replace(menu, render=render), NOW) == 5
    with press.app.database.read() as connection:
        numbers = list_variants(connection, frozen.id)
    assert press.rows(str(DAY))["all"].variant == numbers["evaluations safety"]


def test_readers_who_never_come_to_rest_end_it_with_a_sentence(press: Press) -> None:
    issue, edition, _ = load_publishable(press.app, str(DAY))
    with press.app.database.transaction() as connection:
        frozen = freeze_edition(connection, edition, issue.source, NOW)
        freeze_edition(connection, edition, "another process's", NOW)
    other = replace(make_menu(press.app, issue, edition), whole=replace(edition, html="other"))
    with pytest.raises(StoreError, match="2024-05-25 is being changed by another process"):
        commit_edition(press.app, frozen, other, NOW)
    with press.app.database.read() as connection:
        stored = load_edition(connection, str(DAY))
    assert stored
    assert stored.audience is None


def test_a_correction_before_the_first_mail_reaches_every_variant(
    press: Press, freeze_mail: Callable[[], None]
) -> None:
    freeze_mail()
    press.write(DAY, {"Agents": [1], "Evaluations": [5], "Safety": [6]}, intro="Good evening.")
    done = press.publish(DAY, correct=True)
    assert done.current
    press.publish(DAY)
    mails = press.mails(str(DAY))
    assert {name: papers_in(mail) for name, mail in mails.items()} == {
        "all": [1, 5, 6],
        "agents": [1],
        "both": [1, 5],
        "also": [1, 5],
        "safety": [6],
    }
    assert all("Good evening." in text_of(mail) for mail in mails.values())
    assert all(row.state is DeliveryState.SENT for row in press.rows(str(DAY)).values())


@pytest.fixture
def freeze_mail(press: Press) -> Callable[[], None]:
    """Publish without sending anything yet, as an operator does who pauses at once."""

    def freeze() -> None:
        issue, edition, _ = load_publishable(press.app, str(DAY))
        with press.app.database.transaction() as connection:
            frozen = freeze_edition(connection, edition, issue.source, NOW)
        commit_edition(press.app, frozen, make_menu(press.app, issue, edition), NOW)
        with press.app.database.transaction() as connection:
            pause_edition(connection, frozen.id, NOW)
        assert press.publish(DAY).audit.sent == 0
        with press.app.database.transaction() as connection:
            resume_edition(connection, frozen.id, NOW)

    return freeze


def test_a_correction_after_the_first_mail_changes_no_mail(press: Press) -> None:
    press.publish(DAY)
    before = press.rows(str(DAY))
    press.write(DAY, {"Agents": [9]})
    done = press.publish(DAY, correct=True)
    assert (done.stored.revision, done.current) == (2, False)
    assert press.rows(str(DAY)) == before


def test_a_paused_reader_gets_nothing_and_the_ledger_says_until_when(press: Press) -> None:
    press.change("agents", paused_until=datetime.now(UTC) + timedelta(days=2))
    press.publish(DAY)
    row = press.rows(str(DAY))["agents"]
    assert row.state is DeliveryState.EXCLUDED
    assert row.reply
    assert row.reply.text.startswith("paused until ")


def test_where_nobody_wants_each_issue_it_is_out_without_mail(tmp_path: Path, database: Database) -> None:
    press = Press(tmp_path, database)
    press.write(DAY, PAPERS)
    press.join("weekly", cadence=Cadence.WEEKLY)
    done = press.publish(DAY)
    assert done.complete
    assert done.audit.audience == 0


def test_a_preview_shows_what_readers_of_some_sections_get(
    press: Press, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "issues" / f"{DAY}.md"
    views = load_views(None, path, frozenset({"evaluations"}))
    assert "/u/each-reader-has-his-own" in views.text
    assert "/p/each-reader-has-his-own" in views.mail
    assert "Paper 3" in views.mail
    assert "Paper 1" not in views.mail + views.text
    assert "Paper 1" in views.page
    (problem,) = load_views(None, path, frozenset({"safety"})).problems
    assert problem.message.startswith("2024-05-25: nothing in this issue for: safety. It has: agents, evaluations")
