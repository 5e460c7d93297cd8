"""The site's folder: whole files or none, one build at a time.

Owns how files get there and go. Refuses to follow a path out of the folder, and to overwrite what isn't ours.
**Limit.** Files are not synced one by one: after a power cut a page may be empty, and the next build, which knows each
file's size, writes it again.
"""

import fcntl
import hashlib
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

from newsletter.errors import NewsletterError
from newsletter.site.compress import NO_VARIANTS, SUFFIXES

RECORD_NAME = ".build.json"
TODO_NAME = ".build.todo"
LOCK_NAME = ".build.lock"
MARK_WITHIN = 8192
"""Bytes of a file in which its mark is looked for."""

PATIENCE = timedelta(minutes=1)
POLL_SECONDS = 0.1

_NAME = r"[a-z0-9][a-z0-9._-]{0,149}"
_PATH = re.compile(rf"{_NAME}(/{_NAME})*")


def is_safe_path(path: str) -> bool:
    """Return whether a path stays inside the folder and is one that a build writes: no `..`, no dotfile, no `\\`."""
    return _PATH.fullmatch(path) is not None


def digest(content: bytes) -> str:
    """Return what the record keeps of a file's content."""
    return hashlib.blake2b(content, digest_size=10).hexdigest()


@contextmanager
def lock_folder(folder: Path, patience: timedelta = PATIENCE) -> Iterator[None]:
    """Make the folder and hold it for one build; waits `patience` for another, then raises NewsletterError.

    The operating system lets go of the lock when a process dies, so none is ever left behind.
    """
    with _said(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        deadline = time.monotonic() + patience.total_seconds()
        while not _take(handle):
            if time.monotonic() >= deadline:
                raise NewsletterError(
                    f"{folder}: another build of this site has been running for over "
                    f"{patience.total_seconds():.0f} s. Try again when it is done."
                )
            time.sleep(POLL_SECONDS)
        yield
    finally:
        os.close(handle)


def write_file(folder: Path, path: str, content: bytes, variants: Sequence[bytes] = NO_VARIANTS) -> bool:
    """Put a file with its variants in place, each as a whole, and return whether the file changed.

    Equal bytes are left alone. A reader sees the old file or the new one, and no variant of another: the old ones go
    first, and the new ones (in the order of SUFFIXES, empty for none) come last. The mode is the umask's. Raises
    NewsletterError when the disk refuses.
    """
    target = _inside(folder, path)
    with _said(target):
        changed = not _holds(target, content)
        if changed:
            _remove_variants(target)
            _replace(target, content)
        for suffix, variant in zip(SUFFIXES, variants, strict=True):
            if variant and not _holds(beside := target.with_name(target.name + suffix), variant):
                _replace(beside, variant)
            elif not variant and not changed:
                target.with_name(target.name + suffix).unlink(missing_ok=True)
        return changed


def write_own(folder: Path, name: str, content: bytes) -> None:
    """Put one of the build's own files (RECORD_NAME, TODO_NAME) in place as a whole."""
    with _said(folder / name):
        _replace(folder / name, content)


def read_own(folder: Path, name: str) -> bytes | None:
    """Return one of the build's own files, None if there is none."""
    with _said(folder / name):
        try:
            return (folder / name).read_bytes()
        except FileNotFoundError:
            return None


def remove_own(folder: Path, name: str) -> None:
    """Remove one of the build's own files, if it is there."""
    with _said(folder / name):
        (folder / name).unlink(missing_ok=True)


def remove_variants(folder: Path, path: str) -> None:
    """Remove a file's variants, if there are any."""
    target = _inside(folder, path)
    with _said(target):
        _remove_variants(target)


def remove_file(folder: Path, path: str) -> bool:
    """Remove a file, its variants and the folders that it leaves empty; return whether it was there."""
    target = _inside(folder, path)
    with _said(target):
        _remove_variants(target)
        try:
            target.unlink()
        except FileNotFoundError:
            return False
        for parent in target.relative_to(folder).parents[:-1]:
            try:
                (folder / parent).rmdir()
            except OSError:
                break
        return True


def size_of(folder: Path, path: str) -> int:
    """Return a file's size in bytes, -1 if it isn't there."""
    try:
        return os.stat(f"{folder}/{path}").st_size  # noqa: PTH116 - called for every file; a Path each takes most time
    except OSError:
        return -1


def read_file(folder: Path, path: str) -> bytes | None:
    """Return a file's content, None if it isn't there."""
    target = _inside(folder, path)
    with _said(target):
        try:
            return target.read_bytes()
        except FileNotFoundError:
            return None


def find_marked(folder: Path, mark: bytes) -> list[str]:
    """Return every file in the folder that carries our mark near its beginning; reads them all."""
    found = []
    with _said(folder):
        for place in folder.rglob("*"):
            path = place.relative_to(folder).as_posix()
            if is_safe_path(path) and place.is_file():
                with place.open("rb") as file:
                    if mark in file.read(MARK_WITHIN):
                        found.append(path)
    return found


def _inside(folder: Path, path: str) -> Path:
    if not is_safe_path(path):
        raise NewsletterError(
            f"{path!r} can't be a path of the site. Use lower-case letters, digits, dots and dashes in an issue's slug."
        )
    return folder / path


def _remove_variants(target: Path) -> None:
    for suffix in SUFFIXES:
        with suppress(FileNotFoundError):
            os.unlink(f"{target}{suffix}")  # noqa: PTH108 - called for every file that changes


def _replace(target: Path, content: bytes) -> None:
    # The lock leaves one writer, so the name is fixed and a leftover of a killed build is overwritten.
    fresh = target.with_name(f".{target.name}.new")
    try:
        try:
            fresh.write_bytes(content)
        except FileNotFoundError:
            fresh.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_bytes(content)
        fresh.replace(target)
    except BaseException:
        with suppress(OSError):
            fresh.unlink()
        raise


def _holds(target: Path, content: bytes) -> bool:
    try:
        return target.stat().st_size == len(content) and target.read_bytes() == content
    except FileNotFoundError:
        return False


def _take(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """Turn the system's refusal into a sentence."""
    try:
        yield
    except OSError as error:
        raise NewsletterError(
            f"{error.filename or path}: {error.strerror or error}. The site is as it was, but for pages written before "
            "this one; make room or set the permissions, and build again."
        ) from error
