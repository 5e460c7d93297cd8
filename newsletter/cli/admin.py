"""`newsletter admin`: the password of the admin pages."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from newsletter.app import App
from newsletter.cli.terminal import count, print_json
from newsletter.errors import UsageError

EPILOG = """\b
Examples:
  newsletter admin password                    ask for one, and set it
  newsletter admin password < password.txt     set what the first line says
  newsletter admin sign-out                    end every session
  newsletter admin off                         no admin pages any more
"""

Json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.group("admin", epilog=EPILOG, short_help="Set the password of the admin pages.")
def command() -> None:
    """Set the password of the admin pages, which `newsletter serve` has at /admin.

    They show what is under way, readers, bounces and what needs you, and pause, resume and cancel issues. Without a
    password there are none.
    """


@command.command("password", epilog="\b\nExample:\n  newsletter admin password")
@Json
@click.pass_obj
def password(config: Path | None, as_json: bool) -> int:
    """Ask for a password and set it; without a terminal, the first line of standard input is it.

    Whoever is signed in must sign in again. The database keeps a hash (argon2id) of it, nothing else does.
    """
    from newsletter.operators.service import set_password

    with App.load(config) as app:
        ended = set_password(app.database, _ask(), datetime.now(UTC))
        address = f"{app.settings.publication.url}/admin"
    if as_json:
        print_json({"address": address, "sessions_ended": ended})
        return 0
    click.echo(f"The password is set. Sign in at {address}{_tell_ended(ended)}")
    return 0


@command.command("sign-out", epilog="\b\nExample:\n  newsletter admin sign-out")
@Json
@click.pass_obj
def sign_out(config: Path | None, as_json: bool) -> int:
    """End every session; the password stays."""
    from newsletter.store.operators import close_sessions

    with App.load(config) as app, app.database.transaction() as connection:
        ended = close_sessions(connection)
    if as_json:
        print_json({"sessions_ended": ended})
    else:
        click.echo(f"{count(ended, 'session')} ended.")
    return 0


@command.command("off", epilog="\b\nExample:\n  newsletter admin off")
@Json
@click.pass_obj
def off(config: Path | None, as_json: bool) -> int:
    """Forget the password and end every session: /admin leads nowhere any more."""
    from newsletter.store.operators import drop_password

    with App.load(config) as app, app.database.transaction() as connection:
        was_on = drop_password(connection)
    if as_json:
        print_json({"was_on": was_on})
    else:
        click.echo("There are no admin pages any more." if was_on else "There were no admin pages.")
    return 0


def _ask() -> str:
    """Return the password that was typed twice, or the first line of what was handed over."""
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt="Once more", err=True))
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise UsageError("No password came over standard input: its first line is taken.")
    return line


def _tell_ended(ended: int) -> str:
    return f"; {count(ended, 'session')} ended." if ended else "."
