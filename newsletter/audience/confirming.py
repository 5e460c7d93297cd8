"""Confirming: what happens when the link in a mail is used, by a POST; looking at it changes nothing."""

from dataclasses import dataclass
from datetime import datetime

from newsletter.audience.joining import finish_join
from newsletter.audience.moving import finish_move
from newsletter.audience.reception import Reception
from newsletter.mail.token import Purpose, read_token
from newsletter.model.consent import Origin, Request, RequestKind
from newsletter.model.subscriber import Subscriber
from newsletter.store.database import Connection, Database
from newsletter.store.requests import load_request, lock_request, mark_confirmed
from newsletter.store.subscribers import find_subscriber, load_subscriber


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What using a link came to: `changed` is False when it was used before, or there was nothing left to change.

    `preferences` is the token of the reader's preferences page.
    """

    kind: RequestKind
    subscriber: Subscriber
    changed: bool
    preferences: str


def load_open_request(database: Database, reception: Reception, token: str, now: datetime) -> Request | None:
    """Return what a link is about, for the page that asks; changes nothing.

    None for a link that isn't ours, and for one whose time is over. One that was used says when.
    """
    read = read_token(reception.keys, Purpose.CONFIRM, token)
    if read is None:
        return None
    with database.read() as connection:
        request = load_request(connection, read.subscriber_id)
    return request if request and request.request.expires_at > now else None


def confirm(database: Database, reception: Reception, token: str, origin: Origin, now: datetime) -> Confirmation | None:
    """Do what a link is about: let a reader in, or move him to another address. Idempotent.

    None for a link that isn't ours, whose time is over, or whose reader has left since he asked. Commit instant: the
    reader as he is now, his record, and the end of the request are one transaction.
    """
    read = read_token(reception.keys, Purpose.CONFIRM, token)
    if read is None:
        return None
    with database.transaction() as connection:
        request = _hold(connection, read.subscriber_id)
        if request is None or request.request.expires_at <= now:
            return None
        if request.request.kind is RequestKind.MOVE:
            done = finish_move(connection, reception, request, origin, now)
        else:
            done = finish_join(connection, request, origin, now)
        if done is None:
            return None
        if request.confirmed_at is None:
            mark_confirmed(connection, request.id, now)
    link = reception.make_link(Purpose.PREFERENCES, done.subscriber.id)
    return Confirmation(request.request.kind, done.subscriber, done.changed, link)


def _hold(connection: Connection, request_id: int) -> Request | None:
    """Lock a request and the readers it is about: these first, as leaving does, so that nobody waits crosswise."""
    request = load_request(connection, request_id)
    if request is None:
        return None
    there = find_subscriber(connection, request.request.address)
    for number in sorted({request.request.subscriber_id or 0, there.id if there else 0}):
        load_subscriber(connection, number, lock=True)
    return lock_request(connection, request_id)
