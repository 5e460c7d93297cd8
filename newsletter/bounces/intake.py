"""The one door for what comes back: a raw mail, a provider's event, or a refusal while sending.

Owns the order: read, find the reader by what we signed, judge by his past, write down and change him. It never answers
a mail: what it writes goes to a reader's own address, or to the editor. What nobody can read is kept for a human, and
counted.

**Guarantee.** A mail is taken in, and all that follows from it done, in one transaction: the commit instant. Taken
twice, or by two ways, it changes nothing. **Limits.** Forgotten after `[bounces] keep_days`, the same mail would count
again. Of mail for a human, `KEPT_MOST` are kept whole; of what comes beyond, only who and when.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from newsletter import config
from newsletter.bounces.letters import Letters
from newsletter.bounces.policy import Judgement, judge_finding, judge_report
from newsletter.mail.address import fold_address
from newsletter.mail.reports.judge import Evidence, judge
from newsletter.mail.reports.read import Ours, read_report
from newsletter.model.bounce import Finding, Report, ReportKind
from newsletter.model.consent import ConsentEvent, Origin
from newsletter.model.subscriber import Subscriber, SuppressionReason
from newsletter.model.verdict import Event, Past, Verdict, Way
from newsletter.store import bounces as store
from newsletter.store.consents import record_consent
from newsletter.store.database import Connection, Database
from newsletter.store.notices import fail_notice, find_letter_address, write_notice
from newsletter.store.subscribers import lock_subscriber, mark_left
from newsletter.store.suppression import lift_suppression, suppress

KEPT_MOST: Final = 1000
REFUSALS_AT_ONCE: Final = 500

_JUDGED: Final = frozenset({ReportKind.BOUNCE, ReportKind.COMPLAINT, ReportKind.FEEDBACK, ReportKind.UNSUBSCRIBE})
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
    """Take mails in, all in one transaction; raises StoreError, and none is taken then."""
    read = [read_report(mail.raw, desk.ours, envelope_to=mail.envelope_to) for mail in mails]
    now = desk.clock()
    with desk.database.transaction() as connection:
        return [_take_mail(connection, desk, mail, report, now) for mail, report in zip(mails, read, strict=True)]


def take_events(desk: Desk, events: Sequence[Event]) -> list[Taken]:
    """Take a provider's events in, all in one transaction; raises StoreError, and none is taken then."""
    now = desk.clock()
    with desk.database.transaction() as connection:
        return [_take_event(connection, desk, event, now) for event in events]


def take_refusals(desk: Desk) -> int:
    """Judge what servers refused while it was sent, by the same rules; return how many that were."""
    taken, found = 0, REFUSALS_AT_ONCE
    while found == REFUSALS_AT_ONCE:
        now = desk.clock()
        with desk.database.transaction() as connection:
            refusals = store.list_refusals(connection, REFUSALS_AT_ONCE)
            for refusal in refusals:
                _take_refusal(connection, desk, refusal, now)
        found = len(refusals)
        taken += found
    return taken


def _take_mail(connection: Connection, desk: Desk, mail: Incoming, report: Report, now: datetime) -> Taken:
    digest = sha256(mail.raw).hexdigest()
    keeps = report.kind is ReportKind.UNREADABLE and store.count_kept(connection) < KEPT_MOST
    reader = store.lock_reader(connection, report.named.subscriber_id) if report.named else None
    raw = mail.raw if keeps else None
    number = store.record_report(connection, digest, report, mail.way, len(mail.raw), now, raw, reader)
    if number is None:
        return Taken(report, again=True)
    if report.notice:
        _settle_notice(connection, report, mail.way, now)
    if report.kind is ReportKind.REPLY:
        return _forward(connection, desk, mail, report, number, now)
    return replace(_judge(connection, desk, report, mail.way, number, reader, now), kept=keeps)


def _settle_notice(connection: Connection, report: Report, way: Way, now: datetime) -> None:
    """Do what follows for a letter that belongs to no edition: it failed, or its address wants no other.

    A bounce counts against no reader: a letter may go to an address that somebody mistyped, or is moving to.
    """
    finding = report.finding
    if report.kind is ReportKind.BOUNCE and finding:
        said = (str(finding.code or ""), finding.status, finding.diagnostic)
        reason = finding.reason.replace("_", " ")
        fail_notice(connection, report.notice, " ".join(filter(None, (f"came back, {reason}:", *said))))
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


def _take_event(connection: Connection, desk: Desk, event: Event, now: datetime) -> Taken:
    digest = sha256(f"{event.way}\0{event.key}".encode()).hexdigest()
    reader = _find_reader(connection, event)
    number = store.record_report(connection, digest, event.report, event.way, 0, now, reader=reader)
    if number is None:
        return Taken(event.report, again=True)
    return _judge(connection, desk, event.report, event.way, number, reader, now)


def _find_reader(connection: Connection, event: Event) -> Subscriber | None:
    """Return whom an event names: by what we signed, else by the address that a proven channel tells."""
    if event.report.named:
        return store.lock_reader(connection, event.report.named.subscriber_id)
    return lock_subscriber(connection, event.address) if event.address else None


def _take_refusal(connection: Connection, desk: Desk, refusal: store.Refusal, now: datetime) -> None:
    reader = store.lock_reader(connection, refusal.subscriber_id)
    if reader is None:
        raise LookupError(f"delivery {refusal.delivery_id} is to a reader who isn't there")
    found = judge(Evidence((refusal.text,), refusal.status, refusal.code))
    finding = Finding(
        found.reason,
        found.severity,
        recipient=refusal.address,
        status=found.status,
        code=found.code,
        diagnostic=refusal.text,
    )
    past = _load_past(connection, desk, reader, now)
    judgement = Judgement(judge_finding(finding, refusal.edition_id, past, desk.rules, now), finding)
    number = refusal.delivery_id
    store.record_bounce(connection, reader, refusal.edition_id, finding, judgement.verdict, now, delivery_id=number)
    _apply(connection, desk, reader, judgement, Way.SMTP, now)


def _judge(
    connection: Connection, desk: Desk, report: Report, way: Way, number: int, reader: Subscriber | None, now: datetime
) -> Taken:
    """Judge a report about a reader, and do what follows."""
    if reader is None or report.kind not in _JUDGED:
        return Taken(report, reader=reader)
    edition_id = report.named.edition_id if report.named else None
    judgement = judge_report(report, edition_id, _load_past(connection, desk, reader, now), desk.rules, now)
    finding, verdict = judgement.finding, judgement.verdict
    store.record_bounce(connection, reader, edition_id, finding, verdict, now, report_id=number)
    _apply(connection, desk, reader, judgement, way, now)
    return Taken(report, reader=reader, judgement=judgement)


def _apply(
    connection: Connection, desk: Desk, reader: Subscriber, judgement: Judgement, way: Way, now: datetime
) -> None:
    """Do what was decided: end a reader's mail, or write to him."""
    verdict, finding = judgement.verdict, judgement.finding
    if verdict is Verdict.LEAVE:
        left = mark_left(connection, reader.address, now)
        if left and left.changed:
            record_consent(connection, reader.id, ConsentEvent.LEFT, Origin(f"mail ({way})"), now)
    elif verdict.ends:
        if store.suspend_reader(connection, reader, _SUPPRESSIONS[verdict], now):
            why = " ".join(part for part in (finding.reason, finding.status, finding.diagnostic) if part)
            record_consent(connection, reader.id, ConsentEvent.SUSPENDED, Origin(f"bounce ({way})"), now, why[:500])
    elif verdict is Verdict.WARN:
        missed = store.list_missed(connection, reader.id)
        write_notice(connection, desk.letters.warn(reader, missed, now), now)
    elif verdict is Verdict.PROBE:
        write_notice(connection, desk.letters.probe(reader, now), now)


def _forward(connection: Connection, desk: Desk, mail: Incoming, report: Report, number: int, now: datetime) -> Taken:
    """Hand a person's reply to the editor, who can answer it."""
    letter = desk.letters.forward(mail.raw, report, now)
    if letter is None or not write_notice(connection, letter, now):
        return Taken(report)
    store.keep_report(connection, number, "forwarded")
    return Taken(report, forwarded=True)


def _load_past(connection: Connection, desk: Desk, reader: Subscriber, now: datetime) -> Past:
    return store.load_past(connection, reader.id, now - timedelta(days=desk.rules.quiet_days))
