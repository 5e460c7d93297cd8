"""A ledger in memory, and a site that is built from it into a temporary folder."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from newsletter.config import Publication, Settings, Site
from newsletter.model.edition import PublishedIssue
from newsletter.render.environment import load_environment
from newsletter.site import SiteReport, write_site

FIRST = date(2023, 12, 30)

PAPER = """### [{title}](https://arxiv.org/abs/{id})

**Authors** Ada Lovelace, Grace Hopper

**Why?** Because of *{title}* & more.

**Results** It is [fast](https://code.example/?a=1&b=2), at $O(n^2)$.
"""


def issue_source(day: date, papers: Sequence[str], *, title: str = "", intro: str = "Good morning.") -> str:
    entries = "\n".join(PAPER.format(title=f"Paper {paper}", id=paper) for paper in papers)
    name = title or f"Papers of {day}"
    return f"---\ntitle: {name}\ndate: {day}\n---\n\n{intro}\n\n## News\n\n{entries}\n## Quiet corner\n"


@dataclass
class Ledger:
    """What a publication has published, and the site that is made of it."""

    settings: Settings
    published: dict[str, PublishedIssue] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    loaded: list[str] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.settings.site.folder

    def publish(self, day: date, papers: Sequence[str] = (), source: str = "") -> str:
        slug, at = str(day), datetime(day.year, day.month, day.day, 9, tzinfo=UTC)
        self.published[slug] = PublishedIssue(slug, day, "", at, at)
        self.revise(slug, source or issue_source(day, papers), timedelta())
        return slug

    def revise(self, slug: str, source: str, later: timedelta = timedelta(hours=1)) -> None:
        self.sources[slug] = source
        old = self.published[slug]
        digest = hashlib.sha256(source.encode()).hexdigest()
        self.published[slug] = replace(old, source_hash=digest, updated_at=old.updated_at + later)

    def source(self, day: date, papers: Sequence[str] = (), **words: str) -> str:
        return issue_source(day, papers, **words)

    def again(self, folder: Path) -> "Ledger":
        """Return the same publication with another folder."""
        site = self.settings.site.model_copy(update={"folder": folder})
        return Ledger(self.settings.model_copy(update={"site": site}), self.published, self.sources)

    def load(self, slug: str) -> str:
        self.loaded.append(slug)
        return self.sources[slug]

    def build(self) -> SiteReport:
        self.loaded.clear()
        environment = load_environment(self.settings.templates.folder)
        return write_site(self.settings, environment, list(self.published.values()), self.load)

    def files(self, *, variants: bool = False) -> dict[str, tuple[int, bytes]]:
        """Return time and content of every file that is served, or of every variant of one."""
        paths = (path for path in sorted(self.folder.rglob("*")) if path.is_file() and path.name[0] != ".")
        paths = (path for path in paths if (path.suffix in (".gz", ".br")) is variants)
        return {str(path.relative_to(self.folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in paths}

    def touched_by(self, change: Callable[[], object]) -> set[str]:
        """Build after a change and return which files are not what they were, by content or time."""
        before = self.files()
        change()
        self.build()
        after = self.files()
        return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


def settings_for(folder: Path, **site: object) -> Settings:
    publication = Publication(title="Papers", tagline="Every day.", url="https://news.example", editor="Ada")
    return Settings(publication=publication, site=Site.model_validate({"folder": folder, **site}))


@pytest.fixture(scope="session")
def make_ledger() -> Callable[[Path], Ledger]:
    """Make a publication whose site is built into a folder."""
    return lambda folder: Ledger(settings_for(folder))


@pytest.fixture
def ledger(tmp_path: Path, make_ledger: Callable[[Path], Ledger]) -> Ledger:
    return make_ledger(tmp_path / "public")


@pytest.fixture
def week(ledger: Ledger) -> Ledger:
    """Seven issues around a new year, two papers each, built."""
    for n in range(7):
        ledger.publish(FIRST + timedelta(days=n), [f"2312.0{n}001v1", f"2312.0{n}002v1"])
    ledger.build()
    return ledger
