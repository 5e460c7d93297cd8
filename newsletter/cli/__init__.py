"""The command line. Owns words, exit codes and what is printed; decides nothing about publishing.

The front page is answered before anything heavy is imported.
"""

import os
import sys
from collections.abc import Sequence

from newsletter import __version__
from newsletter.cli.commands import render_help


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 1 failed, 2 wrong usage or config."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words in (["--help"], ["-h"], ["help"]):
        _say(render_help())
        return 0 if words else 2
    if words == ["--version"]:
        _say(f"newsletter {__version__}")
        return 0
    from newsletter.cli.run import run_command

    return run_command(words)


def _say(text: str) -> None:
    """Print; whoever closes our output early (`| head`) has read enough."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
