"""The gate: order and limits, and that nothing is lost, doubled or too much whatever happens."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter import config
from newsletter.delivery.exchange import Result
from newsletter.delivery.gate import PULSE, Gate
from newsletter.delivery.lanes import Mail
from tests.delivery.paced import (
    LOST,
    SLOWER,
    TAKEN,
    Clock,
    count_in_worst_window,
    delivery,
    limit,
    mail,
    make_gate,
    pop_all,
    prepare,
)


def test_mails_go_in_the_order_they_came() -> None:
    gate = make_gate(Clock())
    gate.extend(mail(number) for number in range(5))
    assert len(gate) == 5
    assert gate.wait() == 0.0
    assert pop_all(gate) == [0, 1, 2, 3, 4]
    assert gate.pop() is None
    assert gate.wait() is None
    assert len(gate) == 0


@pytest.mark.parametrize("rules", [{}, {"domains": (limit(per_second=100),)}])
def test_a_mail_that_comes_back_is_the_next(rules: dict[str, Any]) -> None:
    gate = make_gate(Clock(), **rules)
    gate.extend(mail(number, "slow.example") for number in range(3))
    first = gate.pop()
    assert first is not None
    assert not gate.finish(first, LOST)
    gate.push_back(first)
    assert pop_all(gate) == [0, 1, 2]


def test_a_mail_that_comes_back_is_the_next_of_those_set_aside() -> None:
    clock = Clock()
    gate = make_gate(clock, domains=(limit(per_second=1),))
    gate.extend(mail(number, "slow.example") for number in range(3))
    first = gate.pop()
    assert first is not None
    assert gate.pop() is None
    gate.finish(first, LOST)
    gate.push_back(first)
    clock.now += 2
    assert pop_all(gate) == [0]


def test_a_domain_without_tokens_is_passed_by() -> None:
    clock = Clock()
    gate = make_gate(clock, domains=(limit(per_second=1),))
    gate.extend([mail(0, "slow.example"), mail(1, "slow.example"), mail(2), mail(3, "slow.example"), mail(4)])
    assert pop_all(gate) == [0, 2, 4]
    assert len(gate) == 2
    assert gate.wait() == pytest.approx(1.0, abs=0.06)
    clock.now += gate.wait() or 0.0
    assert gate.wait() == 0.0
    assert pop_all(gate) == [1]


def test_the_limit_of_all_holds_for_domains_without_one() -> None:
    clock = Clock()
    gate = make_gate(clock, per_second=100)
    gate.extend(mail(number, f"d{number % 7}.example") for number in range(1000))
    times = []
    while len(gate):
        while gate.pop():
            times.append(clock.now)
        clock.now += gate.wait() or 0.0
    assert len(times) == 1000
    assert count_in_worst_window(times, 1.0) <= 100
    assert times[-1] - times[0] == pytest.approx(1000 / 95, rel=0.02)


def test_a_wait_is_never_shorter_than_a_pulse() -> None:
    clock = Clock()
    gate = make_gate(clock, per_second=100_000)
    gate.extend(mail(number) for number in range(10_000))
    assert len(pop_all(gate)) == pytest.approx(5000, rel=0.01)
    assert gate.wait() == PULSE


def test_a_wait_too_short_for_the_clock_to_show_ends() -> None:
    clock = Clock(4e9)  # its steps are half a microsecond
    gate = make_gate(clock, domains=(limit(per_second=3),))
    gate.extend(mail(number, "slow.example") for number in range(50))
    sent = pop_all(gate)
    while len(sent) < 50:
        clock.now += 1e-6 if gate.wait() == PULSE else (gate.wait() or 0) - PULSE / 2
        sent += pop_all(gate)
    assert sent == list(range(50))


def test_only_so_many_mails_of_a_domain_are_on_their_way() -> None:
    gate = make_gate(Clock(), domains=(limit(connections=2),))
    gate.extend(mail(number, "slow.example") for number in range(5))
    gate.extend([mail(9)])
    on_their_way = [gate.pop(), gate.pop()]
    assert pop_all(gate) == [9]
    assert gate.wait() is None
    first = on_their_way[0]
    assert first is not None
    assert gate.finish(first, TAKEN), "lanes that wait must hear that there is room"
    assert gate.wait() == 0.0
    assert pop_all(gate) == [2]


def test_every_domain_that_no_list_names_has_the_limits_of_a_domain() -> None:
    gate = make_gate(Clock(), domain_per_second=1, domain_connections=3, domains=(limit("big.example", per_second=40),))
    for domain in ("a.example", "b.example", "big.example"):
        gate.extend(mail(number, domain) for number in range(40))
    assert len(pop_all(gate)) == 1 + 1 + 2


def test_without_limits_and_complaints_nobody_is_turned_away() -> None:
    gate = make_gate(Clock())
    claimed = [delivery(number) for number in range(10)]
    assert gate.turn_away(claimed) == (claimed, [])
    assert gate.give_back() == []
    assert not gate.owes


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("come"), st.integers(0, 3), st.integers(1, 9)),
        st.tuples(st.just("pop"), st.just(0), st.integers(1, 9)),
        st.tuples(st.just("pass"), st.just(0), st.integers(1, 40)),
        st.tuples(st.sampled_from(["taken", "slower", "lost"]), st.just(0), st.integers(1, 9)),
        st.tuples(st.just("page"), st.just(0), st.integers(0, 9)),
    ),
    max_size=80,
)
RULES = st.fixed_dictionaries(
    {},
    optional={
        "per_second": st.integers(1, 30),
        "per_hour": st.integers(1, 60),
        "domain_per_second": st.integers(1, 9),
        "domain_connections": st.integers(1, 4),
        "domains": st.just((limit("d0.example", per_second=2), limit("d1.example", per_hour=5, connections=1))),
    },
)


@dataclass
class Trial:
    """A gate, and where each mail is that was given to it."""

    clock: Clock
    gate: Gate
    known: int = 0
    out: list[int] = field(default_factory=list)
    flight: list[Mail] = field(default_factory=list)
    left: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def come(self, where: int, count: int) -> None:
        claimed = [delivery(self.known + number, f"d{where}.example") for number in range(count)]
        welcome, away = self.gate.turn_away(claimed)
        self.out += [reader.id for reader, _ in away]
        self.gate.extend(map(prepare, welcome))
        self.known += count

    def leave(self, count: int) -> None:
        for _ in range(count):
            popped = self.gate.pop()
            if popped is not None:
                self.flight.append(popped)
                self.left[popped.key.address.partition("@")[2]].append(self.clock.now)

    def answer(self, result: Result, count: int) -> None:
        for _ in range(min(count, len(self.flight))):
            answered = self.flight.pop(0)
            self.gate.finish(answered, result)
            if result is LOST:
                self.gate.push_back(answered)
            else:
                self.out.append(answered.key.id)

    def empty(self) -> None:
        """Let time pass, with every mail taken, until nobody is left."""
        for _ in range(5000):
            self.answer(TAKEN, len(self.flight))
            if not len(self.gate):
                return
            self.clock.now += 600
            self.leave(1000)
        raise AssertionError(f"{len(self.gate)} mails never go")

    def check(self) -> None:
        assert len(self.gate) == self.known - len(self.out) - len(self.flight)
        if self.gate.wait() is None and len(self.gate):
            assert self.flight, "mails wait for nothing"


@settings(max_examples=200, deadline=None)
@given(STEPS, RULES, st.integers(10, 40))
def test_whatever_happens_nothing_is_lost_or_doubled_or_too_much(
    steps: list[tuple[str, int, int]], rules: dict[str, Any], ahead: int
) -> None:
    clock = Clock()
    trial = Trial(clock, make_gate(clock, ahead, **rules))
    for what, where, count in steps:
        if what == "come":
            trial.come(where, count)
        elif what == "pass":
            clock.now += count / 20
        elif what == "page":
            trial.out += [reader.id for reader, _ in trial.gate.give_back()]
        elif what == "pop":
            trial.leave(count)
        else:
            trial.answer({"taken": TAKEN, "slower": SLOWER, "lost": LOST}[what], count)
        trial.check()
    trial.empty()
    assert sorted(trial.out) == list(range(trial.known))
    check_limits(trial.left, rules)


def check_limits(left: dict[str, list[float]], rules: dict[str, Any]) -> None:
    """Hold the times at which mails left against the rules."""
    pace = config.Pace(**rules)
    named = {domain.name: domain for domain in pace.domains}
    everybody = sorted(time for times in left.values() for time in times)
    for times, per_second, per_hour in [
        (everybody, pace.per_second, pace.per_hour),
        *(
            (times, named[name].per_second, named[name].per_hour)
            if name in named
            else (times, pace.domain_per_second, pace.domain_per_hour)
            for name, times in left.items()
        ),
    ]:
        assert not per_second or count_in_worst_window(times, 1.0) <= per_second
        assert not per_hour or count_in_worst_window(times, 3600.0) <= per_hour
