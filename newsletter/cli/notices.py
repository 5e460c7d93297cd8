"""`newsletter notices`: letters to one person that belong to no issue."""

from dataclasses import asdict
from pathlib import Path

import click

from newsletter.app import App
from newsletter.cli.terminal import count, print_json, say
from newsletter.model.notice import NoticeLine, NoticeState
from newsletter.schedule.settled import send_letters
from newsletter.store.notices import count_notices, list_notices

EPILOG = """\b
Examples:
  newsletter notices send
  newsletter notices list --state failed
"""

Json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
State = click.Choice([state.value for state in NoticeState])


@click.group("notices", epilog=EPILOG, short_help="Send the letters that wait: confirmations, reminders, reports.")
def command() -> None:
    """Send and list letters to one person: confirmations, reminders, reports to the editor.

    `newsletter serve` sends them by itself.
    """


@command.command("send", epilog="\b\nExample:\n  newsletter notices send")
@Json
@click.pass_obj
def send(config: Path | None, as_json: bool) -> int:
    """Send every letter that is due; what the editor need not hear any more is dropped.

    Exit code 1: the relay takes none from us, or one failed.
    """
    with App.load(config) as app:
        tally = send_letters(app)
    if as_json:
        print_json(asdict(tally))
    else:
        click.echo(f"{count(tally.sent, 'letter')} sent, {tally.deferred:,} put off, {tally.failed:,} failed.")
        if tally.fault:
            say(tally.fault, err=True)
    return 1 if tally.fault or tally.failed else 0


@command.command("list", epilog="\b\nExample:\n  newsletter notices list --state failed")
@click.option("--state", type=State, help="Only letters in this state.")
@click.option("--limit", type=click.IntRange(1), default=50, help="How many of the newest (default 50).")
@Json
@click.pass_obj
def show(config: Path | None, state: str | None, limit: int, as_json: bool) -> int:
    """List letters, newest first, one a line: when, state, kind, address, subject, next try, what the server said."""
    with App.load(config) as app, app.look().read() as connection:
        lines = list_notices(connection, NoticeState(state) if state else None, limit=limit)
        counts = count_notices(connection)
    if as_json:
        print_json({"counts": counts, "notices": [asdict(line) for line in lines]})
        return 0
    for line in lines:
        click.echo(_format(line))
    click.echo(", ".join(f"{number:,} {word}" for word, number in counts.items()), err=True)
    return 0


def _format(line: NoticeLine) -> str:
    subject = "".join(letter for letter in line.subject if letter.isprintable())  # a reply's is a stranger's
    again = f"next try {line.next_attempt_at:%Y-%m-%d %H:%M} UTC" if line.next_attempt_at else ""
    parts = (f"{line.created_at:%Y-%m-%d %H:%M}", line.state, line.kind, line.address, subject, again, line.reply)
    return "\t".join(parts).rstrip()
