"""Lists of readers as files: a CSV file, or a ZIP archive that a service makes of several.

Owns which files of an archive are lists of readers, and the limits that keep a small archive from becoming a huge one.
Unpacks nothing to the disk.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from io import BufferedReader, RawIOBase, TextIOWrapper
from pathlib import Path, PurePosixPath
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo, is_zipfile

from newsletter.audience.policy import Columns, parse_header
from newsletter.audience.policy_services import PLAIN, Service
from newsletter.audience.rows import BadRow, read_rows
from newsletter.errors import UsageError

MAX_MEMBERS = 20_000
MAX_LISTS = 20
MAX_UNPACKED = 2_000_000_000
"""Bytes of one list; ten million readers need less."""

MAX_RATIO = 200
"""How many times smaller packing may have made a list of more than MAX_PACKED_WELL bytes; lists get 3 to 10 times."""

MAX_PACKED_WELL = 10_000_000

NEVER_SUBSCRIBED = "nonsubscribed"
"""How Mailchimp's file of people begins who bought something and never agreed to anything."""


@dataclass(frozen=True, slots=True)
class ListFile:
    """A list of readers that can be read: its name, its bytes when unpacked, and how to open it."""

    name: str
    size: int
    open: Callable[[], AbstractContextManager[IO[bytes]]]


@dataclass(frozen=True, slots=True)
class Lists:
    """The lists in a file, in the order in which to import them, and the names of what else is in an archive."""

    lists: tuple[ListFile, ...]
    left_alone: tuple[str, ...] = ()


@contextmanager
def open_lists(path: Path, service: Service | None = None) -> Iterator[Lists]:
    """Open a CSV file, or a ZIP archive with lists of readers in it.

    Raises UsageError for an archive that is none, holds no list, or would grow too large.
    """
    if path.name.lower().startswith(NEVER_SUBSCRIBED):
        raise UsageError("The file holds people who never subscribed to anything: there is nobody to import.")
    if not is_zipfile(path):
        yield Lists((ListFile(path.name, path.stat().st_size, lambda: path.open("rb")),))
        return
    with ExitStack() as stack:
        try:
            archive = stack.enter_context(ZipFile(path))
            chosen = _choose(archive, service)
        except _BROKEN as error:
            raise UsageError(_complain(error)) from None
        rest = tuple(info.filename for info in archive.infolist() if info not in chosen and not info.is_dir())
        yield Lists(tuple(_list_file(archive, info) for info in chosen), rest)


_BROKEN = (BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError, zlib.error, struct.error)
"""What an archive that is damaged, or has a password, makes of reading it."""


def _complain(error: Exception) -> str:
    return f"The archive can't be read: {error}. Unpack it, and import the CSV file in it."


class _Member(RawIOBase):
    """A member of an archive as a stream; what is damaged is found out only when it is read."""

    def __init__(self, member: IO[bytes]) -> None:
        self._member = member

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def seekable(self) -> bool:
        """Return that it knows how far it was read."""
        return True

    def tell(self) -> int:
        """Return how many bytes were read."""
        return self._member.tell()

    def readinto(self, buffer: Any) -> int:
        """Read some bytes. Raises UsageError."""
        try:
            data = self._member.read(len(buffer))
        except _BROKEN as error:
            raise UsageError(_complain(error)) from None
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the member, too."""
        self._member.close()
        super().close()


def _list_file(archive: ZipFile, info: ZipInfo) -> ListFile:
    return ListFile(PurePosixPath(info.filename).name, info.file_size, lambda: _open(archive, info))


def _open(archive: ZipFile, info: ZipInfo) -> BufferedReader:
    try:
        return BufferedReader(_Member(archive.open(info)))
    except _BROKEN as error:
        raise UsageError(_complain(error)) from None


def _choose(archive: ZipFile, service: Service | None) -> list[ZipInfo]:
    infos = archive.infolist()
    if any(info.filename == "[Content_Types].xml" for info in infos):
        raise UsageError("The file is a spreadsheet. Save it as CSV in UTF-8, and import that.")
    if len(infos) > MAX_MEMBERS:
        raise UsageError(
            f"The archive holds more than {MAX_MEMBERS:,} files. Unpack it, and import the CSV file in it."
        )
    found = [info for info in infos if _is_csv(info)]
    if not found:
        raise UsageError("The archive holds no CSV file of readers.")
    for info in found:
        _check_size(info)
    if len(found) == 1:
        return found
    known = [(info, columns) for info in found if (columns := _peek(archive, info, service)) is not None]
    if not known or len(known) > MAX_LISTS:
        names = ", ".join([*(info.filename for info in found[:5]), *(["…"] if len(found) > 5 else [])])
        raise UsageError(
            f"The archive holds {len(found):,} CSV files ({names}), and which of them are lists of readers is not "
            "clear. Unpack it, and import those."
        )
    # Whoever stays out is to be known before a list that doesn't say so.
    return [info for info, _ in sorted(known, key=lambda pair: pair[1].whole_file is None)]


def _is_csv(info: ZipInfo) -> bool:
    path = PurePosixPath(info.filename)
    hidden = path.name.startswith(".") or path.parts[0] == "__MACOSX"
    return path.suffix.lower() == ".csv" and not hidden and not path.name.lower().startswith(NEVER_SUBSCRIBED)


def _check_size(info: ZipInfo) -> None:
    """Refuse what would grow too large; no more is ever unpacked than a member says that it has."""
    grows = info.file_size > MAX_PACKED_WELL and info.file_size > MAX_RATIO * max(1, info.compress_size)
    if info.file_size > MAX_UNPACKED or grows:
        raise UsageError(f"{info.filename} in the archive would be {info.file_size:,} bytes: too large to be a list.")
    if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise UsageError(f"{info.filename} is packed in a way that isn't read here. Unpack it, and import that.")


def _peek(archive: ZipFile, info: ZipInfo, service: Service | None) -> Columns | None:
    """Return the columns of a list that some service wrote (or this one), or None for anything else."""
    with _open(archive, info) as member:
        text = TextIOWrapper(member, encoding="utf-8-sig", errors="surrogateescape", newline="")
        row = next(iter(read_rows(text)), None)
    if row is None or isinstance(row, BadRow):
        return None
    try:
        columns = parse_header(row)
    except UsageError:
        return None
    wanted = columns.service is service if service and service.signs else columns.service is not PLAIN
    return columns if wanted else None
