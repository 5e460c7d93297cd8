"""Who is at work for a ledger on this machine: who has the lock of a role, and whose journal is locked.

A lock is the kernel's and ends with its process, however that ends. **Limit.** Another machine's processes aren't
seen, nor one that only serves pages.
"""

import contextlib
import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from newsletter.delivery.journal import MAGIC, SUFFIX
from newsletter.errors import NewsletterError

_SHORT: Final = 16
_HEADER_LINES: Final = 4
_LONGEST_HEADER: Final = 2000


def lock_role(locks: contextlib.ExitStack, folder: Path, ledger: str, role: str, *, shared: bool = False) -> bool:
    """Take a role's lock, if it is free, until `locks` are closed. Raises NewsletterError for a folder without locks.

    `shared` locks don't exclude each other, only one that isn't.
    """
    path = folder / f"{ledger[:_SHORT]}.{role}.lock"
    with contextlib.ExitStack() as undone:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            undone.callback(os.close, descriptor)
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            raise NewsletterError(
                f"{path}: can't be made and locked: {error.strerror}. Give this user the right to write there, or name "
                "another folder in [delivery] journal, on a local disk."
            ) from None
        locks.push(undone.pop_all())
    return True


def list_senders(folder: Path, ledger: str) -> Sequence[str]:
    """Return the names (`delivery.owner`) of those who are sending for a ledger now."""
    owners = [_read_owner(path, ledger) for path in sorted(folder.glob(f"*{SUFFIX}"))]
    return [owner for owner in owners if owner]


def _read_owner(path: Path, ledger: str) -> str:
    """Return whose journal it is, if he lives and sends for the ledger; a dead one's is left to recovery."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        lines = file.read(_LONGEST_HEADER).decode("utf-8", "replace").split("\n")
        if f"{lines[0]}\n".encode() == MAGIC and len(lines) > _HEADER_LINES and lines[3] == ledger:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return lines[1]
    return ""
