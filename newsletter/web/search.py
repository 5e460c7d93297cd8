"""The search over issues and papers, as a page and for programs."""

from http import HTTPStatus

from starlette.responses import Response

from newsletter.model.document import DocumentKind, Hit, SearchPage
from newsletter.model.topic import LONGEST_KEY
from newsletter.search.query import MAX_QUERY
from newsletter.store.search import search_works
from newsletter.urls import issue_url, paper_url
from newsletter.web.headers import Nature
from newsletter.web.pages import show_json, show_json_problem, show_page
from newsletter.web.visit import Visit

PAGE = 20
"""Hits on one page."""

LAST_PAGE = 50
"""Whoever hasn't found it by then looks for something else."""


def show_search(visit: Visit) -> Response:
    """Show the search box, and what was found."""
    query = visit.query["q"].strip()[:MAX_QUERY]
    section, year = _parse_section(visit), _parse_number(visit.query["year"], 1, 9999)
    number = _parse_number(visit.query["page"], 1, LAST_PAGE) or 1
    return show_page(
        visit,
        "search.html",
        path="/search",
        nature=Nature.PAGE,
        query=query,
        section=section or "",
        year=year or "",
        number=number,
        found=_search(visit, query, section, year, number) if query else None,
        page_size=PAGE,
        last_page=LAST_PAGE,
        hit_url=lambda hit: _hit_url(visit, hit),
    )


def find_works(visit: Visit) -> Response:
    """Answer a program with what was found."""
    query = visit.query["q"].strip()
    if not query or len(query) > MAX_QUERY:
        detail = f"q must hold what to look for, in at most {MAX_QUERY} characters."
        return show_json_problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    numbers = {
        "page": _parse_number(visit.query["page"] or "1", 1, LAST_PAGE),
        "year": _parse_number(visit.query["year"] or "1", 1, 9999),
    }
    wrong = [name for name, value in numbers.items() if value is None]
    if wrong:
        return show_json_problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{' and '.join(wrong)} must be a number in range.")
    year = numbers["year"] if visit.query["year"] else None
    found = _search(visit, query, _parse_section(visit), year, numbers["page"] or 1)
    return show_json({"total": found.total, "hits": [_describe(visit, hit) for hit in found.hits]})


def _search(visit: Visit, query: str, section: str | None, year: int | None, number: int) -> SearchPage:
    with visit.house.database.read() as connection:
        offset = (number - 1) * PAGE
        return search_works(connection, query, limit=PAGE, offset=offset, section=section, year=year)


def _parse_section(visit: Visit) -> str | None:
    return visit.query["section"][:LONGEST_KEY].replace("\0", "") or None


def _parse_number(text: str, least: int, most: int) -> int | None:
    """Return a whole number within bounds, None for anything else."""
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(most))):
        return None
    return int(text) if least <= int(text) <= most else None


def _hit_url(visit: Visit, hit: Hit) -> str:
    base = visit.house.frame.base
    if hit.kind is DocumentKind.ENTRY and hit.page_slug:
        return paper_url(base, hit.page_slug)
    issue = issue_url(base, hit.slug)
    return f"{issue}#{hit.anchor}" if hit.anchor else issue


def _describe(visit: Visit, hit: Hit) -> dict[str, object]:
    return {
        "kind": hit.kind,
        "title": hit.plain_title,
        "url": _hit_url(visit, hit),
        "issue_url": issue_url(visit.house.frame.base, hit.slug),
        "date": hit.date.isoformat(),
        "authors": list(hit.authors),
        "section": hit.section,
        "snippet": [{"text": piece.text, "highlighted": piece.highlighted} for piece in hit.snippet],
    }
