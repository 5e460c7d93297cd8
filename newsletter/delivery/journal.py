"""The journal: what a worker has put on the wire and heard back, kept where SIGKILL can't reach it.

A commit for each message would cost most of the speed. Instead a worker notes every message in a memory-mapped file:
right before its final dot may leave (`begin`), and when the answer is known (`finish`). Many answers are then written
to the ledger in one transaction, and their slots are freed after it. The kernel keeps a mapped page when the process is
killed, so the next worker knows of each claimed delivery whether it never was on the wire, was answered, or neither.

Owns the file's format, and the lock that says whether its worker lives. Decides nothing about deliveries.

Limit: only the kernel keeps the pages. After power loss or a crash of the kernel the file may be older than what was
sent, so a journal of another boot is not believed (`Remains.trusted`).

Several ledgers may share a folder: a journal names its ledger, and whoever recovers takes only his own.

File: a header of one page (magic, owner, boot id, ledger, slots), then `slots` records of 256 bytes. The state byte of
a record is written last when it fills and first when it is freed, so a half-written record is never believed. A file of
another size than the header says was cut, or mended by hand: it isn't trusted.
"""

import contextlib
import fcntl
import mmap
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from newsletter.errors import StoreError
from newsletter.model.delivery import Reply

MAGIC: Final = b"newsletter journal 3\n"
_ANY_VERSION: Final = b"newsletter journal "
HEADER_SIZE: Final = 4096
SLOT_SIZE: Final = 256
SUFFIX: Final = ".journal"

_FREE, _BEGUN, _FINISHED = 0, 1, 2
_RECORD = struct.Struct("<BqBHH16s")  # state, delivery id, phase, reply code, length of the text, enhanced code
_TEXT_ROOM = SLOT_SIZE - _RECORD.size
_HIGHEST_CODE = 999


@dataclass(frozen=True, slots=True)
class Noted:
    """One record left behind: `reply` is None when the final dot may have left and no answer was heard."""

    delivery_id: int
    phase: int
    reply: Reply | None


@dataclass(frozen=True, slots=True)
class Remains:
    """What a dead worker left. Not `trusted`: the machine went down since, so any claimed row may have been sent.

    `ledger` is empty where the file doesn't tell.
    """

    path: Path
    owner: str
    ledger: str
    trusted: bool
    noted: tuple[Noted, ...]


class Journal:
    """A worker's own journal, locked while it lives; close it when everything is settled."""

    def __init__(self, path: Path, descriptor: int, pages: mmap.mmap, slots: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._pages = pages
        self._free = list(range(slots - 1, -1, -1))
        self._slot_of: dict[int, int] = {}

    @classmethod
    def create(cls, folder: Path, owner: str, ledger: str, boot: str, slots: int) -> Self:
        """Make the journal of a worker. Raises StoreError when there isn't room for all of it."""
        path = name_journal(folder, owner)
        # It gets its name once it is locked, or another worker would take it for a dead one's.
        unnamed = path.with_suffix(".new")
        size = HEADER_SIZE + slots * SLOT_SIZE
        try:
            folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.posix_fallocate(descriptor, 0, size)
            os.pwrite(descriptor, _header(owner, boot, ledger, slots), 0)
            unnamed.rename(path)
        except OSError as error:
            with contextlib.suppress(OSError):  # where the folder is none, there is nothing to tidy up
                unnamed.unlink(missing_ok=True)
            raise StoreError(
                f"{path}: the sender's journal can't be made: {error.strerror}. Nothing was sent: make room, give this "
                "user the right to write there, or name another folder in [delivery] journal."
            ) from None
        return cls(path, descriptor, mmap.mmap(descriptor, size), slots)

    @property
    def room(self) -> int:
        """Return how many more messages can be begun before some are settled."""
        return len(self._free)

    def begin(self, delivery_id: int) -> None:
        """Note that a message's final dot may leave from now on. Raises IndexError without `room`."""
        at = self._find(delivery_id)
        self._pages[at] = _FREE
        self._pages[at + 1 : at + 9] = delivery_id.to_bytes(8, "little", signed=True)
        self._pages[at] = _BEGUN

    def finish(self, delivery_id: int, phase: int, reply: Reply) -> None:
        """Note the answer to a message, begun or not."""
        at = self._find(delivery_id)
        text = reply.text.encode()[:_TEXT_ROOM]
        enhanced = reply.enhanced.encode()[:16]
        record = _RECORD.pack(self._pages[at], delivery_id, phase, reply.code, len(text), enhanced) + text
        self._pages[at : at + len(record)] = record
        self._pages[at] = _FINISHED

    def forget(self, delivery_id: int) -> None:
        """Free a message's slot, once the ledger has it for good."""
        slot = self._slot_of.pop(delivery_id, None)
        if slot is not None:
            self._pages[HEADER_SIZE + slot * SLOT_SIZE] = _FREE
            self._free.append(slot)

    def knows(self, delivery_id: int) -> bool:
        """Return whether a message was begun or answered, and isn't forgotten."""
        return delivery_id in self._slot_of

    def _find(self, delivery_id: int) -> int:
        """Return where a message's record begins, in a slot of its own."""
        slot = self._slot_of.get(delivery_id)
        if slot is None:
            slot = self._slot_of[delivery_id] = self._free.pop()
        return HEADER_SIZE + slot * SLOT_SIZE

    def close(self, *, keep: bool = False) -> None:
        """Remove the journal when nothing is left in it; else, or to `keep` it, leave it for recovery. Unlocks it."""
        if not self._slot_of and not keep:
            self.path.unlink(missing_ok=True)
        self._pages.close()
        os.close(self._descriptor)


@contextlib.contextmanager
def open_remains(folder: Path, boot: str, is_ours: Callable[[Remains], bool]) -> Iterator[list[Remains]]:
    """Yield what dead workers of our ledger left in a folder; remove it when the block ends without an exception.

    Waits for another process that is doing the same: what it has not settled yet must not look lost. Raises StoreError
    when the folder can't be used.
    """
    with contextlib.ExitStack() as open_files:
        found: list[Remains] = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            turn = os.open(folder / "recovery.lock", os.O_RDWR | os.O_CREAT, 0o600)
            open_files.callback(os.close, turn)
            fcntl.flock(turn, fcntl.LOCK_EX)
            for path in sorted(folder.glob(f"*{SUFFIX}")):
                descriptor = _lock(path)
                if descriptor is not None:
                    open_files.callback(os.close, descriptor)
                    found.append(_read(path, descriptor, boot))
        except OSError as error:
            raise StoreError(
                f"{folder}: the sender's journal can't be read: {error.strerror}. Nothing was sent: give this user the "
                "right to write there, or name another folder in [delivery] journal."
            ) from None
        ours = [remains for remains in found if is_ours(remains)]
        yield ours
        for remains in ours:
            remains.path.unlink(missing_ok=True)


def name_journal(folder: Path, owner: str) -> Path:
    """Return where a worker keeps its journal."""
    return folder / f"{owner.replace('/', '_')}{SUFFIX}"


def load_boot_id() -> str:
    """Return what changes with every start of this machine; empty where there is no such thing."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _header(owner: str, boot: str, ledger: str, slots: int) -> bytes:
    return (MAGIC + f"{owner}\n{boot}\n{ledger}\n{slots}\n".encode()).ljust(HEADER_SIZE, b"\0")


def _lock(path: Path) -> int | None:
    """Return a locked descriptor, or None while the journal's worker lives or when it is gone already."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _read(path: Path, descriptor: int, boot: str) -> Remains:
    """Read a journal. One cut short while it was made holds no message; its owner's name is its file's.

    One that another version wrote may hold some, and can't be read.
    """
    with os.fdopen(os.dup(descriptor), "rb") as file:
        contents = file.read()
    lines = contents[:HEADER_SIZE].decode("utf-8", "replace").split("\n")
    if not contents.startswith(MAGIC) or len(lines) < 6:
        written = contents.startswith(_ANY_VERSION) and not contents.startswith(MAGIC)
        return Remains(path, path.name.removesuffix(SUFFIX), "", trusted=not written, noted=())
    _, owner, written_at, ledger, slots, _ = lines[:6]
    whole = slots.isdecimal() and len(contents) == HEADER_SIZE + int(slots) * SLOT_SIZE
    noted = tuple(
        note for at in range(HEADER_SIZE, len(contents) - SLOT_SIZE + 1, SLOT_SIZE) if (note := _note(contents, at))
    )
    return Remains(path, owner, ledger, trusted=whole and bool(boot) and written_at == boot, noted=noted)


def _note(contents: bytes, at: int) -> Noted | None:
    state, delivery_id, phase, code, length, enhanced = _RECORD.unpack_from(contents, at)
    if state == _FREE:
        return None
    if state != _FINISHED or code > _HIGHEST_CODE:  # we never wrote such a code, nor states but these three
        return Noted(delivery_id, 0, None)
    text = contents[at + _RECORD.size : at + _RECORD.size + min(length, _TEXT_ROOM)]
    reply = Reply(code, enhanced.rstrip(b"\0").decode("ascii", "replace"), text.decode("utf-8", "replace"))
    return Noted(delivery_id, phase, reply)
