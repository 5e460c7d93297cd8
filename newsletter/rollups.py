"""Publishes what a week or a month brought, to the readers who want it so.

Owns which issues are in it. It is mail only: the issues themselves are on the site and in the feeds. What a reader has
had by other mail isn't brought again, and works that a reader is owed aren't lost: an issue that came too late for its
own roll-up is in the next one.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cache
from zoneinfo import ZoneInfo

from newsletter.app import App
from newsletter.committing import Menu, Witness, commit_edition, no_witness
from newsletter.delivery.desk import Tally
from newsletter.delivery.publish import make_meters, open_transport
from newsletter.errors import NewsletterError, UsageError
from newsletter.issues.parse import parse_issue
from newsletter.mail.message import encode_edition
from newsletter.model.delivery import Audit
from newsletter.model.edition import EditionKind, PublishedIssue
from newsletter.model.issue import Issue, rename_issue
from newsletter.model.rollup import Period, Rollup, period_of
from newsletter.model.variant import WHOLE, Rendering, VariantKey
from newsletter.publishing import deliver_edition
from newsletter.render.digest import compile_rollup, decide_share, reduce_share, works_of
from newsletter.render.rollup import render_rollup
from newsletter.store.deliveries import count_deliveries
from newsletter.store.dues import count_due
from newsletter.store.editions import StoredEdition, freeze_edition, list_issues_of, load_edition, load_source

Progress = Callable[[int, int], None]
"""Takes how many are done and how many there are."""


@dataclass(frozen=True, slots=True)
class RolledUp:
    """What came of a roll-up. `why` says why there is none: then nothing was written, and `stored` is None."""

    period: Period
    why: str = ""
    stored: StoredEdition | None = None
    audit: Audit | None = None
    tally: Tally | None = None

    @property
    def complete(self) -> bool:
        """Return whether all was done that could be: nobody is left unsent for now, and nobody's mail is unknown."""
        return self.audit is None or (self.audit.holds and not (self.audit.queued or self.audit.unknown))


@dataclass(frozen=True, slots=True)
class Contents:
    """What a roll-up is made from; `source` names the issues and their revisions."""

    issues: tuple[Issue, ...]
    source: str


def publish_rollup(app: App, kind: EditionKind, day: date, *, progress: Progress) -> RolledUp:
    """Mail what the week or month that holds `day` brought; again, go on with whoever is left.

    What goes out by itself is about the day before it is due: on a Monday, the week that is over. A roll-up is what its
    issues were when it was published, whatever becomes of them later. The commit instant is that of an issue. Raises
    NewsletterError for an issue that can't be read any more, TransportError and StoreError.
    """
    period = period_of(kind, day)
    meters = make_meters()
    transport = open_transport(app.settings, os.environ, period.slug, meters)
    app.check_keys()
    with app.database.read() as connection:
        stored = load_edition(connection, period.slug)
    if stored and stored.kind is not kind:
        raise UsageError(f"An issue has the slug {period.slug}, which is the name of a roll-up. Give it another one.")
    if stored is None or stored.audience is None:
        now = datetime.now(UTC)
        made = commit_rollup(app, period, now)
        if isinstance(made, str):
            return RolledUp(period, why=made)
        stored = made
    tally = deliver_edition(app, stored, transport, meters, progress)
    with app.database.read() as connection:
        return RolledUp(period, "", stored, count_deliveries(connection, stored.id), tally)


def commit_rollup(app: App, period: Period, now: datetime, witness: Witness = no_witness) -> StoredEdition | str:
    """Compile, freeze and commit a roll-up that isn't published yet; or return why there is none.

    Raises what the witness raises, who is asked in the transaction of the commit.
    """
    with app.database.read() as connection:
        if not count_due(connection, period.kind.cadence):
            return f"no reader wants a {period.kind} roll-up"
    contents = load_contents(app, period)
    if not any(section.entries for issue in contents.issues for section in issue.sections):
        return f"nothing was published from {period.first} to {period.last}"
    menu = make_rollup_menu(app, period, contents.issues)
    encode_edition(menu.whole, now)
    with app.database.transaction() as connection:
        stored = freeze_edition(connection, menu.whole, contents.source, now, period.kind)
    commit_edition(app, stored, menu, now, witness)
    return stored


def make_rollup_menu(app: App, period: Period, issues: tuple[Issue, ...]) -> Menu:
    """Return what can be had of a roll-up. Works are those that it has room for, but for what a reader has had."""
    sections = app.settings.issues.sections

    @cache
    def compiled(key: VariantKey) -> Rollup:
        return compile_rollup(period, issues, sections, key)

    def render(key: VariantKey) -> Rendering:
        return render_rollup(compiled(key), key, app.settings, app.environment)

    whole = render(WHOLE)
    return Menu(
        whole.edition,
        whole.works,
        lambda topics: decide_share(period, issues, topics, sections),
        render,
        lambda key, had: reduce_share(key, works_of(compiled(key)), had),
        works_of(compiled(WHOLE)),
    )


def load_contents(app: App, period: Period) -> Contents:
    """Load the issues of a period, with those of the one before that came too late for its roll-up."""
    before = period.previous
    over_at = datetime.combine(period.first, time.min, ZoneInfo(app.settings.publication.time_zone))
    with app.database.read() as connection:
        listed = list_issues_of(connection, period.first, period.last)
        earlier = list_issues_of(connection, before.first, before.last)
        had = load_edition(connection, before.slug)
        named = _read_source(load_source(connection, before.slug)) if had else None
        late = [one for one in earlier if (one.published_at >= over_at if named is None else one.slug not in named)]
        chosen = sorted([*late, *listed], key=lambda one: (one.issue_date, one.slug))
        issues = tuple(_parse(app, one, load_source(connection, one.slug)) for one in chosen)
    lines = [period.slug, *(f"{one.slug} {one.source_hash}" for one in chosen)]
    return Contents(issues, "\n".join(lines) + "\n")


def _read_source(source: str) -> set[str]:
    """Return the slugs of the issues that a roll-up was made from."""
    return {line.partition(" ")[0] for line in source.splitlines()[1:]}


def _parse(app: App, one: PublishedIssue, source: str) -> Issue:
    """Read an issue as it was published: by the slug and the date that the ledger knows it by."""
    rules, language = app.settings.issues, app.settings.publication.language
    parsed = parse_issue(source, f"{one.issue_date}.md", labels=rules.labels, language=language)
    if parsed.issue is None:
        raise NewsletterError(
            f"The published issue {one.slug} can't be read any more, so it can't be rolled up. Mend its file and "
            "publish it with --correct."
        )
    return rename_issue(parsed.issue, one.slug, one.issue_date)
