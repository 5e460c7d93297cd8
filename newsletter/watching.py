"""What there is to see of a publication: slots, editions under way, what needs a human, and whether all is well.

Reads the ledger, changes nothing, and decides nothing; `status`, the web's health pages and the metrics show it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from newsletter.config import Settings, name_config
from newsletter.errors import NewsletterError
from newsletter.model.delivery import Audit
from newsletter.model.edition import EditionKind
from newsletter.model.ledger import describe_fenced
from newsletter.model.notice import NoticeState
from newsletter.model.rates import SPAN, Rates, find_reached
from newsletter.model.rollup import period_of
from newsletter.model.slot import Plan, Slot, SlotState, Why
from newsletter.model.subscriber import Cadence
from newsletter.schedule.events import compose_command, compose_skip
from newsletter.schedule.planning import load_calendar
from newsletter.schedule.policy_troubles import Known
from newsletter.schedule.silence import read_patience
from newsletter.schedule.troubles import list_troubles
from newsletter.store.calls import count_calls
from newsletter.store.database import Connection, Database
from newsletter.store.deliveries import count_deliveries
from newsletter.store.dispatch import (
    Backlog,
    count_backlog,
    count_settled_since,
    count_unserved,
    list_halted_editions,
    list_open_editions,
    list_unknown_editions,
)
from newsletter.store.editions import EditionLine, list_editions, load_line, load_slug_line
from newsletter.store.fences import list_fenced
from newsletter.store.marks import Mark, load_marks
from newsletter.store.notices import count_notices
from newsletter.store.rates import load_rates
from newsletter.store.slots import load_slots

OVERDUE: Final = timedelta(minutes=10)
"""How long a slot may be undecided after its time, at least."""

_Ticks = Mapping[str, Mark]

RATE_WINDOW: Final = timedelta(seconds=30)
RECENT: Final = 5
_AHEAD: Final = timedelta(days=40)
_BEHIND: Final = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Moving:
    """An edition that somebody still waits for; `rate` is readers a second, over the last half minute."""

    edition: EditionLine
    audit: Audit
    rate: float


@dataclass(frozen=True, slots=True)
class Need:
    """Something that needs a human: what, and the command or the place that helps. Lines are kept.

    `edition` (a slug) or `issue` (a date) say what it is about, where it is about one; `let_be` is the command that
    puts it down, where there is one.
    """

    what: str
    way_out: str
    edition: str = ""
    issue: str = ""
    let_be: str = ""


@dataclass(frozen=True, slots=True)
class Overview:
    """One publication at one moment. `coming` are the next instants of its timetables, `slots` the recent ones."""

    publication: str
    time_zone: str
    now: datetime
    slots: Sequence[Slot] = ()
    coming: Sequence[Plan] = ()
    moving: Sequence[Moving] = ()
    recent: Sequence[tuple[EditionLine, Audit]] = ()
    needs: Sequence[Need] = ()
    backlog: Backlog | None = None
    ticks: Mapping[str, datetime] = field(default_factory=dict)
    notices: Mapping[NoticeState, int] = field(default_factory=dict)
    calls: Mapping[str, int] = field(default_factory=dict)
    rates: Rates | None = None


def load_overview(
    settings: Settings, database: Database, now: datetime, recent: int = RECENT, *, with_rates: bool = True
) -> Overview:
    """Return what there is to see; `with_rates` of a week's mail, which takes a look at every reader's."""
    with database.read() as connection:
        lines = list_editions(connection, recent)
        ticks = _load_ticks(connection)
        slots = load_slots(connection, now - _BEHIND)
        moving = [_load_moving(connection, slug, now) for slug in list_open_editions(connection)]
        troubles = list_troubles(connection, now)
        missing = _needs_of_processes(settings, ticks, now)
        unserved = list(_needs_of_rollups(settings, connection, now))
        rates = load_rates(connection, now - SPAN) if with_rates else None
        return Overview(
            publication=settings.publication.title,
            time_zone=settings.publication.time_zone,
            now=now,
            slots=slots,
            coming=list_coming(settings, slots, now),
            moving=moving,
            recent=[(line, count_deliveries(connection, line.id)) for line in lines],
            needs=[
                _name_config(need, settings.file)
                for need in (
                    *_needs_of_slots(slots, settings.issues.folder.name),
                    *_needs_of_editions(connection),
                    *needs_of_rates(rates),
                    *_needs_of_troubles(troubles),
                    *missing,
                    *unserved,
                )
            ],
            backlog=count_backlog(connection, now),
            ticks={name: mark.at for name, mark in ticks.items()},
            notices=count_notices(connection),
            calls=count_calls(connection),
            rates=rates,
        )


def _name_config(need: Need, config: Path | None) -> Need:
    what, way_out, let_be = (name_config(text, config) for text in (need.what, need.way_out, need.let_be))
    return replace(need, what=what, way_out=way_out, let_be=let_be)


def needs_of_rates(rates: Rates | None) -> Iterator[Need]:
    """Yield what of a week's mail needs a human, where it was looked at."""
    if rates and (limit := find_reached(rates.total.complaints, rates.total.mails)):
        yield Need(
            f"Complaints have reached {rates.total.complained:.2%} of a week's mail, which is over {limit:.1%}.",
            "newsletter bounces list --reason complaint",
        )


def list_coming(settings: Settings, slots: Sequence[Slot], now: datetime) -> list[Plan]:
    """Return the next slot of each timetable: as it was planned, or as it will be."""
    calendar = load_calendar(settings)
    planned = {slot.key: slot for slot in slots}
    first, last = (at.astimezone(calendar.zone).date() for at in (now, now + _AHEAD))
    coming: dict[str, Plan] = {}
    for plan in calendar.between(first, last):
        slot = planned.get(plan.key)
        if (slot and slot.state is SlotState.DUE) or (not slot and plan.due_at > now):
            coming.setdefault(plan.key.kind, slot.plan if slot else plan)
    return list(coming.values())


def check_readiness(settings: Settings, database: Database, now: datetime) -> list[str]:
    """Return why the service isn't ready to do its work; nothing, if it is."""
    try:
        with database.read() as connection:
            slots = load_slots(connection, now - _BEHIND)
            ticks = _load_ticks(connection)
    except NewsletterError as error:
        return [str(error)]
    problems = [need.what for need in _needs_of_processes(settings, ticks, now)]
    overdue = max(OVERDUE, read_patience(ticks["decide"].text) if "decide" in ticks else OVERDUE)
    late = [slot for slot in slots if slot.state is SlotState.DUE and slot.due_at < now - overdue]
    return problems + [f"{slot.key} was due at {slot.due_at:%Y-%m-%d %H:%M} UTC and is undecided" for slot in late]


def _load_ticks(connection: Connection) -> _Ticks:
    return {key.removeprefix("tick:"): mark for key, mark in load_marks(connection, "tick:").items()}


def _load_moving(connection: Connection, slug: str, now: datetime) -> Moving:
    line = load_slug_line(connection, slug)
    recent = count_settled_since(connection, line.id, now - RATE_WINDOW)
    return Moving(line, count_deliveries(connection, line.id), recent / RATE_WINDOW.total_seconds())


def _needs_of_slots(slots: Sequence[Slot], folder: str) -> Iterator[Need]:
    for slot in slots:
        about = {"issue": str(slot.key.day) if slot.key.kind is EditionKind.ISSUE else "", "let_be": compose_skip(slot)}
        if slot.state is SlotState.HELD and slot.why is Why.LATE:
            yield Need(f"{slot.key} is held: too late.", compose_command(slot), **about)
        elif slot.state is SlotState.HELD:
            missing = slot.why is Why.NO_ISSUE and slot.key.kind is EditionKind.ISSUE
            way_out = f"{f'Write {folder}/{slot.key.day}.md' if missing else 'Mend it'}, and it goes out by itself"
            yield Need(f"{slot.key} is held: {slot.why}.\n{slot.detail}", way_out, **about)
        elif slot.state is SlotState.MISSED:
            yield Need(f"{slot.key} was given up: too late.", compose_command(slot), **about)


def _needs_of_editions(connection: Connection) -> Iterator[Need]:
    for number in list_halted_editions(connection):
        line = load_line(connection, number)
        yield Need(f"{line.slug} has halted: {line.control.reason}", f"newsletter resume {line.slug}", line.slug)
    for slug, count in list_unknown_editions(connection):
        yield Need(f"{slug}: {count:,} may or may not have their mail.", f"newsletter unknown list {slug}", slug)
    fenced = list_fenced(connection)
    if fenced:
        yield Need(
            f"The database was restored: {', '.join(describe_fenced(fenced))} may have been sent before.",
            "When one of these is published again, its readers are unknown and get no mail.",
        )


def _needs_of_troubles(troubles: Sequence[Known]) -> Iterator[Need]:
    for known in troubles:
        trouble = known.trouble
        what = f"Trouble with {trouble.what} since {known.since:%Y-%m-%d %H:%M} UTC.\n{trouble.problem}"
        yield Need(
            what, "Mend what it says. A service tries it again by itself; where none runs, run the command again."
        )


def _needs_of_rollups(settings: Settings, connection: Connection, now: datetime) -> Iterator[Need]:
    """Say who waits for a week's or a month's mail that nobody sends, and which is over."""
    today = now.astimezone(ZoneInfo(settings.publication.time_zone)).date()
    kinds = ((Cadence.WEEKLY, settings.rollups.weekly, 9), (Cadence.MONTHLY, settings.rollups.monthly, 35))
    for cadence, planned, days in kinds:
        kind = EditionKind(str(cadence))
        if not planned and (count := count_unserved(connection, cadence, now - timedelta(days=days))):
            way_out = f"Set [rollups] {cadence}, or: newsletter rollup {cadence} {period_of(kind, today).previous.last}"
            yield Need(f"{count:,} want {cadence} mail, and none is planned or was sent lately.", way_out)


def _needs_of_processes(settings: Settings, ticks: _Ticks, now: datetime) -> Iterator[Need]:
    """Say who seems to be missing, where a schedule counts on somebody; a clock that was set back isn't believed."""
    if settings.schedule.timetable is None:
        return
    for tick, command in (("decide", "scheduler"), ("calls", "worker")):
        seen = ticks.get(tick)
        if seen is None or abs(now - seen.at) > read_patience(seen.text):
            since = f" since {seen.at:%Y-%m-%d %H:%M} UTC" if seen else ""
            yield Need(f"No {command} has been at work{since}.", f"newsletter {command}, or: newsletter serve")
