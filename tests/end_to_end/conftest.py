"""A folder as an editor has it, and the real program run in it."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
EXAMPLE = ROOT / "issues" / "2024-05-25.md"


@dataclass(frozen=True)
class Desk:
    """An editor's folder; `run` is the command line typed in it."""

    folder: Path

    def run(self, *words: str, code: int = 0, stdin: str = "") -> subprocess.CompletedProcess[str]:
        environ = {key: value for key, value in os.environ.items() if not key.startswith("NEWSLETTER_")}
        done = subprocess.run(
            [sys.executable, "-m", "newsletter", *words],
            cwd=self.folder,
            env=environ,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == code, f"{words} exited {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    @property
    def mails(self) -> list[Path]:
        return sorted(self.folder.glob("outbox/**/*.eml"))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    (tmp_path / "issues").mkdir()
    shutil.copy(EXAMPLE, tmp_path / "issues")
    return Desk(tmp_path)


@pytest.fixture(scope="session")
def published_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose issue has gone out to one reader, by two commands, to be copied."""
    folder = tmp_path_factory.mktemp("published")
    (folder / "issues").mkdir()
    shutil.copy(EXAMPLE, folder / "issues")
    desk = Desk(folder)
    desk.run("subscribers", "add", "you@example.org")
    desk.run("publish", "2024-05-25")
    return folder


@pytest.fixture
def published(published_folder: Path, tmp_path: Path) -> Desk:
    """The desk of an editor whose issue has gone out to one reader, you@example.org."""
    shutil.copytree(published_folder, tmp_path, dirs_exist_ok=True)
    return Desk(tmp_path)
