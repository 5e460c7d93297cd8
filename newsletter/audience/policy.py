"""What a list of readers means: which column is what, and what one row says. Pure.

Owns the spellings that other programs use, and the guard that keeps a spreadsheet from running a cell as a formula.
Refuses to guess: a row that isn't clear is bad, with the reason.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from newsletter.audience.rows import BadRow, Row
from newsletter.errors import UsageError
from newsletter.mail.address import normalise_address
from newsletter.model.subscriber import NewSubscriber, Subscriber, SubscriberState

HEADER = ("address", "name", "state", "language", "joined_at", "left_at", "source")
"""The columns of an export, which an import takes back unchanged."""

NAME_LENGTH = 200

_SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "address": ("email", "emailaddress", "mail", "mailaddress", "subscriberemail", "useremail", "address"),
    "name": ("name", "fullname", "displayname", "subscribername", "username"),
    "first_name": ("firstname", "givenname", "forename", "vorname"),
    "last_name": ("lastname", "surname", "familyname", "nachname", "familienname"),
    "state": ("state", "status", "subscriptionstatus", "memberstatus"),
    "language": ("language", "lang", "locale"),
    "joined_at": ("joinedat", "joined", "createdat", "created", "subscribedat", "signupdate", "optintime", "optindate"),
    "left_at": ("leftat", "left", "unsubscribedat", "unsubtime", "unsubscribetime"),
    "source": ("source",),
}
_STATES: Mapping[str, SubscriberState] = {
    **dict.fromkeys(("", "active", "subscribed", "confirmed", "enabled"), SubscriberState.ACTIVE),
    **dict.fromkeys(("pending", "unconfirmed"), SubscriberState.PENDING),
    **dict.fromkeys(("left", "unsubscribed", "optedout", "inactive"), SubscriberState.LEFT),
    **dict.fromkeys(("suspended", "bounced", "cleaned", "blocklisted", "disabled"), SubscriberState.SUSPENDED),
}
_LANGUAGE = re.compile(r"[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*")
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_GUARDED = re.compile(r"'+[=+\-@\t\r]")


@dataclass(frozen=True, slots=True)
class Columns:
    """Where in a row each thing stands; `width` is the number of cells, `ignored` the headings without a meaning."""

    places: Mapping[str, int]
    width: int
    ignored: tuple[str, ...] = ()
    has_header: bool = True


def parse_header(row: Row) -> Columns:
    """Return the columns that a file's first row names; a single address there means that no row names them.

    Raises UsageError when no column holds addresses, or two columns mean the same.
    """
    folded = [_fold(cell) for cell in row.cells]
    places: dict[str, int] = {}
    for meaning, spellings in _SPELLINGS.items():
        found = [place for place, cell in enumerate(folded) if cell in spellings]
        if meaning == "address" and len(found) > 1:
            # "Address" beside "Email" is where somebody lives.
            found = [place for place in found if folded[place] != "address"]
        if len(found) > 1:
            both = " and ".join(repr(row.cells[place]) for place in found)
            raise UsageError(f"Line {row.line}: the columns {both} both mean the {meaning}. Rename or remove one.")
        if found:
            places[meaning] = found[0]
    if "address" not in places:
        return _columns_without_header(row)
    ignored = tuple(cell for place, cell in enumerate(row.cells) if place not in places.values() and cell.strip())
    return Columns(places, len(row.cells), ignored)


def parse_row(row: Row, columns: Columns, source: str) -> NewSubscriber | BadRow:
    """Return the reader that a row describes, or why it describes none. `source` counts where the row names none."""
    try:
        return _parse(_cells(row, columns), source)
    except ValueError as error:
        return BadRow(row.line, row.text, str(error))


def render_row(subscriber: Subscriber) -> list[str]:
    """Return an export's row, in the order of HEADER."""
    return [
        guard_cell(subscriber.address),
        guard_cell(subscriber.name),
        subscriber.state,
        subscriber.language,
        subscriber.joined_at.isoformat(),
        subscriber.left_at.isoformat() if subscriber.left_at else "",
        guard_cell(subscriber.source),
    ]


def guard_cell(text: str) -> str:
    """Return a cell that a spreadsheet shows instead of running it: what looks like a formula gets an apostrophe."""
    return f"'{text}" if _FORMULA.match(text) else text


def unguard_cell(text: str) -> str:
    """Return what was guarded; any other text is returned as it is."""
    return text[1:] if text.startswith("'") and _GUARDED.match(text) else text


def _columns_without_header(row: Row) -> Columns:
    if not any("@" in cell for cell in row.cells):
        seen = ", ".join(repr(cell) for cell in row.cells[:8])
        raise UsageError(
            f"Line {row.line}: no column is called address or email; there is {seen}. "
            "Begin the file with a line that names its columns, such as: address,name"
        )
    if sum(1 for cell in row.cells if cell.strip()) > 1:
        raise UsageError(
            f"Line {row.line}: the file has several columns and no line that names them. "
            "Begin it with a line such as: address,name"
        )
    return Columns({"address": next(n for n, cell in enumerate(row.cells) if cell.strip())}, 1, has_header=False)


def _cells(row: Row, columns: Columns) -> dict[str, str]:
    """Return a row's cells by meaning; raises ValueError for cells that no column holds and bytes that aren't UTF-8."""
    if not row.text.isascii():
        try:
            row.text.encode()
        except UnicodeEncodeError:
            raise ValueError("the row is not UTF-8; save the file as CSV in UTF-8.") from None
    count = len(row.cells)
    if count > columns.width and any(row.cells[columns.width :]):
        names = "columns" if columns.width > 1 else "column"
        raise ValueError(f"the row has {count} cells for {columns.width} {names}; quote a cell that holds a delimiter.")
    return {meaning: row.cells[place].strip() for meaning, place in columns.places.items() if place < count}


def _parse(cells: Mapping[str, str], source: str) -> NewSubscriber:
    address = normalise_address(unguard_cell(cells.get("address", "")))
    state = _parse_state(cells.get("state", ""))
    language = cells.get("language", "").replace("_", "-")
    if language and not _LANGUAGE.fullmatch(language):
        raise ValueError(f"{language[:40]!r} is not a language tag (RFC 5646), such as en or pt-BR.")
    left_at = _parse_time(cells.get("left_at", "")) if state is SubscriberState.LEFT else None
    return NewSubscriber(
        address=address.wire,
        name=_parse_name(cells),
        state=state,
        language=language,
        joined_at=_parse_time(cells.get("joined_at", "")),
        source=parse_line(unguard_cell(cells["source"]), "source") or source if "source" in cells else source,
        left_at=left_at,
    )


@lru_cache(maxsize=256)
def _parse_state(text: str) -> SubscriberState:
    state = _STATES.get(_fold(text))
    if state is None:
        raise ValueError(f"{text[:40]!r} is not a state; the states are {', '.join(SubscriberState)}.")
    return state


def _parse_name(cells: Mapping[str, str]) -> str:
    name = cells.get("name")
    if name:
        return parse_line(unguard_cell(name), "name")
    first, last = cells.get("first_name", ""), cells.get("last_name", "")
    return parse_line(f"{unguard_cell(first)} {unguard_cell(last)}", "name")


def parse_line(text: str, what: str) -> str:
    """Return a text for people as one line with single spaces; raises ValueError if it holds control characters."""
    line = " ".join(text.split()) if text else ""
    if len(line) > NAME_LENGTH:
        raise ValueError(f"the {what} is longer than {NAME_LENGTH} characters.")
    if not line.isprintable() and any(unicodedata.category(character) == "Cc" for character in line):
        raise ValueError(f"the {what} holds a control character.")
    return line


def _parse_time(text: str) -> datetime | None:
    """Read ISO 8601; a time without zone is UTC, a date is its first moment."""
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
        instant = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(
            f"{text[:40]!r} is not a date or time; write it like 2024-05-25 or 2024-05-25T06:30Z."
        ) from None
    if not 1970 <= instant.year <= 9998:
        raise ValueError(f"{text[:40]!r} is not a time that a reader can have joined or left at.")
    return instant


def _fold(heading: str) -> str:
    return "".join(character for character in heading.lower() if character.isalnum())
