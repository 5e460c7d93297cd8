"""A page of the site as text: what every page has in common. Pure.

Owns that links within the site are relative, so that a copy works at any address, and what leaves the page is absolute.
"""

from collections.abc import Sequence
from functools import partial

from newsletter.render.content import GENERATOR
from newsletter.render.environment import in_language, render_template
from newsletter.render.feed import FORMATS
from newsletter.render.frame import Channel, Frame
from newsletter.render.language import direction_of
from newsletter.render.markdown import Medium, render_title
from newsletter.render.maths import render_plain_title
from newsletter.urls import (
    archive_url,
    entry_url,
    feeds_url,
    issue_url,
    join_url,
    paper_url,
    search_url,
    section_url,
)


def render_page(
    frame: Frame,
    template: str,
    url: str,
    *,
    root: str | None = None,
    title: str = "",
    description: str = "",
    language: str = "",
    kind: str = "website",
    channels: Sequence[Channel] = (),
    folder: str = "site",
    **values: object,
) -> str:
    """Return the page at `url`. Feed readers are led to `channels`, and always to the feed of whole issues.

    `root` is the way to the site's top, if it isn't told by the address. `folder` is where the template lies.
    """
    publication, base = frame.settings.publication, frame.base
    depth = url.removeprefix(f"{base}/").count("/")
    link = partial(_relative, base, "../" * depth if root is None else root)
    shared: dict[str, object] = {
        "publication": publication,
        "rules": frame.settings.issues,
        "generator": GENERATOR,
        "style": f"{base}/style.css?v={frame.style_version}",
        "icon": f"{base}/icon.svg",
        "base": base,
        "url": url,
        "title": title,
        "plain_title": render_plain_title,
        "shown_title": partial(render_title, medium=Medium.PAGE),
        "description": description or publication.tagline,
        "language": language or publication.language,
        "direction": direction_of(language or publication.language),
        "kind": kind,
        "feeds": documents_of(frame.channel),
        "channels": channels or (frame.channel,),
        "documents_of": documents_of,
        "link": link,
        "served": frame.settings.web.enabled,
        **_addresses(base),
    }
    environment = in_language(frame.environment, language or publication.language)
    return render_template(environment, f"{folder}/{template}", shared | values)


def documents_of(channel: Channel) -> list[tuple[str, str, str]]:
    """Return a feed's documents, one a format: the format's name, its media type, the address."""
    return [(one.name, one.media_type, channel.folder_url + one.file) for one in FORMATS]


def _addresses(base: str) -> dict[str, object]:
    """Return the site's addresses as templates call them."""
    return {
        "issue_url": partial(issue_url, base),
        "paper_url": partial(paper_url, base),
        "entry_url": partial(entry_url, base),
        "archive_url": partial(archive_url, base),
        "section_url": partial(section_url, base),
        "feeds_url": partial(feeds_url, base),
        "join_url": partial(join_url, base),
        "search_url": partial(search_url, base),
    }


def _relative(base: str, root: str, url: str) -> str:
    """Return an address of this site as seen from a page that is `root` away from the site's top."""
    if url.startswith(f"{base}/"):
        return (root + url[len(base) + 1 :]) or "./"
    return url
