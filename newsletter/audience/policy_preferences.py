"""What a reader may choose, and how a change is told in his record. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from newsletter.audience.policy_joining import (
    FieldProblem,
    Offer,
    check_cadence,
    check_language,
    check_name,
    check_topics,
)
from newsletter.errors import UsageError
from newsletter.model.subscriber import Cadence, Subscriber

LONGEST_PAUSE = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Choices:
    """What a reader chooses, all of it: what isn't named is unchosen. `paused_until` is an aware time, or None."""

    topics: frozenset[str] = frozenset()
    cadence: Cadence = Cadence.EACH
    language: str = ""
    paused_until: datetime | None = None
    name: str = ""


def choices_of(subscriber: Subscriber) -> Choices:
    """Return what a reader has chosen."""
    names = ("topics", "cadence", "language", "paused_until", "name")
    return Choices(**{name: getattr(subscriber, name) for name in names})


def check_choices(
    choices: Choices, before: Choices, offer: Offer, now: datetime
) -> tuple[Choices, tuple[FieldProblem, ...]]:
    """Return choices with their fields in order, and what is wrong with them.

    What a reader has already he may keep, though it isn't offered any more. A pause that is over is none.
    """
    problems: list[FieldProblem] = []
    name = ""
    try:
        name = check_name(choices.name)
    except UsageError as error:
        problems.append(FieldProblem("name", "name", str(error)))
    problems += check_topics(choices.topics - before.topics, offer)
    if choices.cadence != before.cadence:
        problems += check_cadence(choices.cadence, offer)
    if choices.language != before.language:
        problems += check_language(choices.language, offer)
    until = choices.paused_until
    if until is not None and until > now + LONGEST_PAUSE:
        problems.append(FieldProblem("paused_until", "pause", "A pause lasts a year at most."))
    still = until if until is not None and until > now else None
    return replace(choices, name=name, paused_until=still), tuple(problems)


def describe_change(before: Choices, after: Choices) -> str:
    """Say what was changed, for the reader's record; empty if nothing was. A name isn't repeated there."""
    return "; ".join(_changes(before, after))


def _changes(before: Choices, after: Choices) -> Iterator[str]:
    if before.topics != after.topics:
        yield f"topics: {_list(before.topics)} → {_list(after.topics)}"
    if before.cadence != after.cadence:
        yield f"cadence: {before.cadence} → {after.cadence}"
    if before.language != after.language:
        yield f"language: {before.language or 'none'} → {after.language or 'none'}"
    if before.paused_until != after.paused_until:
        yield f"paused until {after.paused_until.isoformat(timespec='minutes')}" if after.paused_until else "not paused"
    if before.name != after.name:
        yield "name"


def _list(topics: frozenset[str]) -> str:
    return ", ".join(sorted(topics)) or "everything"
