"""`newsletter scheduler`: publish what is due by itself, and keep house."""

from pathlib import Path

import click

EPILOG = """\b
Examples:
  newsletter scheduler             until Ctrl-C or SIGTERM
  newsletter scheduler --once      look once, and end: for a cron job in its place

When issues are due stands in [schedule]. It publishes and decides; mail is sent by `newsletter worker`. Run both beside
each other, and `newsletter serve` for the pages.
"""


@click.command("scheduler", epilog=EPILOG, short_help="Publish issues at their time, by themselves.")
@click.option("--once", is_flag=True, help="Look once whether something is due, and end.")
@click.pass_obj
def command(config: Path | None, once: bool) -> int:
    """Publish each issue at its time, hold what has errors, warn, report, keep copies, keep house.

    Each day is decided once, whoever comes first: several schedulers, a restart in the middle and clocks that change
    send nothing twice. What it does and decides stands on standard error, and the editor is told ([alerts] editor).
    """
    from newsletter.cli.running import run_roles
    from newsletter.schedule.ticks import Role

    return run_roles(config, [Role.SCHEDULER], once=once)
