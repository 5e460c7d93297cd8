"""Writes a config: every key with its default and what it is for. `config.example.toml` is made by this."""

import json
import textwrap
from collections.abc import Mapping

from pydantic import BaseModel

from newsletter.config.settings import Settings


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
            comment = textwrap.wrap(item.description or "", 108, initial_indent="# ", subsequent_indent="# ")
            answered = (name, key) in given
            value = given[name, key] if answered else item.default
            lines += ["", *comment, f"{'' if answered else '# '}{key} = {_toml(value)}"]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    """Spell a default in TOML; an absent path is an empty example."""
    if value is None:
        return '"PATH"'
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, int | float):
        return repr(value)
    return json.dumps(str(value), ensure_ascii=False)
