"""What a list of readers means: which column is what, and what one row says. Pure.

Owns the spellings that any program uses (`policy_services` has what some write in their own way), and the guard that
keeps a spreadsheet from running a cell as a formula. Refuses to guess: a row that isn't clear is bad, with the reason.
"""

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from newsletter.audience.policy_cells import (
    parse_attributes,
    parse_client,
    parse_time,
    parse_topic_keys,
    parse_topics,
    parse_truth,
)
from newsletter.audience.policy_services import (
    ACTIVE,
    BOUNCED,
    COMPLAINED,
    LEFT,
    NEWSLETTER,
    PENDING,
    PLAIN,
    SERVICES,
    SUSPENDED,
    Service,
    Standing,
    complains,
    recognise_service,
)
from newsletter.audience.rows import BadRow, Row
from newsletter.errors import UsageError
from newsletter.mail.address import normalise_address
from newsletter.model.subscriber import Cadence, NewSubscriber, Subscriber, SubscriberState

HEADER = (
    *("address", "name", "state", "language", "joined_at", "left_at", "source"),
    *("topics", "cadence", "paused_until"),
)
"""The columns of an export, which an import takes back unchanged."""

LISTMONK_HEADER = ("email", "name", "attributes")
"""The columns that listmonk imports."""

NAME_LENGTH = 200

_SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "address": (
        *("email", "emailaddress", "mail", "mailaddress", "subscriberemail", "useremail", "address", "emailadresse"),
        *(
            "mailadresse",
            "adresseemail",
            "adressemail",
            "courriel",
            "correoelectrónico",
            "direccióndecorreoelectrónico",
        ),
        *("endereçodeemail", "indirizzoemail", "emailadres"),
    ),
    "name": ("name", "fullname", "displayname", "subscribername", "username"),
    "first_name": ("firstname", "givenname", "forename", "vorname", "prénom", "nombre", "nome", "voornaam"),
    "last_name": (
        *("lastname", "surname", "familyname", "nachname", "familienname", "nomdefamille", "apellido", "apellidos"),
        *("sobrenome", "cognome", "achternaam"),
    ),
    "state": ("state", "status", "subscriptionstatus", "memberstatus"),
    "language": ("language", "lang", "locale"),
    "joined_at": ("joinedat", "joined", "createdat", "created", "subscribedat", "signupdate", "optintime", "optindate"),
    "left_at": ("leftat", "left", "unsubscribedat", "unsubtime", "unsubscribetime"),
    "source": ("source",),
    "topics": ("topics", "tags"),
    "cadence": ("cadence",),
    "paused_until": ("pauseduntil",),
}
_STATES: Mapping[str, Standing] = {
    **dict.fromkeys(("", "active", "subscribed", "confirmed", "enabled"), ACTIVE),
    **dict.fromkeys(("pending", "unconfirmed"), PENDING),
    **dict.fromkeys(("left", "unsubscribed", "optedout", "inactive", "blocklisted", "removed"), LEFT),
    **dict.fromkeys(("suspended", "disabled"), SUSPENDED),
    **dict.fromkeys(("bounced", "hardbounced", "cleaned", "undeliverable"), BOUNCED),
    **dict.fromkeys(("complained", "complaint", "spam", "spamcomplaint", "markedasspam"), COMPLAINED),
}
_LANGUAGE = re.compile(r"[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*")
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_GUARDED = re.compile(r"'+[=+\-@\t\r]")


_MORE = frozenset({"topics", "cadence", "paused_until", "opted_in_at", "client", "attributes"})


@dataclass(frozen=True, slots=True)
class Columns:
    """Where in a row each thing stands; `width` is the number of cells, `ignored` the headings without a meaning.

    `others` are places that count where the first one is empty. `service` is whose file it is, `whole_file` how
    everybody in it stands, if it says so; `offered` are the topics that tags may name. `says_more`: rows hold what few
    files do; the others are read faster.
    """

    places: Mapping[str, int]
    width: int
    ignored: tuple[str, ...] = ()
    has_header: bool = True
    others: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    service: Service = PLAIN
    whole_file: Standing | None = None
    offered: frozenset[str] = frozenset()
    says_more: bool = False


def parse_header(row: Row, service: Service | None = None, offered: frozenset[str] = frozenset()) -> Columns:
    """Return the columns that a file's first row names; a single address there means that no row names them.

    `service` says whose file it is, else its headings do. Raises UsageError when no column holds addresses, or two
    columns mean the same.
    """
    folded = [_fold(cell) for cell in row.cells]
    try:
        known = service or recognise_service(folded)
    except UsageError as error:
        raise UsageError(f"Line {row.line}: {error}") from None
    found = {meaning: _find_places(row, folded, meaning, known) for meaning in _SPELLINGS.keys() | known.columns.keys()}
    if known is not NEWSLETTER and not offered:
        found.pop("topics", None)
    places = {meaning: each[0] for meaning, each in found.items() if each}
    if "address" not in places:
        if known is not PLAIN and known.signs and folded[0]:
            places["address"] = 0  # services put it first, in whatever language
        else:
            return _columns_without_header(row)
    others = {meaning: tuple(each[1:]) for meaning, each in found.items() if len(each) > 1}
    used = {*places.values(), *(place for each in others.values() for place in each)}
    ignored = tuple(cell for place, cell in enumerate(row.cells) if place not in used and cell.strip())
    whole = next((standing for heading, standing in known.whole_file.items() if heading in folded), None)
    return Columns(
        places,
        len(row.cells),
        ignored,
        others=others,
        service=known,
        whole_file=whole,
        offered=offered,
        says_more=not _MORE.isdisjoint(places),
    )


def _find_places(row: Row, folded: list[str], meaning: str, service: Service) -> list[int]:
    """Return where a meaning stands, best first."""
    own = service.columns.get(meaning)
    if own is not None:
        return [folded.index(spelling) for spelling in own if spelling in folded]
    found = [place for place, cell in enumerate(folded) if cell in _SPELLINGS[meaning]]
    if meaning == "address" and len(found) > 1:
        # "Address" beside "Email" is where somebody lives.
        found = [place for place in found if folded[place] != "address"]
    if len(found) > 1 and service is PLAIN:
        both = " and ".join(repr(row.cells[place]) for place in found)
        raise UsageError(f"Line {row.line}: the columns {both} both mean the {meaning}. Rename or remove one.")
    return found[:1]


def parse_row(row: Row, columns: Columns, source: str) -> NewSubscriber | BadRow:
    """Return the reader that a row describes, or why it describes none. `source` counts where the row names none."""
    try:
        return _parse(_cells(row, columns), columns, source)
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
        " ".join(sorted(subscriber.topics)),
        subscriber.cadence,
        subscriber.paused_until.isoformat() if subscriber.paused_until else "",
    ]


def render_listmonk_row(subscriber: Subscriber) -> list[str]:
    """Return a row for listmonk, in the order of LISTMONK_HEADER; what it has no column for is in the attributes."""
    attributes = {
        "language": subscriber.language,
        "topics": sorted(subscriber.topics),
        "cadence": subscriber.cadence,
        "joined_at": subscriber.joined_at.isoformat(),
        "source": subscriber.source,
    }
    told = json.dumps({name: value for name, value in attributes.items() if value}, ensure_ascii=False)
    return [guard_cell(subscriber.address), guard_cell(subscriber.name), told]


def describe_standing(new: NewSubscriber) -> str:
    """Return in one word how a reader stands in a list: his state, or why he was suspended."""
    if new.state is SubscriberState.SUSPENDED and new.kept_out:
        return new.kept_out.value
    return new.state.value


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
    cells = {meaning: row.cells[place].strip() for meaning, place in columns.places.items() if place < count}
    for meaning, places in columns.others.items():
        if not cells.get(meaning):
            cells[meaning] = next(
                (cell for place in places if place < count and (cell := row.cells[place].strip())), ""
            )
    return cells


def _parse(cells: Mapping[str, str], columns: Columns, source: str) -> NewSubscriber:
    address = normalise_address(unguard_cell(cells.get("address", "")))
    state, kept_out = columns.whole_file or _parse_standing(cells, columns.service)
    if kept_out and complains(cells.get("reason", "")):
        state, kept_out = COMPLAINED
    left_at = parse_time(cells.get("left_at") or cells.get("deleted_at", "")) if state is SubscriberState.LEFT else None
    if cells.get("source"):
        source = _describe_source(parse_line(unguard_cell(cells["source"]), "source"), source, columns.service)
    new = NewSubscriber(
        address=address.wire,
        name=_parse_name(cells),
        state=state,
        language=_parse_language(cells["language"]) if cells.get("language") else "",
        joined_at=parse_time(cells.get("joined_at", "")),
        source=source,
        left_at=left_at,
        kept_out=kept_out,
    )
    return _add_choices(new, cells, columns) if columns.says_more else new


def _add_choices(new: NewSubscriber, cells: Mapping[str, str], columns: Columns) -> NewSubscriber:
    """Add what few files say: what he reads, how often, and how he agreed."""
    attributes = parse_attributes(cells.get("attributes", ""))
    told = str(attributes.get("language", ""))
    return replace(
        new,
        language=new.language or (told if _LANGUAGE.fullmatch(told) else ""),
        topics=_parse_topics(cells.get("topics", ""), attributes, columns),
        cadence=_parse_cadence(cells.get("cadence", "") or str(attributes.get("cadence", ""))),
        paused_until=parse_time(cells.get("paused_until", "")),
        opted_in_at=parse_time(cells.get("opted_in_at", "")),
        client=parse_client(cells.get("client", "")),
    )


def _parse_topics(text: str, attributes: Mapping[str, object], columns: Columns) -> frozenset[str]:
    if columns.service is NEWSLETTER:
        return parse_topic_keys(text)
    listed = attributes.get("topics", ())
    told = json.dumps(listed) if isinstance(listed, list) else ""
    return parse_topics(text, columns.offered) | parse_topics(told, columns.offered)


def _parse_cadence(text: str) -> Cadence:
    try:
        return Cadence(text.lower() or Cadence.EACH)
    except ValueError:
        raise ValueError(f"{text[:40]!r} is not a cadence; they are {', '.join(Cadence)}.") from None


def _parse_language(text: str) -> str:
    language = text.replace("_", "-")
    if not _LANGUAGE.fullmatch(language):
        raise ValueError(f"{language[:40]!r} is not a language tag (RFC 5646), such as en or pt-BR.")
    return language


def _describe_source(said: str, source: str, service: Service) -> str:
    """Return where a reader came from: what the file says of each, after where the file came from."""
    if service.own_source or not said:
        return said or source
    return f"{source}: {said}"[:NAME_LENGTH]


def _parse_standing(cells: Mapping[str, str], service: Service) -> Standing:
    """Return how a reader stands by the words of his row; without any, by what else it says, else he reads."""
    word = cells.get("state", "")
    standing = _parse_state(word, service.name)
    if word:
        if standing is ACTIVE and cells.get("subscription"):
            return _parse_state(cells["subscription"], service.name)
        return standing
    if cells.get("bounced_at"):
        return BOUNCED
    gone = cells.get("left_at") or cells.get("deleted_at") or parse_truth(cells.get("disabled", ""), "email disabled")
    if gone or not parse_truth(cells.get("subscribed", "") or "true", "subscribed to emails"):
        return LEFT
    return standing


@lru_cache(maxsize=256)
def _parse_state(text: str, service: str) -> Standing:
    word = _fold(text)
    standing = SERVICES[service].states.get(word) or _STATES.get(word)
    if standing is None:
        raise ValueError(f"{text[:40]!r} is not a state; the states are {', '.join(SubscriberState)}.")
    return standing


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


def _fold(heading: str) -> str:
    return "".join(character for character in heading.lower() if character.isalnum())
