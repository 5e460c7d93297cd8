"""The feeds' files: whole issues with their whole history, single papers, the papers of each section. Pure.

Owns which items each feed has. The issues' feed is followed back by archive documents (RFC 5005, section 4) of
ARCHIVED issues each, in the order of publication. All but the last are full, and never change but for a correction; the
feed itself reaches back to the last full one at least, so nothing is missed between them.
"""

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache, partial

from newsletter.render.content import Card, compose_feed_item
from newsletter.render.feed import FORMATS, FeedInfo, FeedItem, Paging, compose_item_id, compose_work_id, whole_second
from newsletter.render.frame import Channel, Frame, compose_feed_info, site_path
from newsletter.render.sections import Place, SectionCard
from newsletter.render.works import SHOWN, Appearance, compose_work_item
from newsletter.site.pages import Page, Sources, compose_stamp
from newsletter.urls import history_url

ARCHIVED = 20
"""Issues in each archive document. Another number would change every one of them."""

_FILES = frozenset(one.file for one in FORMATS)

Load = Callable[[Sources], Sequence[FeedItem]]


@dataclass(frozen=True, slots=True)
class Known:
    """What the last build's feeds hold: `items` by id, read when first asked for.

    An item is right while its issues are among the `kept` ones and its work isn't among the `touched` ones.
    """

    items: Callable[[], Mapping[str, FeedItem]]
    kept: Container[str]
    touched: Container[str]

    def find(self, identifier: str, cards: Sequence[Card], work: str = "") -> FeedItem | None:
        """Return an item if nothing that it is made from has changed since."""
        if work in self.touched or not all(card.slug in self.kept for card in cards):
            return None
        return self.items().get(identifier)


def is_feed(path: str) -> bool:
    """Return whether a path is that of a feed that readers subscribe to: archive documents are none."""
    return path.rpartition("/")[2] in _FILES and not path.startswith("feeds/")


def order_published(cards: Sequence[Card]) -> list[Card]:
    """Return the issues in the order of publication: an old issue that is published today is news today."""
    return sorted(cards, key=lambda card: (whole_second(card.published_at), card.slug))


class Works:
    """The works of all issues as feed items, each made once a build, and only if it is wanted."""

    def __init__(self, frame: Frame, works: Mapping[str, Sequence[Card]], known: Known) -> None:
        self._frame, self._works, self._known = frame, works, known
        self._made: dict[str, FeedItem] = {}

    def items(self, places: Sequence[Place], sources: Sources) -> list[FeedItem]:
        """Return the items of works, in the order given."""
        return [self._item(entry.work, sources) for _, entry in places]

    def inputs(self, places: Sequence[Place]) -> str:
        """Return what these items are made from."""
        return "\n".join(self._inputs(entry.work) for _, entry in places)

    def _inputs(self, work: str) -> str:
        cards = self._works[work]
        times = min(card.published_at for card in cards), max(card.updated_at for card in cards)
        return f"{work} {[time.isoformat() for time in times]} {[compose_stamp(card) for card in cards[-SHOWN:]]}"

    def _item(self, work: str, sources: Sources) -> FeedItem:
        if work not in self._made:
            cards = self._works[work]
            settings = self._frame.settings
            identifier = compose_work_id(settings.site.id_url or self._frame.base, work)
            found = self._known.find(identifier, cards, work)
            find = partial(find_appearance, work, sources=sources)
            self._made[work] = found or compose_work_item(self._frame, work, cards[::-1], find)
        return self._made[work]


def find_appearances(work: str, cards: Sequence[Card], sources: Sources) -> list[Appearance]:
    """Return a work's appearances, newest first; `cards` are the issues that have it, oldest first."""
    return [find_appearance(work, card, sources) for card in reversed(cards)]


def find_appearance(work: str, card: Card, sources: Sources) -> Appearance:
    """Return a work's appearance in an issue that has it."""
    issue = sources(card.slug)
    return Appearance(card, issue, next(entry for entry in issue.entries if entry.work_in(card.slug) == work))


def plan_papers(
    frame: Frame, published: Sequence[Card], sections: Sequence[SectionCard], works: Works
) -> Iterator[Page]:
    """Yield the feed of single papers and that of each section. A work is in them for its latest appearance."""
    most = frame.settings.site.feed_papers
    for section in sections:
        channel = frame.section_channel(section.key, section.heading)
        yield from _works_feed(frame, channel, section.latest[:most], works)
    yield from _works_feed(frame, frame.papers_channel, _latest_places(published, most), works)


def _latest_places(published: Sequence[Card], most: int) -> list[Place]:
    latest: dict[str, Place] = {}
    for card in reversed(published):
        for _, entries in card.contents:
            for entry in entries:
                latest.setdefault(entry.work, (card, entry))
        if len(latest) >= most:
            break
    return list(latest.values())[:most]


def _works_feed(frame: Frame, channel: Channel, places: Sequence[Place], works: Works) -> Iterator[Page]:
    inputs = f"{channel.title}\n{works.inputs(places)}"
    yield from _documents(frame, compose_feed_info(frame, channel, Paging()), inputs, partial(works.items, places))


def plan_issues_feed(frame: Frame, published: Sequence[Card], known: Known) -> Iterator[Page]:
    """Yield the feed of whole issues."""
    history = _cut(published)
    open_ended = len(history[-1]) if history else 0
    latest = published[-max(frame.settings.site.feed_entries, open_ended) :][::-1]
    paging = Paging(previous=history_url(frame.base, len(history) - 1) if len(history) > 1 else "")

    @cache
    def items(sources: Sources) -> list[FeedItem]:
        return [_issue_item(frame, card, known, sources) for card in latest]

    inputs = "\n".join([paging.previous, *map(compose_stamp, latest)])
    yield from _documents(frame, compose_feed_info(frame, frame.channel, paging), inputs, items)


def plan_history(frame: Frame, published: Sequence[Card], known: Known) -> dict[str, list[Page]]:
    """Return the archive documents, each under the slug of the issue after whose page it is best made: the last."""
    history = _cut(published)
    if len(history) < 2:
        return {}

    @lru_cache(maxsize=1)
    def items(number: int, sources: Sources) -> list[FeedItem]:
        return [_issue_item(frame, card, known, sources) for card in reversed(history[number - 1])]

    pages: dict[str, list[Page]] = {}
    for number, cards in enumerate(history, 1):
        previous = history_url(frame.base, number - 1) if number > 1 else ""
        following = history_url(frame.base, number + 1) if number < len(history) else ""
        channel = replace(frame.channel, folder_url=history_url(frame.base, number))
        info = compose_feed_info(frame, channel, Paging(frame.channel.folder_url, previous, following))
        inputs = "\n".join([following, *map(compose_stamp, cards)])
        last = max(cards, key=lambda card: (card.date, card.slug))
        pages[last.slug] = list(_documents(frame, info, inputs, partial(items, number)))
    return pages


def _cut(published: Sequence[Card]) -> list[Sequence[Card]]:
    """Return the issues as archive documents have them; the last one is open, and may be as full as the others."""
    return [published[at : at + ARCHIVED] for at in range(0, len(published), ARCHIVED)]


def _issue_item(frame: Frame, card: Card, known: Known, sources: Sources) -> FeedItem:
    identifier = compose_item_id(frame.settings.site.id_url or frame.base, card.slug, card.published_at)
    found = known.find(identifier, [card])
    return found or compose_feed_item(sources(card.slug), card, frame.settings, frame.environment)


def _documents(frame: Frame, info: FeedInfo, inputs: str, load: Load) -> Iterator[Page]:
    """Yield a feed's documents, one a format."""
    made_from = "\n".join([*info.hub_urls, inputs])
    for one in FORMATS:
        path = site_path(frame.base, info.folder_url + one.file)
        yield Page(path, made_from, partial(_document, one.render, info, load))


def _document(
    render: Callable[[FeedInfo, Sequence[FeedItem]], bytes], info: FeedInfo, load: Load, sources: Sources
) -> bytes:
    return render(info, load(sources))
