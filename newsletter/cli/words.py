"""Words on the command line that mean more than a string: dates."""

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from newsletter.config import Settings
from newsletter.errors import UsageError
from newsletter.model.topic import topic_key

OFFSETS = {"yesterday": -1, "today": 0, "tomorrow": 1}


def parse_name(text: str, settings: Settings) -> str:
    """Return which issue is meant: `today` and its neighbours become dates, all else stays as it is.

    Raises UsageError for what is written like a date and is none.
    """
    dated = text in OFFSETS or re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text)
    return str(parse_day(text, settings)) if dated else text


def parse_day(text: str, settings: Settings) -> date:
    """Return the date that is meant: ISO 8601, or `today` and its neighbours. Raises UsageError."""
    if text in OFFSETS:
        return _relative_day(text, settings)
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a date. Write it like 2024-05-25, or say today.") from None


def parse_topics(text: str) -> frozenset[str]:
    """Return the keys of topics that are named by key or heading, with commas between; none for everything."""
    return frozenset(topic_key(name) for name in text.split(",") if name.strip())


def _relative_day(text: str, settings: Settings) -> date:
    """Count from today where the publication is, not where this machine is."""
    here = datetime.now(UTC).astimezone(ZoneInfo(settings.publication.time_zone))
    return here.date() + timedelta(days=OFFSETS[text])
