"""The kinds of values a setting can have, the sentence for each that is wrong, and what every table is like."""

import re
from pathlib import Path
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict


def _url(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", value):
        raise ValueError("is not an http(s) address without query; write it like https://news.example.org")
    if re.search(r"[\"'`<>\\]", value):
        raise ValueError("holds a quote, <, > or backslash; write it like https://news.example.org")
    if "@" in value.split("/")[2]:
        raise ValueError("holds a user name or password, which every reader would see; leave out what is before the @")
    return value.rstrip("/")


def _optional_url(value: str) -> str:
    return _url(value) if value else value


def _optional_call(value: str) -> str:
    if value and not re.fullmatch(r"https?://[^\s/?#@\"'`<>\\]+(/[^\s#]*)?(\?[^\s#]*)?", value):
        raise ValueError("is not an http(s) address; write it like https://example.org/hook")
    return value


def _hub_url(value: str) -> str:
    # A hub is an endpoint: its address may have a query, and a slash at its end counts.
    if not re.fullmatch(r"https?://[^\s/?#\"'`<>\\@]+([/?][^\s#\"'`<>\\]*)?", value):
        raise ValueError("is not an http(s) address; write it like https://hub.example.org/")
    return value


def _one_or_more(value: object) -> object:
    if isinstance(value, str):
        return (value,) if value else ()
    return tuple(value) if isinstance(value, list) else value


def _address(value: str) -> str:
    if value and not re.fullmatch(r"[^\s@<>,;:\"]+@[^\s@<>,;:\"]+\.[^\s@<>,;:\"]+", value):
        raise ValueError("is not a mail address; write it like editor@example.org")
    if value and not re.search(r"[^\W\d_]", value.rpartition(".")[2]):  # no top-level domain is without a letter
        raise ValueError("has no domain that mail can come from or go to; write it like editor@example.org")
    return value


def _domain(value: str) -> str:
    if value and not re.fullmatch(r"([a-zA-Z0-9-]+\.)+[a-zA-Z0-9-]+", value):
        raise ValueError("is not a domain; write it like bounces.example.org")
    return value.lower()


def _selector(value: str) -> str:
    if not re.fullmatch(r"(?i:[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.(?=.)|$))*", value):
        raise ValueError("is not a DKIM selector; write letters, digits and inner hyphens, like news-2024")
    return value.lower()


def _path(value: object) -> object:
    if isinstance(value, str) and not value.strip():
        raise ValueError("is empty; name a file or folder, or leave the key out")
    if isinstance(value, str) and "\0" in value:
        raise ValueError("holds a null character, which no path may hold")
    return value


def _database(value: str) -> str:
    scheme, _, rest = value.partition("://")
    if scheme == "sqlite" and (not rest.startswith("/") or rest in ("/", "/:memory:")):
        raise ValueError("must name a file, or the readers would be forgotten; write it like sqlite:///newsletter.db")
    if scheme not in ("sqlite", "postgresql", "postgresql+psycopg", "postgres") or not rest:
        raise ValueError("is no database this program works with; write sqlite:///FILE or postgresql://USER@HOST/NAME")
    return value


def _labels(labels: tuple[str, ...]) -> tuple[str, ...]:
    seen: dict[str, str] = {}
    for label in labels:
        key = "".join(filter(str.isalnum, label.casefold()))
        if not key:
            raise ValueError(f"holds {label!r}, which has no letter")
        if key in _METADATA:
            raise ValueError(f"holds {label!r}, but Authors, Code and Identifier have a meaning of their own")
        if key in seen:
            raise ValueError(f"holds {seen[key]!r} and {label!r}, which can't be told apart; leave one out")
        seen[key] = label
    if not labels:
        raise ValueError('is empty; name at least one, like ["Why?"]')
    return labels


_METADATA = ("author", "authors", "code", "identifier")


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
HubUrl = Annotated[str, AfterValidator(_hub_url)]
OptionalUrl = Annotated[str, AfterValidator(_optional_url)]
OptionalCall = Annotated[str, AfterValidator(_optional_call)]
Hubs = Annotated[tuple[HubUrl, ...], BeforeValidator(_one_or_more)]
Address = Annotated[str, AfterValidator(_address)]
Domain = Annotated[str, AfterValidator(_domain)]
Selector = Annotated[str, AfterValidator(_selector)]
Language = Annotated[str, AfterValidator(_language)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
Line = Annotated[str, AfterValidator(_one_line)]
Labels = Annotated[tuple[str, ...], AfterValidator(_labels)]
DatabaseUrl = Annotated[str, AfterValidator(_database)]
FilePath = Annotated[Path, BeforeValidator(_path)]


class Table(BaseModel):
    """A table of the config: frozen, strict about types, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
