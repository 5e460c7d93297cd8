"""Privacy: a reader gets all that is kept of him, or has it taken out."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from newsletter.mail.address import fold_address
from newsletter.model.consent import ConsentEvent, Origin
from newsletter.store.choices import erase_subscriber, is_erased
from newsletter.store.consents import list_consents, record_consent
from newsletter.store.database import Database
from newsletter.store.dossier import list_bounces_of, list_deliveries_to, list_notices_to, list_reports_of
from newsletter.store.requests import list_requests
from newsletter.store.subscribers import load_subscriber
from newsletter.store.suppression import find_reason


@dataclass(frozen=True, slots=True)
class Erasure:
    """What taking a reader out came to: how many mails that waited for him it cancelled."""

    subscriber_id: int
    cancelled: int


def export_reader(database: Database, subscriber_id: int, mails: int | None = None) -> dict[str, Any] | None:
    """Return all that is kept of a reader, as JSON can hold it: times in ISO 8601, enums as words.

    `mails` is how many of the last ones are told, all of them by default. None if nobody has this number, or he was
    erased.
    """
    with database.read() as connection:
        reader = load_subscriber(connection, subscriber_id)
        if reader is None or is_erased(reader):
            return None
        kept = {
            "reader": asdict(reader),
            "kept_out": find_reason(connection, fold_address(reader.address)),
            "consents": [asdict(line) for line in list_consents(connection, reader.id)],
            "requests": [asdict(request) for request in list_requests(connection, reader.id, reader.address)],
            "deliveries": list_deliveries_to(connection, reader.id, mails),
            "notices": list_notices_to(connection, reader.id),
            "bounces": list_bounces_of(connection, reader.id),
            "reports": list_reports_of(connection, reader.id),
        }
    plain: dict[str, Any] = _plain(kept)
    return plain


def erase_reader(database: Database, subscriber_id: int, origin: Origin, now: datetime) -> Erasure | None:
    """Take out all that says who a reader was. His address stays out of later imports, known by its digest only.

    None if nobody has this number, or he was erased before. Commit instant: all of it is one transaction. Limits: what
    is on the wire isn't called back; mail that was written to the outbox, backups of the database and the logs of other
    programs are the operator's to clear.
    """
    with database.transaction() as connection:
        reader = load_subscriber(connection, subscriber_id, lock=True)
        if reader is None or is_erased(reader):
            return None
        cancelled = erase_subscriber(connection, reader, now)
        record_consent(connection, reader.id, ConsentEvent.ERASED, Origin(origin.source), now)
    return Erasure(reader.id, cancelled)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, frozenset):
        return sorted(map(str, value))
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, str) else value
