"""Leaving: by one click, by the page behind a link, by mail. It takes effect at once, and it never fails for age.

A link that ends mail lets its holder do one thing more: get fewer in place of none. It shows and changes nothing else.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from newsletter.audience.policy_leaving import parse_leave_request
from newsletter.audience.policy_preferences import choices_of, describe_change
from newsletter.mail.token import Purpose, read_token
from newsletter.model.consent import ConsentEvent, Origin
from newsletter.model.subscriber import Cadence, Subscriber, SubscriberState
from newsletter.store.choices import change_choices, is_erased
from newsletter.store.consents import record_consent
from newsletter.store.database import Connection, Database
from newsletter.store.subscribers import load_subscriber, mark_left


@dataclass(frozen=True, slots=True)
class Leaving:
    """What leaving came to: the reader afterwards, whether that was news, and how many mails it cancelled."""

    subscriber: Subscriber
    changed: bool
    cancelled: int


def load_leaver(database: Database, keys: Sequence[bytes], token: str) -> Subscriber | None:
    """Return whose mail a link ends, for the page that asks; changes nothing. None for a link that isn't ours."""
    read = read_token(keys, Purpose.UNSUBSCRIBE, token)
    if read is None:
        return None
    with database.read() as connection:
        return load_subscriber(connection, read.subscriber_id)


def unsubscribe(database: Database, keys: Sequence[bytes], token: str, origin: Origin, now: datetime) -> Leaving | None:
    """End a reader's mail; what waits for him is cancelled with it. Idempotent; a link of any age does it.

    None for a link that isn't ours, or a test mail's. Commit instant: the state, the suppression, what is cancelled and
    the line in his record are one transaction. What is on the wire by then can't be called back.
    """
    read = read_token(keys, Purpose.UNSUBSCRIBE, token)
    if read is None:
        return None
    with database.transaction() as connection:
        reader = load_subscriber(connection, read.subscriber_id, lock=True)
        return None if reader is None else leave(connection, reader, origin, now)


def leave_by_mail(database: Database, keys: Sequence[bytes], text: str, now: datetime) -> Leaving | None:
    """End a reader's mail who wrote `unsubscribe-TOKEN` as a subject or in an address; None for any other text."""
    token = parse_leave_request(text)
    return None if token is None else unsubscribe(database, keys, token, Origin("mail"), now)


def get_fewer(
    database: Database, keys: Sequence[bytes], token: str, cadence: Cadence, origin: Origin, now: datetime
) -> Subscriber | None:
    """Change how often a reader gets mail, by the link that would end it; None for one that isn't ours, or who is gone.

    Commit instant: the choice and the line in his record are one transaction.
    """
    read = read_token(keys, Purpose.UNSUBSCRIBE, token)
    if read is None:
        return None
    with database.transaction() as connection:
        reader = load_subscriber(connection, read.subscriber_id, lock=True)
        if reader is None or reader.state is SubscriberState.LEFT:
            return None
        before = choices_of(reader)
        after = replace(before, cadence=cadence)
        detail = describe_change(before, after)
        if not detail:
            return reader
        record_consent(connection, reader.id, ConsentEvent.CHANGED, origin, now, detail)
        return change_choices(connection, reader.id, **asdict(after))


def leave(connection: Connection, reader: Subscriber, origin: Origin, now: datetime) -> Leaving:
    """Do what leaving means, in the caller's transaction."""
    if is_erased(reader):
        return Leaving(reader, changed=False, cancelled=0)
    departure = mark_left(connection, reader.address, now)
    if departure is None:
        raise RuntimeError("a reader who was just found is gone")
    if departure.changed:
        record_consent(connection, reader.id, ConsentEvent.LEFT, origin, now)
    return Leaving(departure.subscriber, departure.changed, departure.cancelled)
