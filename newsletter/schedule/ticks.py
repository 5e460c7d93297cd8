"""The table of ticks: what is done again and again for a publication, by whom, and how often.

To add one, write a function of a Post and a line into TICKS. A tick that fails is logged, told to the editor once a
day (`troubles`), and done again at its next turn; the others don't notice. Everything here may be done by two processes
at once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from newsletter.audience.joining import expire_requests
from newsletter.bounces.alarms import raise_alarms
from newsletter.bounces.poll import poll_bounces
from newsletter.delivery.owner import is_dead_owner
from newsletter.errors import NewsletterError
from newsletter.logs import get_logger
from newsletter.restoring import back_up_when_due
from newsletter.schedule.calls import fetch_url, make_calls
from newsletter.schedule.deciding import decide_due, warn_ahead
from newsletter.schedule.planning import plan
from newsletter.schedule.policy_troubles import Trouble
from newsletter.schedule.posts import Post
from newsletter.schedule.pruning import prune
from newsletter.schedule.reporting import report_halted, report_sent
from newsletter.schedule.settled import send_letters
from newsletter.schedule.silence import compose_note
from newsletter.schedule.troubles import end_trouble, tell_trouble
from newsletter.store.marks import load_mark, set_mark
from newsletter.telling import retell_hubs

MARKED: Final = timedelta(seconds=30)
"""How often a tick writes down that it went well."""

_log = get_logger(__name__)


class Role(StrEnum):
    """Who does a tick: `scheduler` decides and keeps house, `worker` sends."""

    SCHEDULER = "scheduler"
    WORKER = "worker"


@dataclass(frozen=True, slots=True)
class Tick:
    """One thing that is done again and again."""

    name: str
    role: Role
    every: timedelta
    run: Callable[[Post], object]
    prompt: bool = False
    """Woken at once when another tick has got somewhere, so that what follows upon it doesn't wait for its turn."""


def run_tick(post: Post, tick: Tick, *, once: bool = False) -> bool:
    """Do one tick, and note that it went well; return whether it did. Raises nothing.

    A tick that returns something true has got somewhere, so that others may have something to do. `once`: nobody does
    it again before cron's next run.
    """
    try:
        if tick.run(post):
            post.progress.set()
        _note(post, tick, once=once)
    except NewsletterError as error:
        _log.error("tick failed", tick=tick.name, publication=post.name, error=str(error))
        _tell(post, tick, Trouble(f"“{tick.name}”", type(error).__name__, str(error)))
        return False
    except Exception as error:
        _log.exception("tick failed", tick=tick.name, publication=post.name)
        kind = type(error).__name__
        _tell(post, tick, Trouble(f"“{tick.name}”", kind, f"{kind}: {error}"))
        return False
    return True


def _note(post: Post, tick: Tick, *, once: bool) -> None:
    now, key = post.clock(), f"tick:{tick.name}"
    last = post.noted.get(tick.name)
    if last is not None and abs(now - last) < MARKED:
        return
    with post.app.database.transaction() as connection:
        before = load_mark(connection, key) if once else None
        text = compose_note(before.at if before else None, before.text if before else "", now) if once else ""
        set_mark(connection, key, now, text)
        mended = end_trouble(connection, f"“{tick.name}”")
    post.noted[tick.name] = now
    if mended:
        _log.info("tick works again", tick=tick.name, publication=post.name)


def _tell(post: Post, tick: Tick, trouble: Trouble) -> None:
    """Tell the editor, if the database can take it; what it can't is in the log.

    That letters can't be sent is told to the webhook alone: a letter of it would arrive when it is over.
    """
    teller = post.teller.without_mail() if tick.name == NOTICES else post.teller
    try:
        with post.app.database.transaction() as connection:
            tell_trouble(connection, teller, trouble, post.clock())
    except Exception:
        _log.exception("trouble not told", tick=tick.name, publication=post.name)


def _plan(post: Post) -> None:
    changes = plan(post.app.database, post.calendar, post.clock())
    for new in changes.new:
        _log.info("slot planned", slot=str(new.key), due_at=new.due_at, publication=post.name)


def _report(post: Post) -> int:
    report_halted(post.app.database, post.teller, post.clock)
    return report_sent(post.app.database, post.calendar.zone, post.teller, post.clock)


def _expire(post: Post) -> None:
    expire_requests(post.app.database, post.clock())


def _prune(post: Post) -> int:
    return prune(post.app.database, post.app.settings.delivery, post.clock())


def _send_notices(post: Post) -> None:
    tally = send_letters(post.app, post.clock, lambda: post.brake.pulled)
    if tally.fault:
        raise NewsletterError(tally.fault)


def _take_in_bounces(post: Post) -> None:
    """Look for mail that came back, and tell the editor what he must hear."""
    intake, settings = post.app.intake, post.app.settings
    poll_bounces(intake, settings.bounces, post.app.imap_password)
    raise_alarms(intake, settings.alerts.editor, settings.publication.language, settings.file)


def _tell_hubs(post: Post) -> None:
    """Tell hubs what a publish couldn't; one that is away for long is no trouble that the editor could mend."""
    for untold in retell_hubs(post.app.settings):
        _log.warning("hub not told", hub=untold.hub, feeds=untold.feeds, error=untold.reason, publication=post.name)


def _make_calls(post: Post) -> None:
    database, settings = post.app.database, post.app.settings
    is_over, site = lambda: post.brake.pulled, settings.publication.url
    make_calls(database, settings.alerts, post.owner, post.clock, fetch_url, is_dead_owner, is_over, site=site)


NOTICES: Final = "notices"

TICKS: Final = (
    Tick("plan", Role.SCHEDULER, timedelta(minutes=1), _plan),
    Tick("decide", Role.SCHEDULER, timedelta(seconds=5), lambda post: decide_due(post.desk)),
    Tick("warn", Role.SCHEDULER, timedelta(minutes=1), lambda post: warn_ahead(post.desk)),
    Tick("report", Role.SCHEDULER, timedelta(seconds=10), _report, prompt=True),
    Tick("expire", Role.SCHEDULER, timedelta(minutes=10), _expire),
    Tick("prune", Role.SCHEDULER, timedelta(hours=1), _prune),
    Tick("backup", Role.SCHEDULER, timedelta(minutes=10), lambda post: back_up_when_due(post.app, post.clock())),
    Tick("deliver", Role.WORKER, timedelta(seconds=5), lambda post: post.sender.deliver_due(), prompt=True),
    Tick(NOTICES, Role.WORKER, timedelta(seconds=10), _send_notices, prompt=True),
    Tick("bounces", Role.WORKER, timedelta(minutes=1), _take_in_bounces),
    Tick("hubs", Role.WORKER, timedelta(minutes=10), _tell_hubs),
    Tick("calls", Role.WORKER, timedelta(seconds=5), _make_calls, prompt=True),
)
