"""Which stage a reader's mail goes out in, computed where the rows are: as SQL that both engines work out alike.

Owns the choice of the first share. Refuses chance: the same edition and reader always give the same stage, so what a
publish wrote can be explained afterwards.
"""

from collections.abc import Iterable

from sqlalchemy import BigInteger, ColumnElement, Connection, SmallInteger, case, literal, literal_column, select

from newsletter.mail.address import AddressError, normalise_address
from newsletter.model.control import Stage
from newsletter.store.schema import subscribers

CIRCLE = 1 << 32
SPREAD = 0x9E3779B1
"""CIRCLE divided by the golden ratio: multiples of it fall evenly into the circle (Knuth, volume 3, section 6.4)."""

TURN = 0x85EBCA6B
"""How far each edition turns the circle: odd, so that a reader's luck changes from edition to edition."""

_READERS = 1 << 31
"""Numbers of readers are taken modulo this, so that their product with SPREAD stays within 64 bits."""


def choose_stage(edition_id: int, seeds: Iterable[str], share: float) -> ColumnElement[int]:
    """Return the SQL of a reader's stage: seeds by their addresses, then a `share` (0 to 1), then the rest.

    The share is spread evenly over the readers' numbers. A seed that is no mail address is nobody's.
    """
    rules: list[tuple[ColumnElement[bool], ColumnElement[int]]] = []
    keys = _fold(seeds)
    if keys:
        rules.append((subscribers.c.address_key.in_(keys), _word(Stage.SEEDS)))
    if share > 0:
        turn = edition_id * TURN % CIRCLE
        place = (subscribers.c.id % _big(_READERS) * _big(SPREAD) + _big(turn)) % _big(CIRCLE)
        rules.append((place < _big(round(share * CIRCLE)), _word(Stage.FIRST_SHARE)))
    return case(*rules, else_=_word(Stage.REST)) if rules else _word(Stage.REST)


def list_missing_seeds(connection: Connection, seeds: Iterable[str]) -> list[str]:
    """Return those seeds that are the address of no active reader of each issue, and so are sent none."""
    found = {seed: _fold([seed]) for seed in seeds}
    keys = [key for keys in found.values() for key in keys]
    active = subscribers.c.address_key.in_(keys), subscribers.c.state == "active", subscribers.c.cadence == "each"
    known = set(connection.execute(select(subscribers.c.address_key).where(*active)).scalars())
    return [seed for seed, folded in found.items() if not known.intersection(folded)]


def _big(number: int) -> ColumnElement[int]:
    return literal(number, BigInteger())


def _word(stage: Stage) -> ColumnElement[int]:
    return literal_column(str(int(stage)), SmallInteger())


def _fold(seeds: Iterable[str]) -> list[str]:
    keys: list[str] = []
    for seed in seeds:
        try:
            keys.append(normalise_address(seed).address)
        except AddressError:
            continue
    return keys
