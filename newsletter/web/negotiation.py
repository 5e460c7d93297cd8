"""Which form of a file a client gets, and whether it has it already: HTTP's conditions and encodings. Pure.

RFC 9110, sections 8.8, 12.5.3, 13. Every parser takes any text; what it can't understand asks for nothing.
"""

import re
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache

IDENTITY = ""
"""The encoding of a body as it is."""

PREFERRED = ("br", "gzip")
"""Encodings we have, the smallest first: between equal wishes this order decides."""

LONGEST_HEADER = 4096

_ETAG = re.compile(r'\s*(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")\s*(?:,|$)')
_WEIGHT = re.compile(r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")


@lru_cache(maxsize=1024)
def choose_encoding(accept: str, offered: tuple[str, ...]) -> str | None:
    """Return the encoding to send by `Accept-Encoding`, None when none that is offered is acceptable.

    `offered` always holds IDENTITY. Without a word about it, identity is acceptable, but comes last.
    """
    weights = _parse_weights(accept)
    rest = weights.get("*", 0.0)
    identity = weights.get("identity", rest if "*" in weights else 1.0)
    found = [(weights.get(encoding, rest), encoding) for encoding in PREFERRED if encoding in offered]
    best = max((weight for weight, _ in found), default=0.0)
    named = "identity" in weights
    if best > 0 and not (named and identity > best):
        return next(encoding for weight, encoding in found if weight == best)
    return IDENTITY if identity > 0 else None


def has_matching_etag(if_none_match: str, etag: str) -> bool:
    """Return whether a list of tags names this strong one, compared weakly (RFC 9110, 8.8.3.2); `*` names each."""
    if if_none_match.strip() == "*":
        return True
    at = 0
    while at < min(len(if_none_match), LONGEST_HEADER):
        found = _ETAG.match(if_none_match, at)
        if found is None:
            return False
        if found[1] == etag:
            return True
        at = found.end()
    return False


def is_unmodified(if_modified_since: str, modified: int) -> bool:
    """Return whether something modified at `modified` (seconds since 1970) is as old as the client's."""
    since = parse_http_date(if_modified_since)
    return since is not None and modified <= since


def parse_http_date(text: str) -> int | None:
    """Return the seconds since 1970 of a date in a header, None if it is none."""
    if len(text) > 40 or not text.endswith("GMT"):
        return None
    try:
        return int(parsedate_to_datetime(text).timestamp())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def render_http_date(moment: datetime) -> str:
    """Return a moment (aware UTC) as a header wants it."""
    return format_datetime(moment, usegmt=True)


def _parse_weights(accept: str) -> dict[str, float]:
    """Return what a list of encodings says of each; `x-gzip` is gzip's old name."""
    weights: dict[str, float] = {}
    for item in accept[:LONGEST_HEADER].lower().split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        weight = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip() == "q":
                weight = float(value) if _WEIGHT.fullmatch(value.strip()) else 0.0
        if name:
            weights.setdefault("gzip" if name == "x-gzip" else name, weight)
    return weights
