"""Meters: limits that outlive a restart, that several senders share, and what servers bear."""

from datetime import timedelta
from math import inf

import pytest

from newsletter.delivery.meter import SHARE_EVERY, Meter, Meters, make_limits
from newsletter.delivery.pace import LEAST
from newsletter.model.pace import Pace, Period, Slowdown
from newsletter.store.database import Database
from newsletter.store.paces import load_paces, save_paces
from tests.delivery.paced import NOW, Clock, count_in_worst_window


def send(meter: Meter, clock: Clock, seconds: float, step: float = 0.01) -> list[float]:
    """Let messages go as soon as they may, for so many seconds; return when they went."""
    times, until = [], clock.now + seconds
    while clock.now < until:
        while not meter.wait(clock.now):
            meter.take(clock.now)
            times.append(clock.now)
        clock.now += step
    return times


def share(meters: Meters, database: Database, *, final: bool = False) -> int:
    """Turn a page of the books; return how many keys were reported."""
    spendings = meters.report(final=final)
    with database.transaction() as connection:
        meters.adopt(save_paces(connection, spendings))
    return len(spendings)


def load(database: Database) -> list[Pace]:
    with database.read() as connection:
        return load_paces(connection)


def test_a_meter_without_limits_lets_everything_go() -> None:
    meter = Clock().meters().find("all", make_limits(0, 0, 0))
    assert not meter.limited
    assert meter.rate == inf
    assert meter.wait(1.0) == 0.0


def test_the_tightest_limit_counts() -> None:
    clock = Clock()
    meter = clock.meters().find("all", make_limits(10, 600, 1_000_000))
    assert meter.rate == pytest.approx(600 * 0.95 / 3600)
    times = send(meter, clock, 7200, step=0.05)
    assert count_in_worst_window(times, 1.0) <= 10
    assert 570 <= count_in_worst_window(times, 3600.0) <= 600


def test_a_limit_outlives_a_restart(database: Database) -> None:
    clock, limits = Clock(), make_limits(0, 100, 0)
    meters = clock.meters()
    before = send(meters.find("all", limits), clock, 2000, step=1)
    assert share(meters, database, final=True) == 1
    boot = clock.wall()
    restarted = Clock(5.0)  # another machine's seconds, and the same time of day
    later = Meters(restarted, lambda: boot + timedelta(seconds=restarted.now - 5.0), load(database))
    after = send(later.find("all", limits), restarted, 4000, step=1)
    times = before + [time + clock.now - 5.0 for time in after]
    assert count_in_worst_window(times, 3600.0) <= 100
    assert len(times) >= 95 * 6000 / 3600


def test_several_senders_share_a_limit(database: Database) -> None:
    clock, limits = Clock(), make_limits(0, 1000, 0)
    senders = [clock.meters() for _ in range(3)]
    times: list[float] = []
    for turn in range(4 * 7200):
        for sender in senders[turn % 3 :] + senders[: turn % 3]:
            meter = sender.find("all", limits)
            while not meter.wait(clock.now):
                meter.take(clock.now)
                times.append(clock.now)
        clock.now += SHARE_EVERY
        if int(clock.now * 4) % 20 == 0:  # every 5 s
            for sender in senders:
                share(sender, database)
    burst, between = 50, 1000 / 3600 * 5
    assert count_in_worst_window(times, 3600.0) <= 1000 + 2 * (burst + between)
    assert len(times) <= 2 * 950 + 3 * (burst + between)
    assert len(times) >= 2 * 950 * 0.97


def test_a_sender_alone_loses_nothing_by_sharing(database: Database) -> None:
    clock, limits = Clock(), make_limits(100, 0, 0)
    meters, times = clock.meters(), []
    for _ in range(80):
        times += send(meters.find("all", limits), clock, 0.3, step=0.002)
        share(meters, database)
    assert count_in_worst_window(times, 1.0) <= 100
    assert len(times) >= 24 * 95 * 0.99


def test_reports_come_no_more_than_a_few_times_a_second_but_the_last_one_does() -> None:
    clock = Clock()
    meters = clock.meters()
    meter = meters.find("all", make_limits(0, 100, 0))
    meter.take(clock.now)
    assert meters.report() == ()
    clock.now += SHARE_EVERY
    (spending,) = meters.report()
    assert spending.spent[Period.HOUR].total_seconds() == pytest.approx(3600 / 95)
    assert meters.report(final=True) == ()
    meter.take(clock.now)
    assert len(meters.report(final=True)) == 1


def test_what_left_while_a_report_was_written_down_is_not_forgotten(database: Database) -> None:
    clock = Clock()
    meters = clock.meters()
    meter = meters.find("all", make_limits(0, 40, 0))
    meter.take(clock.now)
    spendings = meters.report(final=True)
    meter.take(clock.now)
    with database.transaction() as connection:
        meters.adopt(save_paces(connection, spendings))
    assert meter.wait(clock.now) > 0
    share(meters, database, final=True)
    (pace,) = load(database)
    assert (pace.full_at[Period.HOUR] - clock.wall()).total_seconds() == pytest.approx(2 * 3600 / 38)


def test_a_time_that_no_clock_can_mean_costs_one_period_at_most() -> None:
    clock = Clock()
    broken = Pace("all", {Period.HOUR: NOW + timedelta(days=4000)}, None, NOW)
    meters = Meters(clock, clock.wall, [broken])
    assert meters.find("all", make_limits(0, 10, 0)).wait(clock.now) <= 3600


def test_a_meter_nobody_shares_reports_only_what_servers_bear() -> None:
    clock = Clock()
    meters = clock.meters()
    meter = meters.find("domain:a.example", make_limits(5, 0, 0), shared=False)
    meter.take(clock.now)
    assert meters.report(final=True) == []
    meter.complain(clock.now, lambda: 8.0)
    (spending,) = meters.report(final=True)
    assert spending.slowdown is not None
    assert (spending.slowdown.rate, spending.slowdown.ceiling) == (4.0, 8.0)
    assert spending.spent == {Period.SECOND: timedelta(0)}


def test_a_complaint_slows_and_quiet_makes_it_faster_again() -> None:
    clock = Clock()
    meter = clock.meters().find("domain:a.example", {})
    meter.complain(clock.now, lambda: 20.0)
    assert meter.limited
    assert meter.rate == pytest.approx(10.0)
    while clock.now < 1040:
        clock.now += meter.wait(clock.now)
        meter.take(clock.now)
        meter.note(clock.now, accepted=True)
    assert meter.rate == pytest.approx(12.5)


def test_noise_slows_nobody() -> None:
    clock = Clock()
    meter = clock.meters().find("domain:a.example", {})
    meter.remember(1000)
    for _ in range(10):
        meter.complain(clock.now, lambda: 20.0)
    assert meter.bearing is None
    for _ in range(20):
        meter.complain(clock.now, lambda: 20.0)
    assert meter.bearing is not None


def test_a_slowdown_outlives_a_restart_and_goes_on_where_it_was(database: Database) -> None:
    clock = Clock()
    meters = clock.meters()
    meters.find("domain:a.example", {}).complain(clock.now, lambda: 20.0)
    clock.now += 10
    share(meters, database, final=True)
    restarted = Clock(5.0)
    later = Meters(restarted, clock.wall, load(database))
    assert later.list_slowed("domain:") == ["a.example"]
    bearing = later.find("domain:a.example", {}).bearing
    assert bearing is not None
    assert (bearing.rate, bearing.ceiling) == (10.0, 20.0)
    assert restarted.now - bearing.cut_at == pytest.approx(10.0)


def test_a_slowdown_of_long_ago_is_not_taken_up() -> None:
    clock = Clock()
    old = Slowdown(LEAST, None, clock.wall() - timedelta(hours=2), clock.wall())
    meters = Meters(clock, clock.wall, [Pace("domain:a.example", {}, old, NOW)])
    assert not meters.find("domain:a.example", {}).limited


def test_what_another_sender_heard_is_believed_if_it_is_newer(database: Database) -> None:
    clock = Clock()
    first, second = clock.meters(), clock.meters()
    first.find("domain:a.example", {}).complain(clock.now, lambda: 20.0)
    other = second.find("domain:a.example", make_limits(0, 100_000, 0))
    other.take(clock.now)
    share(first, database, final=True)
    share(second, database, final=True)
    assert other.bearing is not None
    assert other.bearing.rate == 10.0
    clock.now += 20
    other.complain(clock.now, lambda: 0.0)
    share(second, database)
    assert other.bearing is not None
    assert other.bearing.rate == 5.0


def test_a_meter_that_is_whole_can_be_dropped() -> None:
    clock = Clock()
    meters = clock.meters()
    meter = meters.find("domain:a.example", make_limits(0, 100, 0))
    assert meter.is_whole(clock.now)
    meter.take(clock.now)
    assert not meter.is_whole(clock.now)
    clock.now += 3600
    assert meter.is_whole(clock.now)
    meters.forget(meter)
    assert meters.find("domain:a.example", {}) is not meter
