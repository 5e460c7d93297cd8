"""What `publish` and `rollup` say of the mail that they sent, and what follows: refusals judged, the editor told."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from newsletter.app import App
from newsletter.cli.status import format_control
from newsletter.cli.terminal import count, say, short
from newsletter.delivery.desk import Tally
from newsletter.errors import NewsletterError, TransportError
from newsletter.model.control import ControlState
from newsletter.model.delivery import Audit
from newsletter.publishing import Published
from newsletter.rollups import RolledUp
from newsletter.store.dispatch import count_paced, next_attempt_at


def describe_sending(app: App, slug: str, done: Published | RolledUp, again: str) -> str:
    """Return in one line what a run sent and why it left anybody; `again` says how it goes on."""
    tally, audit = done.tally, done.audit
    if tally is None or audit is None:
        return "nobody was mailed"
    where = app.settings.smtp.host or f"{short(app.settings.outbox.folder)}/{slug}/"
    text = f"{count(tally.sent, 'mail')} sent now → {where}"
    if not tally.done and not audit.open:
        text = "nobody is left to be mailed" + ("" if app.settings.smtp.host else f"; see {where}")
    if tally.control.state is ControlState.CANCELLED:
        text = _describe_cancelled(text if tally.sent else "nobody was mailed", slug, tally, audit)
    elif not tally.control.runs:
        text += f"; {format_control(slug, tally.control)}"
    elif tally.stopped:
        text += f"; stopped as asked with {audit.queued:,} left, {again} to go on"
    elif audit.queued:
        text += f"; {audit.queued:,} are in the hands of another sender"
    if audit.deferred:
        text += f"; {_describe_deferred(app, done, audit)}, {_describe_next_try(app, done, again)}"
    if audit.failed:
        text += f"; {audit.failed:,} refused, newsletter status {slug} says why"
    return text


def _describe_cancelled(text: str, slug: str, tally: Tally, audit: Audit) -> str:
    """Say that a cancelled edition stays so, and how its readers can be reached all the same."""
    missing = f" {count(audit.cancelled, 'reader')} won't get it." if audit.cancelled else ""
    way = "To reach them, publish what you have to say as another issue, with a date or slug of its own"
    return f"{text}: {slug} was {format_control(slug, tally.control)}{missing} {way}"


def find_next_try(app: App, done: Published | RolledUp) -> datetime | None:
    """Return when the first of those who were put off is tried again, by the ledger; None where nobody waits so."""
    if done.stored is None:
        return None
    with app.database.read() as connection:
        return next_attempt_at(connection, done.stored.id)


def _describe_deferred(app: App, done: Published | RolledUp, audit: Audit) -> str:
    paced = 0
    if done.stored is not None:
        with app.database.read() as connection:
            paced = count_paced(connection, done.stored.id)
    return describe_waiting(audit.deferred - min(paced, audit.deferred), paced)


def describe_waiting(put_off: int, paced: int) -> str:
    """Say how many wait for their servers, and how many only for their turn."""
    by_servers = f"{put_off:,} put off by their servers" if put_off else ""
    for_turn = f"{paced:,} waiting for {'his' if paced == 1 else 'their'} domain's turn" if paced else ""
    return " and ".join(filter(None, (by_servers, for_turn)))


def _describe_next_try(app: App, done: Published | RolledUp, again: str) -> str:
    """Say when the first of them is tried again, and by what."""
    at = find_next_try(app, done)
    by = f"by newsletter serve or worker, or {again} then"
    return f"next try {format_moment(at, datetime.now(UTC))}: {by}" if at else f"{again} later to go on"


def format_moment(at: datetime, now: datetime) -> str:
    """Return a time to come as the first whole minute by which it is there; its day, too, unless that is today."""
    minute = (at + timedelta(minutes=1, microseconds=-1)).replace(second=0, microsecond=0)
    return f"at {minute:%H:%M} UTC" if minute.date() == now.date() else f"on {minute:%Y-%m-%d at %H:%M} UTC"


def judge_refusals(app: App, done: Published | RolledUp) -> None:
    """Let what servers refused just now end or count against a reader's mail, as if it had come back."""
    if done.tally is not None and done.tally.failed:
        from newsletter.bounces.intake import take_refusals

        take_refusals(app.intake)


@contextmanager
def telling_trouble(app: App, name: str) -> Iterator[None]:
    """Tell the editor, too, when mail can't be sent: nobody may be looking at what a cron job says."""
    try:
        yield
    except TransportError as error:
        tell_editor(app, (f"sending {name}", str(error)))
        raise


def tell_of_run(app: App, done: Published | RolledUp) -> None:
    """Tell the editor what became of what a run sent, unless it was asked to stop: then somebody goes on with it."""
    if done.stored is not None and done.tally is not None and not done.tally.stopped:
        tell_editor(app, mended=f"sending {done.stored.edition.slug}")


def tell_editor(app: App, trouble: tuple[str, str] | None = None, mended: str = "") -> None:
    """Tell the editor what became of editions (`schedule.aftermath`); what stands in the way of it is said here."""
    from newsletter.schedule import aftermath

    try:
        problems = aftermath.tell_editor(app, trouble, mended=mended)
    except NewsletterError as error:
        problems = [str(error)]
    for why in problems:
        say(f"newsletter: the editor hasn't been told all yet: {why} `newsletter serve` tries again.", err=True)


def explain_audit(slug: str, audit: Audit) -> Iterator[str]:
    """Yield what needs a word beside the numbers."""
    if audit.excluded:
        yield "excluded: nothing in it is for these readers, or they are paused:"
        yield f"newsletter status {slug}"
    if audit.unknown:
        yield "unknown: the server's last answer was not heard, so these readers may or may not have it:"
        yield f"newsletter unknown list {slug}"
