"""Makes and puts back copies of the database. Owns the order of a restore (ARCHITECTURE.md, "After a restore").

The commit instant of a restore is the one step in which the copy, already compared with what was sent since, takes the
database's place. Killed before it, nothing has changed; killed after it, the fence still refuses, and the same command
goes on.
"""

import secrets
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from newsletter.app import App
from newsletter.delivery.fence import decide_restoration, load_fence, write_fence
from newsletter.delivery.owner import read_process
from newsletter.delivery.presence import list_senders, lock_role
from newsletter.delivery.recovery import name_ledger, name_ledger_file
from newsletter.errors import NewsletterError, StoreError, UsageError
from newsletter.model.ledger import FenceMark, LedgerMark, Reconciled
from newsletter.store.backup import (
    backup_path,
    carry_suppressions,
    copy_database,
    find_file,
    free_path,
    is_sound,
    list_backups,
    list_columns,
    put_back,
    rotate_backups,
)
from newsletter.store.database import Database, open_database
from newsletter.store.departures import end_reading
from newsletter.store.fences import last_known, load_ledger, open_ledger, reconcile_ledger
from newsletter.store.operators import close_sessions

NOT_SQLITE = (
    "The database is PostgreSQL's: make copies with pg_dump. After pg_restore, and before anything else, run "
    "`newsletter restore` on the machine that sends."
)
_MOST_DAYS = 400


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did. `replaced` is where the database is kept that was in its place; `carried` stay out since.

    `compared`: a fence told what was sent since; without one, whoever waited may have been sent his mail.
    """

    copied_at: datetime | None
    replaced: Path | None
    reconciled: Reconciled
    carried: int
    compared: bool


def make_backup(app: App, now: datetime, target: Path | None = None) -> Path:
    """Copy the SQLite file while it is in use, and return where it is: `target`, else a name that is rotated.

    Raises UsageError, StoreError.
    """
    database = _sqlite_path(app)
    path = target or backup_path(app.settings.database.backups, database, now)
    if path.exists() and database.exists() and path.samefile(database):
        raise UsageError(f"{path} is the database itself. Name another file for its copy.")
    _ = app.database  # migrated, and with a name that the copy shares
    copy_database(database, path, now)
    return path


def name_by_hand(app: App, now: datetime) -> Path:
    """Return what a copy that somebody asks for is called: it stays until somebody deletes it. Raises UsageError."""
    return free_path(app.settings.database.backups, _sqlite_path(app), now, "-by-hand")


def back_up_when_due(app: App, now: datetime) -> Path | None:
    """Copy the SQLite file if the newest copy is older than the config wants; return the copy, if one was made."""
    every, database = app.settings.backup.every_hours, find_file(app.settings.database.url)
    if database is None or not every:
        return None
    # One from the future was made by a clock that was wrong.
    made = [at for at, _ in list_backups(app.settings.database.backups, database) if at <= now]
    if made and now - made[-1] < timedelta(hours=every):
        return None
    path = make_backup(app, now)
    rotate(app)
    return path


def rotate(app: App) -> list[Path]:
    """Delete copies that the config lets go; return them."""
    rules = app.settings.backup
    folder, database = app.settings.database.backups, _sqlite_path(app)
    return rotate_backups(folder, database, rules.keep_daily, rules.keep_weekly, rules.keep_monthly)


@contextmanager
def hold_still(app: App, roles: Sequence[str], *, force: bool) -> Iterator[None]:
    """Keep services of this machine from beginning meanwhile. Raises StoreError if one, or a sender, is at work.

    `force` lets them be. **Limit.** A command that sends, begun in that moment, isn't kept from it, and the processes
    of other machines aren't seen.
    """
    folder, path = app.settings.delivery.journal, find_file(app.settings.database.url)
    ledger = name_ledger_file(path) if path else name_ledger(app.database)
    with ExitStack() as locks:
        taken = [role for role in roles if not lock_role(locks, folder, ledger, role)]
        senders = list_senders(folder, ledger)
        if (taken or senders) and not force:
            raise StoreError(describe_presence(taken, senders))
        yield


def describe_presence(roles: Sequence[str], senders: Sequence[str]) -> str:
    """Say who is at work with the database, and the way out. Pure."""
    services = [f"a service that is {' and '.join(roles)}"] if roles else []
    found = " and ".join([*services, *(f"a sender, process {read_process(owner)}" for owner in senders)])
    return (
        f"At work with this database: {found}. Nothing was changed. What is booked while the copy takes its place "
        "could be sent twice, so end it first (Ctrl-C, systemctl stop newsletter), and restore again. --force does it "
        "all the same."
    )


def restore_copy(app: App, copy: Path, now: datetime, *, only_sender: bool) -> Restored:
    """Put a copy in the database's place, compared with what was sent since it was made. Raises StoreError."""
    database = _sqlite_path(app)
    check_copy(copy)
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=database.parent) as folder:
        scratch = Path(folder) / database.name
        copy_database(copy, scratch, None)
        with open_database(f"sqlite:///{scratch}", Path(folder)) as opened:
            _refuse_stranger(app, database, opened)
            copied_at, reconciled, fence, mark = _reconcile(app, opened, now, only_sender=only_sender)
        replaced, carried = _keep_replaced(app, database, scratch, now)
        put_back(scratch, database)
    # Who sent from the old one meanwhile has noted it in the fence; now he is refused, and it is compared once more.
    _, late, last, _ = _reconcile(app, app.database, now, only_sender=only_sender, mark=mark)
    write_fence(app.settings.delivery.journal, mark.line, last[1])
    return Restored(copied_at, replaced, _join(reconciled, late), carried, compared=fence[0])


def reconcile_database(app: App, now: datetime, *, only_sender: bool) -> Restored:
    """Compare a database that was restored by other means with what was sent from here since; let it send again."""
    copied_at, reconciled, fence, mark = _reconcile(app, app.database, now, only_sender=only_sender)
    write_fence(app.settings.delivery.journal, mark.line, fence[1])
    return Restored(copied_at, None, reconciled, 0, compared=fence[0])


def _reconcile(
    app: App, database: Database, now: datetime, *, only_sender: bool, mark: LedgerMark | None = None
) -> tuple[datetime | None, Reconciled, tuple[bool, FenceMark], LedgerMark]:
    """Return since when the copy knows nothing, what became of readers, the fence that goes with it, where it stood.

    `mark`: where it stood before it was compared for the first time.
    """
    folder = app.settings.delivery.journal
    # Others may have sent from a database that isn't a file of this machine, and this one's fence can't tell.
    everything = database.dialect != "sqlite" and not only_sender
    with database.transaction() as connection:
        mark = mark or open_ledger(connection, secrets.token_hex(16), secrets.token_hex(16))
        fence = load_fence(folder, mark.line)
        restoration = decide_restoration(mark, fence, secrets.token_hex(16), everything=everything)
        since = last_known(connection)
        days = _days_since(app, since, now) if restoration.everything else ()
        reconciled = reconcile_ledger(connection, mark, restoration, days, now)
        close_sessions(connection)  # of who signed in before the copy was made, and may have signed out since
    kept = fence.epochs if fence else {}
    return since, reconciled, (fence is not None, FenceMark(restoration.life, kept)), mark


def _join(first: Reconciled, late: Reconciled) -> Reconciled:
    counts = {
        slug: first.unknown.get(slug, 0) + late.unknown.get(slug, 0) for slug in {**first.unknown, **late.unknown}
    }
    return Reconciled(counts, tuple(dict.fromkeys((*first.fenced, *late.fenced))))


def _days_since(app: App, since: datetime | None, now: datetime) -> Sequence[str]:
    """Return the publication's days from a time on, until tomorrow: an issue may be sent on the eve of its date."""
    zone = ZoneInfo(app.settings.publication.time_zone)
    first, last = (since or now).astimezone(zone).date(), now.astimezone(zone).date() + timedelta(days=1)
    count = min((last - first).days + 1, _MOST_DAYS)
    return [str(last - timedelta(days=number)) for number in range(count)]


def _sqlite_path(app: App) -> Path:
    path = find_file(app.settings.database.url)
    if path is None:
        raise UsageError(NOT_SQLITE)
    return path


def check_copy(copy: Path) -> None:
    """Raise NewsletterError for what is no copy of a newsletter's database."""
    if not copy.is_file():
        raise NewsletterError(f"{copy}: there is no such file. `newsletter backup` makes copies.")
    if not is_sound(copy) or not list_columns(copy, "editions"):
        raise StoreError(f"{copy} is no sound copy of a newsletter's database. Nothing was changed.")


def _refuse_stranger(app: App, database: Path, copy: Database) -> None:
    """Refuse the copy of another publication's database: its readers would be mailed instead."""
    if not is_sound(database) or not list_columns(database, "ledgers"):
        return
    with app.database.read() as connection:
        ours = load_ledger(connection)
    with copy.read() as connection:
        theirs = load_ledger(connection)
    if ours and theirs and _is_used(ours) and ours.line != theirs.line:
        raise StoreError(
            f"The copy is of another database than {database}. Nothing was changed. If it is the right one, move "
            f"{database} away and restore it again."
        )


def _is_used(mark: LedgerMark) -> bool:
    return mark.epoch > 0 or bool(mark.lives)


def _keep_replaced(app: App, database: Path, scratch: Path, now: datetime) -> tuple[Path | None, int]:
    """Keep what is about to be replaced, and take over from it who has left since; return how many those are."""
    if not database.exists():
        return None, 0
    kept = free_path(app.settings.database.backups, database, now, "-replaced")
    if not is_sound(database):
        kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copy2(database, kept)
        return kept, 0
    copy_database(database, kept, now)
    alike = list_columns(kept, "suppressions") == list_columns(scratch, "suppressions")
    if not alike:
        return kept, 0
    carried = carry_suppressions(kept, scratch)
    with open_database(f"sqlite:///{scratch}", scratch.parent) as opened, opened.transaction() as connection:
        end_reading(connection, carried)
    return kept, len(carried)
