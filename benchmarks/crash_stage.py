"""A folder with readers and an issue, ready to be sent to a server of ours: what the crash test starts from."""

import io
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from benchmarks.cluster import Cluster
from newsletter.cli.run import run_command

ROOT: Final = Path(__file__).resolve().parent.parent
ISSUE: Final = "2024-05-25"
CONFIG: Final = """
[publication]
url = "https://news.example.org"
postal_address = "1 Some Street, Some Town"
[mail]
from_address = "news@example.org"
[smtp]
host = "127.0.0.1"
port = {port}
tls = "none"
local_name = "news.example.org"
connections = {connections}
window = {window}
[delivery]
claim_ahead = {ahead}
drain_seconds = {drain}
[database]
url = "{url}"
{dkim}
"""
SIGNED: Final = """
[dkim]
key_file = "dkim/news.pem"
selector = "news"
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """A folder with readers and an issue, and how to send; copied for each point."""

    folder: Path
    readers: int
    connections: int = 10
    window: int = 1
    ahead: int = 2000
    drain: float = 30.0
    postgres: str = ""
    signed: bool = False

    @property
    def url(self) -> str:
        """Return where the ledger is."""
        return self.postgres or f"sqlite:///{self.folder / 'newsletter.db'}"


def make_stage(folder: Path, readers: int, **how: Any) -> Stage:
    """Import readers into a fresh folder."""
    (folder / "issues").mkdir(parents=True)
    shutil.copy(ROOT / "issues" / f"{ISSUE}.md", folder / "issues")
    rows = "".join(f"reader{number}@example.net\n" for number in range(readers))
    (folder / "readers.csv").write_text(f"email\n{rows}", encoding="utf-8")
    stage = Stage(folder, readers, **how)
    write_config(stage, 25)
    if stage.signed:
        call(stage, "dkim", "keygen", "--selector", "news", "--out", str(folder / "dkim"))
    call(stage, "subscribers", "import", str(folder / "readers.csv"))
    return stage


def write_config(stage: Stage, port: int) -> None:
    """Say where the server is."""
    values = {"connections": stage.connections, "window": stage.window, "ahead": stage.ahead, "drain": stage.drain}
    text = CONFIG.format(port=port, url=stage.url, dkim=SIGNED if stage.signed else "", **values)
    (stage.folder / "config.toml").write_text(text, encoding="utf-8")


def call(stage: Stage, *words: str) -> str:
    """Run a command that is over soon, in this process: starting another takes longer than the command."""
    with redirect_stdout(io.StringIO()) as said:
        run_command(["--config", str(stage.folder / "config.toml"), *words])
    return said.getvalue()


def command(*words: str) -> list[str]:
    """Return the program's command line."""
    return [sys.executable, "-m", "newsletter", *words]


def environ() -> dict[str, str]:
    """Return an environment that holds nothing of ours."""
    return {key: value for key, value in os.environ.items() if not key.startswith("NEWSLETTER_")}


@contextmanager
def copy_stage(stage: Stage, cluster: Cluster | None = None) -> Iterator[Stage]:
    """Give one point a folder and a database of its own."""
    with tempfile.TemporaryDirectory(prefix="crash-", ignore_cleanup_errors=True) as name:
        folder = Path(name) / "stage"
        shutil.copytree(stage.folder, folder)
        url = cluster.copy_database() if cluster else ""
        yield replace(stage, folder=folder, postgres=url)
