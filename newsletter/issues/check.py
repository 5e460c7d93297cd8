"""Checks whether an issue is fit to publish. Pure: earlier issues and the rendered edition are arguments.

Owns what is an error (it stops a publish) and what is a warning. Reading the file has already noted what is wrong with
its syntax; nothing is said twice.
"""

from collections.abc import Mapping
from pathlib import PurePath

from newsletter.config import Issues
from newsletter.issues.check_images import Pages, check_run_images
from newsletter.issues.check_links import check_entry_links, check_heading_links, check_run_links
from newsletter.issues.check_maths import check_run_maths, check_title_maths
from newsletter.issues.check_tables import check_run_tables
from newsletter.issues.check_text import check_run_footnotes, check_run_text, check_titles
from newsletter.issues.check_works import EarlierWork, check_earlier, check_identity
from newsletter.issues.findings import Findings, compose_guess, shorten
from newsletter.issues.parse import parse_day
from newsletter.issues.runs import File, read_headings, read_runs
from newsletter.model.edition import Edition
from newsletter.model.issue import Issue
from newsletter.model.problem import Problem

__all__ = ["EarlierWork", "Pages", "check_edition", "check_issue"]

KILOBYTE = 1000
"""Bytes; the limits leave room below the 102 KB at which Gmail cuts, whichever kilobyte it means."""


def check_issue(
    issue: Issue, rules: Issues, earlier: Mapping[str, EarlierWork], pages: Pages | None = None
) -> tuple[Problem, ...]:
    """Return every problem of an issue in the file's order.

    `earlier` maps an identifier's key, and `title:` with a normalised title, to where an earlier issue had the work.
    `pages` is None where it isn't known what the site's pages may show.
    """
    noted = set[str]()
    findings, file = Findings(issue.path), File(issue.source)
    _check_date(issue, file, findings)
    _check_subject(issue, rules, findings)
    _check_topics(issue, rules, file, findings)
    _check_sections(issue, rules, findings)
    _check_emptiness(issue, findings)
    check_identity(issue, findings)
    check_earlier(issue, earlier, findings)
    check_titles(issue, file, findings)
    check_entry_links(issue, file, findings)
    check_title_maths(issue, file, findings)
    for run in read_headings(issue, file):
        check_heading_links(run, findings)
        check_run_footnotes(run, findings)
        check_run_maths(run, findings)
    for run in read_runs(issue, file):
        check_run_links(run, findings)
        check_run_text(run, findings)
        check_run_footnotes(run, findings)
        check_run_maths(run, findings)
        check_run_tables(run, findings)
        if pages:
            check_run_images(run, pages, noted, findings)
    return findings.problems


def check_edition(issue: Issue, edition: Edition, rules: Issues) -> tuple[Problem, ...]:
    """Return what is wrong with the rendered mail: its HTML in UTF-8, in kilobytes of 1,000 bytes."""
    findings = Findings(issue.path)
    size = len(edition.html.encode()) / KILOBYTE
    hint = "Shorten entries, or move some to another issue."
    if size > rules.html_error_kb:
        message = f"The mail's HTML is {size:.1f} kB; above {rules.html_error_kb} kB Gmail would cut it off."
        findings.error((1, 1), "mail-size", message, hint)
    elif size > rules.html_warn_kb:
        message = f"The mail's HTML is {size:.1f} kB; above {rules.html_error_kb} kB it is refused."
        findings.warning((1, 1), "mail-size", message, hint)
    return findings.problems


def _check_date(issue: Issue, file: File, findings: Findings) -> None:
    if not issue.path:
        return
    name = PurePath(issue.path).name
    day = parse_day(issue.path)
    if day is None:
        message = f"{name} doesn't say the issue's date, so it isn't found by it."
        findings.warning((1, 1), "file-name", message, f"Rename it to {issue.date}.md.")
    elif day != issue.date:
        place = file.find(str(issue.date), issue.lines.get("date", 1), issue.lines.get("date", 1))
        message = f"The date is {issue.date}, but the file is named {name}."
        hint = f"Write date: {day}, or rename the file to {name.replace(str(day), str(issue.date))}."
        findings.error(place, "date-mismatch", message, hint)


def _check_subject(issue: Issue, rules: Issues, findings: Findings) -> None:
    length = len(issue.title)
    if length > rules.subject_length:
        message = (
            f"The title has {length} characters; as a subject, phones and inboxes cut it after {rules.subject_length}."
        )
        hint = "Shorten it, and say the rest in the subtitle."
        findings.warning((issue.lines.get("title", 1), 1), "subject-length", message, hint)


def _check_topics(issue: Issue, rules: Issues, file: File, findings: Findings) -> None:
    line = issue.lines.get("topics", 1)
    for topic in issue.topics if rules.topics else ():
        if topic not in rules.topics:
            known = f"Known: {', '.join(rules.topics)}."
            hint = compose_guess(topic, rules.topics) or known
            message = f"{shorten(topic)!r} is not a topic of this publication."
            place = file.find(topic, line, line + len(issue.topics))
            findings.error(place, "unknown-topic", message, f"{hint} Topics are set in [issues] topics.")


def _check_sections(issue: Issue, rules: Issues, findings: Findings) -> None:
    seen: dict[str, int] = {}
    for section in issue.sections:
        place = (section.line, 1)
        if rules.sections and section.title not in rules.sections:
            hint = compose_guess(section.title, rules.sections) or f"Known: {', '.join(rules.sections)}."
            message = f"{shorten(section.title)!r} is not one of the fixed sections, so no reader can choose it."
            findings.warning(place, "unknown-section", message, hint)
        if section.title in seen:
            message = f"There are two sections {shorten(section.title)!r}; the first is on line {seen[section.title]}."
            findings.warning(place, "duplicate-section", message, "Join them, or rename one.")
        seen.setdefault(section.title, section.line)


def _check_emptiness(issue: Issue, findings: Findings) -> None:
    """A letter without entries may be meant; without a word it can't be."""
    entries = list(issue.entries)
    if not entries:
        hint = "Add `## Section`, and below it `### [Title](https://…)`."
        if issue.intro or any(section.intro for section in issue.sections):
            findings.warning((1, 1), "no-entries", "The issue has no entries, only text.", hint)
        else:
            findings.error((1, 1), "no-entries", "The issue has no entries and no text.", hint)
    for entry in entries:
        if not entry.lead and not entry.fields:
            message = f"{shorten(entry.title)!r} has no text."
            findings.warning((entry.line, 1), "empty-entry", message, "Say why it is here.")
