"""Checks an issue and publishes it. Owns the order of a publish (ARCHITECTURE.md, "The walk of a publish").

Decides nothing that a policy decides, and refuses to write anything while the issue has an error.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from newsletter.app import App
from newsletter.committing import Witness, commit_edition, correct_issue, freeze_issue, make_menu, no_witness
from newsletter.config import Mail, Settings
from newsletter.delivery.desk import Tally
from newsletter.delivery.lanes import Transport
from newsletter.delivery.meter import Meters
from newsletter.delivery.publish import make_meters, open_transport, send_edition, send_test
from newsletter.errors import IssueError, NewsletterError
from newsletter.issues.check import EarlierWork, Pages, check_edition, check_issue
from newsletter.issues.folder import (
    earlier_works,
    find_issue_file,
    list_clashing_files,
    list_issue_files,
    list_misnamed_files,
    load_file,
    load_works,
    show_path,
)
from newsletter.mail.message import encode_edition, wire_address
from newsletter.model.delivery import Audit, Outcome
from newsletter.model.edition import Edition
from newsletter.model.issue import Issue
from newsletter.model.problem import Problem, Severity
from newsletter.model.subscriber import SubscriberState
from newsletter.model.topic import topic_key
from newsletter.render.edition import render_edition
from newsletter.site import SiteReport, write_site
from newsletter.store.database import Connection, read_clock
from newsletter.store.deliveries import count_deliveries
from newsletter.store.editions import (
    StoredEdition,
    list_lookalikes,
    list_published,
    load_source,
)
from newsletter.store.staging import list_missing_seeds
from newsletter.store.subscribers import count_subscribers
from newsletter.telling import Untold, tell_hubs

Progress = Callable[[int, int], None]
"""Takes how many are done and how many there are."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An issue that can be shown, with everything that is wrong with it. `edition` is None if nothing renders."""

    path: Path
    issue: Issue | None
    edition: Edition | None
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> bool:
        """Return whether a publish is stopped."""
        return any(problem.severity is Severity.ERROR for problem in self.problems)


@dataclass(frozen=True, slots=True)
class Published:
    """What a publish did. `tally` is None when no mail was to go out: a correction, or no readers.
    `current`: whoever still waits gets the mail as the file is now."""

    stored: StoredEdition
    issue: Issue
    problems: tuple[Problem, ...]
    site: SiteReport
    audit: Audit
    tally: Tally | None
    current: bool
    missing_seeds: tuple[str, ...]
    untold: tuple[Untold, ...]

    @property
    def complete(self) -> bool:
        """Return whether the publish did all it could: nobody is left unsent for now, and nobody's mail is unknown."""
        done = self.tally is None or not (self.audit.queued or self.audit.unknown)
        return done and self.audit.holds


def load_draft(app: App, name: str, topics: frozenset[str] = frozenset()) -> Draft:
    """Read, check and render the issue that `name` (date, slug or file) means. Raises NotFoundError.

    With `topics`, its edition is what readers of these sections get; NewsletterError when they get nothing.
    """
    draft = _load_draft(app, find_issue_file(app.settings.issues.folder, name), None)
    if draft.issue is None or draft.edition is None or not topics:
        return draft
    menu = make_menu(app, draft.issue, draft.edition)
    share = menu.share(topics)
    if share.reason:
        there = ", ".join(topic_key(section.title) for section in draft.issue.sections if section.entries)
        raise NewsletterError(f"{draft.issue.slug}: {share.reason}. It has: {there or 'no section with entries'}.")
    return replace(draft, edition=menu.render(share.key).edition)


def check_issues(app: App, names: Sequence[str], progress: Progress) -> tuple[int, list[Problem]]:
    """Return how many files were checked, and their problems; without names, every file is. Raises NotFoundError."""
    folder = app.settings.issues.folder
    if names:
        paths: Sequence[Path] = [find_issue_file(folder, name) for name in names]
        problems: list[Problem] = []
    else:
        paths, problems = list_issue_files(folder), [*list_misnamed_files(folder), *list_clashing_files(folder)]
    earlier: dict[str, EarlierWork] = {}
    for done, path in enumerate(paths, 1):
        # All files come oldest first, so what was read so far is what is earlier: each is skimmed once.
        problems += _load_draft(app, path, None if names else earlier).problems
        earlier |= {} if names else load_works(path)
        progress(done, len(paths))
    return len(paths), problems


def publish_issue(
    app: App,
    name: str,
    *,
    correct: bool,
    another: bool,
    progress: Progress,
    witness: Witness = no_witness,
    send: bool = True,
    clock: Callable[[], datetime] = read_clock,
) -> Published:
    """Publish an issue to site, feeds and every reader due; again, go on with whoever is left.

    `correct` adds a revision to the site and feeds and mails nobody. `another` says that it is an issue of its own,
    although one of the same date and title was published under another slug. Without `send` it is left to a worker
    (`schedule.delivering`). The commit instant is `store.editions.publish_edition`, and the witness is asked in its
    transaction: killed before it, nobody was mailed. Raises IssueError for an issue with errors, ChangedError,
    TransportError, StoreError, and what the witness raises.
    """
    issue, edition, problems = load_publishable(app, name)
    meters = make_meters()
    # A missing password stops it here, before anything has begun; so does a key that signs nothing.
    transport = open_transport(app.settings, os.environ, edition.slug, meters)
    if send and not correct:
        app.check_keys()
    now = clock()
    if not another:
        with app.database.read() as connection:
            refuse_lookalike(connection, edition)
    menu = make_menu(app, issue, edition)
    stored = (correct_issue if correct else freeze_issue)(app, issue, menu, now)
    site = update_site(app)
    told = tell_hubs(app.settings)
    mails = not correct and _has_readers(app)
    if mails:
        commit_edition(app, stored, menu, now, witness)
    else:
        with app.database.transaction() as connection:
            witness(connection, stored.id)
    waits = mails or (stored.audience is not None and not correct)
    tally = None if not (waits and send) else deliver_edition(app, stored, transport, meters, progress)
    with app.database.read() as connection:
        audit = count_deliveries(connection, stored.id)
        missing = tuple(list_missing_seeds(connection, app.settings.delivery.seeds)) if mails else ()
    current = stored.edition.hash == edition.hash
    return Published(stored, issue, problems, site, audit, tally, current, missing, told())


def _has_readers(app: App) -> bool:
    """Return whether anybody reads: without readers nothing is fixed, since an audience of nobody would be final."""
    with app.database.read() as connection:
        return count_subscribers(connection)[SubscriberState.ACTIVE] > 0


def refuse_lookalike(connection: Connection, edition: Edition) -> None:
    """Refuse an issue that was published under another slug: its readers would be mailed twice."""
    others = list_lookalikes(connection, edition)
    if others:
        raise NewsletterError(
            f"An issue of {edition.issue_date} with this title was published already, as {others[0]}. If its file or "
            f"slug was renamed, rename it back (slug: {others[0]}). If it is another issue, give it another title, or "
            "publish it with --another."
        )


def update_site(app: App) -> SiteReport:
    """Bring pages and feeds up to date with the ledger."""
    with app.database.read() as connection:
        return write_site(
            app.settings,
            app.environment,
            lambda: list_published(connection),
            lambda slug: load_source(connection, slug),
        )


def mail_test(app: App, name: str, address: str, topics: frozenset[str] = frozenset()) -> Outcome:
    """Send an issue, or these sections of it, to one address outside the ledger, drafts too.

    Raises as `load_publishable` and `send_test`.
    """
    draft = load_draft(app, name, topics)
    if draft.edition is None:
        raise IssueError(draft.problems)
    # In the outbox a test has a folder of its own: it must not take the place of a reader's mail.
    transport = open_transport(app.settings, os.environ, f"{draft.edition.slug}-test")
    return send_test(draft.edition, address, transport, app.keys, datetime.now(UTC))


def load_publishable(app: App, name: str) -> tuple[Issue, Edition, tuple[Problem, ...]]:
    """Load an issue that may go out. Raises IssueError with all problems, and NewsletterError for a draft."""
    draft = load_draft(app, name)
    clashes = [p for p in list_clashing_files(app.settings.issues.folder) if p.path == show_path(draft.path)]
    if draft.errors or clashes or draft.issue is None or draft.edition is None:
        raise IssueError((*draft.problems, *clashes))
    if draft.issue.draft:
        place = f"{draft.issue.path}:{draft.issue.lines.get('draft', 1)}"
        raise NewsletterError(f"{place}: the issue is a draft. Remove `draft: true` from its front matter to publish.")
    return draft.issue, draft.edition, draft.problems


def _load_draft(app: App, path: Path, earlier: Mapping[str, EarlierWork] | None) -> Draft:
    rules = app.settings.issues
    parsed = load_file(path, rules, app.settings.publication.language)
    if parsed.issue is None:
        return Draft(path, None, None, parsed.problems)
    works = earlier_works(rules.folder, parsed.issue.date, path) if earlier is None else earlier
    problems = [*parsed.problems, *check_issue(parsed.issue, rules, works, _pages(app.settings))]
    edition = render_edition(parsed.issue, app.settings, app.environment)
    problems += [*check_edition(parsed.issue, edition, rules), *_check_wire(parsed.issue, edition, app.settings.mail)]
    return Draft(path, parsed.issue, edition, tuple(sorted(set(problems))))


def _pages(settings: Settings) -> Pages | None:
    """Return what the site's pages may show; None where another server than ours shows them."""
    return Pages(settings.publication.url, settings.web.image_hosts) if settings.web.enabled else None


def _check_wire(issue: Issue, edition: Edition, mail: Mail) -> list[Problem]:
    """Find out now, and not when readers wait, whether the edition can be a mail at all."""
    try:
        encode_edition(edition, datetime.now(UTC))
    except ValueError as error:
        place, message = issue.lines.get("title", 1), f"This can't be sent as a mail: {error}"
        hint = f"Mend mail.{key} in config.toml." if (key := _find_unsendable(mail)) else ""
        return [Problem(issue.path, place, 1, Severity.ERROR, "no-mail", message, hint)]
    return []


def _find_unsendable(mail: Mail) -> str:
    """Return which address of ours no header can hold; '' if none is to blame."""
    for key in ("from_address", "reply_to", "unsubscribe_address"):
        try:
            wire_address(getattr(mail, key) or mail.from_address)
        except ValueError:
            return key
    return ""


def deliver_edition(app: App, stored: StoredEdition, transport: Transport, meters: Meters, progress: Progress) -> Tally:
    """Send a published edition to whoever is due now, and tell how far it is. Raises as `send_edition`."""
    with app.database.read() as connection:
        waiting = count_deliveries(connection, stored.id).open

    def tell(tally: Tally) -> None:
        progress(tally.settled, waiting)

    return send_edition(app.database, stored, transport, app.keys, app.settings, tell, meters=meters)
