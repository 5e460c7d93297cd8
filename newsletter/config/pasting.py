"""Commands that are shown to be pasted: they name the config that they are about. Pure.

Texts say `newsletter resume DATE`, wherever they are made; who shows them to somebody lets them name the config here.
**Limit.** A command is known by how it stands: at the start of a line, in backticks or parentheses, or after one of
`: → . , &`, or indented. What somebody has written himself, and reads so, gets the config's name, too.
"""

import re
import shlex
from pathlib import Path
from typing import Final

COMMANDS: Final = (
    *("admin", "backup", "bounce", "bounces", "cancel", "check", "dkim", "new", "notices", "pause", "preview"),
    *("publish", "restore", "resume", "rollup", "scheduler", "send-test", "serve", "site", "skip", "status"),
    *("subscribers", "unknown", "worker"),
)
"""Those that are about a config; `init` writes one."""

_COMMAND: Final = re.compile(
    rf"(?:^|(?<=[`(])|(?<=[:→.,& ] ))newsletter (?=(?:{'|'.join(COMMANDS)})\b(?!-))", re.MULTILINE
)


def name_config(text: str, config: Path | None) -> str:
    """Return a text whose commands name the config; None is the one that they find in the working folder."""
    if config is None:
        return text
    named = f"newsletter --config {shlex.quote(str(config))} "
    return _COMMAND.sub(lambda _: named, text)
