"""The editor hears of complaints and blame, once for each period."""

from datetime import timedelta

import pytest

from newsletter import config
from newsletter.bounces.alarms import judge_blame, judge_complaints, raise_alarms
from newsletter.bounces.intake import take_events, take_mails
from newsletter.bounces.providers.reading import complaint
from newsletter.model.bounce import BLAMES_US, Reason
from newsletter.model.verdict import Event, Way
from newsletter.store.database import Database
from tests.bounces.conftest import NOW, SPAM, Office, bounce

EDITORS = ["editor@example.org", "deputy@example.org"]


@pytest.mark.parametrize(
    ("complaints", "sent", "limit"),
    [
        (0, 0, None),
        (1, 100, None),
        (2, 100_000, None),
        (99, 100_000, None),
        (100, 100_000, "0.001"),
        (299, 100_000, "0.001"),
        (300, 100_000, "0.003"),
        (3, 1000, "0.003"),
    ],
)
def test_a_share_is_told_when_it_reaches_what_providers_bear(complaints: int, sent: int, limit: str | None) -> None:
    alarm = judge_complaints(complaints, sent, NOW)
    assert (alarm is None) == (limit is None)
    if alarm and limit:
        assert alarm.key == f"complaints {limit} 2024-W21"


def test_only_what_lies_with_us_is_an_alarm() -> None:
    counts = dict.fromkeys(Reason, 20)
    told = {alarm.key.split()[1] for alarm in judge_blame(counts, config.Bounces(), NOW)}
    assert told == {reason.value for reason in BLAMES_US}
    assert judge_blame(dict.fromkeys(Reason, 19), config.Bounces(), NOW) == []


def test_the_editors_are_told_once_and_again_in_another_week(database: Database) -> None:
    office = Office(database, 30)
    office.publish()
    for number in (1, 2):
        report = complaint(f"reader{number}@example.net", "abuse", "ses")
        take_events(office.desk, [Event(report, Way.SES, str(number), f"reader{number}@example.net")])
    assert raise_alarms(office.desk, EDITORS, "en") == 2
    assert raise_alarms(office.desk, EDITORS, "en") == 0
    assert office.notices() == [("alarm", editor) for editor in EDITORS]
    office.now += timedelta(days=3)
    assert raise_alarms(office.desk, EDITORS, "en") == 2
    office.now += timedelta(days=9)
    assert raise_alarms(office.desk, EDITORS, "en") == 0


def test_a_second_letter_says_that_the_graver_limit_is_reached(database: Database) -> None:
    office = Office(database, 1000)
    office.publish()
    for number, told in ((1, 0), (2, 1), (3, 1), (4, 0)):  # of 1,000: no share, 0.2 %, 0.3 %, and no third letter
        report = complaint(f"reader{number}@example.net", "abuse", "ses")
        take_events(office.desk, [Event(report, Way.SES, str(number), f"reader{number}@example.net")])
        assert raise_alarms(office.desk, EDITORS[:1], "en") == told


def test_without_an_editor_nobody_is_told(office: Office) -> None:
    edition = office.publish()
    take_mails(office.desk, [bounce(SPAM, edition)])
    assert raise_alarms(office.desk, [], "en") == 0
