"""Says what a publish would do now, and does none of it: no row, no file, nothing on the wire.

Owns that nothing changes: the database is opened as it is, and its engine refuses every change (`open_as_it_is`).
What would stop a publish stops this one with the same words. **Limits.** It tells of this moment: who joins, chooses or
leaves in between is counted by the publish. Whether the relay answers isn't tried, and a variant for readers of some
sections isn't rendered. SQLite may make its side files (`-wal`, `-shm`) for as long as it looks.
"""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from newsletter.app import App
from newsletter.committing import Menu, make_menu
from newsletter.delivery.fence import STALE, is_behind, load_fence
from newsletter.delivery.publish import open_transport
from newsletter.errors import StoreError
from newsletter.issues.folder import find_issue_file
from newsletter.model.control import Control
from newsletter.model.delivery import Audit
from newsletter.model.edition import Edition, EditionKind
from newsletter.model.issue import Issue
from newsletter.model.problem import Problem
from newsletter.model.slot import Slot, SlotKey
from newsletter.model.subscriber import Cadence
from newsletter.publishing import load_publishable, refuse_lookalike
from newsletter.store.controls import load_control
from newsletter.store.database import Connection, open_as_it_is
from newsletter.store.deliveries import count_deliveries
from newsletter.store.dispatch import next_attempt_at
from newsletter.store.dues import count_choices
from newsletter.store.editions import StoredEdition, check_freezable
from newsletter.store.fences import list_fenced, load_ledger
from newsletter.store.slots import find_slot
from newsletter.store.staging import list_missing_seeds
from newsletter.store.surveys import count_cadences


@dataclass(frozen=True, slots=True)
class Crowd:
    """Who would be due: readers by what they chose (`''`: everything), and those who would get nothing, by reason.

    `later` read at another cadence, and get what is in it by a roll-up.
    """

    mailed: Mapping[str, int]
    excluded: Mapping[str, int]
    later: Mapping[Cadence, int]

    @property
    def mails(self) -> int:
        """Return how many mails would go out."""
        return sum(self.mailed.values())


NOBODY = Crowd({}, {}, {})


@dataclass(frozen=True, slots=True)
class Standing:
    """How an edition stands that was published before; at `next_try_at` the first of who was put off is tried again."""

    stored: StoredEdition
    audit: Audit
    control: Control
    next_try_at: datetime | None


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a publish would do. `standing` and no `crowd`: it would go on with who is left.

    `doubted`: the database was restored, and this issue may have been sent before; its readers would be unknown.
    """

    path: Path
    issue: Issue
    edition: Edition
    problems: tuple[Problem, ...]
    slot: Slot | None = None
    standing: Standing | None = None
    crowd: Crowd = NOBODY
    missing_seeds: Sequence[str] = ()
    doubted: bool = False

    @property
    def mails(self) -> int:
        """Return how many mails would be tried at once."""
        if self.standing is None:
            return 0 if self.doubted else self.crowd.mails
        return self.standing.audit.queued if self.standing.control.runs else 0


def rehearse_issue(app: App, name: str, now: datetime, *, another: bool) -> Rehearsal:
    """Return what publishing an issue would do now. Raises as `publishing.publish_issue` before it writes anything."""
    path = find_issue_file(app.settings.issues.folder, name)
    issue, edition, problems = load_publishable(app, name)
    open_transport(app.settings, os.environ, edition.slug)  # a missing password stops a publish, too
    app.check_keys()
    plain = Rehearsal(path, issue, edition, problems)
    if not app.begun:
        return plain
    with open_as_it_is(app.settings.database.url) as database, database.read() as connection:
        if not another:
            refuse_lookalike(connection, edition)
        _refuse_stale(connection, app.settings.delivery.journal)
        return _look(connection, app, plain, now)


def _look(connection: Connection, app: App, plain: Rehearsal, now: datetime) -> Rehearsal:
    issue, edition = plain.issue, plain.edition
    stored = check_freezable(connection, edition.slug, issue.source, EditionKind.ISSUE)
    published = stored is not None and stored.audience is not None
    fenced = {f"slug:{edition.slug}", f"day:{edition.issue_date}"}
    return Rehearsal(
        path=plain.path,
        issue=issue,
        edition=edition,
        problems=plain.problems,
        slot=find_slot(connection, SlotKey(EditionKind.ISSUE, edition.issue_date)),
        standing=_load_standing(connection, stored) if stored and published else None,
        crowd=NOBODY if published else _count_crowd(connection, make_menu(app, issue, edition), now),
        missing_seeds=list_missing_seeds(connection, app.settings.delivery.seeds),
        doubted=not published and not fenced.isdisjoint(list_fenced(connection)),
    )


def _load_standing(connection: Connection, stored: StoredEdition) -> Standing:
    audit, control = count_deliveries(connection, stored.id), load_control(connection, stored.id)
    return Standing(stored, audit, control, next_attempt_at(connection, stored.id))


def _count_crowd(connection: Connection, menu: Menu, now: datetime) -> Crowd:
    """Count who is due, by what each choice of topics comes to."""
    mailed, excluded = Counter[str](), Counter[str]()
    for topics, paused, count in count_choices(connection, Cadence.EACH, now):
        share = menu.share(frozenset(topics.split()))
        if paused or share.reason:
            excluded["paused" if paused else share.reason] += count
        else:
            mailed[topics] += count
    later: dict[Cadence, int] = {
        cadence: count for cadence, count in count_cadences(connection).items() if cadence is not Cadence.EACH
    }
    return Crowd(dict(mailed.most_common()), dict(excluded.most_common()), later)


def _refuse_stale(connection: Connection, folder: Path) -> None:
    """Refuse a database that was restored and not compared, as a sender does."""
    mark = load_ledger(connection)
    fence = load_fence(folder, mark.line) if mark else None
    if mark and fence and is_behind(mark, fence):
        raise StoreError(STALE)
