"""Reports to the editor what became of an edition, once it is through, whoever published it; and at once when one has
halted.

The commit instant of a report is the transaction that marks the edition as reported and writes the mail and the webhook
down: all of them, or none. That of a slot's heartbeat is the one that marks the slot as over, once its edition is
reported.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from newsletter.logs import get_logger
from newsletter.model.edition import EditionKind
from newsletter.model.slot import Slot
from newsletter.schedule.events import Press, compose_halt_key, compose_halted, compose_report, is_good, is_through
from newsletter.schedule.telling import Teller
from newsletter.store.controls import load_control
from newsletter.store.database import Connection, Database
from newsletter.store.deliveries import count_deliveries, count_replies
from newsletter.store.dispatch import (
    count_paced,
    is_reported,
    list_halted_editions,
    list_unreported_editions,
    load_span,
    note_reported,
)
from newsletter.store.editions import load_line
from newsletter.store.slots import find_slot_of, is_overtaken, list_unreported_slots, note_report
from newsletter.urls import issue_url

MOST_REASONS: Final = 10

_log = get_logger(__name__)


def report_sent(database: Database, zone: ZoneInfo, teller: Teller, clock: Callable[[], datetime]) -> int:
    """Report every edition that is through and wasn't reported, and end its slot; return how many were reported."""
    with database.read() as connection:
        waiting = list_unreported_editions(connection)
    reported = sum(_report(database, zone, teller, number, clock()) for number in waiting)
    with database.read() as connection:
        open_slots = list_unreported_slots(connection)
    for slot in open_slots:
        _end_slot(database, teller, slot, clock())
    return reported


def report_halted(database: Database, teller: Teller, clock: Callable[[], datetime]) -> int:
    """Tell of every edition that has halted, each time it does; return how many are halted."""
    with database.read() as connection:
        halted = [load_press(connection, number, teller.url) for number in list_halted_editions(connection)]
    for press in halted:
        with database.transaction() as connection:
            teller.tell(connection, compose_halted(press), clock())
    return len(halted)


def list_halt_keys(connection: Connection) -> list[str]:
    """Return the keys of the halts that last."""
    lines = [load_line(connection, number) for number in list_halted_editions(connection)]
    return [compose_halt_key(line.slug, line.control) for line in lines]


def _report(database: Database, zone: ZoneInfo, teller: Teller, edition_id: int, now: datetime) -> bool:
    with database.read() as connection:
        if not is_through(count_deliveries(connection, edition_id), load_control(connection, edition_id)):
            return False
    with database.transaction() as connection:
        press = load_press(connection, edition_id, teller.url)
        if not is_through(press.audit, press.control) or not note_reported(connection, edition_id, now):
            return False
        slot = find_slot_of(connection, edition_id)
        teller.tell(connection, compose_report(press, zone, slot), now)
    named = {"slot": str(slot.key)} if slot else {"slug": press.slug}
    _log.info("issue reported", **named, edition=edition_id, sent=press.audit.sent)
    return True


def _end_slot(database: Database, teller: Teller, slot: Slot, now: datetime) -> None:
    """Mark a slot as over whose edition is reported, and write its heartbeat down if all went well.

    As long as it may yet go well, with who was put off, it isn't over; but when the next slot has come, its heartbeat
    would be taken for that one's.
    """
    assert slot.edition_id is not None  # noqa: S101 - it is published
    with database.transaction() as connection:
        if not is_reported(connection, slot.edition_id):
            return
        audit, overtaken = count_deliveries(connection, slot.edition_id), is_overtaken(connection, slot, now)
        good = is_good(audit, count_paced(connection, slot.edition_id) if audit.deferred else 0)
        if not good and audit.open and not overtaken:
            return
        if note_report(connection, slot, now) and good and not overtaken:
            teller.beat(connection, str(slot.key), now)


def load_press(connection: Connection, edition_id: int, url: str) -> Press:
    """Return where an edition stands; `url` is the site's address."""
    line = load_line(connection, edition_id)
    began_at, ended_at = load_span(connection, edition_id)
    return Press(
        slug=line.slug,
        title=line.title,
        page=issue_url(url, line.slug) if line.kind is EditionKind.ISSUE else "",
        audit=count_deliveries(connection, edition_id),
        control=load_control(connection, edition_id),
        replies=count_replies(connection, edition_id, MOST_REASONS),
        began_at=began_at or line.published_at,
        ended_at=ended_at,
        kind=line.kind,
        day=line.issue_date,
    )
