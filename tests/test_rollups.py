"""What a week or a month brought, from issues in the ledger to the mail of each reader."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from newsletter.committing import commit_edition
from newsletter.errors import UsageError
from newsletter.model.delivery import DeliveryState
from newsletter.model.edition import EditionKind
from newsletter.model.rollup import period_of
from newsletter.model.subscriber import Cadence
from newsletter.model.variant import Rendering, VariantKey
from newsletter.rollups import load_contents, make_rollup_menu
from newsletter.store.controls import cancel_edition
from newsletter.store.database import Database
from newsletter.store.editions import freeze_edition, list_published, load_source
from newsletter.store.variants import list_variants
from tests.press import REASON, Papers, Press, papers_in, text_of

WEEKLY, MONTHLY = EditionKind.WEEKLY, EditionKind.MONTHLY
MONDAY = date(2024, 5, 20)
SLUG = "weekly-2024-W21"
EXCLUDED = DeliveryState.EXCLUDED


def day(number: int) -> date:
    return MONDAY + timedelta(days=number)


@pytest.fixture
def press(tmp_path: Path, database: Database) -> Press:
    return Press(tmp_path, database)


def publish(press: Press, number: int, papers: Papers) -> None:
    """Publish an issue; then its file is gone, or a paper of it could be in no later one."""
    path = press.write(day(number), papers)
    press.publish(day(number))
    path.unlink()


def reason(press: Press, slug: str, name: str) -> str:
    row = press.rows(slug)[name]
    assert row.state is EXCLUDED
    assert row.reply
    return row.reply.text


def test_weekly_readers_get_the_week_by_section_and_others_dont(press: Press) -> None:
    press.join("each")
    press.join("weekly", cadence=Cadence.WEEKLY)
    press.join("agents", "agents", cadence=Cadence.WEEKLY)
    press.join("monthly", cadence=Cadence.MONTHLY)
    publish(press, 0, {"Evaluations": [1], "Agents": [2]})
    publish(press, 2, {"Agents": [3, 1], "Odds": [4]})
    done = press.roll_up(WEEKLY, day(3))
    assert done.complete
    assert done.stored
    assert (done.stored.edition.slug, done.stored.kind) == (SLUG, WEEKLY)
    mails = press.mails(SLUG)
    assert {name: papers_in(mail) for name, mail in mails.items()} == {"weekly": [2, 3, 1, 4], "agents": [2, 3, 1]}
    assert mails["weekly"]["Subject"] == "What this week brought: 20 May to 22 May 2024"
    assert f"{REASON} 3." in text_of(mails["weekly"])
    assert "And more." not in text_of(mails["weekly"])
    assert set(press.rows(SLUG)) == {"weekly", "agents"}


def test_running_it_again_mails_nobody_twice_and_takes_no_later_issue(press: Press) -> None:
    press.join("weekly", cadence=Cadence.WEEKLY)
    publish(press, 0, {"Agents": [1]})
    press.roll_up(WEEKLY, MONDAY)
    press.join("late", cadence=Cadence.WEEKLY)
    publish(press, 1, {"Agents": [2]})
    done = press.roll_up(WEEKLY, MONDAY)
    assert done.tally
    assert done.tally.sent == 0
    assert papers_in(press.mails(SLUG)["weekly"]) == [1]
    assert "late" not in press.rows(SLUG)


def test_what_came_too_late_for_its_week_is_in_the_next(press: Press) -> None:
    press.join("weekly", cadence=Cadence.WEEKLY)
    publish(press, 5, {"Agents": [1]})
    press.roll_up(WEEKLY, day(5))
    publish(press, 6, {"Agents": [2]})
    publish(press, 7, {"Agents": [3]})
    press.roll_up(WEEKLY, day(7))
    mail = press.mails("weekly-2024-W22")["weekly"]
    assert papers_in(mail) == [2, 3]
    assert mail["Subject"] == "What this week brought: 26 May to 27 May 2024"


def test_a_reader_who_went_from_each_issue_to_weekly_gets_nothing_again(press: Press) -> None:
    press.join("changed")
    press.join("weekly", cadence=Cadence.WEEKLY)
    publish(press, 0, {"Agents": [1], "Safety": [2]})
    press.change("changed", cadence=Cadence.WEEKLY)
    publish(press, 1, {"Agents": [3]})
    press.roll_up(WEEKLY, MONDAY)
    mails = press.mails(SLUG)
    assert papers_in(mails["changed"]) == [3]
    assert papers_in(mails["weekly"]) == [1, 3, 2]


def test_who_has_had_everything_is_told_apart(press: Press) -> None:
    press.join("changed", "agents")
    press.join("weekly", cadence=Cadence.WEEKLY)
    publish(press, 0, {"Agents": [1], "Safety": [2]})
    press.change("changed", cadence=Cadence.WEEKLY)
    press.roll_up(WEEKLY, MONDAY)
    assert reason(press, SLUG, "changed") == "nothing new: all of it came with earlier mail"


def test_what_he_chose_anew_since_is_new_to_him(press: Press) -> None:
    press.join("changed", "agents")
    publish(press, 0, {"Agents": [1], "Safety": [2]})
    press.change("changed", cadence=Cadence.WEEKLY, topics=["agents", "safety"])
    press.roll_up(WEEKLY, MONDAY)
    assert papers_in(press.mails(SLUG)["changed"]) == [2]


def test_a_monthly_reader_who_read_weekly_before_gets_only_the_rest(press: Press) -> None:
    press.join("changed", cadence=Cadence.WEEKLY)
    press.join("monthly", cadence=Cadence.MONTHLY)
    publish(press, 0, {"Agents": [1]})
    press.roll_up(WEEKLY, MONDAY)
    press.change("changed", cadence=Cadence.MONTHLY)
    publish(press, 8, {"Agents": [2]})
    press.roll_up(MONTHLY, MONDAY)
    mails = press.mails("monthly-2024-05")
    assert papers_in(mails["changed"]) == [2]
    assert papers_in(mails["monthly"]) == [1, 2]
    assert mails["monthly"]["Subject"] == "What May 2024 brought"


def test_mail_that_failed_or_was_cancelled_brought_nothing(press: Press) -> None:
    for state in ("failed", "cancelled", "unknown"):
        press.join(state)
    publish(press, 0, {"Agents": [1]})
    with press.app.database.transaction() as connection:
        for state in ("failed", "cancelled", "unknown"):
            values = {"state": state, "address": f"{state}@example.org"}
            connection.execute(text("UPDATE deliveries SET state = :state WHERE address = :address"), values)
    for state in ("failed", "cancelled", "unknown"):
        press.change(state, cadence=Cadence.WEEKLY)
    press.roll_up(WEEKLY, MONDAY)
    assert set(press.mails(SLUG)) == {"failed", "cancelled"}
    assert reason(press, SLUG, "unknown").startswith("nothing new")


def test_nothing_for_a_choice_and_pauses_are_told_apart(press: Press) -> None:
    press.join("safety", "safety", cadence=Cadence.WEEKLY)
    press.join("away", cadence=Cadence.WEEKLY)
    press.change("away", paused_until=datetime.now(UTC) + timedelta(days=1))
    publish(press, 0, {"Agents": [1]})
    done = press.roll_up(WEEKLY, MONDAY)
    assert done.complete
    assert reason(press, SLUG, "safety") == "nothing this week for: Safety"
    assert reason(press, SLUG, "away").startswith("paused until ")


def test_nothing_is_rendered_for_who_gets_nothing_whatever_he_has_had(press: Press) -> None:
    press.join("changed", "agents")
    press.join("weekly", cadence=Cadence.WEEKLY)
    publish(press, -7, {"Agents": [1]})
    publish(press, 0, {"Safety": [1, 2]})
    press.change("changed", topics=["odds"], cadence=Cadence.WEEKLY)
    stored = press.roll_up(WEEKLY, MONDAY).stored
    assert stored
    assert reason(press, SLUG, "changed") == "nothing this week for: odds"
    with press.app.database.read() as connection:
        assert set(list_variants(connection, stored.id)) == {""}


def test_where_nobody_or_nothing_is_there_nothing_is_written(press: Press) -> None:
    press.join("each")
    publish(press, 0, {"Agents": [1]})
    assert press.roll_up(WEEKLY, MONDAY).why == "no reader wants a weekly roll-up"
    press.join("weekly", cadence=Cadence.WEEKLY)
    done = press.roll_up(WEEKLY, day(-1))
    assert done.why == "nothing was published from 2024-05-13 to 2024-05-19"
    assert (done.complete, done.stored) == (True, None)
    assert press.mails(SLUG) == {}


def test_an_issue_that_was_cancelled_is_not_in_it_and_a_correction_is(press: Press) -> None:
    press.join("each")
    press.join("weekly", cadence=Cadence.WEEKLY)
    for number in (0, 1):
        publish(press, number, {"Agents": [number + 1]})
    press.write(day(0), {"Agents": [3]})
    press.publish(day(0), correct=True)
    with press.app.database.transaction() as connection:
        connection.execute(text("UPDATE deliveries SET state = 'queued', settled_at = NULL WHERE edition_id = 2"))
        cancel_edition(connection, 2, datetime.now(UTC), "wrong")
    press.roll_up(WEEKLY, MONDAY)
    assert papers_in(press.mails(SLUG)["weekly"]) == [3]


def test_it_is_on_no_page_and_in_no_feed(press: Press) -> None:
    press.join("weekly", cadence=Cadence.WEEKLY)
    publish(press, 0, {"Agents": [1]})
    press.roll_up(WEEKLY, MONDAY)
    publish(press, 1, {"Agents": [2]})
    with press.app.database.read() as connection:
        assert [one.slug for one in list_published(connection)] == ["2024-05-21", "2024-05-20"]
        assert load_source(connection, SLUG).splitlines()[0] == SLUG
    site = press.folder / "public"
    assert not [path for path in site.rglob("*") if path.is_file() and SLUG.encode() in path.read_bytes()]


def test_entries_without_an_identifier_are_known_by_the_issue_that_the_ledger_names(press: Press) -> None:
    press.join("changed")
    press.join("weekly", cadence=Cadence.WEEKLY)
    for name in ("2024-05-20-morning", "2024-05-20-evening"):
        path = press.write(MONDAY, {"Agents": [1]}, name=name)
        plain = path.read_text().replace("[Paper 1](https://arxiv.org/abs/2405.00001)", "Paper 1")
        path.write_text(plain.replace("title: Papers", f"title: {name}"))
    press.publish("2024-05-20-morning")
    press.change("changed", cadence=Cadence.WEEKLY)
    press.publish("2024-05-20-evening")
    press.roll_up(WEEKLY, MONDAY)
    mails = press.mails(SLUG)
    assert papers_in(mails["weekly"]) == [1, 1]
    assert papers_in(mails["changed"]) == [1]
    assert "/issues/2024-05-20-evening/" in text_of(mails["changed"])


def test_an_issue_with_the_name_of_a_rollup_is_in_the_way(press: Press) -> None:
    press.join("monthly", cadence=Cadence.MONTHLY)
    path = press.write(MONDAY, {"Agents": [1]})
    path.write_text(path.read_text().replace("date:", "slug: monthly-2024-05\ndate:"))
    press.publish(MONDAY)
    with pytest.raises(UsageError, match="An issue has the slug monthly-2024-05"):
        press.roll_up(MONTHLY, MONDAY)


def test_killed_between_freeze_and_commit_it_is_compiled_anew_and_nobody_is_mailed_twice(press: Press) -> None:
    press.join("weekly", "agents", cadence=Cadence.WEEKLY)
    publish(press, 0, {"Agents": [1], "Safety": [5]})
    made: list[Rendering] = []
    with pytest.raises(KeyboardInterrupt):
        commit_frozen(press, made)
    assert len(made) == 1
    publish(press, 1, {"Agents": [2]})
    press.roll_up(WEEKLY, MONDAY)
    assert papers_in(press.mails(SLUG)["weekly"]) == [1, 2]


def commit_frozen(press: Press, made: list[Rendering]) -> None:
    """Freeze a roll-up and be killed while variants are made."""
    period = period_of(WEEKLY, MONDAY)
    contents = load_contents(press.app, period)
    menu = make_rollup_menu(press.app, period, contents.issues)
    now = datetime.now(UTC)
    with press.app.database.transaction() as connection:
        stored = freeze_edition(connection, menu.whole, contents.source, now, WEEKLY)

    def render(key: VariantKey) -> Rendering:
        made.append(menu.render(key))
        raise KeyboardInterrupt

    commit_edition(press.app, stored, replace(menu, render=render), now)


def test_readers_with_the_same_past_share_a_variant(press: Press) -> None:
    for name in ("a", "b", "c"):
        press.join(name)
    press.join("d", cadence=Cadence.WEEKLY)
    publish(press, 0, {"Agents": [1]})
    publish(press, 1, {"Agents": [2]})
    for name in ("a", "b", "c"):
        press.change(name, cadence=Cadence.WEEKLY)
    publish(press, 2, {"Agents": [3]})
    press.roll_up(WEEKLY, MONDAY)
    rows = press.rows(SLUG)
    assert {rows[name].variant for name in "abc"} == {1}
    with press.app.database.read() as connection:
        assert list(list_variants(connection, rows["a"].edition_id)) == ["", "\n-arxiv:2405.00001\n-arxiv:2405.00002"]
