"""What names a work for good: reads arXiv ids, DOIs and addresses in every spelling editors use, into one.

Owns the normal form: two spellings of one work give equal keys. Refuses to guess: what is neither is None.
"""

import re
import unicodedata
from urllib.parse import unquote, urlsplit, urlunsplit

from newsletter.model.issue import Identifier

_ARXIV = re.compile(
    r"(?P<id>[0-9]{2}(?:0[1-9]|1[0-2])\.[0-9]{4,5}|(?P<archive>[a-z]+(?:-[a-z]+)?)(?:\.[a-z-]{2,})?/(?P<number>[0-9]{7}))"
    r"(?P<version>v[1-9][0-9]{0,2})?",
    re.IGNORECASE,
)
_ARXIV_USUAL = re.compile(r"https?://arxiv\.org/(?:abs|pdf)/(?P<id>[0-9]{4}\.[0-9]{4,5})(?P<version>v[1-9][0-9]?)?")
_ARXIV_PATH = re.compile(r"/(?:abs|pdf|html|format|ps|src|e-print)/(?P<id>.+?)(?:\.pdf|\.html?)?/?", re.IGNORECASE)
_DOI = re.compile(r"10\.[0-9]{4,9}(?:\.[0-9]+)*/\S+")
_ARXIV_HOSTS = frozenset({"arxiv.org", "www.arxiv.org", "export.arxiv.org"})
_DOI_HOSTS = frozenset({"doi.org", "www.doi.org", "dx.doi.org"})
_DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_LENGTH = 2000
"""Characters of an identifier; a longer one is not read."""


def parse_identifier(text: str) -> Identifier | None:
    """Return what `arxiv:…`, `doi:…`, a bare arXiv id or DOI, or an http(s) address names, or None."""
    text = text.strip()
    if not text or len(text) > MAX_LENGTH or re.search(r"\s", text):
        return None
    if usual := _ARXIV_USUAL.fullmatch(text):
        return _parse_arxiv(usual["id"] + (usual["version"] or "")) or Identifier("url", text)
    scheme, _, rest = text.partition(":")
    if scheme.lower() == "arxiv":
        return _parse_arxiv(rest)
    if scheme.lower() == "doi":
        return _parse_doi(unquote(rest))
    if scheme.lower() in _DEFAULT_PORTS:
        return _parse_address(text)
    return _parse_arxiv(text) or _parse_doi(text)


def normalise_url(url: str) -> str:
    """Return an http(s) address in its normal form, or '' if it is none.

    Scheme and host in lower case; default port, user name, fragment and utm_* parameters removed.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if parts.scheme not in _DEFAULT_PORTS or not host:
        return ""
    host = f"[{host}]" if ":" in host else host
    place = host if port in (None, _DEFAULT_PORTS[parts.scheme]) else f"{host}:{port}"
    query = "&".join(item for item in parts.query.split("&") if not item.lower().startswith("utm_"))
    return urlunsplit((parts.scheme, place, parts.path or "/", query, ""))


def normalise_title(title: str) -> str:
    """Return a title's letters and digits in lower case, words apart by one space: equal for the same work."""
    folded = unicodedata.normalize("NFKC", title).casefold()
    return " ".join(re.findall(r"[^\W_]+", folded))


def _parse_address(url: str) -> Identifier | None:
    address = normalise_url(url)
    if not address:
        return None
    parts = urlsplit(address)
    if parts.hostname in _DOI_HOSTS and (found := _parse_doi(unquote(parts.path.removeprefix("/")))):
        return found
    match = _ARXIV_PATH.fullmatch(unquote(parts.path)) if parts.hostname in _ARXIV_HOSTS else None
    if match and (found := _parse_arxiv(match["id"])):
        return found
    return Identifier("url", address)


def _parse_arxiv(text: str) -> Identifier | None:
    match = _ARXIV.fullmatch(text.strip())
    if not match:
        return None
    # The subject class of an old id (math.GT/0309136) is not part of the id.
    value = f"{match['archive'].lower()}/{match['number']}" if match["archive"] else match["id"]
    return Identifier("arxiv", value, (match["version"] or "").lower())


def _parse_doi(text: str) -> Identifier | None:
    value = text.strip().lower()
    if not _DOI.fullmatch(value):
        return None
    # arXiv registers a DOI for each of its papers: the same work, so the same key.
    if (own := value.removeprefix("10.48550/arxiv.")) != value:
        return _parse_arxiv(own) or Identifier("doi", value)
    return Identifier("doi", value)
