"""What `newsletter serve` serves, wired together: the web application, and the jobs that run beside it."""

import asyncio
import logging
import threading
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from newsletter.app import App
from newsletter.bounces.listener import listen, make_recipient_check
from newsletter.daemon import Job, run_every
from newsletter.errors import NewsletterError
from newsletter.indexing import update_index
from newsletter.issues.folder import show_path
from newsletter.publishing import load_draft, update_site
from newsletter.render.edition import sender_of
from newsletter.schedule.posts import Post
from newsletter.schedule.running import run_posts
from newsletter.schedule.settled import send_letters
from newsletter.schedule.ticks import Role
from newsletter.site import make_frame
from newsletter.systemd import READY, STOPPING, Pulse, load_watchdog, notify
from newsletter.web.gate import Gate, WriteLog
from newsletter.web.service import Service, make_service
from newsletter.web.visit import House, Sketch

NOTICE_SECONDS = 5.0
"""How often notices are looked for that nobody rang for: those to be tried again, and those of other processes."""

FLUSH_SECONDS = 0.5
INTAKE_SECONDS = 60.0
FETCH_SECONDS = 10.0
FETCH_MOST = 1 << 16

_logger = logging.getLogger(__name__)

HANGS = "Not everything ended in good order: a task of the schedule hangs, and was broken off. The log names it."


class HangingError(NewsletterError):
    """Something goes on that was told to end: only the end of the process ends it."""


class Bell:
    """Rung from any thread, heard in one event loop; lives as long as the server."""

    def __init__(self) -> None:
        self.rung = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def listen(self) -> None:
        """Hear from now on, in the running loop."""
        self._loop = asyncio.get_running_loop()

    def ring(self) -> None:
        """Wake whoever waits; before anybody listens, he is woken at once when he does."""
        if self._loop is None:
            self.rung.set()
        else:
            self._loop.call_soon_threadsafe(self.rung.set)


@dataclass(frozen=True, slots=True)
class Served:
    """What a server runs."""

    service: Service
    jobs: tuple[Job, ...]


def open_served(app: App, write_log: WriteLog | None) -> Served:
    """Return the web application of a publication and its jobs; brings its site and index up to date where they lack.

    Raises NewsletterError for what can't be opened.
    """
    if not (app.settings.site.folder / "index.html").exists():
        update_site(app)
    update_index(app)
    bell = Bell()
    house = House(
        settings=app.settings,
        frame=make_frame(app.settings, app.environment),
        database=app.database,
        reception=app.reception,
        ring=bell.ring,
        clock=lambda: datetime.now(UTC),
        intake=app.intake,
        fetch=fetch_from_amazon,
        sketch=lambda name: sketch_issue(app, name),
    )
    service = make_service(house, Gate(app.settings, write_log))

    async def empty_the_box(stopping: asyncio.Event) -> None:
        bell.listen()
        await run_every(NOTICE_SECONDS, lambda: _send_letters(app, stopping.is_set), stopping, bell.rung)

    async def write_lines(stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            await asyncio.sleep(FLUSH_SECONDS)
            service.gate.flush()

    return Served(service, (empty_the_box, write_lines, *_make_intake_jobs(app)))


def make_schedule_job(posts: Sequence[Post], run_all: Callable[..., bool] = run_posts) -> Job:
    """Return what publishes at the time and sends what is due, for as long as the server lives (`schedule.running`).

    Letters are sent by the server itself, which knows at once when there is one. While the ticks go round, systemd is
    told that all is well. The job raises HangingError at its end when a tick doesn't come to its own.
    """

    async def run(stopping: asyncio.Event) -> None:
        stop, every = threading.Event(), load_watchdog()
        beat = Pulse(every, notify)
        roles = tuple(Role)
        work = asyncio.create_task(asyncio.to_thread(run_all, posts, roles, stop, beat, ("notices",)))
        asked = asyncio.ensure_future(stopping.wait())
        notify(READY)
        await asyncio.wait([work, asked], return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if stopping.is_set():
            notify(STOPPING)
        stop.set()
        if not await work:
            raise HangingError(HANGS)

    return run


def _make_intake_jobs(app: App) -> list[Job]:
    """Return the door for an MTA that hands over mail that comes back; mailboxes are looked into by the schedule."""
    rules, sender = app.settings.bounces, sender_of(app.settings)

    async def answer_the_door(stopping: asyncio.Event) -> None:
        ours = make_recipient_check(sender.bounce_domain, sender.unsubscribe_address)
        await listen(app.intake, ours, rules.listen, rules.listen_protocol, stopping)

    return [answer_the_door] if rules.listen else []


def sketch_issue(app: App, name: str) -> Sketch:
    """Return an issue file as it is now, by its date or slug. Raises NotFoundError."""
    draft = load_draft(app, name)
    issue, edition = draft.issue, draft.edition
    title = issue.title if issue else draft.path.name
    subject, html, text = (edition.subject, edition.html, edition.text) if edition else ("", "", "")
    return Sketch(show_path(draft.path), title, subject, html, text, draft.problems)


def fetch_from_amazon(url: str) -> bytes:
    """Return what is at an address that `ses` has found to be Amazon's; no redirect is followed. Raises OSError."""
    request = urllib.request.Request(url, headers={"user-agent": "newsletter"})  # noqa: S310 - https, and checked
    with _OPENER.open(request, timeout=FETCH_SECONDS) as answer:
        return bytes(answer.read(FETCH_MOST))


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """An address was checked; one that it leads on to was not."""

    def redirect_request(self, *_: object, **__: object) -> None:
        """Follow none."""


_OPENER = urllib.request.build_opener(_NoRedirect)


def _send_letters(app: App, should_stop: Callable[[], bool]) -> None:
    """Send what waits; what goes wrong is told to the log, and tried again."""
    try:
        tally = send_letters(app, should_stop=should_stop)
    except NewsletterError as error:
        _logger.error("Mails to readers can't be sent: %s", error)
        return
    if tally.fault:
        _logger.error("Mails to readers can't be sent: %s", tally.fault)
