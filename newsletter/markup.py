"""The one Markdown dialect, shared by reading and rendering. The only importer of markdown_it and mdit_py_plugins.

CommonMark with tables, strikethrough and maths (`$…$`, `$$…$$`). Owns what counts as Markdown here; refuses nothing:
raw HTML is parsed, and sanitised when it is rendered.
"""

from collections.abc import Mapping, MutableMapping
from functools import lru_cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin

References = Mapping[str, tuple[str, str]]
"""Markdown link definitions: normalised label -> (href, title)."""

MAX_NESTING = 100
"""markdown-it drops deeper text without a word, so `issues.check` reports what comes near."""


@lru_cache(maxsize=1)
def dialect() -> MarkdownIt:
    """Return the shared parser; don't change it."""
    parser = MarkdownIt("commonmark", {"maxNesting": MAX_NESTING, "html": True})
    parser.enable(["table", "strikethrough"])
    return parser.use(dollarmath_plugin, allow_space=False, allow_digits=False, double_inline=True)


def parse_blocks(
    source: str, references: Mapping[str, tuple[str, str]] | None = None
) -> tuple[list[Token], dict[str, Any]]:
    """Return the tokens of a Markdown run and the env that holds its link definitions.

    `references` (label -> (href, title)) are definitions from elsewhere in the file.
    """
    env: MutableMapping[str, Any] = {
        "references": {
            label: {"href": href, "title": title, "map": [0, 0]} for label, (href, title) in (references or {}).items()
        }
    }
    tokens = dialect().parse(source, env)
    return tokens, dict(env)
