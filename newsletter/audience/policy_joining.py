"""What somebody who wants to read may ask for, and what is done about it. Pure.

Owns the check of a form, and the one decision that keeps who reads here from being found out: whatever it is, whoever
asks is told the same.
"""

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from newsletter.audience.policy import parse_line
from newsletter.config import Joining
from newsletter.errors import UsageError
from newsletter.mail.address import AddressError, normalise_address
from newsletter.model.subscriber import Cadence, Subscriber, SubscriberState, SuppressionReason

MAX_FIELD = 1000
"""Characters of a form's field that are looked at; nothing valid is longer."""

_LANGUAGE_LENGTH = 35


@dataclass(frozen=True, slots=True)
class Offer:
    """What readers may choose from: `topics` by key, each with its heading, `languages` that we speak, `cadences`.

    No languages means that any tag will do. A cadence at which nobody sends mail is not offered.
    """

    topics: Mapping[str, str] = field(default_factory=dict)
    languages: tuple[str, ...] = ()
    cadences: tuple[Cadence, ...] = tuple(Cadence)


@dataclass(frozen=True, slots=True)
class JoinForm:
    """What a form says, unchecked; no topics means everything."""

    address: str
    name: str = ""
    topics: frozenset[str] = frozenset()
    cadence: Cadence = Cadence.EACH
    language: str = ""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What is wrong with one field: a word for programs, and a sentence in English."""

    field: str
    code: str
    message: str


class JoinStatus(StrEnum):
    """What whoever asks is told."""

    ACCEPTED = "accepted"
    THROTTLED = "throttled"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class JoinAnswer:
    """The answer to a form. ACCEPTED says nothing about the address; THROTTLED is about the client alone."""

    status: JoinStatus
    problems: tuple[FieldProblem, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """How an address stands with us: its reader, if it has one, and why it stays out, if it does."""

    subscriber: Subscriber | None = None
    suppressed: SuppressionReason | None = None

    @property
    def reads(self) -> bool:
        """Return whether mail goes there."""
        active = self.subscriber is not None and self.subscriber.state is SubscriberState.ACTIVE
        return active and self.suppressed is None


class JoinPlan(StrEnum):
    """What is done about a form: ask the address's owner, let him read at once, remind him that he does, or nothing."""

    CONFIRM = "confirm"
    ADMIT = "admit"
    REMIND = "remind"
    SILENCE = "silence"


def check_form(form: JoinForm, offer: Offer) -> tuple[JoinForm, tuple[FieldProblem, ...]]:
    """Return the form with its fields in order (the address in wire form), and what is wrong with it."""
    problems: list[FieldProblem] = []
    wire, name = form.address, ""
    try:
        wire = check_address(form.address)
    except UsageError as error:
        problems.append(FieldProblem("address", "address", str(error)))
    try:
        name = check_name(form.name)
    except UsageError as error:
        problems.append(FieldProblem("name", "name", str(error)))
    problems += check_topics(form.topics, offer)
    problems += check_cadence(form.cadence, offer)
    problems += check_language(form.language, offer)
    return replace(form, address=wire, name=name), tuple(problems)


def check_address(text: str) -> str:
    """Return an address in wire form; raise UsageError with a sentence for what is none."""
    if len(text) > MAX_FIELD or not _is_text(text):
        raise UsageError("This is not a mail address.")
    try:
        return normalise_address(text).wire
    except AddressError as error:
        raise UsageError(_sentence(error)) from None


def check_name(text: str) -> str:
    """Return a name on one line; raise UsageError with a sentence for what is none."""
    if len(text) > MAX_FIELD or not _is_text(text):
        raise UsageError("This is not a name.")
    try:
        return parse_line(text, "name")
    except ValueError as error:
        raise UsageError(_sentence(error)) from None


def check_topics(topics: frozenset[str], offer: Offer) -> Iterator[FieldProblem]:
    """Yield a problem for topics that nobody offers."""
    if not topics <= offer.topics.keys():
        yield FieldProblem("topics", "topics", "There is no such topic.")


def check_cadence(cadence: Cadence, offer: Offer) -> Iterator[FieldProblem]:
    """Yield a problem for a cadence at which nobody sends mail."""
    if cadence not in offer.cadences:
        yield FieldProblem("cadence", "cadence", f"There is no {cadence} mail.")


def check_language(language: str, offer: Offer) -> Iterator[FieldProblem]:
    """Yield a problem for a language that isn't offered, or no language tag at all; none is fine."""
    plain = language.replace("-", "").isalnum() and language.isascii() and len(language) <= _LANGUAGE_LENGTH
    if language and (not plain or (offer.languages and language not in offer.languages)):
        yield FieldProblem("language", "language", "There is no such language.")


def decide_join(standing: Standing, rules: Joining, *, cooled: bool) -> JoinPlan:
    """Decide what is done about a form; `cooled`: the address hasn't been written to too lately.

    Who complained is never written to again. Who left, was erased or bounced is asked, and so is everybody else unless
    the operator trusts whoever fills in the form.
    """
    if not cooled or standing.suppressed is SuppressionReason.COMPLAINED:
        return JoinPlan.SILENCE
    if standing.reads:
        return JoinPlan.REMIND
    unknown = standing.subscriber is None or standing.subscriber.state is SubscriberState.PENDING
    if unknown and standing.suppressed is None and not rules.double_opt_in:
        return JoinPlan.ADMIT
    return JoinPlan.CONFIRM


def decide_move(other: Standing, *, cooled: bool) -> JoinPlan:
    """Decide what the owner of an address is told that a reader wants to move to."""
    if not cooled or other.suppressed is SuppressionReason.COMPLAINED:
        return JoinPlan.SILENCE
    return JoinPlan.REMIND if other.reads else JoinPlan.CONFIRM


def may_move(standing: Standing) -> bool:
    """Return whether a reader can change his address: he reads, or is suspended because mail to the old one failed."""
    reader = standing.subscriber
    if reader is None or standing.suppressed is SuppressionReason.COMPLAINED:
        return False
    return reader.state in (SubscriberState.ACTIVE, SubscriberState.SUSPENDED)


def may_return(standing: Standing) -> bool:
    """Return whether the owner of an address can come back, or begin, by confirming."""
    return standing.suppressed is not SuppressionReason.COMPLAINED


def _is_text(text: str) -> bool:
    """Return whether a text can be stored and sent: no half of a surrogate pair, which JSON may hold, and no NUL."""
    return not any(unicodedata.category(character) in ("Cs", "Cc") for character in text if not character.isspace())


def _sentence(error: ValueError) -> str:
    text = str(error)
    return text[0].upper() + text[1:]
