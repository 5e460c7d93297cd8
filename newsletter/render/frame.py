"""What the whole site shares: its settings, its templates, and the feeds that there are. Pure.

Owns what each feed is called, its permanent id and its place: whole issues, single papers, the papers of one section.
What is in them is `render.content` and `render.works`.
"""

from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlsplit

from jinja2 import Environment

from newsletter.config import Settings
from newsletter.render.content import GENERATOR
from newsletter.render.environment import in_language, render_template
from newsletter.render.feed import FeedInfo, Paging
from newsletter.render.maths import render_plain_title
from newsletter.urls import papers_url, section_url


@dataclass(frozen=True, slots=True)
class Channel:
    """One feed in all its formats: its permanent id, its name, what it brings, its page, and its documents' folder."""

    id: str
    title: str
    description: str
    home_url: str
    folder_url: str


@dataclass(frozen=True)
class Frame:
    """What every page shares; `style_version` changes with the style sheet, so that caches let go of an old one."""

    environment: Environment
    settings: Settings
    style_version: str

    @property
    def base(self) -> str:
        """Return the site's address without a trailing slash."""
        return self.settings.publication.url

    @cached_property
    def channel(self) -> Channel:
        """Return the feed of whole issues."""
        return _compose_channel(self, "", f"{self.base}/", f"{self.base}/", "issues")

    @cached_property
    def papers_channel(self) -> Channel:
        """Return the feed of single papers."""
        return _compose_channel(self, "papers/", f"{self.base}/", papers_url(self.base), "papers")

    def section_channel(self, key: str, heading: str) -> Channel:
        """Return the feed of a section's papers, by the section's topic key and heading."""
        home = section_url(self.base, key)
        return _compose_channel(self, f"sections/{key}/", home, home, "section", render_plain_title(heading))


def site_path(base: str, url: str) -> str:
    """Return the file that is served at an address: `issues/2024-05-25/index.html`."""
    path = url.removeprefix(base).lstrip("/")
    return f"{path}index.html" if path.endswith("/") or not path else path


def root_of(frame: Frame) -> str:
    """Return the path at which the site stands on its host, without a trailing slash."""
    return urlsplit(frame.base).path


def render_asset(frame: Frame, name: str, **values: object) -> str:
    """Return what isn't a page (`style.css`, `icon.svg`, `robots.txt`, `sitemap.xml`, `sitemap-year.xml`)."""
    publication = frame.settings.publication
    return render_template(
        frame.environment,
        f"site/{name}",
        {"publication": publication, "base": frame.base, "root": root_of(frame), "generator": GENERATOR, **values},
    )


def compose_feed_info(frame: Frame, channel: Channel, paging: Paging) -> FeedInfo:
    """Return what a feed says of itself; a document of its past leads to no hub."""
    publication = frame.settings.publication
    return FeedInfo(
        id=channel.id,
        title=channel.title,
        description=channel.description,
        home_url=channel.home_url,
        folder_url=channel.folder_url,
        language=publication.language,
        author=publication.editor or publication.title,
        generator=GENERATOR,
        hub_urls=() if paging.current else frame.settings.site.hub,
        paging=paging,
    )


def _compose_channel(frame: Frame, name: str, home: str, folder: str, kind: str, heading: str = "") -> Channel:
    """Return a feed; a template knows its title, in its first line, and its description, in the rest."""
    values = {"publication": frame.settings.publication, "kind": kind, "heading": heading}
    environment = in_language(frame.environment, frame.settings.publication.language)
    title, _, description = render_template(environment, "site/feed.txt", values).strip().partition("\n")
    base = frame.settings.site.id_url or frame.base
    return Channel(f"{base}/{name}", title, description.strip(), home, folder)
