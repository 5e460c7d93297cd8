"""What different readers get of one edition: which combination of choices a variant is for, and what each is due.

Owns the written form of a combination. Which sections and works it comes to is decided where they are known: for an
issue in `render.selection`, for a roll-up in `render.rollup`.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from newsletter.model.edition import Edition

LONGEST_TEXT = 600
"""Characters of a key or a work that are kept as they are: an index of PostgreSQL takes 2,700 bytes."""


@dataclass(frozen=True, slots=True)
class VariantKey:
    """A combination: the topics whose sections it holds, none for all, and the works that are left out of those.

    `without` are keys of works (`work_key`) that its readers have had before.
    """

    topics: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()

    @property
    def text(self) -> str:
        """Return the one way to write it down: equal combinations are equal texts, and the whole edition is ''."""
        parts = [" ".join(sorted(self.topics)), *sorted(self.without)]
        return shorten_key("\n-".join(parts))


WHOLE = VariantKey()
"""The edition itself, number 0."""


@dataclass(frozen=True, slots=True)
class Share:
    """What readers with the same choices are due of an edition: a variant, or nothing, and then `reason` says why."""

    key: VariantKey = WHOLE
    reason: str = ""


Reduce = Callable[[VariantKey, frozenset[str]], Share]
"""Decides what is left of a variant for readers who have had these works before."""


@dataclass(frozen=True, slots=True)
class Allotment:
    """What a publish gives: to each choice of topics, as the ledger writes it, its share; `works` are in the whole.

    With `reduce`, readers get nothing that other mail has brought them: `candidates` are what is looked for in that.
    By default everybody who has chosen no topics gets the whole, and nothing is planned for anybody else.
    """

    works: tuple[str, ...] = ()
    shares: Mapping[str, Share] = field(default_factory=lambda: {"": Share()})
    reduce: Reduce | None = None
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rendering:
    """A variant as a mail, with the keys of the works in it."""

    key: VariantKey
    edition: Edition
    works: tuple[str, ...]


def work_key(entry_id: str) -> str:
    """Return what an entry is known by in the ledger: its id, or a digest of one that is very long."""
    return shorten_key(entry_id)


def join_works(entry_ids: Iterable[str]) -> tuple[str, ...]:
    """Return the keys of entries, each once, in their order."""
    return tuple(dict.fromkeys(map(work_key, entry_ids)))


def shorten_key(text: str) -> str:
    """Return a text that may stand in an index: as it is, or its SHA-256 if it is long."""
    if len(text) <= LONGEST_TEXT:
        return text
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
