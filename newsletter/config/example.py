"""Writes a config: every key with its default and what it is for. `config.example.toml` is made by this."""

import json
import textwrap
from collections.abc import Mapping
from typing import get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from newsletter.config.settings import Settings

_WIDTH = 108


def render_config(answers: Mapping[tuple[str, str], object] | None = None) -> str:
    """Return a config with every key, commented, with its default.

    `answers` ((table, key) -> value) stand uncommented.
    """
    given = answers or {}
    lines = [
        "# Every setting, with its default. Uncomment what you change. Without `newsletter init`: copy this file to",
        "# config.toml. Paths are relative to the folder this file stands in.",
    ]
    for name, table in Settings.model_fields.items():
        model = table.annotation
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            raise TypeError(f"{name} is not a table")
        lines += ["", "", f"# {' '.join((model.__doc__ or '').split())}", f"[{name}]"]
        for key, item in model.model_fields.items():
            comment = textwrap.wrap(item.description or "", _WIDTH, initial_indent="# ", subsequent_indent="# ")
            comment += _describe_entries(item)
            answered = (name, key) in given
            value = given[name, key] if answered else item.default
            lines += ["", *comment, f"{'' if answered else '# '}{key} = {_toml(value)}"]
    return "\n".join(lines) + "\n"


def find_entry(item: FieldInfo) -> type[BaseModel] | None:
    """Return what one entry of an array of tables is, or None for any other setting."""
    for inner in get_args(item.annotation):
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            return inner
    return None


def _describe_entries(item: FieldInfo) -> list[str]:
    """Say what an entry looks like, and what each of its keys is for."""
    entry = find_entry(item)
    if entry is None:
        return []
    lines = ["# Each is written as {KEY = VALUE, KEY = VALUE}:"]
    for key, inner in entry.model_fields.items():
        value = '"…"' if inner.is_required() else _toml(inner.default)
        words = f"{key} = {value}: {inner.description}"
        lines += textwrap.wrap(words, _WIDTH, initial_indent="#   ", subsequent_indent="#       ")
    return lines


def _toml(value: object) -> str:
    """Spell a default in TOML; an absent path is an empty example."""
    if value is None:
        return '"PATH"'
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    return json.dumps(str(value), ensure_ascii=False)
