"""What a command does for the editor after it has sent by itself: what a service would do at its next ticks.

Tells of a halt, of what blames us, of trouble, and reports what is through; then delivers what waits, so that it comes
also where no service runs. Where one does, both may try: a notice and a call are claimed by one of them.
"""

import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from newsletter.app import App
from newsletter.bounces.alarms import raise_alarms
from newsletter.delivery.owner import is_dead_owner, load_owner
from newsletter.errors import NewsletterError, TransportError
from newsletter.schedule.calls import Answer, Fetch, fetch_url, make_calls
from newsletter.schedule.policy_troubles import Trouble
from newsletter.schedule.reporting import report_halted, report_sent
from newsletter.schedule.settled import send_letters
from newsletter.schedule.telling import make_teller
from newsletter.schedule.troubles import end_trouble, tell_trouble
from newsletter.store.database import read_clock

WAY_OUT: Final = "`newsletter serve` tries again by itself; else run the same command again."


def tell_editor(
    app: App,
    trouble: tuple[str, str] | None = None,
    clock: Callable[[], datetime] = read_clock,
    fetch: Fetch = fetch_url,
    mended: str = "",
) -> list[str]:
    """Tell the editor what became of what was sent; return why something of it wasn't delivered.

    `trouble`: what couldn't be done, and why; it is told once a day. `mended`: what went well, if it was in trouble.
    What wasn't is kept, and tried again by a service or by the next command that sends. Raises StoreError.
    """
    settings, database = app.settings, app.database
    teller, alerts = make_teller(settings), settings.alerts
    if trouble is not None:
        now = clock()
        with database.transaction() as connection:
            what, problem = trouble
            tell_trouble(connection, teller, Trouble(what, TransportError.__name__, problem), now, WAY_OUT)
    if mended:
        with database.transaction() as connection:
            end_trouble(connection, mended)
    report_halted(database, teller, clock)
    report_sent(database, ZoneInfo(settings.publication.time_zone), teller, clock)
    problems: list[str] = []
    if alerts.editor:
        raise_alarms(app.intake, alerts.editor, settings.publication.language, settings.file)
        problems += _send_notices(app, clock)
    if alerts.webhook or alerts.heartbeat:
        problems += _make_calls(app, clock, fetch)
    return problems


def _send_notices(app: App, clock: Callable[[], datetime]) -> list[str]:
    try:
        tally = send_letters(app, clock)
    except NewsletterError as error:
        return [str(error)]
    return [tally.fault] if tally.fault else []


def _make_calls(app: App, clock: Callable[[], datetime], fetch: Fetch) -> list[str]:
    """Make the calls that are due; stop at the first that isn't heard, since each may take long."""
    unheard: list[str] = []

    def call(url: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        answer = fetch(url, body, headers)
        if not answer.good:
            unheard.append(f"{'the heartbeat' if body is None else 'the webhook'}: {answer.text}")
        return answer

    owner, site = load_owner(secrets.token_hex(4)), app.settings.publication.url
    is_over = lambda: bool(unheard)  # noqa: E731 - a name for what it means
    make_calls(app.database, app.settings.alerts, owner, clock, call, is_dead_owner, is_over, site=site)
    return unheard
