"""Readers whom a copy of the database believes to read, and who were kept out since it was made.

Owns that the copy's rows say of them what their suppressions say: in lists, counts, exports and on their own pages.
Every function works inside the caller's transaction.
"""

from collections.abc import Iterable

from sqlalchemy import Connection

from newsletter.mail.address import fold_address
from newsletter.model.consent import ConsentEvent, Origin
from newsletter.model.ledger import KeptOut
from newsletter.model.subscriber import Subscriber, SuppressionReason
from newsletter.store.choices import erase_subscriber
from newsletter.store.consents import record_consent
from newsletter.store.returns import suspend_readers
from newsletter.store.subscribers import mark_left, walk_subscribers
from newsletter.store.suppression import hash_key

_SAID = "as the database said that was replaced"


def end_reading(connection: Connection, kept_out: Iterable[KeptOut]) -> int:
    """Let readers be gone who were kept out since, each at his time and for his reason; return how many.

    Who left is left, who bounced or complained is suspended, and who was erased is erased again.
    """
    known = {one.address_hash: one for one in kept_out}
    if not known:
        return 0
    found = [(reader, known.get(hash_key(fold_address(reader.address)))) for reader in walk_subscribers(connection)]
    return sum(_end(connection, reader, one) for reader, one in found if one is not None)


def _end(connection: Connection, reader: Subscriber, one: KeptOut) -> bool:
    if one.erased:
        erase_subscriber(connection, reader, one.at)
        record_consent(connection, reader.id, ConsentEvent.ERASED, Origin("restore"), one.at)
        return True
    if one.reason is SuppressionReason.LEFT:
        departure = mark_left(connection, reader.address, one.at)
        changed = departure is not None and departure.changed
        event = ConsentEvent.LEFT
    else:
        changed = bool(suspend_readers(connection, [reader], one.reason, one.at))
        event = ConsentEvent.SUSPENDED
    if changed:
        record_consent(connection, reader.id, event, Origin("restore"), one.at, _SAID)
    return changed
