"""The fence: how far the senders of this machine came, kept where a restore of the database doesn't reach.

Every page of the books counts the database's epoch up, and the sender notes it here before anything that the page
brought can go out. A database whose epoch is behind its fence is a copy that was put back: it doesn't know what was
sent since, and would send it again. So nothing is sent from it until `newsletter restore` has compared both.

Owns the file's format and the comparison (`is_behind`, `decide_restoration`: pure).

File, in the journal's folder, `LINE.fence`: a line with its kind, a line with the database's life, and a line for each
issue: its last epoch in 20 digits, which is written over in place, and its slug.

Limit: a copy of the whole machine, journal folder and all, takes the fence with it. What another machine has sent, only
that machine's fence knows. After a power failure the file may miss the last pages of a run.
"""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from newsletter.errors import StoreError
from newsletter.model.ledger import FenceMark, LedgerMark, Restoration

MAGIC: Final = "newsletter fence 1"
SUFFIX: Final = ".fence"
_DIGITS: Final = 20
_HEADER_LINES: Final = 2
_LARGEST: Final = 64 * 1024 * 1024

STALE: Final = (
    "Nothing was sent: this database is older than what was sent from here, so it was restored from a copy. It doesn't "
    "know who has had what since. Run `newsletter restore`: readers who may have their mail become unknown, and you "
    "decide about them."
)


@dataclass(frozen=True, slots=True)
class Fence:
    """One run's place in the file."""

    path: Path
    life: str
    descriptor: int
    offset: int

    @classmethod
    def open(cls, folder: Path, mark: LedgerMark, slug: str) -> Self:
        """Find or make an issue's place. Raises StoreError when the database is behind, or the file can't be used."""
        path = fence_path(folder, mark.line)
        with _explain(path), _locked(path, FenceMark(mark.life)) as descriptor:
            text = os.pread(descriptor, _LARGEST, 0)
            if is_behind(mark, parse_fence(text.decode(), path)):
                raise StoreError(STALE)
            offset = _find(text, slug)
            if offset == len(text):
                os.pwrite(descriptor, _line(slug, 0).encode(), offset)
            os.fsync(descriptor)
            return cls(path, mark.life, os.dup(descriptor), offset)

    def note(self, epoch: int) -> None:
        """Note how far the issue has come; an earlier epoch than another sender's changes nothing."""
        with _explain(self.path):
            fcntl.flock(self.descriptor, fcntl.LOCK_EX)
            try:
                if int(os.pread(self.descriptor, _DIGITS, self.offset)) < epoch:
                    os.pwrite(self.descriptor, f"{epoch:0{_DIGITS}}".encode(), self.offset)
            finally:
                fcntl.flock(self.descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give the file back."""
        with contextlib.suppress(OSError):
            os.fsync(self.descriptor)
        os.close(self.descriptor)


def fence_path(folder: Path, line: str) -> Path:
    """Return where a database's fence is."""
    return folder / f"{line}{SUFFIX}"


def load_fence(folder: Path, line: str) -> FenceMark | None:
    """Return what was kept of a database; None where nothing was. Raises StoreError for a file that can't be read."""
    path = fence_path(folder, line)
    with _explain(path):
        try:
            return parse_fence(path.read_text(encoding="utf-8"), path)
        except FileNotFoundError:
            return None


def write_fence(folder: Path, line: str, mark: FenceMark) -> None:
    """Put another fence in place of the old one, whole or not at all."""
    path = fence_path(folder, line)
    with _explain(path):
        folder.mkdir(parents=True, exist_ok=True)
        scratch = _write_scratch(path, mark)
        scratch.replace(path)


def parse_fence(text: str, path: Path) -> FenceMark:
    """Read a fence. Raises StoreError for anything else: believing half of it would send mail twice."""
    first, _, rest = text.partition("\n")
    life, _, rest = rest.partition("\n")
    epochs: dict[str, int] = {}
    for line in rest.splitlines():
        digits, blank, slug = line.partition(" ")
        if not (blank and slug and len(digits) == _DIGITS and digits.isascii() and digits.isdecimal()):
            raise StoreError(_describe_damage(path))
        epochs[slug] = int(digits)
    if first != MAGIC or len(life) != 32 or not text.endswith("\n"):
        raise StoreError(_describe_damage(path))
    return FenceMark(life, epochs)


def is_behind(mark: LedgerMark, fence: FenceMark) -> bool:
    """Return whether a database was put back behind what was sent from here."""
    return fence.life != mark.life or fence.epoch > mark.epoch


def decide_restoration(mark: LedgerMark, fence: FenceMark | None, life: str, *, everything: bool) -> Restoration:
    """Decide what was sent since the copy was made, and the database's next life; `life` is a new name for it.

    A database that another machine's sender has restored already keeps its life; `everything` was decided there.
    """
    if fence is None:
        return Restoration((), life, mark.epoch + 1, everything=True)
    known = [name for name, _ in mark.lives]
    if fence.life in known:  # restored already, from another machine
        since = min(epoch for _, epoch in mark.lives[known.index(fence.life) :])
        return Restoration(_sent_after(fence, since), mark.life, max(mark.epoch, fence.epoch) + 1, everything=False)
    return Restoration(_sent_after(fence, mark.epoch), life, max(mark.epoch, fence.epoch) + 1, everything)


def _sent_after(fence: FenceMark, epoch: int) -> tuple[str, ...]:
    return tuple(slug for slug, last in fence.epochs.items() if last > epoch)


def _line(slug: str, epoch: int) -> str:
    return f"{epoch:0{_DIGITS}} {slug}\n"


def _find(text: bytes, slug: str) -> int:
    """Return where an issue's line begins, or where it would be appended."""
    offset, wanted = 0, f" {slug}\n".encode()
    for number, line in enumerate(text.splitlines(keepends=True)):
        if number >= _HEADER_LINES and line[_DIGITS:] == wanted:
            return offset
        offset += len(line)
    return offset


@contextlib.contextmanager
def _locked(path: Path, empty: FenceMark) -> Iterator[int]:
    """Open the file, made with `empty` where there is none, and keep others away."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = _write_scratch(path, empty)
        with contextlib.suppress(FileExistsError):  # another process was first
            path.hardlink_to(scratch)
        scratch.unlink()
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _write_scratch(path: Path, mark: FenceMark) -> Path:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{MAGIC}\n{mark.life}\n" + "".join(_line(slug, epoch) for slug, epoch in mark.epochs.items()))
        file.flush()
        os.fsync(file.fileno())
    return Path(name)


@contextlib.contextmanager
def _explain(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{path}: the sender's journal can't be used: {error.strerror}. Nothing was sent: make room, give this "
            "user the right to write there, or name another folder in [delivery] journal."
        ) from None
    except ValueError:
        raise StoreError(_describe_damage(path)) from None


def _describe_damage(path: Path) -> str:
    return (
        f"{path}: the fence, which keeps a restored database from sending twice, is damaged. Nothing was sent. Move "
        "it away and run `newsletter restore`: everybody who waits becomes unknown, and you decide about them."
    )
