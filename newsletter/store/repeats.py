"""What readers have had: which works came to whom with earlier mail, so that a roll-up doesn't bring them again.

Owns what counts as had: a work in the variant that a reader was given of another edition, unless that mail failed, was
cancelled or is none. A mail that still waits counts: it will bring it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import CTE, Connection, Select, and_, select, update

from newsletter.model.delivery import DeliveryState
from newsletter.model.subscriber import Cadence
from newsletter.model.variant import Reduce, Share, VariantKey
from newsletter.store.dues import is_due, is_paused
from newsletter.store.schema import deliveries, subscribers, works
from newsletter.store.variants import UnpreparedError, list_variants

_CHUNK = 1000
_HAD = ("sent", "unknown", "queued", "sending", "deferred")

Places = Mapping[tuple[int, int], frozenset[str]]
"""By edition and variant: those works of interest that stand in it."""


def list_repeats(
    connection: Connection, edition_id: int, cadence: Cadence, now: datetime, keys: Collection[str]
) -> set[tuple[str, frozenset[str]]]:
    """Return, of readers due who have had some of these works: each choice of topics, with what they have had."""
    places = _find_works(connection, edition_id, keys)
    due = and_(is_due(cadence), ~is_paused(now))
    readers = select(subscribers.c.id, subscribers.c.id.label("subscriber_id"), subscribers.c.topics.label("has"))
    return {(topics, had) for _, topics, had in _walk(connection, readers.where(due), places)}


def take_out_repeats(
    connection: Connection,
    edition_id: int,
    now: datetime,
    keys: Collection[str],
    known: Iterable[VariantKey],
    reduce: Reduce,
) -> None:
    """Give readers of an edition who have had some of these works what is left of their variant, or nothing.

    `known` are the variants that they may have been given. Raises UnpreparedError when what is left isn't made yet.
    """
    numbers = list_variants(connection, edition_id)
    names = {numbers[key.text]: key for key in known}
    mine = and_(deliveries.c.edition_id == edition_id, deliveries.c.state == DeliveryState.QUEUED)
    rows = select(deliveries.c.id, deliveries.c.subscriber_id, deliveries.c.variant.label("has")).where(mine)
    groups: dict[tuple[int, frozenset[str]], list[int]] = defaultdict(list)
    for delivery_id, number, had in _walk(connection, rows, _find_works(connection, edition_id, keys)):
        groups[number, had].append(delivery_id)
    for (number, had), ids in groups.items():
        share = reduce(names[number], had)
        if share.key.text not in numbers:
            raise UnpreparedError
        _give(connection, ids, numbers[share.key.text], share, now)


def _find_works(connection: Connection, edition_id: int, keys: Collection[str]) -> Places:
    """Return where these works stand in other editions."""
    found: dict[tuple[int, int], set[str]] = defaultdict(set)
    wanted = sorted(keys)
    for start in range(0, len(wanted), _CHUNK):
        statement = select(works.c.edition_id, works.c.variant, works.c.key)
        chunk = works.c.key.in_(wanted[start : start + _CHUNK])
        for edition, variant, key in connection.execute(statement.where(chunk, works.c.edition_id != edition_id)):
            found[edition, variant].add(key)
    return {place: frozenset(those) for place, those in found.items()}


def _walk(connection: Connection, readers: Select[Any], places: Places) -> Iterator[tuple[int, Any, frozenset[str]]]:
    """Yield of each reader who has had something: the row's number, what it `has`, and what he has had."""
    editions = sorted({edition for edition, _ in places})
    if not editions:
        return
    reader: CTE = readers.cte("reader").prefix_with("MATERIALIZED")
    statement = (
        select(reader.c.id, reader.c.has, deliveries.c.edition_id, deliveries.c.variant)
        .join(deliveries, deliveries.c.subscriber_id == reader.c.subscriber_id)
        .where(deliveries.c.edition_id.in_(editions), deliveries.c.state.in_(_HAD))
        .order_by(reader.c.id)
    )
    rows = connection.execute(statement.execution_options(yield_per=_CHUNK))
    for (row_id, has), received in groupby(rows, key=lambda row: (row.id, row.has)):
        nothing: frozenset[str] = frozenset()
        had = nothing.union(*(places.get((row.edition_id, row.variant), nothing) for row in received))
        if had:
            yield row_id, has, had


def _give(connection: Connection, ids: Sequence[int], number: int, share: Share, now: datetime) -> None:
    values: dict[str, Any] = {"variant": number}
    if share.reason:
        values = {"variant": 0, "state": DeliveryState.EXCLUDED, "reply_text": share.reason, "settled_at": now}
    for start in range(0, len(ids), _CHUNK):
        chunk = deliveries.c.id.in_(ids[start : start + _CHUNK])
        connection.execute(update(deliveries).where(chunk).values(values))
