"""What readers who chose some sections get of an issue. Pure.

Owns which sections a choice comes to: those whose topic (`model.topic`) was chosen, as they stand in the issue. The
intro is for everybody, and so is an issue that has nothing but text outside of its sections. A section under a heading
of its own, that is no topic of the publication, was chosen by nobody: only readers of everything get it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from jinja2 import Environment

from newsletter.config import Settings
from newsletter.model.issue import Issue, Section
from newsletter.model.topic import topic_key
from newsletter.model.variant import WHOLE, Rendering, Share, VariantKey, join_works
from newsletter.render.edition import render_edition
from newsletter.render.view import shown_sections


def decide_share(issue: Issue, topics: frozenset[str], settings: Settings) -> Share:
    """Decide what a choice of topics, none for all, comes to in this issue; like choices come to one variant."""
    rules = settings.issues
    shown = shown_sections(issue.sections, rules.empty_sections)
    kept = _choose(shown, topics)
    if not topics or len(kept) == len(shown) or all(section.is_empty for section in shown):
        return Share(WHOLE)
    if all(section.is_empty for section in kept):
        return Share(reason=f"nothing in this issue for: {name_topics(topics, rules.sections)}")
    return Share(VariantKey(frozenset(topic_key(section.title) for section in kept)))


def select_sections(issue: Issue, topics: frozenset[str]) -> Issue | None:
    """Return the issue with these topics' sections alone, or None when nothing stands in them."""
    kept = _choose(issue.sections, topics)
    return None if all(section.is_empty for section in kept) else replace(issue, sections=tuple(kept))


def render_variant(issue: Issue, key: VariantKey, settings: Settings, environment: Environment) -> Rendering:
    """Return what the readers of a variant get. Raises ValueError for one that has nothing in it."""
    chosen = select_sections(issue, key.topics) if key.topics else issue
    if chosen is None:
        raise ValueError(f"nothing of {issue.slug} is in {key.text!r}")
    edition = render_edition(chosen, settings, environment, chosen=bool(key.topics))
    return Rendering(key, edition, join_works(entry.id for entry in chosen.entries))


def name_topics(topics: Collection[str], headings: Sequence[str]) -> str:
    """Return topics by their headings, in the publication's order; one that it doesn't have any more by its key."""
    known: Mapping[str, str] = {topic_key(heading): heading for heading in headings}
    ordered = [key for key in known if key in topics] + sorted(topics - known.keys())
    return ", ".join(known.get(key, key) for key in ordered)


def _choose(sections: Sequence[Section], topics: frozenset[str]) -> list[Section]:
    return [section for section in sections if topic_key(section.title) in topics]
