"""The gate and domains that complain, or are slow: they get what they bear, and hold up nobody else."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import pytest

from newsletter import config
from newsletter.delivery.exchange import Result
from newsletter.delivery.gate import HOLD, REST, RETURNS, Gate
from newsletter.delivery.meter import Meters
from newsletter.delivery.pace import LEAST
from newsletter.delivery.policy import Phase
from newsletter.model.delivery import Delivery
from newsletter.store.database import Database
from newsletter.store.paces import load_paces, save_paces
from tests.delivery.paced import (
    LOST,
    NOBODY,
    SLOWER,
    TAKEN,
    Clock,
    Press,
    Server,
    count_in_worst_window,
    delivery,
    feed,
    limit,
    mail,
    make_gate,
    pop_all,
)


def test_a_complaint_slows_only_its_domain() -> None:
    clock = Clock()
    gate = make_gate(clock)
    gate.extend(mail(number, domain) for number in range(100) for domain in ("slow.example", "a.example"))
    for popped in [gate.pop() for _ in range(20)]:
        assert popped is not None
        clock.now += 0.1
        gate.finish(popped, SLOWER if popped.key.address.endswith("@slow.example") else TAKEN)
    passed = Counter(popped.key.address.partition("@")[2] for popped in iter(gate.pop, None))
    assert passed["a.example"] == 90
    assert passed["slow.example"] <= 1


def answer_each(gate: Gate, results: Sequence[Result]) -> None:
    """Let one mail after another through, each with its answer."""
    for number, result in enumerate(results):
        gate.extend([mail(number)])
        popped = gate.pop()
        assert popped is not None
        gate.finish(popped, result)


def test_a_mailbox_that_is_refused_or_a_relay_that_is_busy_slows_nobody() -> None:
    gate = make_gate(Clock())
    busy = Result(Phase.MAIL, SLOWER.reply)
    answer_each(gate, [NOBODY, LOST, busy] * 10)
    gate.extend(mail(number) for number in range(50))
    assert len(pop_all(gate)) == 50


def test_who_wants_no_adaptation_gets_none() -> None:
    gate = make_gate(Clock(), adapt=False)
    answer_each(gate, [SLOWER] * 30)
    gate.extend(mail(number) for number in range(50))
    assert len(pop_all(gate)) == 50


def test_a_slowdown_is_kept_over_a_restart(database: Database) -> None:
    clock = Clock()
    meters = clock.meters()
    gate = Gate(config.Pace(), 2000, meters)
    gate.extend(mail(number, "slow.example") for number in range(10))
    clock.now += 1
    for _ in range(10):
        popped = gate.pop()
        if popped:
            gate.finish(popped, SLOWER)
    with database.transaction() as connection:
        save_paces(connection, meters.report(final=True))
    with database.read() as connection:
        kept = load_paces(connection)
    again = Gate(config.Pace(), 2000, Meters(clock, clock.wall, kept))
    again.extend([*(mail(number, "slow.example") for number in range(10)), mail(10)])
    assert pop_all(again) == [0, 10]


@pytest.mark.parametrize("rate", [0.5, 3.0, 10.0, 40.0])
def test_what_a_server_bears_is_found_and_found_again_when_it_bears_more(rate: float) -> None:
    clock, server = Clock(), Server(rate)
    gate = make_gate(clock)
    for better in (1.0, 4.0):
        server.rate = rate * better
        feed(gate, clock, server, 900)
        counts = feed(gate, clock, server, 900)
        assert 0.7 * server.rate <= counts["taken"] / 900 <= 1.05 * server.rate
        assert counts["put off"] <= 0.03 * counts["taken"] + 10


def test_a_server_that_breaks_down_gets_little_and_soon_as_much_again_as_it_bears() -> None:
    clock, server = Clock(), Server(1e6)
    gate = make_gate(clock)
    feed(gate, clock, server, 30)
    server.rate = 0.001
    assert feed(gate, clock, server, 60)["put off"] < 3000, "of 120,000 that could have been sent"
    server.rate = 500
    feed(gate, clock, server, 600)
    assert feed(gate, clock, server, 300)["taken"] / 300 >= 0.7 * 500


def test_who_was_given_back_doesn_t_keep_a_domain_slow_that_recovers() -> None:
    clock, server = Clock(), Server(2.0)
    readers = [delivery(number, "slow.example") for number in range(15_000)]
    press = Press(make_gate(clock), clock, readers, answer=lambda _, now: server.answer(now))
    press.run(600)
    server.rate = 20
    press.run(600)
    begin = len(press.sent["slow.example"])
    press.run(300)
    assert (len(press.sent["slow.example"]) - begin) / 300 >= 0.7 * 20


def test_a_server_that_takes_nothing_is_tried_once_a_minute() -> None:
    clock = Clock()
    readers = [delivery(number, "slow.example") for number in range(5000)]
    press = Press(make_gate(clock), clock, readers, answer=lambda _, __: SLOWER)
    press.run(600)
    tries = press.put_off
    press.run(600)
    assert press.put_off - tries == pytest.approx(600 * LEAST, abs=1)


def test_a_slow_domain_that_most_readers_are_in_holds_up_nobody() -> None:
    """90 % of 10,000 readers are in a domain that gets 20 a second; 10 lanes can send 1,000 a second."""
    clock = Clock()
    gate = make_gate(clock, domains=(limit(per_second=20),))
    readers = [delivery(n, f"d{n % 97}.example" if n % 10 == 0 else "slow.example") for n in range(10_000)]
    press = Press(gate, clock, readers)
    press.run(20)
    others = sorted(time for domain, times in press.sent.items() if domain != "slow.example" for time in times)
    assert len(others) == 1000
    assert others[-1] - others[0] < 3.0, "full speed takes a second, claiming past 9,000 rows five pages"
    press.run(3600)
    slow = press.sent["slow.example"]
    assert len(slow) == 9000
    assert press.heard.total() == len(press.heard) == 10_000, "everybody once"
    assert count_in_worst_window(slow, 1.0) <= 20
    assert slow[-1] - slow[0] <= 9000 / 19 * 1.05, "nor is the slow domain slower than it has to be"
    assert press.claims < 5 * 10_000, "nobody goes to and fro all the time"


def test_a_domain_that_complains_gives_back_what_it_filled() -> None:
    clock, server = Clock(), Server(5.0)

    def answer(reader: Delivery, now: float) -> object:
        return server.answer(now) if reader.address.endswith("@slow.example") else TAKEN

    readers = [delivery(n, f"d{n % 97}.example" if n % 10 == 0 else "slow.example") for n in range(10_000)]
    press = Press(make_gate(clock), clock, readers, answer=answer)  # type: ignore[arg-type] # object is a Result
    press.run(20)
    others = [time for domain, times in press.sent.items() if domain != "slow.example" for time in times]
    assert len(others) == 1000
    assert max(others) - min(others) < 4.0
    press.run(4 * 3600)
    assert press.heard.total() == len(press.heard) == 10_000
    assert press.put_off < 500


def test_connections_alone_don_t_make_a_domain_slower_than_they_do() -> None:
    clock = Clock()
    readers = [delivery(number, "slow.example") for number in range(10_000)]
    press = Press(make_gate(clock, domains=(limit(connections=2),)), clock, readers, lanes=20, busy=0.02)
    press.run(3600)
    assert press.heard.total() == len(press.heard) == 10_000
    assert press.sent["slow.example"][-1] - press.sent["slow.example"][0] < 1.3 * 10_000 * 0.02 / 2


def test_many_slow_domains_fill_no_more_than_half_of_what_is_claimed() -> None:
    clock = Clock()
    gate = make_gate(clock, domain_per_second=1)
    readers = [delivery(number, f"d{number % 50}.example") for number in range(5000)]
    welcome, away = gate.turn_away(readers)
    assert len(welcome) + len(away) == 5000
    assert len(welcome) == 50 * int(0.95 * HOLD)
    press = Press(make_gate(clock, domain_per_second=1), clock, readers)
    press.run(30)
    assert press.held <= 1000
    press.run(600)
    assert press.heard.total() == len(press.heard) == 5000


def test_who_is_given_back_returns_at_his_turn_but_soon_enough_to_be_judged_again() -> None:
    clock = Clock()
    gate = make_gate(clock, domains=(limit(per_second=2),))
    _, away = gate.turn_away([delivery(number, "slow.example") for number in range(2000)])
    waits = [(due_at - clock.wall()) / timedelta(seconds=1) for _, due_at in away]
    turns = [20 / 1.9 - 2 + number / 1.9 for number in range(len(waits))]
    assert waits[:20] == pytest.approx(turns[:20], abs=1)
    assert all(wait <= turn + 1 for wait, turn in zip(waits, turns, strict=True))
    longest = 1.5 * (REST + 2000 / RETURNS)
    assert 0.95 * longest < max(waits) <= longest
    assert max(Counter(int(wait) for wait in waits).values()) < 100, "they don't all return in one second"
    assert gate.owes
    clock.now += longest + 3
    assert not gate.owes


def test_domains_that_have_long_been_quiet_are_forgotten() -> None:
    clock = Clock()
    gate = make_gate(clock)
    gate.extend(mail(number, f"d{number}.example") for number in range(100))
    while (popped := gate.pop()) is not None:
        gate.finish(popped, SLOWER)
    for _ in range(3):  # one success each, an hour after its complaint
        clock.now += 4000
        gate.extend(mail(number, f"d{number}.example") for number in range(100))
        while (popped := gate.pop()) is not None:
            gate.finish(popped, TAKEN)
        gate.give_back()
    assert not gate._domains
