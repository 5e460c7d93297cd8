"""Writes the site: gathers what is published, decides what changed, and puts it into the folder.

Owns the order of a build and what survives it: a killed build leaves whole files, old or new, and the next one goes on.
Refuses to overwrite a file that it didn't write; `robots.txt`, `icon.svg` and `404.html` of the user stay his.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache, lru_cache, partial
from pathlib import Path

from jinja2 import Environment

from newsletter import __version__
from newsletter.config import Settings
from newsletter.errors import NewsletterError
from newsletter.issues.parse import parse_issue
from newsletter.model.edition import PublishedIssue
from newsletter.model.issue import Issue
from newsletter.render.citations import CITATION_FORMATS
from newsletter.render.content import GENERATOR, Card, compose_card
from newsletter.render.environment import catalogues_of
from newsletter.render.feed import FeedItem, parse_json_feed
from newsletter.render.frame import Frame, render_asset
from newsletter.render.translation import list_catalogues
from newsletter.site.compress import NO_VARIANTS, SUFFIXES, compress_variants
from newsletter.site.feeds import Known, is_feed
from newsletter.site.files import (
    PATIENCE,
    RECORD_NAME,
    TODO_NAME,
    digest,
    find_marked,
    is_safe_path,
    lock_folder,
    read_file,
    read_own,
    remove_file,
    remove_own,
    remove_variants,
    size_of,
    write_file,
    write_own,
)
from newsletter.site.pages import Page, Sources
from newsletter.site.pings import note_pings
from newsletter.site.plan import USERS_FIRST, plan_site
from newsletter.site.record import (
    DOUBTFUL,
    Record,
    describe_output,
    digest_of,
    is_made_from,
    parse_record,
    parse_todo,
    render_record,
    render_todo,
    sizes_of,
)
from newsletter.urls import ATOM_PATH, JSON_FEED_PATH, RSS_PATH

PARSED_KEPT = 512
"""Issues kept parsed during a build, at some 80 kB each; what goes beyond is parsed again when its page is written."""


_CITED = re.compile(r"(issues|papers)/[^/]+/index\.html")


@dataclass(frozen=True, slots=True)
class SiteReport:
    """What a build did, in files, their precompressed variants not counted. `unchanged` were as they should be;
    `left_alone` are the user's own."""

    folder: Path
    written: int
    unchanged: int
    removed: int
    left_alone: tuple[Path, ...]

    @property
    def index(self) -> Path:
        """Return the front page."""
        return self.folder / "index.html"

    @property
    def feeds(self) -> tuple[Path, Path, Path]:
        """Return the RSS, Atom and JSON feed."""
        return self.folder / RSS_PATH, self.folder / ATOM_PATH, self.folder / JSON_FEED_PATH

    def page(self, slug: str) -> Path:
        """Return an issue's page."""
        return self.folder / "issues" / slug / "index.html"


def write_site(
    settings: Settings,
    environment: Environment,
    published: Sequence[PublishedIssue] | Callable[[], Sequence[PublishedIssue]],
    load_source: Callable[[str], str],
    *,
    patience: timedelta = PATIENCE,
) -> SiteReport:
    """Bring the site's folder up to date with what is published; writes only what changed.

    `load_source` gives the source of a slug's latest revision. Where builds may run at the same time, give `published`
    as a function: it is called when this build's turn has come, so that no build goes by an old list. Waits `patience`
    for another build. Raises NewsletterError for a file in the way, an issue that can't be read, a disk that refuses.
    """
    folder = settings.site.folder
    with lock_folder(folder, patience):
        listed = published() if callable(published) else published
        old = _load_record(folder)
        frame = make_frame(settings, environment)
        fingerprint = _fingerprint(settings, environment)
        sources = _open_sources(settings, load_source, {one.slug: one.issue_date for one in listed})
        known = old.cards if old.fingerprint == fingerprint else {}
        cards = [_card(one, known.get(one.slug), sources) for one in listed]
        pages = plan_site(frame, cards, _known_items(folder, old, cards))
        users = [path for path in sorted(USERS_FIRST) if _is_users(folder, path, old.outputs.get(path))]
        pages = [page for page in pages if page.path not in users]
        _check_pages(folder, pages, old.outputs)
        new = Record(fingerprint, {card.slug: card for card in cards})
        return _apply(settings, pages, old, new, sources, users)


def make_frame(settings: Settings, environment: Environment) -> Frame:
    """Return what every page shares."""
    frame = Frame(environment, settings, "")
    return replace(frame, style_version=digest(render_asset(frame, "style.css").encode())[:8])


def _load_record(folder: Path) -> Record:
    """Return the last build's record; when it is lost, what carries our mark is still known to be ours.

    What a killed build was about to change is ours, too, but what became of it isn't known.
    """
    source, todo = read_own(folder, RECORD_NAME), read_own(folder, TODO_NAME)
    record = parse_record(source) if source is not None else None
    doubtful = parse_todo(todo) if todo is not None else []
    if record is None or doubtful is None:
        record, doubtful = Record(), [*(doubtful or []), *_find_own(folder)]
    return replace(record, outputs={**record.outputs, **dict.fromkeys(doubtful, DOUBTFUL)})


def _find_own(folder: Path) -> list[str]:
    """Return what is known to be ours by its mark, and the citations beside it, some of which can't carry one."""
    marked = find_marked(folder, GENERATOR.encode())
    folders = [path.removesuffix("index.html") for path in marked if _CITED.fullmatch(path)]
    beside = {place + one.file for place in folders for one in CITATION_FORMATS}
    return sorted({*marked, *(path for path in beside if size_of(folder, path) >= 0)})


def _known_items(folder: Path, old: Record, cards: Sequence[Card]) -> Known:
    """Return the items that the last build's feeds hold, and which of them nothing has changed since."""
    kept = {card.slug for card in cards if old.cards.get(card.slug) is card}
    touched = {work for slug, card in old.cards.items() if slug not in kept for work in card.works}
    return Known(cache(partial(_read_items, folder, old.outputs)), kept, touched)


def _read_items(folder: Path, outputs: Mapping[str, str]) -> dict[str, FeedItem]:
    """Return the items of all feeds by id; a feed that isn't as we wrote it has none."""
    items: dict[str, FeedItem] = {}
    for path, output in outputs.items():
        if is_feed(path) and path.endswith(JSON_FEED_PATH):
            content = read_file(folder, path)
            if output and content is not None and digest(content) == digest_of(output):
                items |= {item.id: item for item in parse_json_feed(content)}
    return items


def _fingerprint(settings: Settings, environment: Environment) -> str:
    """Return a word that changes when every page may have: with the program, the settings or a template.

    Templates for mail, preview and service pages don't count, so a template of the site must not include one of those.
    """
    publication = settings.publication.model_dump_json(exclude={"postal_address", "reason"})
    rules = settings.issues.model_dump_json(include={"labels", "empty_sections", "empty_text"})
    parts = [
        __version__,
        publication,
        rules,
        settings.site.id_url,
        str(settings.site.precompress),
        str(settings.web.enabled),
    ]
    if environment.loader:
        for name in environment.list_templates():
            if not name.removeprefix("default:").startswith(("email/", "notice/", "preview/", "web/")):
                parts += [name, environment.loader.get_source(environment, name)[0]]
    parts += [digest(path.read_bytes()) for path in list_catalogues(catalogues_of(environment))]
    return digest("\0".join(parts).encode())


def _open_sources(settings: Settings, load_source: Callable[[str], str], dates: Mapping[str, date]) -> Sources:
    labels, language = settings.issues.labels, settings.publication.language

    @lru_cache(maxsize=PARSED_KEPT)
    def source(slug: str) -> Issue:
        # An issue may have its date from its file's name alone, which the ledger doesn't keep.
        parsed = parse_issue(load_source(slug), f"{dates[slug]}.md", labels=labels, language=language)
        if parsed.issue is None:
            problems = "\n".join(map(str, parsed.problems))
            raise NewsletterError(
                f"The published issue {slug} can't be read any more, so its page can't be built:\n{problems}\n"
                "Mend its file and publish it with --correct."
            )
        return replace(parsed.issue, slug=slug)

    return source


def _card(one: PublishedIssue, known: Card | None, sources: Sources) -> Card:
    facts = (one.issue_date, one.source_hash, one.published_at, one.updated_at)
    if known and facts == (known.date, known.source_hash, known.published_at, known.updated_at):
        return known
    return compose_card(sources(one.slug), one)


def _is_users(folder: Path, path: str, listed: str | None) -> bool:
    """Return whether the user put this file there, or changed ours."""
    content = read_file(folder, path)
    if content is None:
        return False
    if listed is None:
        return GENERATOR.encode() not in content
    return listed != DOUBTFUL and digest(content) != digest_of(listed)


def _check_pages(folder: Path, pages: Sequence[Page], outputs: Mapping[str, str]) -> None:
    """Raise NewsletterError before anything is written, for a path that can't be one or that holds a foreign file."""
    fresh = [page.path for page in pages if page.path not in outputs]
    for path in fresh:
        if not is_safe_path(path):
            raise NewsletterError(
                f"{path!r} can't be a path of the site. A slug has lower-case letters, digits, dots and dashes."
            )
    foreign = [name for path in fresh for name in (path, *_beside(path)) if size_of(folder, name) >= 0]
    if foreign:
        shown = "\n".join(str(folder / path) for path in foreign[:5])
        more = f"\n… and {len(foreign) - 5} more" if len(foreign) > 5 else ""
        raise NewsletterError(
            f"Something else wrote these files, so they are not overwritten:\n{shown}{more}\n"
            "Move them away, or choose another [site] folder in the config."
        )


def _apply(
    settings: Settings, pages: Sequence[Page], old: Record, new: Record, sources: Sources, users: Sequence[str]
) -> SiteReport:
    """Write what changed and remove what is gone, between a note of what is to be done and the record of what was."""
    site, folder = settings.site, settings.site.folder

    @cache
    def key_of(inputs: str) -> str:
        return digest(f"{new.fingerprint}\n{inputs}".encode())

    paths = {page.path for page in pages}
    outputs = {path: output for path, output in old.outputs.items() if path in paths}
    stale = [
        page
        for page in pages
        if not _is_fresh(folder, page.path, outputs.get(page.path, DOUBTFUL), key_of(page.inputs))
    ]
    gone = sorted(old.outputs.keys() - paths - set(users))
    if stale or gone:
        # Killed from here on, the next build knows what to make again.
        write_own(folder, TODO_NAME, render_todo([*(page.path for page in stale), *gone]))
    feeds = {f"{settings.publication.url}/{page.path}": key_of(page.inputs) for page in stale if is_feed(page.path)}
    note_pings(folder, site.hub, feeds)
    written = 0
    for page in stale:
        content = page.render(sources)
        data = content.encode() if isinstance(content, str) else content
        variants = compress_variants(data) if site.precompress else NO_VARIANTS
        written += write_file(folder, page.path, data, variants)
        outputs[page.path] = describe_output(key_of(page.inputs), digest(data), [len(data), *map(len, variants)])
    removed = sum(remove_file(folder, path) for path in gone)
    outputs |= {path: _left(folder, path, old.outputs[path]) for path in users if path in old.outputs}
    final = replace(new, outputs=outputs)
    if final != old:
        write_own(folder, RECORD_NAME, render_record(final))
    remove_own(folder, TODO_NAME)
    left = tuple(folder / path for path in users)
    return SiteReport(folder, written, len(pages) - written, removed, left)


def _is_fresh(folder: Path, path: str, output: str | None, inputs: str) -> bool:
    """Return whether a file and its variants are still what these inputs made."""
    if output is None or not is_made_from(output, inputs):
        return False
    size, *variants = sizes_of(output)
    if size_of(folder, path) != size:
        return False
    return all(size_of(folder, name) == one for name, one in zip(_beside(path), variants, strict=True) if one)


def _beside(path: str) -> list[str]:
    return [path + suffix for suffix in SUFFIXES]


def _left(folder: Path, path: str, output: str) -> str:
    """Remove our variants beside a file that is the user's now; return what the record says of it from now on."""
    sizes = sizes_of(output)
    if any(sizes[1:]):
        remove_variants(folder, path)
    return describe_output(output.split(" ")[0], digest_of(output), [*sizes[:1], 0, 0])
