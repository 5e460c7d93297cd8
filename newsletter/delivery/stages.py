"""Staged sending: seeds first, then a first share, then the rest, and a halt when the answers look wrong. Pure.

Owns when the next stage begins and what looks wrong. Refuses to judge a reader's later answers: whoever was put off
once is likely to be put off again, and only a reader's first answer tells how this edition is received.

    seeds          any that is refused, put off or unknown halts; the next stage begins when each was taken
    first share    halts as below, and at its end from LEAST answers on
    every stage    halts when, among the last answers, `halt_share` or more are refusals and deferrals

Limit: a run judges what it hears itself. Mail that is on the wire when it halts can't be called back, and of two
senders at work at once, one doesn't wait for the seeds of the other.
"""

from collections import Counter, deque
from dataclasses import dataclass
from typing import Final

from newsletter import config
from newsletter.model.control import Stage
from newsletter.model.delivery import DeliveryState, Reply, Settlement

LEAST: Final = 10
"""Answers that are enough to judge a first share when it ends."""

WINDOW: Final = 4
"""Times `halt_after`: how many answers are looked back at. A share of so many is hardly ever reached by chance."""

_TROUBLE: Final = (DeliveryState.FAILED, DeliveryState.DEFERRED)
_SHOWN: Final = 120


@dataclass(frozen=True, slots=True)
class GoOn:
    """Go on with this stage, or end when nobody is left."""


@dataclass(frozen=True, slots=True)
class NextStage:
    """This stage is through and well received: `advance` and claim."""


@dataclass(frozen=True, slots=True)
class Halt:
    """Begin nothing more; `reason` is a sentence for the operator, with numbers and the most frequent reply."""

    reason: str


Move = GoOn | NextStage | Halt


class Stages:
    """One run's way through the stages; `count` and `alarm` take constant time, whatever was counted."""

    def __init__(self, rules: config.Delivery) -> None:
        self.stage = decide_first_stage(rules)
        self._rules = rules
        self._last: deque[Settlement] = deque()
        self._trouble = 0
        self._seeds: list[Settlement] = []

    def count(self, settlement: Settlement) -> None:
        """Take note of an answer."""
        if settlement.attempts > 1:
            return
        if self.stage is Stage.SEEDS:
            if settlement.state is not DeliveryState.SENT:
                self._seeds.append(settlement)
            return
        self._last.append(settlement)
        self._trouble += settlement.state in _TROUBLE
        if len(self._last) > WINDOW * self._rules.halt_after:
            self._trouble -= self._last.popleft().state in _TROUBLE

    @property
    def alarm(self) -> bool:
        """Return whether the answers so far look wrong, so that nothing more should be begun before `decide`."""
        return bool(self._seeds) or self._is_too_much(self._rules.halt_after)

    def decide(self, waiting: int, *, claimed_none: bool) -> Move:
        """Decide how to go on; `waiting` were claimed and not answered, `claimed_none`: the last claim gave nobody.

        Halts only when that keeps somebody from getting mail: not when all were tried, and not before the next claim
        shows whether that is so.
        """
        through = waiting == 0 and claimed_none
        if waiting == 0 and (not claimed_none or self.stage is Stage.REST):
            return GoOn()
        if self._seeds:
            return Halt(describe_seeds(self._seeds))
        if self._is_too_much(LEAST if through else self._rules.halt_after):
            return Halt(describe_trouble(self._last))
        return NextStage() if through else GoOn()

    def advance(self) -> None:
        """Begin the next stage that the rules know."""
        self.stage = Stage.FIRST_SHARE if self.stage is Stage.SEEDS and self._rules.first_share else Stage.REST

    def _is_too_much(self, least: int) -> bool:
        share, answers = self._rules.halt_share, len(self._last)
        return share > 0 and answers >= least and self._trouble >= share * answers


def decide_first_stage(rules: config.Delivery) -> Stage:
    """Return where a run begins: at the first stage that the rules know. One that is through is left at once."""
    if rules.seeds:
        return Stage.SEEDS
    return Stage.FIRST_SHARE if rules.first_share else Stage.REST


def describe_seeds(troubled: list[Settlement]) -> str:
    """Say which answers seeds got that weren't well."""
    words = {DeliveryState.FAILED: "refused", DeliveryState.DEFERRED: "put off"}
    states = Counter(words.get(settlement.state, str(settlement.state)) for settlement in troubled)
    counts = " and ".join(f"{number} {word}" for word, number in states.most_common())
    seeds = "1 seed was not taken" if len(troubled) == 1 else f"{len(troubled)} seeds were not taken"
    return f"{seeds} ({counts}): {_most_frequent(troubled)}"


def describe_trouble(last: deque[Settlement]) -> str:
    """Say how many of the last answers were refusals and deferrals, and which was the most frequent."""
    states = Counter(settlement.state for settlement in last)
    refused, deferred = states[DeliveryState.FAILED], states[DeliveryState.DEFERRED]
    share = round(100 * (refused + deferred) / len(last))
    troubled = [settlement for settlement in last if settlement.state in _TROUBLE]
    return (
        f"{refused + deferred} of the last {len(last)} readers ({share} %) were refused ({refused}) or put off "
        f"({deferred}), most often: {_most_frequent(troubled)}"
    )


def _most_frequent(troubled: list[Settlement]) -> str:
    """Return the most frequent reply as a server worded it: grouped by its codes, for texts name the reader."""
    codes = Counter((settlement.reply.code, settlement.reply.enhanced) for settlement in troubled)
    ((code, enhanced), number), *_ = codes.most_common(1)
    alike = (settlement.reply for settlement in troubled)
    example = next(reply for reply in alike if (reply.code, reply.enhanced) == (code, enhanced))
    return f"{_word(example)} ({number} of {len(troubled)})."


def _word(reply: Reply) -> str:
    said = " ".join(part for part in (str(reply.code or ""), reply.enhanced, reply.text.rstrip(". ")) if part)
    return said if len(said) <= _SHOWN else said[: _SHOWN - 1] + "…"
