"""What the gate costs a mail: `python benchmarks/gate.py`.

Times the step that a lane takes for each mail, `pop`, against the same step over a bare deque, and the whole way of a
mail through the gate: `extend`, `pop`, `finish`. Without limits and complaints first, then with them. Interleaved;
prints nanoseconds a mail as min / median / max of the rounds, and the ratio of the medians.
"""

import statistics
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime

from newsletter import config
from newsletter.delivery.exchange import Prepared, Result
from newsletter.delivery.gate import Gate
from newsletter.delivery.lanes import Mail
from newsletter.delivery.meter import Meters
from newsletter.delivery.policy import Phase
from newsletter.model.delivery import Delivery, DeliveryState, Reply

MAILS, ROUNDS, DOMAINS = 20_000, 31, 500
NOW = datetime(2024, 5, 25, tzinfo=UTC)
TAKEN = Result(Phase.DOT, Reply(250, "2.0.0", "queued"))
SLOWER = Result(Phase.RCPT, Reply(451, "4.7.1", "slow down"))

PACES = {
    "no limit": config.Pace(),
    "one named domain": config.Pace(domains=(config.DomainPace(name="d1.example", per_second=1_000_000),)),
    "a limit for all": config.Pace(per_second=1_000_000, per_day=2_000_000_000),
    "a limit a domain": config.Pace(domain_per_second=1_000_000),
}


class Bare:
    """What the engine would do without a gate."""

    def __init__(self) -> None:
        self.ready: deque[Mail] = deque()
        self.ending = False

    def pop(self) -> Mail | None:
        """Hand out the next."""
        return None if self.ending or not self.ready else self.ready.popleft()

    def extend(self, mails: list[Mail]) -> None:
        """Take mails that are ready."""
        self.ready.extend(mails)

    def finish(self, _: Mail, __: Result) -> bool:
        """Look at nothing."""
        return False


def make_mails() -> list[Mail]:
    """Return mails to readers in many domains."""
    addresses = [f"reader{number}@d{number % DOMAINS}.example" for number in range(MAILS)]
    state = DeliveryState.SENDING
    readers = [Delivery(number, 1, number, address, "", state, 0, NOW) for number, address in enumerate(addresses)]
    return [Prepared(reader, b"", ()) for reader in readers]


def time_pops(gate: Gate | Bare, mails: list[Mail]) -> float:
    """Return the nanoseconds a mail that `pop` takes."""
    gate.extend(mails)
    pop: Callable[[], Mail | None] = gate.pop
    begin = time.perf_counter_ns()
    while pop() is not None:
        pass
    return (time.perf_counter_ns() - begin) / MAILS


def time_whole(gate: Gate | Bare, mails: list[Mail]) -> float:
    """Return the nanoseconds a mail that all of the gate takes, given mails as they are composed: 128 at a time."""
    begin = time.perf_counter_ns()
    for start in range(0, MAILS, 128):
        gate.extend(mails[start : start + 128])
        while (mail := gate.pop()) is not None:
            gate.finish(mail, TAKEN)
    return (time.perf_counter_ns() - begin) / MAILS


def make_gate(rules: config.Pace) -> Gate:
    """Return a gate on the real clock."""
    return Gate(rules, 2000, Meters(time.monotonic, lambda: datetime.now(UTC)))


def make_troubled() -> Gate:
    """Return a gate for which one domain of many has complained."""
    gate = make_gate(config.Pace())
    mail = make_mails()[0]._replace(key=Delivery(0, 1, 0, "a@elsewhere.example", "", DeliveryState.SENDING, 0, NOW))
    gate.extend([mail])
    gate.pop()
    gate.finish(mail, SLOWER)
    return gate


def main() -> None:
    """Measure and print."""
    mails = make_mails()
    for title, measure in (("pop", time_pops), ("extend, pop, finish", time_whole)):
        subjects: dict[str, Gate | Bare] = {"bare deque": Bare()}
        subjects |= {name: make_gate(rules) for name, rules in PACES.items()}
        subjects["a domain complained"] = make_troubled()
        times: dict[str, list[float]] = {name: [] for name in subjects}
        for _ in range(ROUNDS):
            for name, gate in subjects.items():
                times[name].append(measure(gate, mails))
        base = statistics.median(times["bare deque"])
        print(f"{title}, ns a mail{'':<{22 - len(title)}}min  median     max   ratio")
        for name, found in times.items():
            middle = statistics.median(found)
            print(f"  {name:<28}{min(found):8.0f}{middle:8.0f}{max(found):8.0f}{middle / base:8.2f}")


if __name__ == "__main__":
    main()
