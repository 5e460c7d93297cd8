"""Preferences: what a reader sees and changes behind the signed link in each mail."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from newsletter.audience.policy_joining import FieldProblem, Offer
from newsletter.audience.policy_preferences import Choices, check_choices, choices_of, describe_change
from newsletter.mail.token import Purpose, read_token
from newsletter.model.consent import ConsentEvent, Origin
from newsletter.model.subscriber import Subscriber, SubscriberState
from newsletter.store.choices import change_choices, is_erased
from newsletter.store.consents import record_consent
from newsletter.store.database import Database
from newsletter.store.requests import find_move
from newsletter.store.subscribers import load_subscriber


@dataclass(frozen=True, slots=True)
class Preferences:
    """A reader, and the address that he asked to move to and hasn't confirmed, if there is one."""

    subscriber: Subscriber
    moving_to: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What changing one's choices came to. With `problems` nothing was changed."""

    subscriber: Subscriber
    changed: bool
    problems: tuple[FieldProblem, ...] = ()


def load_preferences(database: Database, keys: Sequence[bytes], token: str, now: datetime) -> Preferences | None:
    """Return the reader behind a preferences link, of whatever age.

    None for a link that isn't ours, and for a reader who was erased. Who has left is returned, too:
    `subscriber.state` says so.
    """
    read = read_token(keys, Purpose.PREFERENCES, token)
    if read is None:
        return None
    with database.read() as connection:
        subscriber = load_subscriber(connection, read.subscriber_id)
        if subscriber is None or is_erased(subscriber):
            return None
        move = find_move(connection, subscriber.id, now)
    return Preferences(subscriber, move.request.address if move else "")


def change_preferences(
    database: Database, offer: Offer, subscriber_id: int, choices: Choices, origin: Origin, now: datetime
) -> Change | None:
    """Write down what a reader chooses, all of it at once. None unless he reads (or is suspended, or pending).

    Commit instant: the choices and the line in his record are one transaction. Mail that waits already is sent as it
    was going to be.
    """
    with database.transaction() as connection:
        reader = load_subscriber(connection, subscriber_id, lock=True)
        if reader is None or reader.state is SubscriberState.LEFT:
            return None
        before = choices_of(reader)
        checked, problems = check_choices(choices, before, offer, now)
        detail = describe_change(before, checked)
        if problems or not detail:
            return Change(reader, changed=False, problems=problems)
        changed = change_choices(connection, reader.id, **asdict(checked))
        record_consent(connection, reader.id, ConsentEvent.CHANGED, origin, now, detail)
    return Change(changed, changed=True)
