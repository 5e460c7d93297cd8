"""Reports to the editor what became of an issue, once it is through; and at once when one has halted.

The commit instant of a report is the transaction that marks its slot as reported and writes the mail, the webhook and
the heartbeat down: all of them, or none.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from newsletter.logs import get_logger
from newsletter.model.edition import EditionKind
from newsletter.model.slot import Slot
from newsletter.schedule.calendar import Calendar
from newsletter.schedule.events import Press, compose_halted, compose_report, is_good, needs_report
from newsletter.schedule.telling import Teller
from newsletter.store.controls import load_control
from newsletter.store.database import Connection, Database
from newsletter.store.deliveries import count_deliveries, count_replies
from newsletter.store.dispatch import last_settled_at, list_halted_editions
from newsletter.store.editions import load_line
from newsletter.store.slots import list_unreported_slots, note_report
from newsletter.urls import issue_url

MOST_REASONS: Final = 10

_log = get_logger(__name__)


def report_sent(database: Database, calendar: Calendar, teller: Teller, clock: Callable[[], datetime]) -> int:
    """Report every published slot that is through and wasn't reported; return how many."""
    with database.read() as connection:
        waiting = list_unreported_slots(connection)
    return sum(_report(database, calendar, teller, slot, clock()) for slot in waiting)


def report_halted(database: Database, teller: Teller, clock: Callable[[], datetime]) -> int:
    """Tell of every edition that has halted, each time it does; return how many are halted."""
    with database.read() as connection:
        halted = [load_press(connection, number, teller.url) for number in list_halted_editions(connection)]
    for press in halted:
        with database.transaction() as connection:
            teller.tell(connection, compose_halted(press), clock())
    return len(halted)


def _report(database: Database, calendar: Calendar, teller: Teller, slot: Slot, now: datetime) -> bool:
    assert slot.edition_id is not None  # noqa: S101 - it is published
    with database.transaction() as connection:
        press = load_press(connection, slot.edition_id, teller.url, slot)
        if not needs_report(slot, press.audit, press.control) or not note_report(connection, slot, now):
            return False
        teller.tell(connection, compose_report(slot, press, calendar.zone), now)
        if is_good(press.audit):
            teller.beat(connection, str(slot.key), now)
    _log.info("issue reported", slot=str(slot.key), edition=slot.edition_id, sent=press.audit.sent)
    return True


def load_press(connection: Connection, edition_id: int, url: str, slot: Slot | None = None) -> Press:
    """Return where an edition stands; `url` is the site's address, and a slot knows when it was committed."""
    line = load_line(connection, edition_id)
    return Press(
        slug=line.slug,
        title=line.title,
        page=issue_url(url, line.slug) if line.kind is EditionKind.ISSUE else "",
        audit=count_deliveries(connection, edition_id),
        control=load_control(connection, edition_id),
        replies=count_replies(connection, edition_id, MOST_REASONS),
        began_at=slot.decided_at if slot and slot.decided_at else line.published_at,
        ended_at=last_settled_at(connection, edition_id),
    )
