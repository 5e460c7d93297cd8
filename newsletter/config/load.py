"""Reads a config file, and reports every problem in it at once by its key."""

import difflib
import json
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

from pydantic import BaseModel, ValidationError

from newsletter.config.example import find_entry
from newsletter.config.places import find_exposed, find_missing, find_open_passwords
from newsletter.config.settings import Settings
from newsletter.config.values import Table
from newsletter.errors import ConfigError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

DEFAULT_NAME = "config.toml"
_MOST_NAMED = 5


def load_settings(path: Path | None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the config and return settings whose paths are absolute.

    `path` None means `config.toml` in the working folder, or every default if there is none. Raises ConfigError with
    all problems, and for a named file that can't be read.
    """
    chosen = path or Path(DEFAULT_NAME)
    raw = _read_toml(chosen) if path or chosen.exists() else {}
    settings, problems = _parse(raw)
    resolved = _resolve(settings, chosen.absolute().parent, environ)
    problems = _join(problems, [*find_missing(resolved), *find_exposed(resolved, chosen.absolute())])
    if problems:
        raise ConfigError(str(chosen), problems)
    return resolved.named(path.absolute() if path else None)


def load_publication(path: Path | None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings of the one publication that a command is about.

    Raises ConfigError for a config that only names others: its own database and issues would be the defaults.
    """
    settings = load_settings(path, environ)
    chosen, files = path or Path(DEFAULT_NAME), settings.serve.publications
    is_one = not files or bool(settings.publication.model_fields_set)
    if is_one or chosen.resolve() in [file.resolve() for file in files]:
        return settings
    ways = [f"--config {os.path.relpath(file)}" for file in files[:_MOST_NAMED]]
    more = " …" if len(files) > len(ways) else ""
    raise ConfigError(
        str(chosen),
        [("serve.publications", f"none is this config's own; say which you mean: {' or '.join(ways)}{more}")],
    )


def load_publications(path: Path | None, environ: Mapping[str, str] = os.environ) -> list[Settings]:
    """Return the settings of each publication that a config names, or of its own one. Raises ConfigError.

    Each has a database of its own, so the environment's can't stand for all of them.
    """
    settings = load_settings(path, environ)
    files = settings.serve.publications
    if not files:
        return [settings]
    name, variable = str(path or DEFAULT_NAME), "NEWSLETTER_DATABASE_URL"
    if len(files) > 1 and environ.get(variable):
        text = f"names several, and {variable} would give them one database; name each one's in its own config"
        raise ConfigError(name, [("serve.publications", text)])
    found = [load_settings(file, environ).model_copy(update={"log": settings.log}) for file in files]
    urls = [publication.database.url for publication in found]
    for number, url in enumerate(urls):
        if url in urls[:number]:
            text = f"{files[urls.index(url)]} and {files[number]} have one database; give each its own"
            raise ConfigError(name, [("serve.publications", text)])
    return found


def parse_settings(raw: Mapping[str, object], path: str) -> Settings:
    """Return the settings that TOML tables mean; `path` is for messages. Raises ConfigError with all problems."""
    settings, problems = _parse(raw)
    if problems:
        raise ConfigError(path, problems)
    return settings


def _parse(raw: Mapping[str, object]) -> tuple[Settings, list[tuple[str, str]]]:
    """Return settings and problems; what has a problem is read as if it weren't there, so that all can be found."""
    try:
        # JSON mode is strict about types and still reads arrays as tuples and strings as paths.
        settings = Settings.model_validate_json(json.dumps(raw, default=str))
    except ValidationError as error:
        problems = [_problem(item) for item in error.errors()]
        rest = _without(raw, [item["loc"] for item in error.errors()])
        if rest == raw:
            return Settings(), problems
        settings, more = _parse(rest)
        return settings, _join(problems, more)
    return settings, [*_unready(settings), *find_open_passwords(settings)]


def _join(problems: list[tuple[str, str]], more: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Add problems, but not for what has one already: only its default was looked at."""
    known = [key for key, _ in problems]
    return problems + [(key, text) for key, text in more if not any(f"{key}.".startswith(f"{had}.") for had in known)]


def _without(raw: Mapping[str, object], places: Sequence[tuple[int | str, ...]]) -> dict[str, object]:
    """Return a config without the keys that problems are about; without whole tables where a problem names no key."""
    left = {name: dict(table) if isinstance(table, dict) else table for name, table in raw.items()}
    for place in places:
        table = left.get(str(place[0])) if place else None
        if len(place) > 1 and isinstance(table, dict):
            table.pop(str(place[1]), None)
        elif place:
            left.pop(str(place[0]), None)
    return left


def _unready(settings: Settings) -> list[tuple[str, str]]:
    """Mail that leaves this machine must not carry the example's names."""
    if not settings.smtp.host:
        return []
    must = (("publication", "url"), ("publication", "postal_address"), ("mail", "from_address"))
    example = Settings()
    return [
        (f"{table}.{key}", "must be your own once [smtp] host is set; it is still the example's")
        for table, key in must
        if getattr(getattr(settings, table), key) == getattr(getattr(example, table), key)
    ]


def _read_toml(path: Path) -> dict[str, object]:
    try:
        content = path.read_bytes()
        return tomllib.loads(content.decode("utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(str(path), [("", "there is no such file; `newsletter init` writes one")]) from None
    except OSError as error:
        raise ConfigError(str(path), [("", f"can't be read: {error.strerror}")]) from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            str(path), [("", f"can't be read: line {line} is not UTF-8 text; save the file as UTF-8")]
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(path), [("", f"is not valid TOML: {error}")]) from None


def _problem(error: "ErrorDetails") -> tuple[str, str]:
    location = [str(part) for part in error["loc"]]
    key = re.sub(r"\.(\d+)", r"[\1]", ".".join(location))
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(location[-1], _known_keys(location[:-1]), n=1)
        return key, "is not a setting" + (f"; did you mean {near[0]}?" if near else "; see config.example.toml")
    message = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if error["type"] == "value_error":
        return key, message
    return key, f"{message[0].lower()}{message[1:]} (it is {error['input']!r})"


def _known_keys(location: list[str]) -> list[str]:
    """Return what may stand at a place: in the file, in a table, or in an entry of an array of tables."""
    model: object = Settings
    for part in location:
        field = model.model_fields.get(part) if _is_table(model) else None
        if field is not None:
            model = find_entry(field) or field.annotation
    return list(model.model_fields) if _is_table(model) else []


def _is_table(model: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(model, type) and issubclass(model, BaseModel)


def _resolve(settings: Settings, base: Path, environ: Mapping[str, str]) -> Settings:
    """Make every path absolute, and let the environment's database go before the file's."""
    tables: dict[str, Table] = {}
    for name in Settings.model_fields:
        tables[name] = _make_absolute(getattr(settings, name), base)
    url = environ.get("NEWSLETTER_DATABASE_URL") or settings.database.url
    tables["database"] = tables["database"].model_copy(update={"url": _absolute_sqlite(url, base)})
    return settings.model_copy(update=tables)


def _make_absolute(table: Table, base: Path) -> Table:
    """Put the config's folder before every path of a table, and of the tables in it."""
    changes: dict[str, object] = {}
    for key, value in table:
        if isinstance(value, Path):
            changes[key] = base / value
        elif isinstance(value, tuple):
            changes[key] = tuple(_make_entry_absolute(item, base) for item in value)
    return table.model_copy(update=changes)


def _make_entry_absolute(item: object, base: Path) -> object:
    if isinstance(item, Table):
        return _make_absolute(item, base)
    return base / item if isinstance(item, Path) else item


def _absolute_sqlite(url: str, base: Path) -> str:
    name = url.removeprefix("sqlite:///")
    return url if name == url or name == ":memory:" else f"sqlite:///{base / name}"
