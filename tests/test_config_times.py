"""Times as a config says them; what a cron line means is held against APScheduler's own reading of it."""

import re
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from apscheduler.triggers.cron import CronTrigger
from hypothesis import given
from hypothesis import strategies as st

from newsletter.config import Settings, parse_settings
from newsletter.config.times import (
    MONTHS,
    WEEKDAYS,
    Timetable,
    parse_cron,
    parse_monthly,
    parse_time,
    parse_weekday,
    parse_weekly,
)
from newsletter.errors import ConfigError

YEARS = [date(2023, 1, 1) + timedelta(days=number) for number in range(2 * 366)]


def days_of(timetable: Timetable) -> list[date]:
    return [day for day in YEARS if timetable.falls_on(day)]


@pytest.mark.parametrize(("text", "at"), [("07:30", time(7, 30)), ("7:05", time(7, 5)), ("23:59", time(23, 59))])
def test_a_time_of_day(text: str, at: time) -> None:
    assert parse_time(text) == at


@pytest.mark.parametrize("text", ["", "24:00", "7", "07:60", "7:3", "07:30:00", "noon", "٠٧:٣٠", "-1:00"])
def test_what_is_no_time_of_day(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time of day"):
        parse_time(text)


@given(st.text(max_size=12))
def test_a_time_is_read_or_refused_with_a_sentence(text: str) -> None:
    try:
        parse_time(text)
    except ValueError as error:
        sentence = str(error)
    else:
        sentence = "07:30"
    assert "07:30" in sentence


def test_weekdays_have_long_and_short_names() -> None:
    names = ["Monday", "tuesday", "WED", "thu", "friday", "Saturday", "sun"]
    assert [parse_weekday(name) for name in names] == list(range(7))
    for wrong in ("", "day", "sunda", "1"):
        with pytest.raises(ValueError, match="no weekday"):
            parse_weekday(wrong)


@pytest.mark.parametrize(
    ("line", "weekdays"),
    [
        ("0 9 * * 1", {0}),
        ("0 9 * * 0", {6}),
        ("0 9 * * 7", {6}),
        ("0 9 * * sun", {6}),
        ("0 9 * * 1-5", {0, 1, 2, 3, 4}),
        ("0 9 * * mon-fri", {0, 1, 2, 3, 4}),
        ("0 9 * * sat-sun", {5, 6}),
        ("0 9 * * sun-sun", {6}),
        ("0 9 * * 0-sun", {6}),
        ("0 9 * * sun-tue", {6, 0, 1}),
        ("0 9 * * 5-7", {4, 5, 6}),
        ("0 9 * * mon,wed,6", {0, 2, 5}),
        ("0 9 * * */2", {6, 1, 3, 5}),
        ("0 9 * * 1-5/2", {0, 2, 4}),
    ],
)
def test_weekdays_of_a_cron_line_count_as_in_crontab(line: str, weekdays: set[int]) -> None:
    assert {day.weekday() for day in days_of(parse_cron(line))} == weekdays


def test_a_cron_line_with_a_date_and_a_weekday_comes_on_either() -> None:
    timetable = parse_cron("30 7 13 * fri")
    assert all(day.day == 13 or day.weekday() == 4 for day in days_of(timetable))
    assert timetable.falls_on(date(2024, 5, 13))
    assert timetable.falls_on(date(2024, 5, 24))


_number = st.integers(1, 12)
_month = st.one_of(_number.map(str), st.sampled_from(MONTHS), st.just("*"), st.just("*/3"), st.just("3-9/2"))
_day = st.one_of(st.integers(1, 31).map(str), st.just("*"), st.just("1,15"), st.just("*/7"), st.just("10-20"))
_weekday = st.one_of(st.sampled_from(WEEKDAYS), st.just("*"), st.just("mon-fri"), st.just("tue,thu"))


@given(st.integers(0, 59), st.integers(0, 23), _day, _month, _weekday)
def test_a_cron_line_means_what_apscheduler_makes_of_its_names(
    minute: int, hour: int, day: str, month: str, weekday: str
) -> None:
    timetable = parse_cron(f"{minute} {hour} {day} {month} {weekday}")
    assert timetable.at == time(hour, minute)
    if timetable.either:  # APScheduler wants both
        return
    trigger = CronTrigger(minute="0", hour="0", day=day, month=month, day_of_week=weekday, timezone=UTC)
    expected: list[date] = []
    at: datetime | None = datetime(2022, 12, 31, 12, tzinfo=UTC)
    while (at := trigger.get_next_fire_time(at, at)) and at.date() <= YEARS[60]:
        expected.append(at.date())
        at += timedelta(seconds=1)
    assert [day for day in days_of(timetable) if day <= YEARS[60]] == expected


@pytest.mark.parametrize(
    "line",
    [
        "",
        "30 7 * *",
        "30 7 * * * *",
        "*/5 7 * * *",
        "30 7,19 * * *",
        "60 7 * * *",
        "30 24 * * *",
        "30 7 0 * *",
        "30 7 32 * *",
        "30 7 * 13 *",
        "30 7 * * 8",
        "30 7 * * fri-mon",
        "30 7 * * mon-",
        "30 7 * * -mon",
        "30 7 * * mon,",
        "30 7 */0 * *",
        "30 7 */x * *",
        "@daily",
        "30 7 L * *",
    ],
)
def test_a_cron_line_that_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="30 7 "):
        parse_cron(line)


@given(st.text(alphabet="0123456789*/,- monfrisu\t", max_size=40))
def test_a_cron_line_is_read_or_refused_whatever_it_is(line: str) -> None:
    try:
        timetable = parse_cron(line)
    except ValueError:
        return
    assert timetable.weekdays <= set(range(7))
    assert timetable.days <= set(range(1, 32))
    assert timetable.months <= set(range(1, 13))


def test_weekly_and_monthly() -> None:
    weekly = parse_weekly("sun 09:00")
    assert weekly.at == time(9)
    assert {day.weekday() for day in days_of(weekly)} == {6}
    assert [day for day in days_of(parse_monthly("1 08:00")) if day.day != 1] == []
    assert len(days_of(parse_monthly("28 08:00"))) == 24
    ends = days_of(parse_monthly("last 08:00"))
    assert len(ends) == 24
    assert date(2024, 2, 29) in ends
    for wrong in ("29 09:00", "0 09:00", "x 09:00", "1", "1 9", "last"):
        with pytest.raises(ValueError, match="day of the month"):
            parse_monthly(wrong)
    for wrong in ("sun", "09:00", "1 09:00", "sun 9"):
        with pytest.raises(ValueError, match="a weekday and a time"):
            parse_weekly(wrong)


def test_a_schedule_says_when_an_issue_is_due() -> None:
    assert Settings().schedule.timetable is None
    settings = parse_settings({"schedule": {"at": "7:30", "days": ["mon", "friday"]}}, "config.toml")
    assert settings.schedule.timetable == Timetable(time(7, 30), frozenset({0, 4}))
    settings = parse_settings({"schedule": {"cron": "30 7 * * mon-fri"}}, "config.toml")
    assert settings.schedule.timetable == Timetable(time(7, 30), frozenset(range(5)))


@pytest.mark.parametrize(
    ("table", "values", "key", "words"),
    [
        ("schedule", {"at": "noon"}, "schedule.at", "07:30"),
        ("schedule", {"at": "07:30", "days": ["mon", "monday"]}, "schedule.days", "twice"),
        ("schedule", {"days": []}, "schedule.days", "names no day"),
        ("schedule", {"cron": "0 9 * * funday"}, "schedule.cron", "funday"),
        ("schedule", {"cron": "0 9 * * 1", "at": "09:00"}, "schedule", "both at and cron"),
        ("rollups", {"weekly": "9"}, "rollups.weekly", "sun 09:00"),
        ("rollups", {"monthly": "31 09:00"}, "rollups.monthly", "1 09:00"),
        ("alerts", {"editor": ["nobody"]}, "alerts.editor[0]", "editor@example.org"),
        ("alerts", {"webhook": "ftp://example.org"}, "alerts.webhook", "https://"),
        ("alerts", {"heartbeat": "https://user:pass@example.org/"}, "alerts.heartbeat", "https://"),
    ],
)
def test_what_is_wrong_with_a_schedule_is_said_by_its_key(
    table: str, values: dict[str, object], key: str, words: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_settings({table: values}, "config.toml")
    (problem,) = caught.value.problems
    assert problem[0] == key
    assert words in problem[1]


def test_publications_are_found_from_where_the_config_stands(tmp_path: Path) -> None:
    from newsletter.config import load_settings

    (tmp_path / "config.toml").write_text('[serve]\npublications = ["daily/config.toml"]\n')
    settings = load_settings(tmp_path / "config.toml", {})
    assert settings.serve.publications == (tmp_path / "daily/config.toml",)
    assert re.fullmatch(r".*/webhook\.secret", str(settings.alerts.webhook_secret))


def test_what_is_sent_has_a_time_or_is_sent_by_hand() -> None:
    from newsletter.config import Rollups

    assert Rollups().kinds == ()
    assert Rollups(weekly="sun 09:00").kinds == ("weekly",)
    assert Rollups(monthly="1 09:00", by_hand=("weekly", "monthly")).kinds == ("weekly", "monthly")
