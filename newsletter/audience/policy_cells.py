"""What a cell of somebody's list says: times, yes and no, tags, network addresses. Pure.

Owns the spellings of other programs. Raises ValueError, with a sentence, for what can't be understood.
"""

import csv
import json
import re
from collections.abc import Collection
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import ip_address

from newsletter.model.topic import topic_key

_YES = frozenset({"true", "t", "yes", "y", "1", "on"})
_NO = frozenset({"false", "f", "no", "n", "0", "off", ""})
_FOREIGN = re.compile(
    r"(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9:]{5,8}(?:\.[0-9]{1,9})?)"
    r"(?: ?(?P<offset>[+-][0-9]{4}))?(?: (?P<zone>UTC|GMT|[+-][0-9]{4}|[A-Z]{3,5}))?(?: m=[^ ]+)?"
)
"""A time of Go or Ruby: `2024-05-25 06:30:00.5 +0000 UTC`, `2024-05-25 06:30:00 UTC`."""

_KEY = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


def parse_time(text: str) -> datetime | None:
    """Read ISO 8601, or what is written like it; a time without zone is UTC, a date is its first moment."""
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = _parse_foreign_time(text)
    try:
        instant = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(_complain_time(text)) from None
    if not 1970 <= instant.year <= 9998:
        raise ValueError(f"{text[:40]!r} is not a time that a reader can have joined or left at.")
    return instant


def _parse_foreign_time(text: str) -> datetime:
    match = _FOREIGN.fullmatch(text)
    zone = match and (match["offset"] or ("+0000" if match["zone"] in ("UTC", "GMT") else ""))
    if not match or not zone:
        raise ValueError(_complain_time(text))
    try:
        return datetime.fromisoformat(match["time"] + zone)
    except ValueError:
        raise ValueError(_complain_time(text)) from None


def _complain_time(text: str) -> str:
    return f"{text[:40]!r} is not a date or time; write it like 2024-05-25 or 2024-05-25T06:30Z."


def parse_truth(text: str, what: str) -> bool:
    """Read yes or no in any usual spelling; nothing is no."""
    word = text.lower()
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise ValueError(f"{what} is {text[:40]!r}, which is neither true nor false.")


@lru_cache(maxsize=4096)
def parse_topics(text: str, offered: frozenset[str]) -> frozenset[str]:
    """Return those topics, by key, that tags name: a list in commas, semicolons or bars, quoted or not, or in JSON."""
    return offered & {topic_key(tag) for tag in _split_tags(text)}


@lru_cache(maxsize=4096)
def parse_topic_keys(text: str) -> frozenset[str]:
    """Read topics as an export of ours writes them: keys with spaces between."""
    keys = text.split()
    for key in keys:
        if not _KEY.fullmatch(key) or len(key) > 64:
            raise ValueError(f"{key[:40]!r} is not the key of a topic, such as core-research.")
    return frozenset(keys)


def parse_client(text: str) -> str:
    """Return a network address in its usual spelling, or '' for what is none."""
    try:
        return str(ip_address(text)) if text else ""
    except ValueError:
        return ""


def parse_attributes(text: str) -> dict[str, object]:
    """Return the fields of a JSON object, their names in lower case; what is no object has none."""
    try:
        found = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        raise ValueError(f"the attributes are not JSON: {text[:40]!r}.") from None
    return {str(name).lower(): value for name, value in found.items()} if isinstance(found, dict) else {}


def _split_tags(text: str) -> Collection[str]:
    if text.startswith("["):
        try:
            listed = json.loads(text)
        except (ValueError, RecursionError):
            text = text.strip("[]")
        else:
            return [_name_of(item) for item in listed] if isinstance(listed, list) else []
    delimiter = max(",;|", key=text.count)
    try:
        (row,) = csv.reader([" ".join(text.split())], delimiter=delimiter, skipinitialspace=True)
    except (ValueError, csv.Error):
        return []
    return [tag.strip(" '\"") for tag in row]


def _name_of(item: object) -> str:
    return str(item.get("name", "")) if isinstance(item, dict) else str(item)
