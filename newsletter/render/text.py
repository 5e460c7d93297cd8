"""Markdown runs as plain text made to be read, straight from the Markdown and not from its HTML.

Owns how each construct looks in text/plain: wrapped lines, `*strong*` and `_emphasis_`, hanging lists, `> ` quotes,
aligned tables, code as it stands, maths in Unicode, links as numbers that the caller lists where it suits.
"""

import html
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from newsletter.markup import References, Token, parse_blocks
from newsletter.model.issue import Markdown
from newsletter.render.maths import render_plain_maths
from newsletter.render.wrap import COLUMNS, pad_text, width_of, wrap_text
from newsletter.sanitise import sanitise_html

NARROWEST = 24
"""Columns that deep nesting leaves at least."""

_TAG = re.compile(r"<[^>]*>")
_HREF = re.compile(r"<a\b[^>]*?\bhref\s*=\s*[\"']?(https?:[^\"'\s>]+)", re.IGNORECASE)
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f]")
_MARKS = {"em": "_", "strong": "*", "s": "~"}


@dataclass(frozen=True, slots=True)
class TextRun:
    """A Markdown run as text; `links` are the addresses its numbers stand for, in order."""

    text: str
    links: tuple[str, ...] = ()


def render_text(body: Markdown, references: References, *, columns: int = COLUMNS, first_link: int = 1) -> TextRun:
    """Return a Markdown run as wrapped text.

    Lines are `columns` wide at most, but for code and for words that are longer. Links are numbered from `first_link`.
    """
    tokens, _ = parse_blocks(body.source, references)
    links: list[str] = []
    text = "\n\n".join(_blocks(tokens, columns, _Links(links, first_link)))
    return TextRun(_UNSEEN.sub("", text), tuple(links))


def render_summary(body: Markdown, references: References) -> str:
    """Return what a Markdown run's paragraphs say, on one line and without marks."""
    tokens, _ = parse_blocks(body.source, references)
    pairs = pairwise(tokens)
    said = (_inline(token.children or [], None) for opening, token in pairs if opening.type == "paragraph_open")
    return _UNSEEN.sub("", " ".join(" ".join(said).split()))


def render_bare(body: Markdown, references: References) -> str:
    """Return everything that a Markdown run says, without marks and on a line for each of its blocks."""
    tokens, _ = parse_blocks(body.source, references)
    lines = (" ".join(_bare(token).split()) for token in tokens)
    return _UNSEEN.sub("", "\n".join(line for line in lines if line))


def _bare(token: Token) -> str:
    if token.type == "inline":
        return _inline(token.children or [], None)
    if token.type == "html_block":
        return _visible(token.content)
    if token.type.startswith("math_block"):
        return render_plain_maths(token.content)
    return token.content if token.type in ("fence", "code_block") else ""


@dataclass(frozen=True, slots=True)
class _Links:
    """Collects the links of one run; `found` grows as they are met."""

    found: list[str]
    first: int

    def number(self, address: str) -> int:
        if address not in self.found:
            self.found.append(address)
        return self.first + self.found.index(address)


def _blocks(tokens: Sequence[Token], columns: int, links: _Links) -> list[str]:
    """Return every block's text; blocks without text are left out."""
    columns = max(columns, NARROWEST)
    blocks = (_block(group, columns, links) for group in _groups(tokens))
    return [block for block in blocks if block.strip()]


def _groups(tokens: Sequence[Token]) -> Iterable[Sequence[Token]]:
    """Yield each top-level block's tokens, from its opening to its closing one."""
    start = depth = 0
    for at, token in enumerate(tokens):
        depth += token.nesting
        if depth == 0:
            yield tokens[start : at + 1]
            start = at + 1


def _block(tokens: Sequence[Token], columns: int, links: _Links) -> str:
    head = tokens[0]
    if head.type in _CONTAINERS:
        return _CONTAINERS[head.type](tokens, columns, links)
    if head.type in ("fence", "code_block"):
        return "\n".join(f"    {line}".rstrip() for line in head.content.rstrip("\n").split("\n"))
    if head.type == "html_block":
        return wrap_text(_visible(head.content), columns=columns)
    if head.type.startswith("math_block"):
        return wrap_text(render_plain_maths(head.content), first="    ", columns=columns)
    if head.type == "hr":
        return "* * *"
    return _paragraph(tokens, columns, links)


def _visible(source: str) -> str:
    """Return what raw HTML shows, on one line."""
    return " ".join(html.unescape(_TAG.sub(" ", sanitise_html(source))).split())


def _paragraph(tokens: Sequence[Token], columns: int, links: _Links) -> str:
    return wrap_text(_said(tokens, links), columns=columns)


def _said(tokens: Sequence[Token], links: _Links) -> str:
    return " ".join(_inline(token.children or [], links) for token in tokens if token.type == "inline").strip()


def _heading(tokens: Sequence[Token], columns: int, links: _Links) -> str:
    title = _paragraph(tokens, columns, links)
    longest = max(map(width_of, title.split("\n")))
    return f"{title}\n{'-' * min(longest, columns)}" if title else ""


def _quote(tokens: Sequence[Token], columns: int, links: _Links) -> str:
    inner = "\n\n".join(_blocks(tokens[1:-1], columns - 2, links))
    return "\n".join(f"> {line}".rstrip() for line in inner.split("\n"))


def _list(tokens: Sequence[Token], columns: int, links: _Links) -> str:
    items = list(_groups(tokens[1:-1]))
    start = int(str(tokens[0].attrs.get("start", 1)))
    ordered = tokens[0].type == "ordered_list_open"
    marks = [f"{start + at}. " if ordered else "- " for at in range(len(items))]
    widest = max(map(len, marks), default=0)
    tight = any(token.hidden for token in tokens if token.level == tokens[0].level + 2)
    shown = [
        _hang("\n".join(_item(item, columns - widest, links, tight)), mark.rjust(widest))
        for mark, item in zip(marks, items, strict=True)
    ]
    return ("\n" if tight else "\n\n").join(shown)


def _item(tokens: Sequence[Token], columns: int, links: _Links, tight: bool) -> list[str]:
    blocks = _blocks(tokens[1:-1], columns, links)
    return blocks if tight else ["\n\n".join(blocks)]


def _hang(text: str, mark: str) -> str:
    """Put a mark before the first line and indent the others by its width."""
    first, *rest = text.split("\n")
    return "\n".join([(mark + first).rstrip(), *(f"{' ' * len(mark)}{line}".rstrip() for line in rest)])


def _table(tokens: Sequence[Token], columns: int, links: _Links) -> str:
    """Align the columns, or where that is too wide, show each row as a list of `heading: cell`."""
    cells = _cells(tokens)
    rows = [[_said(cell, links).replace("\n", " ") for cell in row] for row in cells]
    if not rows:
        return ""
    aligns = [str(cell[0].attrs.get("style", "")).removeprefix("text-align:") for cell in cells[0]]
    widths = [max(width_of(row[at]) for row in rows) for at in range(len(aligns))]
    if sum(widths) + 2 * (len(widths) - 1) > columns:
        return _records(rows, columns)
    lines = [
        "  ".join(pad_text(cell, width, align) for cell, width, align in zip(row, widths, aligns, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def _cells(tokens: Sequence[Token]) -> list[list[Sequence[Token]]]:
    """Return a table's cells by row, each from its opening to its closing token."""
    rows: list[list[Sequence[Token]]] = []
    for at, token in enumerate(tokens):
        if token.type == "tr_open":
            rows.append([])
        elif token.type in ("th_open", "td_open"):
            rows[-1].append(tokens[at : at + 3])
    return rows


def _records(rows: list[list[str]], columns: int) -> str:
    heads, *records = rows
    return "\n\n".join(
        "\n".join(
            wrap_text(f"{head}: {cell}" if head else cell, rest="  ", columns=columns)
            for head, cell in zip(heads, row, strict=True)
            if cell
        )
        for row in records
    )


_CONTAINERS: dict[str, Callable[[Sequence[Token], int, _Links], str]] = {
    "heading_open": _heading,
    "blockquote_open": _quote,
    "bullet_list_open": _list,
    "ordered_list_open": _list,
    "table_open": _table,
}


def _inline(tokens: Sequence[Token], links: _Links | None) -> str:
    """Return inline tokens as text with hard breaks as `\\n`; without `links`, no marks and no numbers."""
    said = ""
    opened: list[tuple[str, int]] = []
    for token in tokens:
        kind = token.type.removesuffix("_open").removesuffix("_close")
        if kind == "link" or token.type == "html_inline":
            said += _link(token, said, opened, links)
        elif kind in _MARKS:
            said += _MARKS[kind] if links else ""
        else:
            said += _leaf(token, links)
    return said


def _leaf(token: Token, links: _Links | None) -> str:
    if token.type in ("softbreak", "hardbreak"):
        return " " if token.type == "softbreak" or links is None else "\n"
    if token.type == "code_inline":
        return f"`{token.content}`" if links else token.content
    if token.type == "image":
        alt = _inline(token.children or [], None)
        number = f" [{links.number(str(token.attrs.get('src', '')))}]" if links else ""
        return f"[{alt}]{number}" if links else alt
    if token.type.startswith("math_"):
        return render_plain_maths(token.content)
    return token.content


def _link(token: Token, said: str, opened: list[tuple[str, int]], links: _Links | None) -> str:
    """Return what a link's opening or closing adds: the number after its text, unless the text is the address."""
    content = token.content.lower()
    if token.type == "link_open":
        opened.append((str(token.attrs.get("href", "")), len(said)))
    elif token.type == "html_inline" and (match := _HREF.match(token.content)):
        opened.append((html.unescape(match[1]), len(said)))
    elif content.startswith("<br"):
        return "\n" if links else " "
    elif (token.type == "link_close" or content.startswith("</a")) and opened and links:
        address, start = opened.pop()
        if said[start:].strip() not in (address, address.removeprefix("mailto:")):
            return f" [{links.number(address)}]"
    return ""
