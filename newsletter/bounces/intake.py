"""The one door for what comes back: a raw mail, a provider's event, or a refusal while sending.

Owns the order: read, find the reader by what we signed, judge by his past, write down and change him. It never answers
a mail: what it writes goes to a reader's own address, or to the editor. What nobody can read is kept for a human, and
counted.

**Guarantee.** A mail is taken in, and all that follows from it done, in one transaction: the commit instant. Taken
twice, or by two ways, it changes nothing. **Limits.** Forgotten after `[bounces] keep_days`, the same mail would count
again. Of mail for a human, `KEPT_MOST` are kept whole; of what comes beyond, only who and when.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, TypeVar

from newsletter import config
from newsletter.bounces.digest import digest_mail
from newsletter.bounces.forwarding import forward_reply
from newsletter.bounces.letters import Letters
from newsletter.bounces.policy import Judgement, judge_finding, judge_report
from newsletter.errors import StoreError
from newsletter.logs import get_logger
from newsletter.mail.address import fold_address
from newsletter.mail.reports.judge import HARD, Evidence, judge
from newsletter.mail.reports.read import Ours, read_report
from newsletter.model.bounce import Finding, Named, NamedBy, Reason, Report, ReportKind, spell_answer
from newsletter.model.consent import Consent, ConsentEvent, Origin
from newsletter.model.subscriber import Subscriber, SubscriberState, SuppressionReason
from newsletter.model.verdict import Event, Past, Verdict, Way
from newsletter.store import bounces as store
from newsletter.store.choices import is_erased
from newsletter.store.consents import record_consent, record_consents
from newsletter.store.database import Connection, Database
from newsletter.store.notices import fail_notice, find_letter_address, find_return, list_failed_letters, write_notice
from newsletter.store.returns import (
    Arrival,
    NewBounce,
    lock_readers,
    record_bounces,
    record_reports,
    suspend_readers,
)
from newsletter.store.subscribers import find_subscriber, lock_subscriber, mark_left
from newsletter.store.suppression import lift_suppression, suppress

_log = get_logger(__name__)

KEPT_MOST: Final = 1000
REFUSALS_AT_ONCE: Final = 500

_JUDGED: Final = frozenset({ReportKind.BOUNCE, ReportKind.COMPLAINT, ReportKind.FEEDBACK, ReportKind.UNSUBSCRIBE})
_MAILBOX: Final = HARD | {Reason.MAILBOX_FULL, Reason.MAILBOX_DISABLED, Reason.FILTERED}
_SUPPRESSIONS: Final = {
    Verdict.SUSPEND: SuppressionReason.BOUNCED,
    Verdict.COMPLAINT: SuppressionReason.COMPLAINED,
}


@dataclass(frozen=True, slots=True)
class Incoming:
    """A mail that came in; `envelope_to` is its envelope recipient where the way in knows it."""

    raw: bytes
    way: Way
    envelope_to: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one mail. `again`: it came before. `judgement` is None when it names no reader of ours."""

    report: Report
    again: bool = False
    reader: Subscriber | None = None
    judgement: Judgement | None = None
    kept: bool = False
    forwarded: bool = False


@dataclass(frozen=True, slots=True)
class Desk:
    """What the intake works with. `letters` write to readers and to the editor."""

    database: Database
    ours: Ours
    rules: config.Bounces
    letters: Letters
    clock: Callable[[], datetime]


def take_mails(desk: Desk, mails: Sequence[Incoming]) -> list[Taken]:
    """Take mails in, all in one transaction; raises StoreError, and none is taken then.

    Should a mail be one that can't be taken in at all, the others are, each by itself, and it is kept for a human: one
    mail must not stop all that come behind it.
    """
    try:
        return _take_read(desk, [_read(mail, desk.ours) for mail in mails])
    except StoreError:
        raise
    except Exception:
        if len(mails) != 1:
            return [taken for mail in mails for taken in take_mails(desk, [mail])]
        _log.exception("mail can't be read")
        return _take_read(desk, [_give_up(mail) for mail in mails])


def _take_read(desk: Desk, read: Sequence["_Read"]) -> list[Taken]:
    with desk.database.transaction() as connection:
        return _take(connection, desk, [_name_by_letter(connection, one) for one in read], desk.clock())


def take_events(desk: Desk, events: Sequence[Event]) -> list[Taken]:
    """Take a provider's events in, all in one transaction; raises StoreError, and none is taken then."""
    with desk.database.transaction() as connection:
        return _take(connection, desk, [_name(connection, event) for event in events], desk.clock())


def take_refusals(desk: Desk) -> int:
    """Judge what servers refused while it was sent, by the same rules; return how many that were."""
    taken, found = 0, REFUSALS_AT_ONCE
    while found == REFUSALS_AT_ONCE:
        now = desk.clock()
        with desk.database.transaction() as connection:
            refusals = store.list_refusals(connection, REFUSALS_AT_ONCE)
            for one in _split_rounds(refusals, lambda refusal: (refusal.subscriber_id,)):
                _take_refusals(connection, desk, one, now)
        found = len(refusals)
        taken += found
    _take_letters(desk)
    return taken


@dataclass(frozen=True, slots=True)
class _Read:
    """A mail or an event that was read, and the number of the reader it names (0: none)."""

    arrival: Arrival
    number: int
    raw: bytes = b""


def _take_letters(desk: Desk) -> None:
    """Judge warnings and probes that were refused while being sent, as those that came back are; each once."""
    with desk.database.transaction() as connection:
        read = [_read_letter(*letter) for letter in list_failed_letters(connection)]
        _take(connection, desk, [one for one in read if _is_about_mailbox(one.arrival.report)], desk.clock())


def _read_letter(notice_id: int, reader: int, number: int, address: str, said: str) -> _Read:
    found = judge(Evidence((said,)))
    finding = Finding(found.reason, found.severity, recipient=address, status=found.status, diagnostic=said)
    names = (Named(reader, number, NamedBy.ENVELOPE),)
    report = Report(ReportKind.BOUNCE, (finding,), names=names, form="smtp")
    return _Read(Arrival(sha256(f"letter\0{notice_id}".encode()).hexdigest(), report, Way.SMTP), reader)


def _is_about_mailbox(report: Report) -> bool:
    """Return whether a refusal tells of a reader's mailbox: our own trouble proves nothing about him."""
    return bool(report.finding and report.finding.reason in _MAILBOX)


@dataclass(frozen=True, slots=True)
class _Case:
    """What is known of a reader's mail that came back, and what is decided about it."""

    bounce: NewBounce
    judgement: Judgement
    way: Way


_Item = TypeVar("_Item")


def _read(mail: Incoming, ours: Ours) -> _Read:
    report = read_report(mail.raw, ours, envelope_to=mail.envelope_to)
    arrival = Arrival(digest_mail(mail.raw, report), report, mail.way, len(mail.raw))
    return _Read(arrival, report.named.subscriber_id if report.named else 0, mail.raw)


def _give_up(mail: Incoming) -> _Read:
    """Return a mail as one that nobody can read."""
    report = Report(ReportKind.UNREADABLE)
    return _Read(Arrival(digest_mail(mail.raw, report), report, mail.way, len(mail.raw)), 0, mail.raw)


def _name_by_letter(connection: Connection, read: _Read) -> _Read:
    """Return a mail with the reader whom a warning or a probe is to, where only the letter's number is left of it."""
    report = read.arrival.report
    found = find_return(connection, report.notice) if report.notice else None
    if found is None:
        return read
    named = replace(report, names=(Named(*found, NamedBy.MESSAGE_ID),))
    return replace(read, arrival=replace(read.arrival, report=named), number=found[0])


def _name(connection: Connection, event: Event) -> _Read:
    """Return an event with whom it names: by what we signed, else by the address that a proven channel tells."""
    arrival = Arrival(sha256(f"{event.way}\0{event.key}".encode()).hexdigest(), event.report, event.way)
    if event.report.named:
        return _Read(arrival, event.report.named.subscriber_id)
    reader = find_subscriber(connection, event.address) if event.address else None
    return _Read(arrival, reader.id if reader else 0)


def _take(connection: Connection, desk: Desk, read: Sequence[_Read], now: datetime) -> list[Taken]:
    taken: list[Taken] = []
    for one in _split_rounds(read, lambda item: (item.number, item.arrival.digest)):
        taken += _take_round(connection, desk, one, now)
    return taken


def _split_rounds(items: Sequence[_Item], name: Callable[[_Item], tuple[object, ...]]) -> Iterator[list[_Item]]:
    """Yield items in order, in lists in which nothing is named twice: each is judged by what was decided before."""
    one: list[_Item] = []
    seen: set[object] = set()
    for item in items:
        names = {found for found in name(item) if found}
        if names & seen:
            yield one
            one, seen = [], set()
        one.append(item)
        seen |= names
    if one:
        yield one


def _take_round(connection: Connection, desk: Desk, read: Sequence[_Read], now: datetime) -> list[Taken]:
    """Take in what names each reader once at the most, in few statements for all of it."""
    found = lock_readers(connection, [one.number for one in read if one.number])
    readers = {number: reader for number, reader in found.items() if not is_erased(reader)}
    read = [one if one.number in readers or one.number not in found else _unname(one) for one in read]
    arrivals = _choose_kept(connection, read)
    arrivals = [replace(item, reader=readers.get(one.number)) for item, one in zip(arrivals, read, strict=True)]
    numbers = record_reports(connection, arrivals, now)
    new = [(item, number) for item, number in zip(arrivals, numbers, strict=True) if number is not None]
    cases = _judge(connection, desk, new, now)
    _settle(connection, desk, list(cases.values()), now)
    return [
        _finish(connection, desk, replace(one, arrival=item), number, cases, now)
        for one, item, number in zip(read, arrivals, numbers, strict=True)
    ]


def _unname(read: _Read) -> _Read:
    """Return what came back from a reader who was erased, without anything that could name him again."""
    report = Report(read.arrival.report.kind, form=read.arrival.report.form)
    return _Read(replace(read.arrival, report=report), 0)


def _choose_kept(connection: Connection, read: Sequence[_Read]) -> list[Arrival]:
    """Return the arrivals, those that nobody can read with their text, as long as there is room."""
    unreadable = [one for one in read if one.arrival.report.kind is ReportKind.UNREADABLE and one.raw]
    room = KEPT_MOST - store.count_kept(connection) if unreadable else 0
    kept = {one.arrival.digest for one in unreadable[: max(room, 0)]}
    return [replace(one.arrival, raw=one.raw if one.arrival.digest in kept else None) for one in read]


def _finish(
    connection: Connection,
    desk: Desk,
    read: _Read,
    number: int | None,
    cases: Mapping[int, _Case],
    now: datetime,
) -> Taken:
    """Do what concerns no reader, and say what became of a mail."""
    arrival, report = read.arrival, read.arrival.report
    if number is None:
        return Taken(report, again=True)
    if report.notice:
        _settle_notice(connection, report, arrival.way, now)
    to_editor = report.notice and find_letter_address(connection, report.notice) is None
    if report.kind is ReportKind.REPLY and read.raw and not to_editor:  # a machine's answer to what we forwarded
        return _forward(connection, desk, read.raw, report, number, now)
    judgement = cases[number].judgement if number in cases else None
    return Taken(report, reader=arrival.reader, judgement=judgement, kept=arrival.raw is not None)


def _judge(connection: Connection, desk: Desk, new: Sequence[tuple[Arrival, int]], now: datetime) -> dict[int, _Case]:
    """Judge those reports that are about a reader, and return what is decided by each report's number."""
    about = [(item, item.reader, number) for item, number in new if item.reader and item.report.kind in _JUDGED]
    returning = {reader.id: item.report.named.edition_id for item, reader, _ in about if item.report.named}
    pasts = _load_pasts(connection, desk, [reader for _, reader, _ in about], now, returning)
    cases = {}
    for item, reader, number in about:
        edition_id = item.report.named.edition_id if item.report.named else None
        judgement = judge_report(item.report, edition_id, pasts.get(reader.id, Past()), desk.rules, now)
        bounce = NewBounce(reader, edition_id, judgement.finding, judgement.verdict, report_id=number)
        cases[number] = _Case(bounce, judgement, item.way)
    return cases


def _take_refusals(connection: Connection, desk: Desk, refusals: Sequence[store.Refusal], now: datetime) -> None:
    readers = lock_readers(connection, [refusal.subscriber_id for refusal in refusals])
    pasts = _load_pasts(connection, desk, list(readers.values()), now)
    cases = []
    for refusal in refusals:
        reader, finding = readers[refusal.subscriber_id], _find_why(refusal)
        verdict = judge_finding(finding, refusal.edition_id, pasts.get(reader.id, Past()), desk.rules, now)
        bounce = NewBounce(reader, refusal.edition_id, finding, verdict, delivery_id=refusal.delivery_id)
        cases.append(_Case(bounce, Judgement(verdict, finding), Way.SMTP))
    _settle(connection, desk, cases, now)


def _find_why(refusal: store.Refusal) -> Finding:
    found = judge(Evidence((refusal.text,), refusal.status, refusal.code))
    return Finding(
        found.reason,
        found.severity,
        recipient=refusal.address,
        status=found.status,
        code=found.code,
        diagnostic=refusal.text,
    )


def _settle(connection: Connection, desk: Desk, cases: Sequence[_Case], now: datetime) -> None:
    """Write down what was decided, and do it: end readers' mail, or write to them."""
    record_bounces(connection, [case.bounce for case in cases], now)
    for verdict, reason in _SUPPRESSIONS.items():
        ending = [case for case in cases if case.bounce.verdict is verdict]
        new = suspend_readers(connection, [case.bounce.reader for case in ending], reason, now)
        record_consents(connection, [_say_why(case, now) for case in ending if case.bounce.reader.id in new])
    for case in cases:
        _write_to(connection, desk, case, now)


def _say_why(case: _Case, now: datetime) -> Consent:
    finding = case.judgement.finding
    why = " ".join(part for part in (finding.reason, finding.status, finding.diagnostic) if part)
    origin = Origin(f"bounce ({case.way})")
    return Consent(case.bounce.reader.id, ConsentEvent.SUSPENDED, now, origin, why[:500])


def _write_to(connection: Connection, desk: Desk, case: _Case, now: datetime) -> None:
    """Let a reader leave who asks to, or write to him whose mail comes back."""
    verdict, reader = case.judgement.verdict, case.bounce.reader
    if verdict is Verdict.LEAVE:
        left = mark_left(connection, reader.address, now)
        if left and left.changed:
            record_consent(connection, reader.id, ConsentEvent.LEFT, Origin(f"mail ({case.way})"), now)
    elif reader.state is not SubscriberState.ACTIVE:
        return  # who has left or complained hears nothing more from us
    elif verdict is Verdict.WARN:
        missed = store.list_missed(connection, reader.id)
        write_notice(connection, desk.letters.warn(reader, missed, now), now)
    elif verdict is Verdict.PROBE:
        write_notice(connection, desk.letters.probe(reader, now), now)


def _settle_notice(connection: Connection, report: Report, way: Way, now: datetime) -> None:
    """Do what follows for a letter that belongs to no edition: it failed, or its address wants no other.

    A bounce counts against no reader: a letter may go to an address that somebody mistyped, or is moving to.
    """
    finding = report.finding
    if report.kind is ReportKind.BOUNCE and finding:
        said = spell_answer(finding.code, finding.status, finding.diagnostic)
        reason = finding.reason.replace("_", " ")
        fail_notice(connection, report.notice, f"came back, {reason}: {said}".strip())
    elif report.kind is ReportKind.COMPLAINT and (address := find_letter_address(connection, report.notice)):
        fail_notice(connection, report.notice, "called spam")
        _keep_out(connection, address, way, now)


def _keep_out(connection: Connection, address: str, way: Way, now: datetime) -> None:
    """Send nothing more to an address whose owner calls our letters spam, reader or not."""
    reader = lock_subscriber(connection, address)
    if reader is None:
        lift_suppression(connection, fold_address(address))  # a complaint outweighs any earlier reason
        suppress(connection, [(fold_address(address), address)], SuppressionReason.COMPLAINED, now)
    elif store.suspend_reader(connection, reader, SuppressionReason.COMPLAINED, now):
        record_consent(connection, reader.id, ConsentEvent.SUSPENDED, Origin(f"bounce ({way})"), now, "complaint")


def _forward(connection: Connection, desk: Desk, raw: bytes, report: Report, number: int, now: datetime) -> Taken:
    """Hand a person's reply to the editor, who can answer it."""
    room = KEPT_MOST - store.count_kept(connection)
    state = forward_reply(connection, desk.letters, raw, report, number, now, room)
    return Taken(report, forwarded=state == "forwarded", kept=state == "kept")


def _load_pasts(
    connection: Connection,
    desk: Desk,
    readers: Sequence[Subscriber],
    now: datetime,
    returning: Mapping[int, int | None] | None = None,
) -> dict[int, Past]:
    quiet_since = now - timedelta(days=desk.rules.quiet_days)
    return store.load_pasts(connection, [reader.id for reader in readers], quiet_since, returning)
