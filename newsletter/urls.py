"""Where things are on the site: one function an address, used by mail, pages and feeds alike.

`base` is the site's address without a trailing slash; every address is absolute. These are permanent: a reader's mail
from years ago leads here.
"""

from newsletter.model.edition import PREFERENCES_FIELD, UNSUBSCRIBE_FIELD
from newsletter.model.issue import Entry, is_page_slug

RSS_PATH = "feed.xml"
ATOM_PATH = "atom.xml"
JSON_FEED_PATH = "feed.json"


def issue_url(base: str, slug: str) -> str:
    """Return an issue's page."""
    return f"{base}/issues/{slug}/"


def entry_url(base: str, slug: str, entry: Entry) -> str:
    """Return an entry's own page, or its place in the issue's page when it has none."""
    return paper_url(base, entry.page_slug) if entry.page_slug else f"{issue_url(base, slug)}#{entry.anchor}"


def place_url(base: str, slug: str, work: str, anchor: str) -> str:
    """Return the page of a work (Entry.work_in), or its place in the issue's page when it has none."""
    return paper_url(base, work) if is_page_slug(work) else f"{issue_url(base, slug)}#{anchor}"


def paper_url(base: str, page_slug: str) -> str:
    """Return the page of a paper, by the slug that every entry about it has."""
    return f"{base}/papers/{page_slug}/"


def archive_url(base: str, year: int | None = None) -> str:
    """Return the list of all years, or of one year's issues."""
    return f"{base}/archive/{year}/" if year else f"{base}/archive/"


def feeds_url(base: str) -> str:
    """Return the page that explains every feed."""
    return f"{base}/feeds/"


def papers_url(base: str) -> str:
    """Return the folder of the feed of single papers, whose documents are called like those of the issues' feed."""
    return f"{base}/papers/"


def section_url(base: str, key: str = "", year: int | None = None) -> str:
    """Return the page of a section, by its topic key, which has its feed beside it; of its papers of one year; or the
    list of all sections."""
    return f"{base}/sections/" + (f"{key}/" if key else "") + (f"{year}/" if key and year else "")


def history_url(base: str, number: int) -> str:
    """Return the folder of one of the archive documents of the issues' feed (RFC 5005), counted from 1, the oldest."""
    return f"{base}/feeds/archive/{number}/"


def unsubscribe_url(base: str, token: str = UNSUBSCRIBE_FIELD) -> str:
    """Return a reader's way out, one click (RFC 8058); by default with the field that a token replaces."""
    return f"{base}/u/{token}"


def preferences_url(base: str, token: str = PREFERENCES_FIELD) -> str:
    """Return a reader's preferences page; by default with the field that a token replaces."""
    return f"{base}/p/{token}"


def join_url(base: str) -> str:
    """Return the page on which readers join."""
    return f"{base}/join"


def search_url(base: str) -> str:
    """Return the page on which issues and papers are searched."""
    return f"{base}/search"


def confirm_url(base: str, token: str) -> str:
    """Return the page that asks whether a request shall be confirmed."""
    return f"{base}/c/{token}"
