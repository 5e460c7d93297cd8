"""What the editor is told, as a mail and as a webhook's JSON. Pure.

Owns the words and the keys: two events with one key are one, and are told once. The JSON names no reader.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from newsletter.model.control import Control, ControlState
from newsletter.model.delivery import Audit, DeliveryState, ReplyCount
from newsletter.model.edition import EditionKind
from newsletter.model.slot import Slot, SlotState, Why
from newsletter.schedule.policy import describe_lateness
from newsletter.schedule.policy_troubles import fold_problem

PARTS = ("sent", "deferred", "failed", "excluded", "cancelled", "unknown", "queued")


@dataclass(frozen=True, slots=True)
class Event:
    """Something to tell; `kind` is a word for machines, `data` what else they get."""

    kind: str
    key: str
    subject: str
    text: str
    data: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Press:
    """Where an edition stands, for its report: committed at `began_at`, its last try ended at `ended_at`.

    `day` is the issue's date.
    """

    slug: str
    title: str
    page: str
    audit: Audit
    control: Control
    replies: Sequence[ReplyCount]
    began_at: datetime
    ended_at: datetime | None
    kind: EditionKind = EditionKind.ISSUE
    day: date | None = None


def compose_command(slot: Slot) -> str:
    """Return the command that publishes what a slot is for."""
    if slot.key.kind is EditionKind.ISSUE:
        return f"newsletter publish {slot.key.day}"
    return f"newsletter rollup {slot.key.kind} {slot.key.day - timedelta(days=1)}"


def compose_skip(slot: Slot) -> str:
    """Return the command that puts a slot down."""
    kind = "" if slot.key.kind is EditionKind.ISSUE else f" --kind {slot.key.kind}"
    return f"newsletter skip {slot.key.day}{kind}"


def digest_slot(slot: Slot) -> str:
    """Return what changes whenever there is something new to tell of a slot; trouble's words vary by themselves."""
    detail = fold_problem(slot.detail) if slot.why is Why.TROUBLE else slot.detail
    return hashlib.sha256("\n".join((slot.state, slot.why, detail)).encode()).hexdigest()[:16]


def compose_warning(slot: Slot, problem: str, now: datetime, zone: ZoneInfo) -> Event:
    """Warn of an issue that is missing or has errors, before its time."""
    day = slot.key.day
    missing = "\n" not in problem and ":" not in problem
    subject = f"{day}: no issue yet, due at {_clock(slot.due_at, zone)}"
    if not missing:
        subject = f"{day}: the issue has errors, due at {_clock(slot.due_at, zone)}"
    text = (
        f"{_name(slot)} is due at {_moment(slot.due_at, zone)}, in {_span(slot.due_at - now)}.\n\n{problem}\n\n"
        "Readers get nothing until that is mended. What is in the folder at the time goes out by itself."
    )
    return Event("warning", f"warning:{_id(slot)}", subject, text, {**_slot_data(slot), "problem": problem})


def compose_held(slot: Slot, now: datetime, zone: ZoneInfo, grace: timedelta) -> Event:
    """Say that an issue is held, for what, and until when it goes out by itself."""
    until = slot.due_at + grace
    subject = f"{slot.key}: held, {_WHY[slot.why]}"
    if slot.why is Why.LATE:
        way_out = f"It is too late for it to go out by itself. To send it: {compose_command(slot)}"
        body = (
            f"It was due at {_moment(slot.due_at, zone)}, {describe_lateness(slot, now)} ago.\n\n{slot.detail}".strip()
        )
    else:
        body = slot.detail
        way_out = f"It goes out as soon as that is mended, until {_moment(until, zone)}."
    way_out = f"{way_out}\nTo let it be: {compose_skip(slot)}"
    text = f"{_name(slot)} is held: {_WHY[slot.why]}. Readers have got nothing.\n\n{body}\n\n{way_out}"
    return Event("held", f"held:{_id(slot)}:{digest_slot(slot)}", subject, text, {**_slot_data(slot), "until": until})


def compose_given_up(slot: Slot, now: datetime, zone: ZoneInfo) -> Event:
    """Say that nothing goes out any more: there was no issue, or it was too late."""
    if slot.state is SlotState.MISSED:
        subject = f"{slot.key}: given up, too late"
        text = (
            f"{_name(slot)} was due at {_moment(slot.due_at, zone)}, {describe_lateness(slot, now)} ago, and is given "
            f"up, as [schedule] late says. Readers have got nothing.\n\n{slot.detail}".rstrip()
            + f"\n\nTo send it all the same: {compose_command(slot)}"
        )
    else:
        subject = f"{slot.key}: nothing was sent, {_WHY[slot.why]}"
        text = f"{_name(slot)} was due at {_moment(slot.due_at, zone)}. {slot.detail} Readers have got nothing."
    return Event(str(slot.state), f"{slot.state}:{_id(slot)}", subject, text, _slot_data(slot))


def compose_report(press: Press, zone: ZoneInfo, slot: Slot | None = None) -> Event:
    """Report what became of an edition, whether it was published for a slot or by hand.

    Where nobody was due the key is another one, since who joins later may be mailed yet.
    """
    audit = press.audit
    subject = f"{press.slug}: sent to {audit.sent:,} of {audit.audience:,}"
    if audit.unknown and not audit.sent:
        subject = f"{press.slug}: {audit.unknown:,} unknown of {audit.audience:,}"
    if not audit.audience:
        subject = f"{press.slug}: published, and nobody was due"
    parts = [(part, getattr(audit, part)) for part in PARTS]
    counts = [f"  {part:<10} {number:>10,}" for part, number in parts if number or part in PARTS[:2]]
    lines = [
        press.title,
        *([press.page] if press.page else []),
        "",
        f"  {'audience':<10} {audit.audience:>10,}",
        *counts,
        "",
    ]
    lines += _describe_duration(press, zone)
    if not audit.holds:
        lines += ["", "THE AUDIT DOES NOT HOLD: some reader is not accounted for. Please report this as a bug."]
    if press.replies:
        lines += ["", "What servers said:"]
        lines += [f"  {reply.count:>9,} {reply.state:<9} {_said(reply)}" for reply in press.replies]
    lines += _describe_needs(press)
    seconds = (press.ended_at - press.began_at).total_seconds() if press.ended_at else None
    data = {
        **(_slot_data(slot) if slot else _data_without_slot(press)),
        "slug": press.slug,
        "page": press.page,
        "audience": audit.audience,
        **dict(parts),
        "seconds": seconds,
        "reasons": [
            {"state": str(r.state), "code": r.code, "enhanced": r.enhanced, "count": r.count} for r in press.replies
        ],
    }
    key = f"report:{press.slug}" if audit.audience else f"report:{press.slug}:nobody"
    return Event("sent", key, subject, "\n".join(lines), data)


def compose_halted(press: Press) -> Event:
    """Say that sending has halted by itself, and why."""
    subject = f"{press.slug}: sending has halted"
    text = (
        f"{press.title}\n\n{press.control.reason}\n\nWho is left waits. To go on: newsletter resume {press.slug}\n"
        f"To end it: newsletter cancel {press.slug}"
    )
    key, data = compose_halt_key(press.slug, press.control), {"slug": press.slug, "reason": press.control.reason}
    return Event("halted", key, subject, text, data)


def compose_halt_key(slug: str, control: Control) -> str:
    """Return the key of a halt: each is told once."""
    return f"halted:{slug}:{control.changed_at:%Y%m%dT%H%M%S}"


def digest_trouble(what: str) -> str:
    """Return what trouble is known by in keys: what fails, whatever it says."""
    return hashlib.sha256(what.encode()).hexdigest()[:16]


def compose_trouble(what: str, problem: str, now: datetime, way_out: str) -> Event:
    """Say that something of ours doesn't work. At most one an hour is told of the same thing, whatever the problem."""
    key = f"trouble:{now:%Y%m%dT%H}:{digest_trouble(what)}"
    text = f"{problem}\n\n{way_out} You are told of this once a day as long as it lasts."
    data = {"what": what, "problem": problem}
    return Event("trouble", key, f"Trouble with {what}", text, data)


def _describe_duration(press: Press, zone: ZoneInfo) -> list[str]:
    if press.ended_at is None:
        return [f"Committed at {_moment(press.began_at, zone)}."]
    took = press.ended_at - press.began_at
    rate = press.audit.sent / took.total_seconds() if took.total_seconds() >= 1 else 0
    pace = f", {rate:,.1f} a second" if rate else ""
    return [f"It took {_span(took)}, from {_moment(press.began_at, zone)}{pace}."]


def _describe_needs(press: Press) -> list[str]:
    slug, audit = press.slug, press.audit
    lines = []
    if audit.deferred:
        lines.append("Who is deferred is tried again by itself.")
    if audit.failed:
        lines.append(f"Who failed, and why: newsletter status {slug} --list failed")
    if audit.unknown:
        lines.append(f"Who may or may not have it, for you to decide: newsletter unknown list {slug}")
    if press.control.state is not ControlState.RUNNING:
        lines.append(f"It is {press.control.state}: {press.control.reason or 'as asked'}")
    return ["", *lines] if lines else []


def _said(reply: ReplyCount) -> str:
    return " ".join(part for part in (str(reply.code or ""), reply.enhanced, reply.example) if part)


_WHY: Mapping[Why, str] = {
    Why.NONE: "",
    Why.NO_ISSUE: "there is no issue",
    Why.ERRORS: "the issue has errors",
    Why.DRAFT: "the issue is a draft",
    Why.TROUBLE: "it couldn't be published",
    Why.LATE: "it is too late",
    Why.OPERATOR: "an operator said so",
}


def _name(slot: Slot) -> str:
    kind, day = slot.key.kind, slot.key.day
    return f"The issue of {day}" if kind is EditionKind.ISSUE else f"The {kind} roll-up of {day}"


def _id(slot: Slot) -> str:
    return f"{slot.key.kind}:{slot.key.day}"


def _slot_data(slot: Slot) -> dict[str, object]:
    return {
        "slot": str(slot.key.kind),
        "day": str(slot.key.day),
        "due_at": slot.due_at,
        "state": str(slot.state),
        "why": str(slot.why),
        "detail": slot.detail,
    }


def _data_without_slot(press: Press) -> dict[str, object]:
    """Return the same facts of an edition that was published by hand."""
    data = {"slot": str(press.kind), "day": str(press.day), "due_at": None}
    return {**data, "state": str(SlotState.PUBLISHED), "why": "", "detail": ""}


def _moment(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M %Z}"


def _clock(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%H:%M}"


def _span(span: timedelta) -> str:
    seconds = max(0, round(span.total_seconds()))
    hours, minutes = divmod(seconds // 60, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {seconds % 60:02} s" if minutes else f"{seconds} s"


def is_through(audit: Audit, control: Control) -> bool:
    """Return whether an edition is through its first round: nobody waits but for a later try, or it was cancelled."""
    return audit.queued == 0 or control.state is ControlState.CANCELLED


def is_good(audit: Audit, paced: int = 0) -> bool:
    """Return whether an issue went as it should: everybody is accounted for, and half of who was tried have it.

    `paced` of those who are deferred only wait for their turn.
    """
    tried = audit.audience - audit.excluded - paced
    return audit.holds and 2 * audit.sent >= tried and (audit.sent > 0 or tried + paced == 0)


STATES_TOLD = (SlotState.HELD, SlotState.MISSED, SlotState.SKIPPED)
"""States of which the editor is told; a published slot's edition is reported when it is through."""

LISTED = (DeliveryState.FAILED, DeliveryState.DEFERRED, DeliveryState.UNKNOWN)
