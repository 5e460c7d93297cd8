"""Editions and their revisions: what was frozen for the mail, and the sources that the site is built from.

Owns the permanence of a publish: `published_at` and the mail's bytes never change once mail may have gone out. A
correction adds a revision for the site and feeds, and leaves the mail as it was sent. Times are aware UTC.
"""

import difflib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Executable, Row, Select, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from newsletter.errors import ChangedError, NotFoundError, UsageError
from newsletter.model.control import Control, ControlState
from newsletter.model.edition import Edition, EditionKind, PublishedIssue, Sender
from newsletter.model.variant import Allotment, Rendering
from newsletter.store.dues import insert_dues, renew_dues
from newsletter.store.fences import hold_fenced
from newsletter.store.repeats import take_out_repeats
from newsletter.store.schema import deliveries, editions, revisions
from newsletter.store.staging import choose_stage
from newsletter.store.variants import (
    UnpreparedError,
    add_variants,
    drop_variants,
    number_shares,
    write_works,
)


class EditionState(StrEnum):
    """`frozen`: fixed, and nobody has been mailed. `published`: every reader due has a row in the ledger."""

    FROZEN = "frozen"
    PUBLISHED = "published"


@dataclass(frozen=True, slots=True)
class StoredEdition:
    """An edition as the ledger keeps it. `audience` is None until it is published; `revision` counts from 1."""

    id: int
    edition: Edition
    state: EditionState
    revision: int
    published_at: datetime
    updated_at: datetime
    audience: int | None
    kind: EditionKind = EditionKind.ISSUE


@dataclass(frozen=True, slots=True)
class EditionLine:
    """One edition in a list, without its contents."""

    id: int
    slug: str
    issue_date: date
    title: str
    state: EditionState
    revision: int
    published_at: datetime
    audience: int | None
    control: Control
    kind: EditionKind = EditionKind.ISSUE


NOTHING_CHOSEN = Allotment()
"""Enough where no reader has chosen topics."""

_LINE_NAMES = ("id", "slug", "issue_date", "title", "state", "revision", "published_at", "audience", "kind")
_LINE = tuple(editions.c[name] for name in (*_LINE_NAMES, "control", "control_reason", "control_at"))


def freeze_edition(
    connection: Connection, edition: Edition, source: str, now: datetime, kind: EditionKind = EditionKind.ISSUE
) -> StoredEdition:
    """Freeze an edition before the world sees it, and return the one that counts.

    New: it is stored, and `published_at` is `now` for good. Frozen before and never mailed: it takes the new contents
    and keeps its `published_at`. Published before from the same source: the stored edition is returned untouched, so
    that whoever is left gets the same bytes. Published from another source: raises ChangedError with the diff. Raises
    UsageError for a slug that an edition of another kind has.
    """
    row = _lock(connection, edition.slug)
    if row is None:
        if _insert(connection, edition, source, now, kind):
            return _load(connection, edition.slug)
        row = _lock(connection, edition.slug)  # another process was faster
    check_freezable(connection, edition.slug, source, kind)
    if row is not None and row.state == EditionState.FROZEN:
        _refreeze(connection, row, edition, source, now)
    return _load(connection, edition.slug)


def check_freezable(connection: Connection, slug: str, source: str, kind: EditionKind) -> StoredEdition | None:
    """Return an edition as it is stored, if it is, and change nothing. Raises what `freeze_edition` would."""
    stored = load_edition(connection, slug)
    if stored is not None and stored.kind != kind:
        day = stored.edition.issue_date
        raise UsageError(f"{slug} is the name of the {stored.kind} edition of {day}: choose another.")
    if stored is not None and stored.state is EditionState.PUBLISHED:
        _check_unchanged(slug, load_source(connection, slug), source)
    return stored


def correct_edition(connection: Connection, edition: Edition, source: str, now: datetime) -> StoredEdition:
    """Add a revision for the site and feeds; the mail stays as it was sent, and nobody is mailed.

    As long as no mail has been begun at all, the mail takes the correction, too, and its variants are to be made and
    given anew (`renew_shares`).

    The same source again changes nothing; an edition that was never mailed is frozen anew. Raises NotFoundError for an
    issue that was never published, UsageError for a changed date: it orders the archive and the feeds for good.
    """
    row = _lock(connection, edition.slug)
    if row is None:
        raise NotFoundError(f"{edition.slug} was never published, so there is nothing to correct: publish it.")
    if row.state == EditionState.FROZEN:
        return freeze_edition(connection, edition, source, now)
    if row.issue_date != edition.issue_date:
        raise UsageError(
            f"{edition.slug} was published with the date {row.issue_date}, which can't change to {edition.issue_date}: "
            "it orders the archive and the feeds for good. Set it back, or publish a new issue."
        )
    if _current_source(connection, row) != source:
        number = row.revision + 1
        _add_revision(connection, row.id, number, source, "correct", now)
        changes: dict[str, Any] = {"revision": number, "updated_at": max(now, row.published_at)}
        if _is_untouched(connection, row.id):
            changes |= _contents(edition)
        connection.execute(update(editions).where(editions.c.id == row.id).values(changes))
    return _load(connection, edition.slug)


def publish_edition(
    connection: Connection,
    edition_id: int,
    now: datetime,
    seeds: Iterable[str] = (),
    share: float = 0.0,
    allotment: Allotment = NOTHING_CHOSEN,
) -> int:
    """Write a delivery for each reader due, fix the audience and return it: the commit instant of a publish.

    Due is who is active, not suppressed and reads at the edition's cadence at this moment. What he gets is fixed, too:
    by `allotment` his variant, which must be there (`store.variants`), or a row `excluded` that says why there is
    nothing for him, or that he is paused. So is the stage: readers with an address among `seeds` go first, then a
    `share` (0 to 1) of the others, spread over the list and another one each time. Idempotent: a published edition
    keeps its audience, and whoever joins later gets the next one. Raises NotFoundError, and UnpreparedError when
    somebody's choice was not planned for; nothing may be kept then.
    """
    row = connection.execute(select(editions).where(editions.c.id == edition_id).with_for_update()).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no edition with the number {edition_id}.")
    if row.state == EditionState.PUBLISHED:
        return int(row.audience)
    cadence, stage = EditionKind(row.kind).cadence, choose_stage(edition_id, seeds, share)
    numbers = number_shares(connection, edition_id, allotment.shares)
    for statement in insert_dues(connection, edition_id, cadence, now, stage, numbers):
        _write_dues(connection, statement)
    write_works(connection, edition_id, 0, allotment.works)
    if allotment.reduce:
        keys = {share.key for share in allotment.shares.values()}
        take_out_repeats(connection, edition_id, now, allotment.candidates, keys, allotment.reduce)
    rows = select(func.count()).select_from(deliveries).where(deliveries.c.edition_id == edition_id)
    audience = int(connection.execute(rows).scalar_one())
    changes = {"state": EditionState.PUBLISHED, "audience": audience, "reported_at": None}
    connection.execute(update(editions).where(editions.c.id == edition_id).values(changes))
    hold_fenced(connection, edition_id, now)
    return audience


def renew_shares(
    connection: Connection, edition_id: int, now: datetime, allotment: Allotment, renderings: Iterable[Rendering]
) -> None:
    """Give readers of a published edition their shares of its corrected contents, if none of its mail has been begun.

    Who is due stays as it is; who is paused is seen anew. Raises UnpreparedError as `publish_edition`, whose word it
    replaces.
    """
    if not _is_untouched(connection, edition_id):
        return
    drop_variants(connection, edition_id)
    add_variants(connection, edition_id, renderings)
    write_works(connection, edition_id, 0, allotment.works)
    numbers = number_shares(connection, edition_id, allotment.shares)
    _write_dues(connection, renew_dues(connection, edition_id, now, numbers))


def _write_dues(connection: Connection, statement: Executable) -> None:
    try:
        connection.execute(statement)
    except IntegrityError as error:
        if "variant" in str(error.orig).partition("\n")[0]:  # NULL: nobody planned for this choice
            raise UnpreparedError from None
        raise


def load_edition(connection: Connection, slug: str) -> StoredEdition | None:
    """Return an edition by its issue's slug, or None."""
    row = connection.execute(select(editions).where(editions.c.slug == slug)).one_or_none()
    return None if row is None else _read(row)


def load_source(connection: Connection, slug: str) -> str:
    """Return the issue file's text as last published or corrected. Raises NotFoundError."""
    statement = _current(select(revisions.c.source)).where(editions.c.slug == slug)
    source = connection.execute(statement).scalar_one_or_none()
    if source is None:
        raise NotFoundError(f"{slug} was never published.")
    return str(source)


def list_published(connection: Connection) -> list[PublishedIssue]:
    """Return what the site shows, newest first: every frozen or published issue, by date and then slug.

    Roll-ups are mail only.
    """
    return [PublishedIssue(*row) for row in connection.execute(_newest_first(_PUBLISHED))]


def list_issues_of(connection: Connection, first: date, last: date) -> list[PublishedIssue]:
    """Return the issues of these days, both included, newest first; one that was cancelled isn't among them."""
    days = editions.c.issue_date.between(first, last) & (editions.c.control != ControlState.CANCELLED)
    return [PublishedIssue(*row) for row in connection.execute(_newest_first(_PUBLISHED).where(days))]


def list_editions(connection: Connection, limit: int | None = None) -> list[EditionLine]:
    """Return every edition, or the newest `limit`, newest first."""
    return [_read_line(row) for row in connection.execute(_newest_first(select(*_LINE)).limit(limit))]


def load_line(connection: Connection, edition_id: int) -> EditionLine:
    """Return one edition without its contents. Raises NotFoundError."""
    row = connection.execute(select(*_LINE).where(editions.c.id == edition_id)).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no edition with the number {edition_id}.")
    return _read_line(row)


def load_slug_line(connection: Connection, slug: str) -> EditionLine:
    """Return the edition with this slug without its contents. Raises NotFoundError."""
    row = connection.execute(select(*_LINE).where(editions.c.slug == slug)).one_or_none()
    if row is None:
        raise NotFoundError(f"{slug} was never published.")
    return _read_line(row)


def list_editions_of(connection: Connection, kind: str, day: date) -> list[EditionLine]:
    """Return the editions of a kind and a date."""
    statement = select(*_LINE).where(editions.c.kind == kind, editions.c.issue_date == day)
    return [_read_line(row) for row in connection.execute(_newest_first(statement))]


def find_edition(connection: Connection, name: str) -> EditionLine:
    """Return the edition with this slug, or else the issue of this date.

    Raises NotFoundError, UsageError for a date of two.
    """
    lines = list_named(connection, name)
    exact = [line for line in lines if line.slug == name] or lines
    if not exact:
        raise NotFoundError(f"{name} was never published. `newsletter status` lists what was.")
    if len(exact) > 1:
        slugs = " or ".join(line.slug for line in exact)
        raise UsageError(f"{len(exact)} issues were published for {name}: say {slugs}.")
    return exact[0]


def list_named(connection: Connection, name: str) -> list[EditionLine]:
    """Return the edition with this slug and the issues of this date; a roll-up goes by its slug alone."""
    return [line for line in list_editions(connection) if name == line.slug or name == _date_of(line)]


def _date_of(line: EditionLine) -> str:
    return str(line.issue_date) if line.kind is EditionKind.ISSUE else ""


def hash_source(source: str) -> str:
    """Return the SHA-256 (hex) of an issue file's text."""
    return sha256(source.encode()).hexdigest()


def _insert(connection: Connection, edition: Edition, source: str, now: datetime, kind: EditionKind) -> bool:
    """Store a new edition; return False if another process has stored one of that slug in the meantime."""
    values = {**_contents(edition), "slug": edition.slug, "state": EditionState.FROZEN, "kind": kind}
    values |= {"published_at": now, "updated_at": now, "revision": 1}
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(editions).values(values).on_conflict_do_nothing().returning(editions.c.id)
    edition_id = connection.execute(statement).scalar_one_or_none()
    if edition_id is None:
        return False
    _add_revision(connection, edition_id, 1, source, "publish", now)
    return True


def _refreeze(connection: Connection, row: Row[Any], edition: Edition, source: str, now: datetime) -> None:
    """Replace the contents of an edition that nobody was mailed; its first revision is replaced with it."""
    drop_variants(connection, row.id)
    changed = _current_source(connection, row) != source
    values = {**_contents(edition), "updated_at": max(now, row.published_at) if changed else row.updated_at}
    connection.execute(update(editions).where(editions.c.id == row.id).values(values))
    if changed:
        first = (revisions.c.edition_id == row.id) & (revisions.c.number == 1)
        connection.execute(update(revisions).where(first).values(source=source, source_hash=hash_source(source)))


def _check_unchanged(slug: str, before: str, after: str) -> None:
    if before == after:
        return
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), f"{slug} as published", f"{slug} now", lineterm=""
    )
    raise ChangedError(
        f"{slug} has changed since it was published. Undo the change, or publish it with --correct: "
        "the site and feeds then show a new revision, and nobody is mailed again.",
        "\n".join(lines),
    )


def _contents(edition: Edition) -> dict[str, Any]:
    names = ("issue_date", "title", "subject", "preheader", "language", "page_url", "html", "text", "hash")
    return {**{name: getattr(edition, name) for name in names}, "sender": asdict(edition.sender)}


def _is_untouched(connection: Connection, edition_id: int) -> bool:
    """Return whether no mail of an edition was ever begun, so that nobody can have its old contents."""
    begun = or_(deliveries.c.state.not_in(["queued", "cancelled", "excluded"]), deliveries.c.attempts > 0)
    statement = select(deliveries.c.id).where(deliveries.c.edition_id == edition_id, begun).limit(1)
    return connection.execute(statement).one_or_none() is None


def list_lookalikes(connection: Connection, edition: Edition) -> list[str]:
    """Return the slugs of other editions with this one's date and title: most likely the same issue, renamed."""
    same = (editions.c.issue_date == edition.issue_date) & (editions.c.title == edition.title)
    others = (editions.c.slug != edition.slug) & (editions.c.kind == EditionKind.ISSUE)
    statement = select(editions.c.slug).where(same, others)
    return [str(slug) for slug in connection.execute(statement.order_by(editions.c.slug)).scalars()]


def _add_revision(
    connection: Connection, edition_id: int, number: int, source: str, reason: str, now: datetime
) -> None:
    values = {"edition_id": edition_id, "number": number, "source": source, "source_hash": hash_source(source)}
    connection.execute(insert(revisions).values(**values, reason=reason, created_at=now))


def _current_source(connection: Connection, row: Row[Any]) -> str:
    latest = (revisions.c.edition_id == row.id) & (revisions.c.number == row.revision)
    return str(connection.execute(select(revisions.c.source).where(latest)).scalar_one())


def _lock(connection: Connection, slug: str) -> Row[Any] | None:
    statement = select(editions).where(editions.c.slug == slug).with_for_update()
    return connection.execute(statement).one_or_none()


def _load(connection: Connection, slug: str) -> StoredEdition:
    return _read(connection.execute(select(editions).where(editions.c.slug == slug)).one())


def _read(row: Row[Any]) -> StoredEdition:
    names = ("slug", "issue_date", "title", "subject", "preheader", "language", "page_url", "html", "text")
    edition = Edition(**{name: row._mapping[name] for name in names}, sender=Sender(**row.sender))
    state, kind = EditionState(row.state), EditionKind(row.kind)
    return StoredEdition(row.id, edition, state, row.revision, row.published_at, row.updated_at, row.audience, kind)


def _read_line(row: Row[Any]) -> EditionLine:
    plain = {name: row._mapping[name] for name in _LINE_NAMES}
    control = Control(ControlState(row.control), row.control_reason, row.control_at)
    words = {"state": EditionState(row.state), "kind": EditionKind(row.kind)}
    return EditionLine(**{**plain, **words}, control=control)


def _current(statement: Select[Any]) -> Select[Any]:
    latest = (revisions.c.edition_id == editions.c.id) & (revisions.c.number == editions.c.revision)
    return statement.select_from(editions.join(revisions, latest))


_PUBLISHED = _current(
    select(
        editions.c.slug,
        editions.c.issue_date,
        revisions.c.source_hash,
        editions.c.published_at,
        editions.c.updated_at,
    )
).where(editions.c.kind == EditionKind.ISSUE)


def _newest_first(statement: Select[Any]) -> Select[Any]:
    return statement.order_by(editions.c.issue_date.desc(), editions.c.slug.desc())
