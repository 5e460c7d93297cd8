"""Checks every link and image of an issue: headings, code links, Markdown bodies and raw HTML."""

import re
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser

from newsletter.issues.addresses import check_address
from newsletter.issues.findings import Findings, shorten
from newsletter.issues.runs import File, Place, Run
from newsletter.markup import Token, plain_text
from newsletter.model.issue import Entry, Issue
from newsletter.model.problem import Problem

_BROKEN = re.compile(r"(?<!\\)\[(?P<text>[^\[\]\n]*)\]\((?P<address>[^()\n]*)\)?")
_UNDEFINED = re.compile(r"(?<!\\)\[(?P<text>[^\[\]\n]+)\]\[(?P<label>[^\[\]\n]*)\]")
_BARE = re.compile(r"https?://[^\s<>\"]*[^\s<>\".,;:!?)']", re.IGNORECASE)
_LIKE_ADDRESS = re.compile(r"https?:|www\.|mailto:|ftp:|javascript:|data:|file:|vbscript:|/", re.IGNORECASE)
_NO_ALT = "A reader who can't see the image is told nothing about it."
_ALT_HINT = 'Describe it: ![what it shows](https://…); if it is only decoration, write <img src="https://…" alt="">.'


def check_entry_links(issue: Issue, file: File, findings: Findings) -> None:
    """Note what is wrong with the links of entries' headings and code lines."""
    entries = list(issue.entries)
    for entry, following in zip(entries, [*entries[1:], None], strict=False):
        last = following.line - 1 if following else len(file.lines)
        if entry.url or _links_nowhere(entry, file):
            _note(entry.url, file.find(entry.url, entry.line, entry.line), findings)
        if entry.code_url:
            _note(entry.code_url, file.find(entry.code_url, entry.line, last), findings)


def check_run_links(run: Run, findings: Findings) -> None:
    """Note what is wrong with the links and images of a run, and what was meant to be one."""
    for token in run.tokens:
        if token.type == "html_block":
            _check_html(token.content, run, token, 0, findings)
    for inline in run.inlines:
        for child in inline.children or []:
            if child.type == "link_open":
                _note(str(child.attrs.get("href", "")), _place(run, inline, child), findings)
            elif child.type == "image":
                _check_image(child, _place(run, inline, child), findings)
            elif child.type == "html_inline":
                _check_html(child.content, run, inline, child.meta["at"][0], findings)
        _check_leftovers(run, inline, findings)


def list_images(run: Run) -> Iterator[tuple[str, Place]]:
    """Yield the address of each image of a run, and where it stands."""
    for token in run.tokens:
        if token.type == "html_block":
            yield from _list_html_images(token.content, run, token, 0)
    for inline in run.inlines:
        for child in inline.children or []:
            if child.type == "image":
                yield str(child.attrs.get("src", "")), _place(run, inline, child)
            elif child.type == "html_inline":
                yield from _list_html_images(child.content, run, inline, child.meta["at"][0])


def check_heading_links(run: Run, findings: Findings) -> None:
    """Note what was meant to be a link in a heading; the one that is one is checked as the entry's."""
    for inline in run.inlines:
        _check_leftovers(run, inline, findings)


def _links_nowhere(entry: Entry, file: File) -> bool:
    """Return whether a heading has a link without an address: `### [Title]()`."""
    line = file.lines[entry.line - 1] if 0 < entry.line <= len(file.lines) else ""
    return re.search(r"\]\(\s*(<>)?\s*\)", line) is not None


def _note(address: str, place: Place, findings: Findings, *, image: bool = False) -> None:
    fault = check_address(address, image=image)
    if fault:
        message, hint = shorten(fault.message, 200), shorten(fault.hint, 200)
        findings.extend([Problem(findings.path, *place, fault.severity, fault.code, message, hint)])


def _check_image(image: Token, place: Place, findings: Findings) -> None:
    _note(str(image.attrs.get("src", "")), place, findings, image=True)
    if not plain_text(image.children or []).strip():
        findings.error(place, "missing-alt", _NO_ALT, _ALT_HINT)


def mask(inline: Token, kinds: frozenset[str]) -> str:
    """Return an inline token's text with maths and tokens of these kinds blanked out, all else in its place."""
    return _blank_spans(inline.content, [child.meta["at"] for child in _located(inline) if _is_of(child, kinds)])


def mask_unseen(inline: Token) -> str:
    """Return an inline token's text with code, raw HTML, images, maths and addresses blanked out; links' text stays."""
    text, spans = inline.content, list[tuple[int, int]]()
    for child in _located(inline):
        start, end = child.meta["at"]
        if child.type == "link_open" and text[start] != "<":  # `<https://…>` is all address
            spans.append((max(text.rfind("](", start, end), start), end))
        elif _is_of(child, _PARSED):
            spans.append((start, end))
    return _blank_spans(text, spans)


def _place(run: Run, inline: Token, child: Token) -> Place:
    return run.place(inline, child.meta["at"][0] if "at" in child.meta else 0)


def _located(inline: Token) -> list[Token]:
    return [child for child in inline.children or [] if "at" in child.meta]


def _is_of(child: Token, kinds: frozenset[str]) -> bool:
    return child.type in kinds or child.type.startswith("math_inline")


def _blank_spans(text: str, spans: Sequence[tuple[int, int]]) -> str:
    pieces, done = list[str](), 0
    for start, end in sorted(spans):
        if end > done:
            pieces += [text[done : max(start, done)], _blank(text[max(start, done) : end])]
            done = end
    return "".join([*pieces, text[done:]])


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)


_PARSED = frozenset({"link_open", "image", "html_inline", "code_inline"})


def _check_leftovers(run: Run, inline: Token, findings: Findings) -> None:
    """Note what looks like a link and was not read as one."""
    if not any(sign in inline.content for sign in ("](", "][", "://")):
        return
    text = mask(inline, _PARSED)
    for match in _BROKEN.finditer(text):
        _note_broken(match, run.place(inline, match.start()), findings)
        text = text[: match.start()] + _blank(match[0]) + text[match.end() :]
    for match in _UNDEFINED.finditer(text):
        message = f"{shorten(match[0])} names a link that is defined nowhere."
        hint = f"Add a line [{match['label'] or match['text']}]: https://… at the end of the file."
        findings.warning(run.place(inline, match.start()), "undefined-reference", message, hint)
    for match in _BARE.finditer(text):
        message = f"{shorten(match[0])} is plain text, which many readers can't click."
        findings.warning(run.place(inline, match.start()), "bare-link", message, f"Write <{shorten(match[0])}>.")


def _note_broken(match: re.Match[str], place: Place, findings: Findings) -> None:
    address = match["address"].strip().strip("<>")
    message = f"{shorten(match[0])} isn't read as a link."
    if not _LIKE_ADDRESS.search(address):
        findings.warning(place, "malformed-link", message, "If it is none, write \\[ for the bracket.")
    elif re.search(r"\s", address):
        hint = "An address can't hold a space: write %20, or check where it ends."
        findings.error(place, "malformed-link", message, hint)
    else:
        fault = check_address(address)
        hint = f"{fault.message} {fault.hint}" if fault else "Check its brackets and parentheses."
        findings.error(place, "malformed-link", message, hint)


class _Addresses(HTMLParser):
    """Walks raw HTML for links and images, and keeps each tag's place in it."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str], tuple[int, int]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("a", "img"):
            self.found.append((tag, {name: value or "" for name, value in reversed(attrs)}, self.getpos()))


def html_offset(html: str, line: int, column: int) -> int:
    """Return the offset in raw HTML of a line (from 1) and column (from 0)."""
    return sum(len(each) + 1 for each in html.split("\n")[: line - 1]) + column


def _check_html(html: str, run: Run, token: Token, start: int, findings: Findings) -> None:
    """Check raw HTML that stands at `start` in a token's content."""
    for tag, values, place in _read_html(html, run, token, start):
        if tag == "a" and "href" in values:
            _note(values["href"], place, findings)
        elif tag == "img":
            _note(values.get("src", ""), place, findings, image=True)
            if "alt" not in values:
                findings.error(place, "missing-alt", _NO_ALT, 'Add alt="…"; alt="" if it is only decoration.')


def _list_html_images(html: str, run: Run, token: Token, start: int) -> Iterator[tuple[str, Place]]:
    return (
        (values.get("src", ""), place) for tag, values, place in _read_html(html, run, token, start) if tag == "img"
    )


def _read_html(html: str, run: Run, token: Token, start: int) -> list[tuple[str, dict[str, str], Place]]:
    """Return links and images of raw HTML that stands at `start` in a token's content, and their places."""
    reader = _Addresses()
    try:
        reader.feed(html)
        reader.close()
    except AssertionError:
        return []  # a declaration html.parser gives up on; sanitising drops it and says so
    return [
        (tag, values, run.place(token, start + html_offset(html, *position))) for tag, values, position in reader.found
    ]
