"""`newsletter worker`: send what is due."""

from pathlib import Path

import click

EPILOG = """\b
Examples:
  newsletter worker             until Ctrl-C or SIGTERM
  newsletter worker --once      send what is due now, and end: for a cron job in its place
"""


@click.command("worker", epilog=EPILOG, short_help="Send what is due, and try again what was put off.")
@click.option("--once", is_flag=True, help="Send what is due now, and end.")
@click.pass_obj
def command(config: Path | None, once: bool) -> int:
    """Send every issue that is published to whoever is due, and try again those whose servers put them off.

    Confirmations, reports and webhooks, too, and it takes in mail that comes back. Ctrl-C or SIGTERM finishes what is
    on the wire. Killed at any instant, the next one goes on where it was.
    """
    from newsletter.cli.running import run_roles
    from newsletter.schedule.ticks import Role

    return run_roles(config, [Role.WORKER], once=once)
