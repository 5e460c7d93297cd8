"""Who holds a claimed delivery: a name for this process that tells the next one whether it still lives.

Owns the form `HOST/NAMESPACE:PID:START/RANDOM`. START is when the process began, in the kernel's ticks, so that another
process with the same number isn't taken for it. NAMESPACE keeps two containers with one host name apart. Where the
kernel doesn't tell (`/proc`), they are `-`, and only the number counts. Never calls a process of another machine dead.
"""

import os
import socket
from pathlib import Path

_UNKNOWN = "-"


def load_owner(random: str) -> str:
    """Return this process's name; `random` sets two runs of one process apart."""
    return f"{_load_place()}:{os.getpid()}:{_load_start(os.getpid())}/{random}"


def is_dead_owner(owner: str) -> bool:
    """Return whether the process that `owner` names is known to be dead: of this machine, and gone."""
    place, _, process = owner.rpartition(":")
    place, _, number = place.rpartition(":")
    if place != _load_place() or not number.isdecimal():
        return False
    if not _exists(int(number)):
        return True
    start, now = process.partition("/")[0], _load_start(int(number))
    return _UNKNOWN not in (start, now) and start != now


def read_process(owner: str) -> str:
    """Return the number of the process that `owner` names."""
    return owner.rpartition("/")[0].split(":")[-2]


def _load_place() -> str:
    host = socket.gethostname().replace(":", "_").replace("/", "_")
    try:
        namespace = Path("/proc/self/ns/pid").readlink().name
    except OSError:
        namespace = _UNKNOWN
    return f"{host}/{namespace.removeprefix('pid:')}"


def _load_start(number: int) -> str:
    """Return field 22 of /proc/PID/stat; field 2 is the program's name and may hold anything, blanks too."""
    try:
        stat = Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return _UNKNOWN
    return stat.rpartition(")")[2].split()[19]


def _exists(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return not _is_zombie(number)


def _is_zombie(number: int) -> bool:
    """Return whether a process has ended and only waits for its parent to notice."""
    try:
        stat = Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] == "Z"
