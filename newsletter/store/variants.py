"""Variants of an edition: written before anybody is given one, and loaded when a mail of theirs is made.

Owns that a variant belongs to the contents its edition had when it was made: frozen anew or corrected, an edition has
no variants until they are made again. Numbers mean nothing by themselves; 0 is the edition, and has no row here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection, delete, func, insert, select

from newsletter.errors import StoreError
from newsletter.model.edition import Edition
from newsletter.model.variant import WHOLE, Rendering, Share
from newsletter.store.dues import Numbers
from newsletter.store.schema import editions, variants, works

_MAIL = ("subject", "preheader", "html", "text")
"""What a variant has of its own; all else is the edition's."""


class UnpreparedError(Exception):
    """Somebody is due a variant that isn't there: nothing may be kept; make it and try again."""


def write_variants(connection: Connection, edition_id: int, whole: Edition, renderings: Iterable[Rendering]) -> None:
    """Store variants of a frozen edition whose contents are still `whole`; those that are there already stay.

    Once it is published nothing is added. Raises UnpreparedError when others have frozen other contents since.
    """
    statement = select(editions).where(editions.c.id == edition_id).with_for_update()
    row = connection.execute(statement).one()
    if row.audience is not None:
        return
    if any(row._mapping[name] != getattr(whole, name) for name in _MAIL):
        raise UnpreparedError
    add_variants(connection, edition_id, renderings)


def add_variants(connection: Connection, edition_id: int, renderings: Iterable[Rendering]) -> None:
    """Store those variants that aren't there, each with its works; the caller holds the edition."""
    known = list_variants(connection, edition_id)
    number = max(known.values())
    for rendering in renderings:
        if rendering.key.text in known:
            continue
        number += 1
        known[rendering.key.text] = number
        mail = {name: getattr(rendering.edition, name) for name in (*_MAIL, "hash")}
        values = {"edition_id": edition_id, "number": number, "key": rendering.key.text}
        connection.execute(insert(variants).values(**values, **mail))
        write_works(connection, edition_id, number, rendering.works)


def write_works(connection: Connection, edition_id: int, number: int, keys: Sequence[str]) -> None:
    """Write down which works stand in a variant, instead of what was written before."""
    rows = (works.c.edition_id == edition_id) & (works.c.variant == number)
    connection.execute(delete(works).where(rows))
    if keys:
        values = [{"edition_id": edition_id, "variant": number, "key": key} for key in keys]
        connection.execute(insert(works), values)


def drop_variants(connection: Connection, edition_id: int) -> None:
    """Forget the variants of an edition and its works: its contents have changed."""
    for table in (variants, works):
        connection.execute(delete(table).where(table.c.edition_id == edition_id))


def list_variants(connection: Connection, edition_id: int) -> dict[str, int]:
    """Return the number of each variant by the text of its key; the edition itself is among them."""
    statement = select(variants.c.key, variants.c.number).where(variants.c.edition_id == edition_id)
    return {WHOLE.text: 0, **dict(connection.execute(statement).all())}


def number_shares(connection: Connection, edition_id: int, shares: Mapping[str, Share]) -> Numbers:
    """Return the shares by number. Raises UnpreparedError for a variant that isn't there."""
    known = list_variants(connection, edition_id)
    wanted = {share.key.text for share in shares.values() if not share.reason}
    if not wanted <= known.keys():
        raise UnpreparedError
    return {topics: (0 if share.reason else known[share.key.text], share.reason) for topics, share in shares.items()}


def load_variant(connection: Connection, edition_id: int, whole: Edition, number: int) -> Edition:
    """Return a variant of an edition whose contents are `whole`. Raises StoreError when they have changed since."""
    columns = (variants.c[name] for name in _MAIL)
    statement = select(*columns).join(editions, editions.c.id == variants.c.edition_id)
    place = (variants.c.edition_id == edition_id) & (variants.c.number == number)
    row = connection.execute(statement.where(place, editions.c.html == whole.html)).one_or_none()
    if row is None:
        raise StoreError(
            f"{whole.slug} was corrected while it was being sent, before its first mail was out. Nothing of the "
            "correction was sent yet; the same command goes on with it."
        )
    return replace(whole, subject=row.subject, preheader=row.preheader, html=row.html, text=row.text)


def count_variants(connection: Connection, edition_id: int) -> int:
    """Return how many variants an edition has beside itself."""
    statement = select(func.count()).select_from(variants).where(variants.c.edition_id == edition_id)
    return connection.execute(statement).scalar_one()
