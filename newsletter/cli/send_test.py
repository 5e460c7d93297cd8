"""`newsletter send-test`: send an issue to one address, outside the ledger."""

from pathlib import Path

import click

from newsletter.app import App
from newsletter.cli.terminal import print_problems, short
from newsletter.cli.words import parse_name, parse_topics
from newsletter.errors import IssueError, NewsletterError, UsageError
from newsletter.mail.address import AddressError, normalise_address
from newsletter.model.delivery import Accepted, Outcome
from newsletter.publishing import mail_test

EPILOG = """\b
Examples:
  newsletter send-test 2024-05-25 you@example.org
  newsletter send-test today you@example.org colleague@example.org
  newsletter send-test today you@example.org --topics "Agents, Evaluations"     as readers of these sections get it
"""


@click.command("send-test", epilog=EPILOG, short_help="Send an issue to one address, outside the ledger.")
@click.argument("name", metavar="DATE|FILE")
@click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS...")
@click.option("--topics", default="", metavar="A,B", help="Only these sections, by heading or key: a variant.")
@click.pass_obj
def command(config: Path | None, name: str, addresses: tuple[str, ...], topics: str) -> int:
    """Send an issue, a draft too, to one or more addresses. The subject begins with [Test].

    Nothing is published and nobody is counted; the personal links in it name no reader.
    """
    _refuse_bad_addresses(addresses)
    with App.load(config) as app:
        for address in addresses:
            try:
                outcome = mail_test(app, parse_name(name, app.settings), address, parse_topics(topics))
            except IssueError as error:
                print_problems(error.problems, "text")
                raise NewsletterError("there is nothing to send yet: mend the errors above.") from None
            _report(app, address, outcome)
    return 0


def _refuse_bad_addresses(addresses: tuple[str, ...]) -> None:
    for address in addresses:
        try:
            normalise_address(address)
        except AddressError as error:
            raise UsageError(str(error)) from None


def _report(app: App, address: str, outcome: Outcome) -> None:
    reply = outcome.reply
    said = " ".join(part for part in (str(reply.code or ""), reply.enhanced, reply.text) if part)
    if not isinstance(outcome, Accepted):
        raise NewsletterError(f"{address} was not sent the mail: {said}")
    where = app.settings.smtp.host or short(app.settings.outbox.folder)
    click.echo(f"{address}: sent → {where} ({said})")
