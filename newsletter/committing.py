"""Commits an edition: makes what each combination of readers' choices gets, and gives everybody his own.

Owns the order of it. What is in use is looked up, made and stored before the commit, since that takes long; when a
reader chooses something new in between, nothing is kept and it begins again. The commit instant is
`store.editions.publish_edition`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from newsletter.app import App
from newsletter.errors import StoreError
from newsletter.indexing import documents_version
from newsletter.mail.message import encode_edition
from newsletter.model.edition import Edition
from newsletter.model.issue import Issue
from newsletter.model.variant import WHOLE, Allotment, Reduce, Rendering, Share, VariantKey, join_works
from newsletter.render.documents import compose_documents
from newsletter.render.selection import decide_share, render_variant
from newsletter.store.database import Connection
from newsletter.store.documents import index_edition, is_indexed
from newsletter.store.dues import list_choices, list_choices_of
from newsletter.store.editions import (
    StoredEdition,
    correct_edition,
    freeze_edition,
    load_edition,
    publish_edition,
    renew_shares,
)
from newsletter.store.repeats import list_repeats
from newsletter.store.variants import UnpreparedError, list_variants, write_variants

ATTEMPTS = 10
"""How often readers may choose something new while what they chose before is being made."""

_BATCH = 20
"""Variants stored in one transaction; as many are in memory at a time."""

_UNSETTLED = "{slug} is being changed by another process, or its readers are, again and again. Try again in a moment."


@dataclass(frozen=True, slots=True)
class Menu:
    """What can be had of an edition: `share` decides what a choice of topics comes to, `render` makes a variant.

    `works` are in the whole. A roll-up has `reduce`, which takes out what readers have had before of `candidates`.
    """

    whole: Edition
    works: tuple[str, ...]
    share: Callable[[frozenset[str]], Share]
    render: Callable[[VariantKey], Rendering]
    reduce: Reduce | None = None
    candidates: tuple[str, ...] = ()

    def allot(self, choices: Iterable[str]) -> Allotment:
        """Return each choice's share, given as the ledger writes choices."""
        shares = {topics: self.share(frozenset(topics.split())) for topics in choices}
        return Allotment(self.works, shares, self.reduce, self.candidates)


def make_menu(app: App, issue: Issue, edition: Edition) -> Menu:
    """Return what can be had of an issue, whose whole edition is given."""
    return Menu(
        edition,
        join_works(entry.id for entry in issue.entries),
        lambda topics: decide_share(issue, topics, app.settings),
        lambda key: render_variant(issue, key, app.settings, app.environment),
    )


def freeze_issue(app: App, issue: Issue, menu: Menu, now: datetime) -> StoredEdition:
    """Freeze an issue (`store.editions.freeze_edition`), and let it be found."""
    version = documents_version(app.settings)
    with app.database.transaction() as connection:
        stored = freeze_edition(connection, menu.whole, issue.source, now)
        if not is_indexed(connection, stored.id, version):
            index_edition(connection, stored.id, compose_documents(issue), version)
    return stored


Witness = Callable[[Connection, int], None]
"""Called with an edition's number in the transaction that commits it; what it raises undoes all of it."""


def no_witness(connection: Connection, edition_id: int) -> None:
    """Stand in for a witness where nobody has to agree."""


def commit_edition(app: App, stored: StoredEdition, menu: Menu, now: datetime, witness: Witness = no_witness) -> int:
    """Give every reader due his share of a frozen edition, and return how many those are.

    Doing it twice changes nothing. Raises StoreError when the ledger doesn't come to rest, ValueError for a variant
    that can't be a mail, and what the witness raises; nobody was given anything then.
    """
    if stored.audience is not None:
        with app.database.transaction() as connection:
            witness(connection, stored.id)
        return stored.audience
    rules = app.settings.delivery
    for _ in range(ATTEMPTS):
        try:
            allotment = _prepare(app, stored, menu, now)
            with app.database.transaction() as connection:
                audience = publish_edition(connection, stored.id, now, rules.seeds, rules.first_share, allotment)
                witness(connection, stored.id)
                return audience
        except UnpreparedError:
            continue
    raise StoreError(_UNSETTLED.format(slug=stored.edition.slug))


def _prepare(app: App, stored: StoredEdition, menu: Menu, now: datetime) -> Allotment:
    """Make and store every variant in use that isn't there, and return who is to get which."""
    cadence = stored.kind.cadence
    with app.database.read() as connection:
        known = list_variants(connection, stored.id)
        allotment = menu.allot(list_choices(connection, cadence, now))
        keys = {share.key for share in allotment.shares.values()}
        if menu.reduce:
            for topics, had in list_repeats(connection, stored.id, cadence, now, menu.candidates):
                share = allotment.shares[topics]
                keys.add(share.key if share.reason else menu.reduce(share.key, had).key)
    missing = sorted((key for key in keys if key.text not in known), key=lambda key: key.text)
    for start in range(0, len(missing), _BATCH):
        renderings = list(_render(menu, missing[start : start + _BATCH]))
        with app.database.transaction() as connection:
            write_variants(connection, stored.id, menu.whole, renderings)
    return allotment


def _render(menu: Menu, keys: Sequence[VariantKey]) -> Iterator[Rendering]:
    for key in keys:
        rendering = menu.render(key)
        encode_edition(rendering.edition, datetime.now(UTC))  # what can't be a mail is found out now
        yield rendering


def correct_issue(app: App, issue: Issue, menu: Menu, now: datetime) -> StoredEdition:
    """Add a revision of an issue (`store.editions.correct_edition`), to its mail too while none has been begun.

    Then all of its variants are in memory at once: they replace the old ones in the transaction of the correction.
    """
    version = documents_version(app.settings)
    for _ in range(ATTEMPTS):
        with app.database.read() as connection:
            before = load_edition(connection, menu.whole.slug)
            allotment = menu.allot(list_choices_of(connection, before.id, now) if before else ())
        keys = {share.key for share in allotment.shares.values()} - {WHOLE}
        renderings = list(_render(menu, sorted(keys, key=lambda key: key.text)))
        try:
            with app.database.transaction() as connection:
                stored = correct_edition(connection, menu.whole, issue.source, now)
                if not is_indexed(connection, stored.id, version):
                    index_edition(connection, stored.id, compose_documents(issue), version)
                if stored.audience is not None and stored.edition == menu.whole:
                    renew_shares(connection, stored.id, now, allotment, renderings)
                return stored
        except UnpreparedError:
            continue
    raise StoreError(_UNSETTLED.format(slug=menu.whole.slug))
