"""Joining: asked for by anybody, and confirmed by the owner of the address.

Owns the transactions of both. Whoever asks is told the same whether the address is new, pending, known or kept out, and
the same work is done for each, so that neither words nor time tell who reads here. Nothing that a form says changes
anything for an address that reads already.

Limit: the work is the same to the statement, not to the microsecond. What isn't wanted is taken back before the
transaction ends, so fewer pages are written for it.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from newsletter.audience.policy_joining import (
    JoinAnswer,
    JoinForm,
    JoinPlan,
    JoinStatus,
    Standing,
    check_form,
    decide_join,
    may_return,
)
from newsletter.audience.reception import (
    Finished,
    Reception,
    admit_client,
    compose_notice,
    cool_address,
    is_welcome,
    provisional,
)
from newsletter.mail.address import fold_address
from newsletter.model.consent import Consent, ConsentEvent, NewRequest, Origin, Request, RequestKind
from newsletter.model.notice import LetterKind
from newsletter.model.subscriber import Subscriber, SubscriberState
from newsletter.store.choices import add_pending, change_choices, find_standing, make_active
from newsletter.store.consents import record_consents
from newsletter.store.database import Connection, Database
from newsletter.store.notices import write_notice
from newsletter.store.requests import expire_requests as expire_batch
from newsletter.store.requests import write_request
from newsletter.store.subscribers import lock_subscriber
from newsletter.store.suppression import lift_suppression

_LETTERS = {
    JoinPlan.CONFIRM: LetterKind.CONFIRM_JOIN,
    JoinPlan.SILENCE: LetterKind.CONFIRM_JOIN,
    JoinPlan.REMIND: LetterKind.ALREADY_READS,
    JoinPlan.ADMIT: LetterKind.WELCOME,
}


def ask_to_join(database: Database, reception: Reception, form: JoinForm, origin: Origin, now: datetime) -> JoinAnswer:
    """Take a form in. ACCEPTED says nothing about the address: whatever there is to say is said in a mail to it.

    Commit instant: the request, the pending reader and the mail that asks him are one transaction.
    """
    checked, problems = check_form(form, reception.offer)
    if problems:
        return JoinAnswer(JoinStatus.INVALID, problems)
    if not is_welcome(database, reception, origin.client, now):
        return JoinAnswer(JoinStatus.THROTTLED)
    with database.transaction() as connection:
        if not admit_client(connection, reception, origin.client, now):
            return JoinAnswer(JoinStatus.THROTTLED)
        cooled = cool_address(connection, reception, checked.address, now)
        standing = Standing(*find_standing(connection, checked.address))
        plan = decide_join(standing, reception.rules, cooled=cooled)
        asked = replace(origin, wording=origin.wording or reception.rules.wording)
        _carry_out(connection, reception, plan, standing, checked, asked, now)
    return JoinAnswer(JoinStatus.ACCEPTED)


def finish_join(connection: Connection, request: Request, origin: Origin, now: datetime) -> Finished | None:
    """Let a reader in whose address has been proved; who reads already keeps what he chose (`confirming`)."""
    new = request.request
    standing = Standing(*find_standing(connection, new.address))
    if request.confirmed_at is not None or standing.reads:
        return Finished(standing.subscriber, changed=False) if standing.subscriber else None
    if not may_return(standing):
        return None
    form = JoinForm(new.address, new.name, new.topics, new.cadence, new.language)
    return Finished(_admit(connection, form, new.origin, origin, request.created_at, now), changed=True)


def expire_requests(database: Database, now: datetime, batch: int = 1000) -> int:
    """Forget the requests whose time is over, and everything of readers who never confirmed; return how many.

    In transactions of `batch` requests, so that nobody waits long.
    """
    total = 0
    while True:
        with database.transaction() as connection:
            count = expire_batch(connection, now, batch)
        total += count
        if count < batch:
            return total


def _carry_out(
    connection: Connection,
    reception: Reception,
    plan: JoinPlan,
    standing: Standing,
    form: JoinForm,
    origin: Origin,
    now: datetime,
) -> None:
    """Do the same for every plan, and keep what belongs to it: a row for the reader, a request, a letter."""
    kept = plan is JoinPlan.CONFIRM
    with provisional(connection, keep=kept):
        number = add_pending(connection, form.address, origin.source, now)
        request_id = write_request(connection, _request(reception, form, origin, now), now)
    reader_id = standing.subscriber.id if standing.subscriber else number or 0
    if plan is JoinPlan.ADMIT:
        reader_id = _admit(connection, form, origin, origin, now, now).id
    asks = _LETTERS[plan] is LetterKind.CONFIRM_JOIN
    reader = standing.subscriber
    notice = compose_notice(
        reception,
        _LETTERS[plan],
        form.address,
        form.language if asks or reader is None else reader.language or form.language,
        now,
        reader_id=reader_id,
        request_id=request_id if asks else None,
    )
    with provisional(connection, keep=plan is not JoinPlan.SILENCE):
        write_notice(connection, notice, now)


def _request(reception: Reception, form: JoinForm, origin: Origin, now: datetime) -> NewRequest:
    return NewRequest(
        kind=RequestKind.JOIN,
        address=form.address,
        origin=origin,
        expires_at=now + timedelta(days=reception.rules.confirm_days),
        name=form.name,
        topics=form.topics,
        cadence=form.cadence,
        language=form.language,
    )


def _admit(
    connection: Connection, form: JoinForm, asked: Origin, confirmed: Origin, asked_at: datetime, now: datetime
) -> Subscriber:
    """Let a reader read, with what he chose, and write down by what right."""
    lift_suppression(connection, fold_address(form.address))
    add_pending(connection, form.address, asked.source, now)
    found = lock_subscriber(connection, form.address)
    if found is None:
        raise RuntimeError("a row that was just made is gone")
    subscriber = make_active(connection, found, asked.source, now)
    came_back = found.state in (SubscriberState.LEFT, SubscriberState.SUSPENDED)
    lines = [
        Consent(subscriber.id, ConsentEvent.ASKED, asked_at, asked),
        Consent(subscriber.id, ConsentEvent.CONFIRMED, now, confirmed, "came back" if came_back else ""),
    ]
    record_consents(connection, lines if asked is not confirmed else lines[:1])
    return change_choices(
        connection,
        subscriber.id,
        topics=form.topics,
        cadence=form.cadence,
        language=form.language or subscriber.language,
        paused_until=None,
        name=form.name or subscriber.name,
    )
