"""A file of the site as a plan knows it."""

from collections.abc import Callable
from dataclasses import dataclass

from newsletter.model.issue import Issue
from newsletter.render.content import Card

Sources = Callable[[str], Issue]
"""From slug to issue, as its latest revision says."""


@dataclass(frozen=True, slots=True)
class Page:
    """A file of the site. Equal `inputs` mean equal bytes, under the same templates, settings and program."""

    path: str
    inputs: str
    render: Callable[[Sources], str | bytes]


def plain_page(path: str, inputs: str, render: Callable[[], str]) -> Page:
    """Return a page that needs no issue's source."""
    return Page(path, inputs, lambda _: render())


def compose_stamp(card: Card) -> str:
    """Return a word that changes whenever a page about the issue might."""
    times = f"{card.published_at.isoformat()} {card.updated_at.isoformat()}"
    return f"{card.slug} {card.date.isoformat()} {card.source_hash} {times}"
