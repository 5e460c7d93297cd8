"""Moving: a reader changes his address, and proves that the new one is his.

Owns what happens when the new address is known here already, which nobody is told but its owner: a reader there is
reminded that he reads; a row that gets no mail gives way. The old address is told, too, once it is done.
"""

from datetime import datetime, timedelta

from newsletter.audience.policy_joining import (
    FieldProblem,
    JoinAnswer,
    JoinPlan,
    JoinStatus,
    Standing,
    check_address,
    decide_move,
    may_move,
    may_return,
)
from newsletter.audience.policy_limits import compose_limit_key, limit_moves
from newsletter.audience.reception import (
    Finished,
    Reception,
    admit_client,
    compose_notice,
    cool_address,
    is_welcome,
    provisional,
)
from newsletter.errors import UsageError
from newsletter.mail.address import fold_address
from newsletter.model.consent import ConsentEvent, NewRequest, Origin, Request, RequestKind
from newsletter.model.notice import LetterKind
from newsletter.model.subscriber import Subscriber, SubscriberState
from newsletter.store.choices import find_standing, give_way, make_active, move_subscriber
from newsletter.store.consents import record_consent
from newsletter.store.database import Connection, Database
from newsletter.store.notices import write_notice
from newsletter.store.requests import drop_requests, mark_confirmed, write_request
from newsletter.store.subscribers import load_subscriber, mark_left
from newsletter.store.suppression import find_reason, lift_suppression
from newsletter.store.throttles import take_token


def ask_to_move(
    database: Database, reception: Reception, subscriber_id: int, address: str, origin: Origin, now: datetime
) -> JoinAnswer:
    """Ask the owner of an address whether a reader's mail shall go there. ACCEPTED says nothing about the address.

    THROTTLED is about the reader or the client. Commit instant: the request and the mail are one transaction.
    """
    try:
        wire = check_address(address)
    except UsageError as error:
        return _refuse("address", str(error))
    if not is_welcome(database, reception, origin.client, now):
        return JoinAnswer(JoinStatus.THROTTLED)
    with database.transaction() as connection:
        reader = load_subscriber(connection, subscriber_id)
        if reader is None or not may_move(_stand(connection, reader)):
            return _refuse("reader", "Only who reads can change his address.")
        if fold_address(wire) == fold_address(reader.address):
            return _refuse("same", "This is your address already.")
        if not admit_client(connection, reception, origin.client, now) or not take_token(
            connection,
            compose_limit_key(reception.keys[0], "move", str(reader.id)),
            now,
            limit_moves(reception.rules),
        ):
            return JoinAnswer(JoinStatus.THROTTLED)
        _ask_owner(connection, reception, reader, wire, origin, now)
    return JoinAnswer(JoinStatus.ACCEPTED)


def finish_move(
    connection: Connection, reception: Reception, request: Request, origin: Origin, now: datetime
) -> Finished | None:
    """Move a reader to an address that has been proved (`confirming`)."""
    reader = load_subscriber(connection, request.request.subscriber_id or 0, lock=True)
    if reader is None:
        return None
    if request.confirmed_at is not None:
        return Finished(reader, changed=False)
    other = Standing(*find_standing(connection, request.request.address))
    if not may_move(_stand(connection, reader)) or not may_return(other):
        return None
    mark_confirmed(connection, request.id, now)
    if other.reads and other.subscriber:
        return _join_other(connection, reader, other.subscriber, origin, now)
    return Finished(_move(connection, reception, reader, request.request.address, other, origin, now), changed=True)


def _ask_owner(
    connection: Connection, reception: Reception, reader: Subscriber, address: str, origin: Origin, now: datetime
) -> None:
    """Do the same whoever has the address, and send what is for him."""
    cooled = cool_address(connection, reception, address, now)
    other = Standing(*find_standing(connection, address))
    plan = decide_move(other, cooled=cooled)
    new = NewRequest(
        kind=RequestKind.MOVE,
        address=address,
        origin=origin,
        expires_at=now + timedelta(days=reception.rules.confirm_days),
        subscriber_id=reader.id,
    )
    request_id = write_request(connection, new, now)
    told = other.subscriber if plan is JoinPlan.REMIND and other.subscriber else None
    notice = compose_notice(
        reception,
        LetterKind.ALREADY_READS if told else LetterKind.CONFIRM_MOVE,
        address,
        (told or reader).language,
        now,
        reader_id=(told or reader).id,
        request_id=None if told else request_id,
    )
    with provisional(connection, keep=plan is not JoinPlan.SILENCE):
        write_notice(connection, notice, now)


def _move(
    connection: Connection,
    reception: Reception,
    reader: Subscriber,
    address: str,
    other: Standing,
    origin: Origin,
    now: datetime,
) -> Subscriber:
    lift_suppression(connection, fold_address(address))
    if other.subscriber:
        give_way(connection, other.subscriber, reader.id, now)
    drop_requests(connection, reader.id, address)
    drop_requests(connection, 0, reader.address, confirmed=True)  # nothing may lead from the old address to the new one
    moved = move_subscriber(connection, reader, address, now)
    record_consent(connection, reader.id, ConsentEvent.MOVED, origin, now)
    if reader.state is SubscriberState.SUSPENDED:
        return make_active(connection, moved, origin.source, now)  # nobody hears a mailbox that bounces
    told = compose_notice(reception, LetterKind.MOVED, reader.address, reader.language, now, reader_id=reader.id)
    write_notice(connection, told, now)
    return moved


def _join_other(
    connection: Connection, reader: Subscriber, other: Subscriber, origin: Origin, now: datetime
) -> Finished:
    """End the old address's mail: its reader reads at the other one already, with what he chose there."""
    mark_left(connection, reader.address, now)
    record_consent(connection, reader.id, ConsentEvent.LEFT, origin, now, "reads at another address")
    return Finished(other, changed=True)


def _stand(connection: Connection, reader: Subscriber) -> Standing:
    return Standing(reader, find_reason(connection, fold_address(reader.address)))


def _refuse(code: str, message: str) -> JoinAnswer:
    return JoinAnswer(JoinStatus.INVALID, (FieldProblem("address", code, message),))
