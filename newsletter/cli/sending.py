"""What `publish` and `rollup` say of the mail that they sent, and what follows from refusals."""

from collections.abc import Iterator

from newsletter.app import App
from newsletter.cli.status import format_control
from newsletter.cli.terminal import count, short
from newsletter.model.delivery import Audit
from newsletter.publishing import Published
from newsletter.rollups import RolledUp


def describe_sending(app: App, slug: str, done: Published | RolledUp, again: str) -> str:
    """Return in one line what a run sent and why it left anybody; `again` says how it goes on."""
    tally, audit = done.tally, done.audit
    if tally is None or audit is None:
        return "nobody was mailed"
    where = app.settings.smtp.host or f"{short(app.settings.outbox.folder)}/{slug}/"
    text = f"{count(tally.sent, 'mail')} sent now → {where}"
    if not tally.done and not audit.open:
        text = f"nobody is left to be mailed; see {where}"
    if not tally.control.runs:
        text += f"; {format_control(slug, tally.control)}"
    elif tally.stopped:
        text += f"; stopped as asked with {audit.queued:,} left, {again} to go on"
    elif audit.queued:
        text += f"; {audit.queued:,} are in the hands of another sender"
    if audit.deferred:
        text += f"; {audit.deferred:,} put off by their servers, {again} later to go on"
    if audit.failed:
        text += f"; {audit.failed:,} refused, newsletter status {slug} says why"
    return text


def judge_refusals(app: App, done: Published | RolledUp) -> None:
    """Let what servers refused just now end or count against a reader's mail, as if it had come back."""
    if done.tally is not None and done.tally.failed:
        from newsletter.bounces.intake import take_refusals

        take_refusals(app.intake)


def explain_audit(slug: str, audit: Audit) -> Iterator[str]:
    """Yield what needs a word beside the numbers."""
    if audit.excluded:
        yield "excluded: nothing in it is for these readers, or they are paused:"
        yield f"newsletter status {slug}"
    if audit.unknown:
        yield "unknown: the server's last answer was not heard, so these readers may or may not have it:"
        yield f"newsletter unknown list {slug}"
