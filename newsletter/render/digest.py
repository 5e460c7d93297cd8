"""What a roll-up brings, to whom. Pure.

Owns how issues become one: sections with one topic (`model.topic`) are one, in the publication's order and then as they
appear; entries stand in the order of their days. A work that several issues have is brought once, by the first of them
that its reader gets it from: who chose only the section of the second gets it there.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

from newsletter.model.edition import EditionKind
from newsletter.model.issue import Issue
from newsletter.model.rollup import Chapter, Item, Period, Rollup
from newsletter.model.topic import topic_key
from newsletter.model.variant import WHOLE, Share, VariantKey, join_works, work_key
from newsletter.render.selection import name_topics

NOTHING_NEW = "nothing new: all of it came with earlier mail"
_SPANS = {EditionKind.WEEKLY: "this week", EditionKind.MONTHLY: "this month"}


def compile_rollup(period: Period, issues: Sequence[Issue], sections: Sequence[str], key: VariantKey = WHOLE) -> Rollup:
    """Return what issues bring to readers of a variant; `sections` are the publication's, by heading."""
    titles = {topic_key(heading): heading for heading in sections}
    found: dict[str, list[Item]] = {topic: [] for topic in titles}
    seen = set(key.without)
    ordered = sorted(issues, key=lambda issue: (issue.date, issue.slug))
    for issue in ordered:
        for section in issue.sections:
            topic = topic_key(section.title)
            if key.topics and topic not in key.topics:
                continue
            titles.setdefault(topic, section.title)
            fresh = [Item(entry, issue) for entry in section.entries if _add(seen, work_key(entry.id))]
            found.setdefault(topic, []).extend(fresh)
    chapters = (Chapter(titles[topic], topic, tuple(items)) for topic, items in found.items() if items)
    return Rollup(period, tuple(ordered), tuple(chapters))


def decide_share(period: Period, issues: Sequence[Issue], topics: frozenset[str], sections: Sequence[str]) -> Share:
    """Decide what a choice of topics, none for all, comes to; like choices come to one variant."""
    there = {topic_key(section.title) for issue in issues for section in issue.sections if section.entries}
    kept = topics & there
    if not topics or kept == there:
        return Share(WHOLE)
    if not kept:
        return Share(reason=f"nothing {_SPANS[period.kind]} for: {name_topics(topics, sections)}")
    return Share(VariantKey(kept))


def reduce_share(key: VariantKey, works: Collection[str], had: frozenset[str]) -> Share:
    """Decide what is left of a variant, in which these works are, for readers who have had some."""
    repeated = had.intersection(works)
    if len(repeated) == len(works):
        return Share(reason=NOTHING_NEW)
    return Share(VariantKey(key.topics, key.without | repeated))


def works_of(rollup: Rollup) -> tuple[str, ...]:
    """Return the keys of the works in a roll-up."""
    return join_works(item.entry.id for item in rollup.items)


def cut_chapters(rollup: Rollup, most: int) -> Rollup:
    """Return a roll-up with at most so many items of each section."""
    return replace(
        rollup,
        chapters=tuple(
            replace(chapter, items=chapter.items[:most], more=max(0, len(chapter.items) - most))
            for chapter in rollup.chapters
        ),
    )


def _add(seen: set[str], work: str) -> bool:
    """Add a work; return whether it is new."""
    new = work not in seen
    seen.add(work)
    return new
