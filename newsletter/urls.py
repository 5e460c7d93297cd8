"""Where things are on the site: one function an address, used by mail, pages and feeds alike.

`base` is the site's address without a trailing slash; every address is absolute. These are permanent: a reader's mail
from years ago leads here.
"""

from newsletter.model.edition import PREFERENCES_FIELD, UNSUBSCRIBE_FIELD
from newsletter.model.issue import Entry

RSS_PATH = "feed.xml"
ATOM_PATH = "atom.xml"
JSON_FEED_PATH = "feed.json"


def issue_url(base: str, slug: str) -> str:
    """Return an issue's page."""
    return f"{base}/issues/{slug}/"


def entry_url(base: str, slug: str, entry: Entry) -> str:
    """Return an entry's own page, or its place in the issue's page when it has none."""
    return paper_url(base, entry.page_slug) if entry.page_slug else f"{issue_url(base, slug)}#{entry.anchor}"


def paper_url(base: str, page_slug: str) -> str:
    """Return the page of a paper, by the slug that every entry about it has."""
    return f"{base}/papers/{page_slug}/"


def archive_url(base: str, year: int | None = None) -> str:
    """Return the list of all years, or of one year's issues."""
    return f"{base}/archive/{year}/" if year else f"{base}/archive/"


def unsubscribe_url(base: str, token: str = UNSUBSCRIBE_FIELD) -> str:
    """Return a reader's way out, one click (RFC 8058); by default with the field that a token replaces."""
    return f"{base}/u/{token}"


def preferences_url(base: str, token: str = PREFERENCES_FIELD) -> str:
    """Return a reader's preferences page; by default with the field that a token replaces."""
    return f"{base}/p/{token}"


def join_url(base: str) -> str:
    """Return the page on which readers join."""
    return f"{base}/join"


def confirm_url(base: str, token: str) -> str:
    """Return the page that asks whether a request shall be confirmed."""
    return f"{base}/c/{token}"
