"""`newsletter bounce`: take in one mail that came back, from a mail server's pipe."""

import os
import sys
from pathlib import Path

import click

from newsletter.app import App
from newsletter.errors import NewsletterError

EX_TEMPFAIL = 75
"""What tells a mail server to keep the mail and try again (sysexits.h)."""

EPILOG = """\b
Examples:
  newsletter bounce < mail.eml
  newsletter bounce --to "b+TOKEN@bounces.example.org" < mail.eml

\b
Postfix, in master.cf, with bounces.example.org in transport_maps:
  newsletter unix - n n - 4 pipe flags=q user=newsletter
    argv=/srv/newsletter/.venv/bin/newsletter --config /srv/newsletter/config.toml bounce --to ${recipient}
"""


@click.command("bounce", epilog=EPILOG, short_help="Take in one mail that came back (from a pipe).")
@click.option("--to", "recipient", default="", metavar="ADDRESS", help="Its envelope recipient ($ORIGINAL_RECIPIENT).")
@click.pass_obj
def command(config: Path | None, recipient: str) -> int:
    """Take in the mail on standard input: a bounce, a complaint, an unsubscribe request, a reply.

    Exit code 0: the ledger has it. 75: not now; the mail server keeps it and tries again. It answers nothing.
    """
    from newsletter.bounces.intake import Incoming, take_mails
    from newsletter.mail.reports.limits import LIMITS
    from newsletter.model.verdict import Way

    to = recipient or os.environ.get("ORIGINAL_RECIPIENT", "") or os.environ.get("RECIPIENT", "")
    try:
        raw = sys.stdin.buffer.read(LIMITS.size + 1)
        with App.load(config) as app:
            take_mails(app.intake, [Incoming(raw, Way.PIPE, to)])
    except (NewsletterError, OSError) as error:
        print(f"newsletter: {error}", file=sys.stderr)
        return EX_TEMPFAIL
    return 0
