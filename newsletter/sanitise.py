"""The one policy for raw HTML: what readers may be sent, and what is dropped on the way. The only importer of nh3.

Owns the lists of tags, attributes and schemes, shared by checking (which reports what would go) and rendering (which
drops it). Run it over the finished HTML of a whole Markdown run, never over single tags: it balances what it is given.
Relative addresses pass, so that rendering may resolve them; comments go without a word, they are an editor's notes.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from html.parser import HTMLParser

import nh3


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_MATHS = _words(
    "math mrow mi mn mo ms mtext mspace mfrac msqrt mroot mstyle mpadded mphantom menclose mfenced msub msup msubsup "
    "munder mover munderover mmultiscripts mprescripts none mtable mtr mtd",
)

ALLOWED_TAGS = _MATHS | _words(
    "a abbr b bdi bdo blockquote br caption center cite code col colgroup dd del details dfn div dl dt em figcaption "
    "figure h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q rp rt ruby s samp small span strike strong sub "
    "summary sup table tbody td tfoot th thead time tr tt u ul var wbr",
)
"""Every other tag is dropped; the text inside it stays."""

CONTENT_TAGS = _words(
    "script style iframe object applet template noscript svg title textarea select option noembed noframes",
)
"""These are dropped with everything inside them."""

_CELL = frozenset({"align", "valign", "style", "colspan", "rowspan", "scope", "headers", "abbr"})

ALLOWED_ATTRIBUTES: dict[str, frozenset[str]] = {
    "*": frozenset({"lang", "dir", "title"}),
    "a": frozenset({"href"}),
    "img": frozenset({"src", "alt", "width", "height", "align"}),
    "del": frozenset({"datetime"}),
    "ins": frozenset({"datetime"}),
    "time": frozenset({"datetime"}),
    "ol": frozenset({"start", "type", "reversed"}),
    "li": frozenset({"value"}),
    "details": frozenset({"open"}),
    "div": frozenset({"align", "class"}),
    "p": frozenset({"align"}),
    "span": frozenset({"class"}),
    "code": frozenset({"class"}),
    "pre": frozenset({"class"}),
    "col": frozenset({"span", "align"}),
    "colgroup": frozenset({"span", "align"}),
    "table": frozenset({"align", "summary"}),
    "tr": frozenset({"align", "valign"}),
    "td": _CELL,
    "th": _CELL,
    **{
        tag: _words(
            "accent accentunder align close columnalign columnspacing columnlines columnspan depth display "
            "displaystyle fence form height largeop linethickness lspace mathvariant maxsize minsize movablelimits "
            "notation open rowalign rowlines rowspacing rowspan rspace scriptlevel separator separators stretchy "
            "symmetric voffset width xmlns",
        )
        for tag in _MATHS
    },
}
"""Attributes by tag; `*` holds for all. `style` keeps nothing but the properties in ALLOWED_STYLES."""

ALLOWED_STYLES = frozenset({"text-align"})

ALLOWED_SCHEMES = frozenset({"http", "https", "mailto"})

# nh3 looks at the scheme of these; it doesn't at that of `cite`, which is why no tag may have one.
_ADDRESSES = frozenset({"href", "src"})


@dataclass(frozen=True, slots=True)
class Dropped:
    """One thing that sanitising takes out; `line` and `column` count from 1 within the HTML given.

    `what` reads on in a sentence (`<font>`, `the attribute onclick of <a>`). `loses_text` says whether everything
    inside goes too.
    """

    line: int
    column: int
    what: str
    loses_text: bool = False


def sanitise_html(html: str) -> str:
    """Return the fragment with only what the policy allows, its tags balanced."""
    return _cleaner().clean(html)


@lru_cache(maxsize=1)
def _cleaner() -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=set(ALLOWED_TAGS),
        clean_content_tags=set(CONTENT_TAGS),
        attributes={tag: set(names) for tag, names in ALLOWED_ATTRIBUTES.items()},
        filter_style_properties=set(ALLOWED_STYLES),
        url_schemes=set(ALLOWED_SCHEMES),
        link_rel=None,
    )


def check_html(html: str) -> tuple[Dropped, ...]:
    """Return what `sanitise_html` would take out, comments and unbalanced ends aside."""
    reader = _Reader()
    try:
        reader.feed(html)
        reader.close()
    except AssertionError:
        # html.parser gives up on some declarations (`<![if`) that no reader should see either.
        reader.note("a declaration that isn't HTML")
    return tuple(reader.dropped)


class _Reader(HTMLParser):
    """Walks tags as they stand, so that each thing dropped keeps its place."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.dropped: list[Dropped] = []

    def note(self, what: str, *, loses_text: bool = False) -> None:
        line, offset = self.getpos()
        self.dropped.append(Dropped(line, offset + 1, what, loses_text))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in CONTENT_TAGS:
            self.note(f"<{tag}> and everything in it", loses_text=True)
        elif tag not in ALLOWED_TAGS:
            self.note(f"<{tag}>")
        else:
            for name, value in attrs:
                if not _keeps(tag, name, value or ""):
                    self.note(f"the attribute {name} of <{tag}>")

    def handle_decl(self, decl: str) -> None:
        self.note(f"<!{decl}>")

    def handle_pi(self, data: str) -> None:  # noqa: ARG002 - the name is html.parser's
        self.note("a processing instruction (<?…>)")

    def unknown_decl(self, data: str) -> None:  # noqa: ARG002 - the name is html.parser's
        self.note("a declaration (<![…]>)")


def _keeps(tag: str, name: str, value: str) -> bool:
    if name not in ALLOWED_ATTRIBUTES["*"] and name not in ALLOWED_ATTRIBUTES.get(tag, ()):
        return False
    if name == "style":
        properties = {part.partition(":")[0].strip().lower() for part in value.split(";") if part.strip()}
        return properties <= ALLOWED_STYLES
    return name not in _ADDRESSES or _scheme(value) in ALLOWED_SCHEMES | {""}


def _scheme(address: str) -> str:
    """Return an address's scheme as a browser sees it: tabs and line breaks inside don't count."""
    match = re.match(r"([a-zA-Z][a-zA-Z0-9+.-]*):", re.sub(r"[\t\r\n]", "", address).strip())
    return match[1].lower() if match else ""
