"""What there is to see of a publication, and what needs a human."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from newsletter.app import App
from newsletter.config import Publication, Rollups, Schedule, Settings
from newsletter.delivery.brake import Brake
from newsletter.metrics import render_metrics
from newsletter.model.bounce import Finding, Reason, Report, ReportKind, Severity
from newsletter.model.delivery import DeliveryState, Reply, Settlement
from newsletter.model.edition import EditionKind
from newsletter.model.slot import Plan, SlotKey, SlotState, Why
from newsletter.model.subscriber import Cadence, NewSubscriber
from newsletter.model.verdict import Verdict, Way
from newsletter.schedule.posts import Post
from newsletter.schedule.ticks import Role, Tick, run_tick
from newsletter.store.bounces import lock_reader, record_bounce, record_report
from newsletter.store.controls import halt_edition
from newsletter.store.database import Database
from newsletter.store.deliveries import claim_deliveries, settle_deliveries
from newsletter.store.editions import freeze_edition, publish_edition
from newsletter.store.marks import load_marks, set_mark
from newsletter.store.slots import find_slot, plan_slots, settle_slot, skip_slot
from newsletter.store.subscribers import add_subscribers
from newsletter.watching import Overview, check_readiness, load_overview
from tests.schedule.desks import an_edition

NOW = datetime(2024, 5, 25, 6, tzinfo=UTC)
DAY = date(2024, 5, 25)
SETTINGS = Settings(schedule=Schedule(at="07:30"), publication=Publication(time_zone="Europe/Berlin", title="Daily"))


class Watched:
    def __init__(self, database: Database) -> None:
        self.database = database

    def at_work(self, now: datetime = NOW) -> None:
        with self.database.transaction() as connection:
            for tick in ("decide", "calls"):
                set_mark(connection, f"tick:{tick}", now)

    def run_by_cron(self, now: datetime) -> None:
        """Do the two ticks that others are missed by, as `--once` does."""
        post = Post(App(SETTINGS), Brake(), lambda: now)
        post.app.__dict__["database"] = self.database
        for name in ("decide", "calls"):
            assert run_tick(post, Tick(name, Role.WORKER, timedelta(), lambda post: None), once=True)

    def slot(self, state: SlotState, why: Why, day: date = DAY) -> None:
        key = SlotKey(EditionKind.ISSUE, day)
        with self.database.transaction() as connection:
            plan_slots(connection, [Plan(key, NOW - timedelta(minutes=30), "07:30", "Europe/Berlin")], (), (), NOW)
            found = find_slot(connection, key)
            assert found is not None
            if state is not SlotState.DUE:
                settle_slot(connection, found, state, why, "issues/x.md:3:1: error: …", NOW)

    def edition(self, readers: int, sent: int, unknown: int) -> int:
        with self.database.transaction() as connection:
            add_subscribers(connection, [NewSubscriber(f"r{n}@example.org") for n in range(readers)], NOW)
            frozen = freeze_edition(connection, an_edition("2024-05-25", DAY), "s", NOW)
            publish_edition(connection, frozen.id, NOW - timedelta(minutes=5))
            rows = claim_deliveries(connection, frozen.id, "one", NOW + timedelta(hours=1), NOW, sent + unknown)
            answer = Settlement(0, DeliveryState.SENT, Reply(250, "", ""), 1, NOW)
            settled = [answer._replace(delivery_id=row.id) for row in rows]
            settled[sent:] = [item._replace(state=DeliveryState.UNKNOWN) for item in settled[sent:]]
            settle_deliveries(connection, "one", settled)
        return frozen.id

    def complain(self, readers: int) -> None:
        """Let so many readers complain, each at a provider of his own."""
        finding = Finding(Reason.COMPLAINT, Severity.NONE)
        with self.database.transaction() as connection:
            for number in range(readers):
                reader = lock_reader(connection, number + 1)
                assert reader is not None
                report = record_report(connection, f"{number:064}", Report(ReportKind.COMPLAINT), Way.SES, 0, NOW)
                if report is not None:
                    moved = replace(reader, address=f"r@d{number}.example")
                    record_bounce(connection, moved, 1, finding, Verdict.COMPLAINT, NOW, report_id=report)

    def look(self, settings: Settings = SETTINGS) -> Overview:
        return load_overview(settings, self.database, NOW)

    def needs(self) -> list[str]:
        return [need.what for need in self.look().needs]


@pytest.fixture
def watched(database: Database) -> Watched:
    return Watched(database)


def test_without_a_schedule_nothing_is_missing(watched: Watched) -> None:
    view = watched.look(Settings())
    assert (view.coming, view.needs, view.moving) == ([], [], [])
    assert check_readiness(Settings(), watched.database, NOW) == []


def test_the_next_slot_is_shown_planned_or_not(watched: Watched) -> None:
    (plan,) = watched.look().coming
    assert (str(plan.key), plan.due_at) == ("2024-05-26", datetime(2024, 5, 26, 5, 30, tzinfo=UTC))
    watched.slot(SlotState.DUE, Why.NONE)
    assert [str(plan.key) for plan in watched.look().coming] == ["2024-05-25"]


def test_who_should_be_at_work_and_is_not_is_missed(watched: Watched) -> None:
    assert watched.needs() == ["No scheduler has been at work.", "No worker has been at work."]
    watched.at_work()
    assert watched.needs() == []
    watched.at_work(NOW - timedelta(minutes=4))
    assert watched.needs()[0] == "No scheduler has been at work since 2024-05-25 05:56 UTC."
    assert len(check_readiness(SETTINGS, watched.database, NOW)) == 2


@pytest.mark.parametrize("engine_name", ["sqlite"])
def test_the_way_out_names_the_config_that_was_named(watched: Watched) -> None:
    needs = watched.look(SETTINGS.named(Path("/srv/second.toml"))).needs
    program = "newsletter --config /srv/second.toml"
    assert [need.way_out for need in needs] == [
        f"{program} {who}, or: {program} serve" for who in ("scheduler", "worker")
    ]


def test_runs_by_cron_are_missed_when_two_of_them_are(watched: Watched) -> None:
    for minutes in (40, 25, 10):
        watched.run_by_cron(NOW - timedelta(minutes=minutes))
    watched.slot(SlotState.DUE, Why.NONE)  # due half an hour ago: since two runs
    assert (watched.needs(), check_readiness(SETTINGS, watched.database, NOW)) == ([], [])
    late = NOW + timedelta(minutes=24)
    with watched.database.read() as connection:
        assert load_marks(connection, "tick:decide")["tick:decide"].text == "once 900"
    missed = check_readiness(SETTINGS, watched.database, late)
    assert missed[:2] == [f"No {who} has been at work since 2024-05-25 05:50 UTC." for who in ("scheduler", "worker")]
    assert "2024-05-25 was due at 2024-05-25 05:30 UTC and is undecided" in missed


@pytest.mark.parametrize(
    ("state", "why", "what", "way_out"),
    [
        (SlotState.HELD, Why.ERRORS, "2024-05-25 is held: errors.", "Mend it, and it goes out by itself"),
        (
            SlotState.HELD,
            Why.NO_ISSUE,
            "2024-05-25 is held: no issue.",
            "Write issues/2024-05-25.md, and it goes out by itself",
        ),
        (SlotState.HELD, Why.LATE, "2024-05-25 is held: too late.", "newsletter publish 2024-05-25"),
        (SlotState.MISSED, Why.LATE, "2024-05-25 was given up: too late.", "newsletter publish 2024-05-25"),
    ],
)
def test_a_slot_that_needs_a_human(watched: Watched, state: SlotState, why: Why, what: str, way_out: str) -> None:
    watched.at_work()
    watched.slot(state, why)
    (need,) = watched.look().needs
    assert need.what.splitlines()[0] == what
    assert (need.way_out, need.let_be) == (way_out, "newsletter skip 2024-05-25")
    with watched.database.transaction() as connection:
        skip_slot(connection, SlotKey(EditionKind.ISSUE, DAY), NOW)
    assert watched.needs() == []


def test_a_day_without_an_issue_needs_nobody(watched: Watched) -> None:
    watched.at_work()
    watched.slot(SlotState.SKIPPED, Why.NO_ISSUE)
    assert watched.needs() == []


def test_an_edition_under_way_has_a_rate(watched: Watched) -> None:
    watched.edition(100, sent=60, unknown=0)
    (moving,) = watched.look().moving
    assert (moving.audit.sent, moving.audit.queued, moving.rate) == (60, 40, 2.0)
    backlog = watched.look().backlog
    assert backlog is not None
    assert (backlog.queued, backlog.oldest_at) == (40, NOW - timedelta(minutes=5))


def test_what_halted_and_who_is_unknown_need_a_human(watched: Watched) -> None:
    watched.at_work()
    number = watched.edition(10, sent=3, unknown=2)
    with watched.database.transaction() as connection:
        halt_edition(connection, number, NOW, "30 % were refused.")
    assert watched.needs() == [
        "2024-05-25 has halted: 30 % were refused.",
        "2024-05-25: 2 may or may not have their mail.",
    ]


def test_what_came_back_has_few_labels_and_complaints_need_a_human(watched: Watched) -> None:
    watched.at_work()
    watched.edition(12, sent=12, unknown=0)
    watched.complain(2)
    (need,) = watched.look().needs
    assert need.what == "Complaints have reached 16.67% of a week's mail, which is over 0.3%."
    text = render_metrics([watched.look()]).decode()
    assert 'newsletter_returns{domain="d0.example",publication="Daily",reason="complaint"} 1.0' in text
    assert 'newsletter_decided_mails{domain="other",publication="Daily"} 12.0' in text
    assert 'newsletter_return_share{kind="complained",publication="Daily"} 0.16' in text
    watched.complain(12)
    text = render_metrics([watched.look()]).decode()
    assert text.count("newsletter_returns{") == 11
    assert 'newsletter_returns{domain="other",publication="Daily",reason="complaint"} 2.0' in text


def test_the_numbers_of_several_publications_are_told_apart(watched: Watched) -> None:
    watched.edition(10, sent=3, unknown=2)
    view = watched.look()
    text = render_metrics([view, replace(view, publication='An "other"')]).decode()
    assert 'newsletter_deliveries{edition="2024-05-25",outcome="sent",publication="Daily"} 3.0' in text
    assert r'newsletter_deliveries{edition="2024-05-25",outcome="unknown",publication="An \"other\""} 2.0' in text
    assert 'newsletter_queue_age_seconds{publication="Daily"} 300.0' in text
    assert "@" not in text


def test_who_wants_weekly_mail_that_nobody_sends_is_told(watched: Watched) -> None:
    with watched.database.transaction() as connection:
        add_subscribers(connection, [NewSubscriber("w@example.org", cadence=Cadence.WEEKLY)], NOW)
    watched.at_work()
    (need,) = load_overview(SETTINGS, watched.database, NOW).needs
    assert need.what == "1 want weekly mail, and none is planned or was sent lately."
    assert need.way_out == "Set [rollups] weekly, or: newsletter rollup weekly 2024-05-19"
    planned = SETTINGS.model_copy(update={"rollups": Rollups(weekly="sun 09:00")})
    assert load_overview(planned, watched.database, NOW).needs == []
    with watched.database.transaction() as connection:
        weekly = freeze_edition(connection, an_edition("weekly-2024-05-19", DAY), "s", NOW, EditionKind.WEEKLY)
        publish_edition(connection, weekly.id, NOW)
    assert load_overview(SETTINGS, watched.database, NOW).needs == []
