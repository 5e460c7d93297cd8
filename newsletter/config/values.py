"""The kinds of values a setting can have, the sentence for each that is wrong, and what every table is like."""

import re
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict


def _url(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", value):
        raise ValueError("is not an http(s) address without query; write it like https://news.example.org")
    return value.rstrip("/")


def _optional_url(value: str) -> str:
    return _url(value) if value else value


def _address(value: str) -> str:
    if value and not re.fullmatch(r"[^\s@<>,;:\"]+@[^\s@<>,;:\"]+\.[^\s@<>,;:\"]+", value):
        raise ValueError("is not a mail address; write it like editor@example.org")
    return value


def _domain(value: str) -> str:
    if value and not re.fullmatch(r"([a-zA-Z0-9-]+\.)+[a-zA-Z0-9-]+", value):
        raise ValueError("is not a domain; write it like bounces.example.org")
    return value.lower()


def _selector(value: str) -> str:
    if not re.fullmatch(r"(?i:[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.(?=.)|$))*", value):
        raise ValueError("is not a DKIM selector; write letters, digits and inner hyphens, like news-2024")
    return value.lower()


def _language(value: str) -> str:
    if not re.fullmatch(r"[a-zA-Z]{2,3}(-[a-zA-Z0-9]{2,8})*", value):
        raise ValueError("is not a language tag (RFC 5646); write it like en or pt-BR")
    return value


def _time_zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError("is not a time zone name; write it like Europe/Berlin or UTC")
    return value


def _one_line(value: str) -> str:
    if re.search(r"[\x00-\x1f\x7f]", value):
        raise ValueError("holds a line break or control character, which no mail header may carry")
    return value


Url = Annotated[str, AfterValidator(_url)]
OptionalUrl = Annotated[str, AfterValidator(_optional_url)]
Address = Annotated[str, AfterValidator(_address)]
Domain = Annotated[str, AfterValidator(_domain)]
Selector = Annotated[str, AfterValidator(_selector)]
Language = Annotated[str, AfterValidator(_language)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
Line = Annotated[str, AfterValidator(_one_line)]


class Table(BaseModel):
    """A table of the config: frozen, strict about types, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
