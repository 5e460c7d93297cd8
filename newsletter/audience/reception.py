"""What stands at the door: the keys that sign links, the rules, the offer, and who writes the letters.

Owns how limits are kept. A limit is spent in the transaction of what it allows; whoever is over it is turned away
without one, so that nobody who knocks ten thousand times holds up the mail.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from newsletter.audience.policy_joining import Offer
from newsletter.audience.policy_limits import (
    compose_limit_key,
    group_client,
    limit_address,
    limit_address_weekly,
    limit_all,
    limit_client,
)
from newsletter.config import Joining
from newsletter.mail.address import fold_address
from newsletter.mail.token import Purpose, make_token
from newsletter.model.notice import Letter, LetterKind, NewNotice, WriteLetter
from newsletter.model.subscriber import Subscriber
from newsletter.model.throttle import Limit
from newsletter.store.database import Connection, Database
from newsletter.store.throttles import has_token, take_token

REMINDER_DAYS = 3
"""A letter that asks for nothing isn't worth sending after that."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What a confirmed wish came to: its reader, and whether anything changed."""

    subscriber: Subscriber
    changed: bool


@dataclass(frozen=True, slots=True)
class Reception:
    """What every wish of a reader is met with. `keys` sign links: the first one signs, all of them open."""

    keys: tuple[bytes, ...]
    rules: Joining
    write_letter: WriteLetter
    offer: Offer = field(default_factory=Offer)

    def make_link(self, purpose: Purpose, number: int) -> str:
        """Return the token of a link that belongs to no edition."""
        return make_token(self.keys[0], purpose, number, 0)


def is_welcome(database: Database, reception: Reception, client: str, now: datetime) -> bool:
    """Return whether a client may ask for something now; takes nothing, and waits for nobody."""
    with database.read() as connection:
        return all(has_token(connection, key, now, limit) for key, limit in _client_limits(reception, client))


def admit_client(connection: Connection, reception: Reception, client: str, now: datetime) -> bool:
    """Count a client's wish; return whether it may be met."""
    return all(take_token(connection, key, now, limit) for key, limit in _client_limits(reception, client))


def cool_address(connection: Connection, reception: Reception, address: str, now: datetime) -> bool:
    """Count a letter to an address; return whether it may be written."""
    key = fold_address(address)
    limits = (("address", limit_address(reception.rules)), ("week", limit_address_weekly(reception.rules)))
    buckets = [(compose_limit_key(reception.keys[0], kind, key), limit) for kind, limit in limits]
    if not all(has_token(connection, bucket, now, limit) for bucket, limit in buckets):
        return False  # what isn't written is not counted
    return all(take_token(connection, bucket, now, limit) for bucket, limit in buckets)


def compose_notice(
    reception: Reception,
    kind: LetterKind,
    address: str,
    language: str,
    now: datetime,
    *,
    reader_id: int,
    request_id: int | None = None,
) -> NewNotice:
    """Return a letter to a reader as it is written down: its link confirms a request, or leads to his preferences."""
    days = reception.rules.confirm_days if request_id else REMINDER_DAYS
    if request_id:
        token, leave = reception.make_link(Purpose.CONFIRM, request_id), ""
    else:
        token, leave = (reception.make_link(one, reader_id) for one in (Purpose.PREFERENCES, Purpose.UNSUBSCRIBE))
    said = reception.write_letter(Letter(kind, language, address, token, leave, days))
    return NewNotice(
        kind=kind,
        address=address,
        subject=said.subject,
        text=said.text,
        html=said.html,
        headers=said.headers,
        language=said.language,
        expires_at=now + timedelta(days=days),
        key=f"{kind} {request_id}" if request_id else None,
        subscriber_id=reader_id or None,
    )


@contextmanager
def provisional(connection: Connection, *, keep: bool) -> Iterator[None]:
    """Do a block's work, and take it back at its end unless it is to be kept."""
    with connection.begin_nested() as savepoint:
        yield
        if not keep:
            savepoint.rollback()


def _client_limits(reception: Reception, client: str) -> Iterator[tuple[str, Limit]]:
    """Yield buckets in one order for everybody: two transactions never wait for each other crosswise.

    A client's own comes first, so that one who is over it doesn't use up what all share.
    """
    yield compose_limit_key(reception.keys[0], "client", group_client(client)), limit_client(reception.rules)
    everybody = limit_all(reception.rules)
    if everybody:
        yield "everybody", everybody
