"""Brings the search index up to date with what was published.

A publish indexes its own issue; this is for what is behind: after an upgrade, after other `[issues] labels`, for issues
that were published before there was an index. Owns that an issue which can't be read any more stops no other.
"""

from collections.abc import Callable
from dataclasses import dataclass

from newsletter.app import App
from newsletter.config import Settings
from newsletter.issues.parse import parse_issue
from newsletter.render.documents import compose_documents, describe_documents
from newsletter.store.documents import index_edition, list_unindexed
from newsletter.store.editions import load_source

BATCH = 20
"""Issues in one transaction: few enough to keep publishing from waiting."""


@dataclass(frozen=True, slots=True)
class IndexReport:
    """How many issues were indexed anew, and the slugs of those that couldn't be read; these are tried again."""

    indexed: int
    unreadable: tuple[str, ...]


def update_index(app: App, progress: Callable[[int, int], None] = lambda _done, _total: None) -> IndexReport:
    """Index every published issue whose documents are missing or behind. Killed in between, it goes on where it was.

    `progress` is told how many are done and how many there are.
    """
    version = documents_version(app.settings)
    with app.database.read() as connection:
        behind = list_unindexed(connection, version)
    unreadable: list[str] = []
    for start in range(0, len(behind), BATCH):
        with app.database.transaction() as connection:
            for one in behind[start : start + BATCH]:
                source = load_source(connection, one.slug)
                rules, language = app.settings.issues, app.settings.publication.language
                # An issue may have its date from its file's name alone.
                issue = parse_issue(source, f"{one.issue_date}.md", labels=rules.labels, language=language).issue
                if issue is None:
                    unreadable.append(one.slug)
                else:
                    index_edition(connection, one.id, compose_documents(issue), version)
        progress(min(start + BATCH, len(behind)), len(behind))
    return IndexReport(len(behind) - len(unreadable), tuple(unreadable))


def documents_version(settings: Settings) -> str:
    """Return the version of documents that these settings make."""
    return describe_documents(settings.issues.labels, settings.publication.language)
