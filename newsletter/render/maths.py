"""Maths for three kinds of readers: MathML for pages, Unicode for mail, feeds and plain text.

Owns how TeX is shown, and the rule that it is always shown somehow: what can't be converted is shown as TeX. Output
is safe to put into HTML whatever the TeX says. Never raises. The only importer of latex2mathml and unicodeit.
"""

import html
import re
from collections import deque
from functools import lru_cache
from unicodedata import combining, normalize
from xml.etree.ElementTree import Element

import unicodeit
from latex2mathml.converter import convert_to_element
from markupsafe import Markup, escape
from unicodeit.data import REPLACEMENTS

from newsletter.markup import INLINE_MATHS

MAX_TEX = 1000
"""Characters of one formula; a longer one is shown as TeX rather than converted."""

MAX_DEPTH = 16
"""How deep groups may nest in a formula that is converted to Unicode."""

_PIECE = re.compile(r"\\[A-Za-z]+\*?|\\.|\s+|.", re.DOTALL)
_SYMBOLS = {
    name: shown for name, shown in REPLACEMENTS if re.fullmatch(r"\\[A-Za-z]+", name) and not combining(shown[0])
} | {
    r"\langle": "⟨",
    r"\rangle": "⟩",
    r"\star": "⋆",
    r"\lVert": "‖",
    r"\rVert": "‖",
    r"\lvert": "|",
    r"\rvert": "|",
    r"\implies": "⟹",
    r"\iff": "⟺",
    r"\mid": "|",
}


def _words(text: str, prefix: str = "") -> frozenset[str]:
    return frozenset(prefix + word for word in text.split())


_FUNCTIONS = _words(
    "arccos arcsin arctan arg argmax argmin cos cosh cot coth csc deg det dim exp gcd hom inf ker lg lim liminf limsup "
    "ln log max min Pr sec sin sinh sup tan tanh"
)
_UPRIGHT = _words("text textrm textit textsf mathrm mathit mathsf mbox operatorname", "\\")
_FRACTIONS = _words("frac dfrac tfrac nicefrac", "\\")
_STYLED = _words("mathbf mathbb mathcal mathfrak mathtt mathscr", "\\")
_ACCENTS = _words("hat bar tilde vec dot ddot acute grave check breve", "\\")
_WIDE = {r"\widehat": r"\hat", r"\widetilde": r"\tilde", r"\overline": r"\bar"}
_UNSEEN = _words("left right big Big bigl bigr displaystyle limits nolimits", "\\")
_ESCAPED = {r"\,": " ", r"\;": " ", r"\:": " ", r"\!": "", r"\|": "‖", r"\quad": "  ", r"\qquad": "  "}
_PLAIN = {"-": "−", "'": "′", "~": " ", "*": "∗"}
_RAISED = {"*": "*", "∗": "*", "⋆": "*", "′": "′", "†": "†", "⊤": "ᵀ", "T": "ᵀ"}

_NO_SCRIPT = frozenset("^_{}\\˂˃˱˲")
"""What shows that there is no small form: TeX that is left, and arrowheads that few fonts have, for < and >."""

_MATHML_TAGS = _words(
    "math mrow mi mn mo ms mtext mspace msup msub msubsup mfrac msqrt mroot mover munder munderover mtable mtr mtd "
    "mpadded mphantom mstyle menclose"
)
_ARITY = {"mfrac": 2, "mroot": 2, "msub": 2, "msup": 2, "munder": 2, "mover": 2, "msubsup": 3, "munderover": 3}
"""Elements that mean nothing with another number of children (MathML Core, 3.3 and 3.4)."""

_MATHML_ATTRIBUTES = _words(
    "accent accentunder columnalign display displaystyle fence form largeop linethickness lspace mathvariant maxsize "
    "minsize movablelimits notation rspace scriptlevel separator stretchy symmetric width height depth"
)


class _UnreadableError(ValueError):
    """Some TeX has no decent form in Unicode."""


@lru_cache(maxsize=1024)
def render_mathml(tex: str, *, block: bool = False) -> Markup:
    """Return MathML, or the TeX in `<code>` when it can't be converted."""
    try:
        if len(tex) > MAX_TEX:
            raise _UnreadableError
        element = convert_to_element(tex.strip(), display="block" if block else "inline")
        return Markup(_serialise(element))  # noqa: S704 - every tag and attribute is listed, all text escaped
    except Exception:  # latex2mathml lets KeyError, IndexError and more out of malformed TeX
        return _code(tex)


def render_maths(tex: str) -> Markup:
    """Return italic Unicode, or the TeX in `<code>` when it has no form in Unicode."""
    shown = to_unicode(tex)
    return _code(tex) if shown is None else Markup("<i>{}</i>").format(shown)


def render_plain_maths(tex: str) -> str:
    """Return Unicode, or the TeX itself on one line."""
    shown = to_unicode(tex)
    return " ".join(tex.split()) if shown is None else shown


def render_plain_title(title: str) -> str:
    """Return a title whose `$…$` is shown in Unicode; for subjects, feeds and plain text."""
    return INLINE_MATHS.sub(lambda match: render_plain_maths(match[1]), title)


def to_unicode(tex: str) -> str | None:
    """Return TeX in Unicode, or None if it has no decent form."""
    if len(tex) > MAX_TEX:
        return None
    pieces = deque(_PIECE.findall(tex.strip()))
    try:
        shown = _sequence(pieces, 0)
    except _UnreadableError:
        return None
    return None if pieces else normalize("NFC", " ".join(shown.split())) or None


def _code(tex: str) -> Markup:
    return Markup("<code>{}</code>").format(" ".join(tex.split()))


def _serialise(element: Element) -> str:
    """Write MathML ourselves: latex2mathml's own writer un-escapes text, and `\\text{<script>}` would come alive."""
    if element.tag not in _MATHML_TAGS or len(element) != _ARITY.get(element.tag, len(element)):
        raise _UnreadableError
    attributes = "".join(
        f' {name}="{escape(html.unescape(value))}"'
        for name, value in element.attrib.items()
        if name in _MATHML_ATTRIBUTES
    )
    text = escape(html.unescape(element.text or ""))
    return f"<{element.tag}{attributes}>{text}{''.join(map(_serialise, element))}</{element.tag}>"


def _sequence(pieces: deque[str], depth: int) -> str:
    """Show pieces up to a closing brace, which is left, or the end."""
    if depth > MAX_DEPTH:
        raise _UnreadableError
    shown = ""
    while pieces and pieces[0] != "}":
        piece = pieces.popleft()
        # TeX sets a thin space before a named function: `n\log n`.
        gap = " " if piece[1:].rstrip("*") in _FUNCTIONS and piece[0] == "\\" and shown[-1:].isalnum() else ""
        shown += gap + _item(piece, pieces, depth)
    return shown


def _argument(pieces: deque[str], depth: int) -> str:
    while pieces and pieces[0].isspace():
        pieces.popleft()
    if not pieces or pieces[0] == "}":
        raise _UnreadableError
    return _item(pieces.popleft(), pieces, depth)


def _item(piece: str, pieces: deque[str], depth: int) -> str:
    """Show one piece with the arguments it takes."""
    if piece == "{":
        shown = _sequence(pieces, depth + 1)
        if not pieces:
            raise _UnreadableError
        pieces.popleft()
        return shown
    if piece in "^_":
        return _script(piece, _argument(pieces, depth + 1))
    if not piece.startswith("\\"):
        if piece in "&#%":
            raise _UnreadableError
        return _PLAIN.get(piece, piece)
    return _command(piece, pieces, depth + 1)


def _command(name: str, pieces: deque[str], depth: int) -> str:
    bare = name.rstrip("*") if len(name) > len(r"\*") else name
    bare = _WIDE.get(bare, bare)
    if depth > MAX_DEPTH:
        raise _UnreadableError
    if bare in _FRACTIONS:
        return f"{_wrapped(_argument(pieces, depth))}/{_wrapped(_argument(pieces, depth))}"
    if bare == r"\sqrt" and pieces and pieces[0] != "[":
        return f"√{_wrapped(_argument(pieces, depth))}"
    if bare in _UPRIGHT:
        return _argument(pieces, depth)
    if bare in _STYLED or bare in _ACCENTS:
        return _styled(bare, _argument(pieces, depth))
    return _symbol(bare)


def _symbol(name: str) -> str:
    if name[1:] in _FUNCTIONS:
        return name[1:]
    if name in _UNSEEN:
        return ""
    if name in _ESCAPED:
        return _ESCAPED[name]
    if name in _SYMBOLS:
        return str(_SYMBOLS[name])
    if len(name) == len(r"\%") and name[1] in "%$#&_{} ":
        return name[1]
    raise _UnreadableError


def _wrapped(shown: str) -> str:
    """Put brackets around what would not be read as one thing."""
    shown = shown.strip()
    return shown if len(shown) <= 1 or shown.isalnum() else f"({shown})"


@lru_cache(maxsize=4096)
def _script(mark: str, shown: str) -> str:
    shown = shown.strip()
    if mark == "^" and shown in _RAISED:
        return _RAISED[shown]
    small = str(unicodeit.replace(f"{mark}{{{shown}}}" if len(shown) > 1 else f"{mark}{shown}"))
    bare = f"{mark}{shown}" if len(shown) <= 1 else f"{mark}({shown})"  # e^iπ would read as (e^i)π
    return bare if set(small) & _NO_SCRIPT else small


@lru_cache(maxsize=4096)
def _styled(name: str, shown: str) -> str:
    if name in _ACCENTS and len(shown) != 1:
        raise _UnreadableError
    letters = [str(unicodeit.replace(f"{name}{{{letter}}}")) for letter in shown]
    return "".join(shown[at] if "\\" in letter else letter for at, letter in enumerate(letters))
