"""Runs one command: finds it, and turns what goes wrong into one clear message and an exit code."""

import errno
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from newsletter import __version__
from newsletter.cli.commands import COMMANDS, render_help
from newsletter.cli.terminal import say
from newsletter.errors import NewsletterError

INTERRUPTED = 130


class _Commands(click.Group):
    """A group that imports a command only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - same
        line = COMMANDS.get(cmd_name)
        if line is None:
            return None
        command = importlib.import_module(line.module).command
        if not isinstance(command, click.Command):
            raise TypeError(f"{line.module}.command is not a command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            # click guesses among the commands that it has imported, which are none.
            raise click.NoSuchCommand(error.command_name, possibilities=COMMANDS, ctx=ctx) from None

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except NewsletterError as error:  # told here, where it is known which config commands are to name
            say(f"newsletter: {error}", err=True)
            return error.exit_code

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - same
        formatter.write(render_help() + "\n")


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--config", type=click.Path(path_type=Path), envvar="NEWSLETTER_CONFIG")
@click.version_option(__version__, message="newsletter %(version)s")
@click.pass_context
def group(context: click.Context, config: Path | None) -> None:
    """Hand the config's path to the command."""
    context.obj = config


def run_command(words: Sequence[str]) -> int:
    """Run one command; print a user's mistake as one message, never as a traceback."""
    if sys.stdin is None:  # closed (`<&-`): nobody answers and nothing comes, and no file of ours may become number 0
        sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115 - open as long as the process lives
    try:
        result = group.main(list(words), prog_name="newsletter", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        print("\nnewsletter: stopped", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        return _report_os_error(error)
    return result if isinstance(result, int) else 0


def _report_os_error(error: OSError) -> int:
    """Say what the system refused; whoever closed our output early (`| head`) is told nothing."""
    if error.errno == errno.EPIPE:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    if error.filename is None:
        raise error
    print(f"newsletter: {error.filename}: {error.strerror}", file=sys.stderr)
    return 1
