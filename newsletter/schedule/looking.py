"""Looks what there is for a slot: a file with its date, whether it can go out, whether it went out already.

Reads the issues folder and the ledger, and changes nothing. What was found wrong is believed as long as the file stays
as it is, for a little while: a look at a thousand issues takes a second, and slots are decided every few.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final

from newsletter.app import App
from newsletter.errors import NewsletterError
from newsletter.issues.folder import list_clashing_files, list_issues_of, show_path
from newsletter.model.edition import EditionKind
from newsletter.model.problem import Severity
from newsletter.model.rollup import Period, period_of
from newsletter.model.slot import Slot, SlotKey, SlotState, Why
from newsletter.publishing import Draft, load_draft
from newsletter.schedule.policy import Absent, Faulty, Findings, Out, Ready, list_problems
from newsletter.store.editions import EditionLine, EditionState, list_editions_of, list_named

BELIEVED: Final = timedelta(minutes=1)


@dataclass(slots=True)
class Looks:
    """Looks at slots of one publication, and remembers what was wrong."""

    app: App
    clock: Callable[[], datetime]
    _known: dict[SlotKey, tuple[object, datetime, Findings]] = field(default_factory=dict)

    def look(self, slot: Slot) -> Findings:
        """Return what there is for a slot. What goes wrong while looking is a finding, too."""
        try:
            return self._look(slot)
        except NewsletterError as error:
            return Faulty(Why.TROUBLE, str(error))
        except OSError as error:
            return Faulty(Why.TROUBLE, f"{error.filename or self.app.settings.issues.folder}: {error.strerror}")

    def _look(self, slot: Slot) -> Findings:
        editions = self._list_published(slot.key)
        if slot.key.kind is not EditionKind.ISSUE:
            return Out(editions[0].id) if editions else Ready()
        if slot.why is Why.LATE:
            return Out(editions[0].id) if editions else self._look_late(slot)
        files = self._list_files(slot.key.day)
        if not files:
            return Out(editions[0].id) if editions else Absent()
        if len(files) > 1:
            return Faulty(Why.ERRORS, _describe_several(files, slot.key.day))
        return self._remember(slot.key, files[0], editions)

    def _look_late(self, slot: Slot) -> Findings:
        """Return whether there is still a file for a day that is too late. To list thousands of files takes a while."""
        known, now = self._known.get(slot.key), self.clock()
        if known and known[0] is Why.LATE and abs(now - known[1]) < BELIEVED:
            return known[2]
        there = slot.state is SlotState.MISSED or self._list_files(slot.key.day)
        findings = Ready() if there else Absent()
        self._known[slot.key] = (Why.LATE, now, findings)
        return findings

    def _list_files(self, day: date) -> list[Path]:
        """Return a day's issue files. Raises NewsletterError where the whole folder isn't there: that is no day off."""
        folder = self.app.settings.issues.folder
        if not folder.is_dir():
            raise NewsletterError(f"{show_path(folder)}: there is no such folder. [issues] folder names it.")
        return list_issues_of(folder, day)

    def _list_published(self, key: SlotKey) -> list[EditionLine]:
        with self.app.database.read() as connection:
            if key.kind is EditionKind.ISSUE:
                lines = list_editions_of(connection, key.kind, key.day)
            else:
                lines = [line for line in list_named(connection, period_before(key).slug) if line.kind is key.kind]
        return [line for line in lines if line.state is EditionState.PUBLISHED]

    def _remember(self, key: SlotKey, path: Path, editions: list[EditionLine]) -> Findings:
        """Check a file, unless it is as it was a moment ago."""
        found = path.stat()
        sign = (path, found.st_mtime_ns, found.st_size, found.st_ino, len(editions))
        known, now = self._known.get(key), self.clock()
        if known and known[0] == sign and abs(now - known[1]) < BELIEVED:
            return known[2]
        findings = check_file(self.app, path, editions)
        self._known[key] = (sign, now, findings)
        return findings


def period_before(key: SlotKey) -> Period:
    """Return the week or month that a roll-up's slot is about: the one that holds the day before."""
    return period_of(key.kind, key.day - timedelta(days=1))


def check_file(app: App, path: Path, editions: list[EditionLine]) -> Findings:
    """Return whether an issue can go out, and if not, why; `editions` of its date were published already."""
    draft = load_draft(app, str(path))
    slug = draft.issue.slug if draft.issue else ""
    for line in editions:
        if line.slug == slug:
            return Out(line.id)
    clashes = [p for p in list_clashing_files(app.settings.issues.folder) if p.path == show_path(path)]
    if draft.errors or clashes or draft.issue is None or draft.edition is None:
        wrong = [p for p in (*draft.problems, *clashes) if p.severity is Severity.ERROR]
        return Faulty(Why.ERRORS, list_problems([str(problem) for problem in wrong]))
    return _check_draft(draft)


def _check_draft(draft: Draft) -> Findings:
    if draft.issue is not None and draft.issue.draft:
        place = f"{draft.issue.path}:{draft.issue.lines.get('draft', 1)}"
        return Faulty(Why.DRAFT, f"{place}: the issue is a draft. Remove `draft: true` from its front matter.")
    return Ready()


def _describe_several(files: list[Path], day: date) -> str:
    names = ", ".join(os.path.relpath(path) for path in files)
    return f"{names}: {len(files)} issues have the date {day}, and one can go out by itself. Rename one to {day}.md."
