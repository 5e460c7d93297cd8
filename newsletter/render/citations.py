"""Works and issues as citations: BibTeX, RIS and CSL-JSON. Pure.

Owns each format's rules for what may stand where. Says nothing that isn't known: a DOI tells neither the year nor the
kind of a work, an arXiv id tells the month, and a list of authors that ends in "et al." stays open.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from newsletter.model.issue import Entry, Issue
from newsletter.render.content import GENERATOR, Card
from newsletter.render.maths import render_plain_title
from newsletter.render.names import Name, clean_line, parse_authors
from newsletter.render.works import Appearance, authors_of

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
"""BibTeX's own macros: each style spells them its way."""

_TEX = {
    "\\": r"\textbackslash{}",
    "{": r"\textbraceleft{}",
    "}": r"\textbraceright{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    **{character: f"\\{character}" for character in "$&#%_"},
}
"""A brace has a name of its own here: BibTeX counts braces, escaped ones as well."""


@dataclass(frozen=True, slots=True)
class Citation:
    """What is cited. `issued` is a year, with month and day as far as they are known; what isn't known is empty.

    `key` is unique and safe in every format. `others` says that there are more authors than are named. `container` is
    what an issue is part of; only works have `doi` and `arxiv`.
    """

    key: str
    title: str
    authors: tuple[Name, ...]
    url: str
    language: str
    issued: tuple[int, ...] = ()
    others: bool = False
    doi: str = ""
    arxiv: str = ""
    container: str = ""


def cite_work(appearances: Sequence[Appearance]) -> Citation:
    """Return the citation of a paper (an entry with a page of its own) from its appearances, newest first."""
    latest = appearances[0]
    return _cite_entry(latest.entry, authors_of(appearances))


def cite_issue(issue: Issue, card: Card, url: str, publication: str, publisher: str) -> list[Citation]:
    """Return the citation of an issue and then those of the papers in it; a publication's title is no person's name."""
    authors, others = parse_authors(issue.authors or (publisher,))
    if not issue.authors and publisher == publication:
        authors, others = (Name(literal=clean_line(publication)),), False
    own = Citation(
        key=f"issue-{card.slug}",
        title=clean_line(render_plain_title(card.title)),
        authors=authors,
        url=url,
        language=card.language,
        issued=(card.date.year, card.date.month, card.date.day),
        others=others,
        container=clean_line(publication),
    )
    papers = {entry.page_slug: _cite_entry(entry, entry.authors) for entry in issue.entries if entry.page_slug}
    return [own, *papers.values()]


def parse_submitted(entry: Entry) -> tuple[int, ...]:
    """Return year and month as an arXiv id tells them, else nothing: a DOI doesn't know its date."""
    if entry.identifier is None or entry.identifier.scheme != "arxiv":
        return ()
    digits = entry.identifier.value.rsplit("/", 1)[-1][:4]
    if not re.fullmatch(r"[0-9]{2}(0[1-9]|1[0-2])", digits):
        return ()
    # arXiv began in August 1991, so two digits are enough until 2091.
    century = 1900 if int(digits[:2]) >= 91 else 2000
    return century + int(digits[:2]), int(digits[2:])


def render_bibtex(citations: Iterable[Citation]) -> str:
    """Return BibTeX in UTF-8; titles keep their capitals."""
    return "\n".join([f"% {GENERATOR}\n", *map(_bibtex_entry, citations)])


def render_ris(citations: Iterable[Citation]) -> str:
    """Return RIS: a tag a line, lines ended by CR LF."""
    lines = [line for citation in citations for line in (*_ris_lines(citation), "ER  - ", "")]
    return "".join(f"{line}\r\n" for line in lines)


def render_csl(citations: Iterable[Citation]) -> str:
    """Return CSL-JSON (the schema of CSL 1.0.2)."""
    return json.dumps([_csl_item(citation) for citation in citations], ensure_ascii=False, indent=1) + "\n"


@dataclass(frozen=True, slots=True)
class CitationFormat:
    """A format of citations: its name, its media type, the name of its file beside a page, and what makes it."""

    name: str
    media_type: str
    file: str
    render: Callable[[Iterable[Citation]], str]


CITATION_FORMATS = (
    CitationFormat("BibTeX", "application/x-bibtex", "cite.bib", render_bibtex),
    CitationFormat("RIS", "application/x-research-info-systems", "cite.ris", render_ris),
    CitationFormat("CSL-JSON", "application/vnd.citationstyles.csl+json", "cite.json", render_csl),
)


def _cite_entry(entry: Entry, names: Sequence[str]) -> Citation:
    authors, others = parse_authors(names)
    identifier = entry.identifier
    assert identifier is not None  # noqa: S101 - only what has an identifier has a page
    arxiv = identifier.value if identifier.scheme == "arxiv" else ""
    return Citation(
        key=entry.page_slug,
        title=clean_line(render_plain_title(entry.title)),
        authors=authors,
        url=identifier.url,
        language="",
        issued=parse_submitted(entry),
        others=others,
        # arXiv registers a DOI for each of its papers.
        doi=f"10.48550/arXiv.{arxiv}" if arxiv else identifier.value,
        arxiv=arxiv,
    )


def _bibtex_entry(citation: Citation) -> str:
    fields = {
        "author": " and ".join([*map(_bibtex_name, citation.authors), *(["others"] if citation.others else [])]),
        # The second pair of braces keeps a style from lowering the title's capitals.
        "title": f"{{{_tex(citation.title)}}}" if citation.title else "",
        "howpublished": _tex(citation.container),
        "eprint": citation.arxiv,
        "archiveprefix": "arXiv" if citation.arxiv else "",
        "doi": _verbatim(citation.doi),
        "url": _verbatim(citation.url),
        "year": str(citation.issued[0]) if citation.issued else "",
    }
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    lines += [f"  month = {_MONTHS[citation.issued[1] - 1]}," for _ in citation.issued[1:2]]
    return "\n".join([f"@misc{{{citation.key},", *lines, "}\n"])


def _bibtex_name(name: Name) -> str:
    whole = name.literal or " ".join(filter(None, (name.given, name.particle, name.family)))
    # BibTeX sees another person after "and", whatever it belongs to.
    if name.literal or re.search(r"(?i)\band\b", f"{whole} {name.suffix}"):
        return f"{{{_tex(' '.join(filter(None, (whole, name.suffix))))}}}"
    # It takes a word in lower case for a particle; braces say that it isn't one.
    lower = any(word[0].islower() for word in name.family.split())
    family = f"{{{_tex(name.family)}}}" if lower else _tex(name.family)
    parts = [" ".join(filter(None, (_tex(name.particle), family))), *filter(None, (_tex(name.suffix),))]
    return ", ".join([*parts, _tex(name.given)] if name.given or name.suffix else parts)


def _tex(text: str) -> str:
    return "".join(_TEX.get(character, character) for character in text)


def _verbatim(address: str) -> str:
    """Return an address as it may stand in a field that is read as it is: without braces, backslashes and spaces."""
    return quote(address, safe="!#$%&'()*+,-./:;<=>?@[]^_`|~\"")


def _ris_lines(citation: Citation) -> list[str]:
    issued = [f"{citation.issued[0]:04}", *(f"{part:02}" for part in citation.issued[1:])] if citation.issued else []
    values = [
        ("TY", "ELEC" if citation.container else "GEN"),
        ("ID", citation.key),
        *(("AU", _ris_name(name)) for name in citation.authors),
        ("TI", citation.title),
        ("T2", citation.container),
        ("PB", "arXiv" if citation.arxiv else ""),
        ("AN", f"arXiv:{citation.arxiv}" if citation.arxiv else ""),
        ("PY", issued[0] if issued else ""),
        # Year, month, day and a word of one's own, with each slash (the RIS specification).
        ("DA", "/".join([*issued, *[""] * (4 - len(issued))]) if issued else ""),
        ("DO", citation.doi),
        ("UR", citation.url),
        ("LA", citation.language),
    ]
    return [f"{tag}  - {value}" for tag, value in values if value]


def _ris_name(name: Name) -> str:
    if name.literal:
        return name.literal
    family = " ".join(filter(None, (name.particle, name.family)))
    return ", ".join([family, *([name.given] if name.given or name.suffix else []), *filter(None, (name.suffix,))])


def _csl_item(citation: Citation) -> dict[str, object]:
    arxiv = {"number": f"arXiv:{citation.arxiv}", "publisher": "arXiv"} if citation.arxiv else {}
    values: dict[str, object] = {
        "id": citation.key,
        "type": "webpage" if citation.container else "article",
        "title": citation.title,
        "author": [_csl_name(name) for name in citation.authors],
        "issued": {"date-parts": [list(citation.issued)]} if citation.issued else None,
        "container-title": citation.container,
        **arxiv,
        "DOI": citation.doi,
        "URL": citation.url,
        "language": citation.language,
    }
    return {name: value for name, value in values.items() if value}


def _csl_name(name: Name) -> Mapping[str, str]:
    if name.literal:
        return {"literal": name.literal}
    parts = {
        "family": name.family,
        "given": name.given,
        "non-dropping-particle": name.particle,
        "suffix": name.suffix,
    }
    return {key: value for key, value in parts.items() if value}
