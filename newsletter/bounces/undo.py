"""The operator's word against a verdict."""

from datetime import datetime

from newsletter.errors import NotFoundError, UsageError
from newsletter.mail.address import AddressError, normalise_address
from newsletter.model.consent import ConsentEvent, Origin
from newsletter.store.bounces import restore_reader
from newsletter.store.consents import record_consent
from newsletter.store.database import Database
from newsletter.store.subscribers import find_subscriber


def restore(database: Database, text: str, now: datetime) -> bool:
    """Let a suspended reader in again, and count nothing against him; return whether he was suspended.

    One transaction. Raises UsageError for what is no address, NotFoundError for one that nobody has.
    """
    try:
        address = normalise_address(text).wire
    except AddressError as error:
        raise UsageError(f"{text}: {error}") from None
    with database.transaction() as connection:
        reader = find_subscriber(connection, address)
        if reader is None:
            raise NotFoundError(f"Nobody has the address {text}.")
        restored = restore_reader(connection, reader, now)
        if restored:
            record_consent(connection, reader.id, ConsentEvent.RESTORED, Origin("by hand"), now)
    return restored
