"""The one Markdown dialect, shared by reading and rendering. The only importer of markdown_it and mdit_py_plugins.

CommonMark with tables, strikethrough and maths (`$…$`, `$$…$$`). Owns what counts as Markdown here; refuses nothing:
raw HTML is parsed, and sanitised when it is rendered.

Links, images, raw HTML, code spans and maths carry their place: `token.meta["at"]` is (start, end) in the inline
token's `content`, counted from 0. A table's rows carry their line as it was written: `token.meta["row"]`.
"""

import re
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from functools import lru_cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, table
from markdown_it.rules_inline import StateInline, autolink, backtick, html_inline, image, link
from markdown_it.token import Token as Token
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.dollarmath.index import math_inline_dollar

References = Mapping[str, tuple[str, str]]
"""Markdown link definitions: normalised label -> (href, title)."""

MAX_NESTING = 100
"""markdown-it drops deeper text without a word, so `issues.check` reports what comes near."""

INLINE_MATHS = re.compile(r"(?<![\\$\w])\$(?=\S)([^$\n]+?)(?<=[^\s\\])\$(?![\w$])")
"""`$…$` in a title, which is plain text: not beside a word, so that prices stay prices."""

_Rule = Callable[[StateInline, bool], bool]

_LOCATED: Mapping[str, _Rule] = {
    "link": link,
    "image": image,
    "autolink": autolink,
    "html_inline": html_inline,
    "backticks": backtick,
}


@lru_cache(maxsize=1)
def dialect() -> MarkdownIt:
    """Return the shared parser; don't change it."""
    parser = MarkdownIt("commonmark", {"maxNesting": MAX_NESTING, "html": True})
    parser.enable(["table", "strikethrough"])
    for name, rule in _LOCATED.items():
        parser.inline.ruler.at(name, _locating(rule))
    parser.block.ruler.at("table", _keeping_rows, {"alt": ["paragraph", "reference"]})
    parser.use(dollarmath_plugin, allow_space=False, allow_digits=False, double_inline=True)
    maths = math_inline_dollar(allow_space=False, allow_digits=False, allow_double=True)
    parser.inline.ruler.at("math_inline", _locating(maths))
    return parser


def parse_blocks(
    source: str, references: Mapping[str, tuple[str, str]] | None = None
) -> tuple[list[Token], dict[str, Any]]:
    """Return the tokens of a Markdown run and the env that holds its link definitions.

    `references` (label -> (href, title)) are definitions from elsewhere in the file.
    """
    env = _environment(references)
    tokens = dialect().parse(source, env)
    return tokens, dict(env)


def parse_outline(source: str) -> tuple[list[Token], dict[str, tuple[str, str]]]:
    """Return the block tokens of a file, inline text unparsed, and its link definitions; five times faster.

    `source` has no other line break than LF, and no NUL.
    """
    parser, env, tokens = dialect(), _environment(None), list[Token]()
    parser.block.parse(source, parser, env, tokens)
    return tokens, {label: (each["href"], each["title"]) for label, each in env["references"].items()}


def parse_inline(source: str, references: Mapping[str, tuple[str, str]] | None = None) -> list[Token]:
    """Return the inline tokens of one paragraph's or heading's text."""
    (inline,) = dialect().parseInline(source, _environment(references))
    return inline.children or []


def plain_text(tokens: Iterable[Token]) -> str:
    """Return what inline tokens say without their markup; maths keep their dollar signs, images give their alt text."""
    return "".join(_plain(token) for token in tokens)


def _plain(token: Token) -> str:
    if token.type == "image":
        return plain_text(token.children or [])
    if token.type in {"softbreak", "hardbreak"}:
        return " "
    if token.type.startswith("math_inline"):
        return f"${token.content}$"
    return token.content if token.type in {"text", "text_special", "code_inline"} else ""


def _environment(references: References | None) -> MutableMapping[str, Any]:
    return {
        "references": {
            label: {"href": href, "title": title, "map": [0, 0]} for label, (href, title) in (references or {}).items()
        }
    }


def _keeping_rows(state: StateBlock, first: int, end: int, silent: bool) -> bool:
    """Read a table, and keep each row's line with it: cells beyond the head's would be lost without a word."""
    before = len(state.tokens)
    found = table(state, first, end, silent)
    for token in state.tokens[before:] if found and not silent else ():
        if token.type == "tr_open" and token.map:
            line = token.map[0]
            token.meta["row"] = state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]].strip()
    return found


def _locating(rule: _Rule) -> _Rule:
    """Wrap an inline rule so that the token it makes says where in the text it stands."""

    def locate(state: StateInline, silent: bool) -> bool:
        start, before = state.pos, len(state.tokens)
        found = rule(state, silent)
        if found and not silent:
            # A rule may first flush the plain text before it; what follows is its own token.
            made = next((token for token in state.tokens[before:] if token.type != "text"), None)
            if made:
                made.meta["at"] = (start, state.pos)
        return found

    return locate
