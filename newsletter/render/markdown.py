"""Markdown runs as safe HTML, for mail, pages and feeds.

Owns what a body looks like as HTML: headings that fit below what surrounds them, tables and code that scroll instead
of breaking a small screen, maths in the form the medium can show. Refuses nothing: what is unsafe is left out.
"""

import hashlib
import re
from enum import StrEnum

from markupsafe import Markup, escape

from newsletter.markup import INLINE_MATHS, References, Token, dialect, parse_blocks
from newsletter.model.issue import Markdown
from newsletter.render.maths import render_mathml, render_maths, render_plain_maths
from newsletter.sanitise import sanitise_html

_TAG = re.compile(r'<(/?)([a-zA-Z][a-zA-Z0-9]*)((?:[^<>"]|"[^"]*")*)>')
_WHOLE = re.compile(rf"({_TAG.pattern}|<!--.*?-->)|<(?=[a-zA-Z/!?])", re.DOTALL)
_SCROLL = '<div class="scroll">'


class Medium(StrEnum):
    """Where HTML is shown: pages know MathML and have a stylesheet, mail and feed readers can be sure of neither."""

    MAIL = "mail"
    PAGE = "page"
    FEED = "feed"


def render_html(body: Markdown, references: References, *, medium: Medium, under: int = 3) -> Markup:
    """Return a Markdown run as sanitised HTML.

    `references` are the issue's link definitions. `under` is the level of the heading the run stands below (1 to 6):
    its own headings start one level deeper.
    """
    tokens, env = parse_blocks(body.source, references)
    # Nobody can write a text that holds its own digest, so what carries this mark is maths and was put there by us.
    mark = f"tex{hashlib.sha256(body.source.encode(errors='replace')).hexdigest()[:24]}"
    formulas: list[tuple[str, bool]] = []
    _set_aside(tokens, mark, formulas)
    html = sanitise_html(dialect().renderer.render(tokens, dialect().options, env))
    return Markup(_finish(html, mark, formulas, medium, under))  # noqa: S704 - sanitised above


def render_title(title: str, *, medium: Medium) -> Markup:
    """Return a plain text title as HTML, with `$…$` shown as maths."""
    parts: list[str] = []
    end = 0
    for match in INLINE_MATHS.finditer(title):
        parts += [escape(title[end : match.start()]), _maths(match[1], False, medium)]
        end = match.end()
    return Markup("").join([*parts, escape(title[end:])])


def _set_aside(tokens: list[Token], mark: str, formulas: list[tuple[str, bool]]) -> None:
    """Replace maths by marks, which sanitising leaves alone, and move table alignment to where it does, too."""
    for token in tokens:
        if token.type == "image":
            _say_maths(token.children or [])
        elif token.children:
            _set_aside(token.children, mark, formulas)
        if token.type.startswith("math_"):
            block = token.type.startswith("math_block")
            formulas.append((token.content, block or token.type == "math_inline_double"))
            content = f"{mark}n{len(formulas) - 1}n"
            token.type, token.content = ("html_block", f"<p>{content}</p>\n") if block else ("text", content)
        elif token.type == "html_block":
            # A tag that never ends (`<div title="`) would swallow everything up to the end of the run.
            token.content = _WHOLE.sub(lambda match: match[1] or "&lt;", token.content)
        elif token.type in ("th_open", "td_open") and "style" in token.attrs:
            token.attrs = {"align": str(token.attrs["style"]).removeprefix("text-align:")}


def _say_maths(tokens: list[Token]) -> None:
    """Put maths into words within an image's description, which is plain text."""
    for token in tokens:
        if token.type.startswith("math_"):
            token.type, token.content = "text", render_plain_maths(token.content)


def _finish(html: str, mark: str, formulas: list[tuple[str, bool]], medium: Medium, under: int) -> str:
    """Walk the sanitised HTML once: adapt its tags, and put maths where the marks are."""
    pattern = re.compile(rf"{_TAG.pattern}|{mark}n(?P<formula>\d+)n")

    def replace(match: re.Match[str]) -> str:
        if match["formula"] is None:
            # A mark in an attribute was smuggled there through raw HTML: it is shown as nothing.
            return _tag(match, medium, under) if mark not in match[0] else ""
        return _maths(*formulas[int(match["formula"])], medium)

    return pattern.sub(replace, html)


def _tag(match: re.Match[str], medium: Medium, under: int) -> str:
    close, name, rest = match[1], match[2], match[3]
    if re.fullmatch(r"h[1-6]", name):
        return f"<{close}h{min(6, max(int(name[1]), under + 1))}{rest}>"
    if name in ("table", "pre"):
        return f"</{name}></div>" if close else f"{_SCROLL}<{name}{rest}>"
    if name == "img" and medium is Medium.FEED:
        return f'<img{rest.rstrip(" /")} style="max-width:100%;height:auto">'
    return match[0]


def _maths(tex: str, block: bool, medium: Medium) -> Markup:
    return render_mathml(tex, block=block) if medium is Medium.PAGE else render_maths(tex)
