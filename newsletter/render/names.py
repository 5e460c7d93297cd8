"""Authors' names in the parts that citations want: family, given, particle, suffix. Pure.

Owns the guess, which is never certain: what isn't clearly a person's name in the western order stays in one piece.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

_PARTICLES = frozenset(
    word
    for words in (
        "af al av bin da dal de degli dei del della den der des di dos du el ibn la las le les lo los op 't ten ter",
        "tot van vom von zu zum zur",
    )
    for word in words.split()
)
_SUFFIX = re.compile(r"(?i:jr|sr)\.?|II|III|IV")
_TITLE = re.compile(r"(?i)ph\.?\s?d\.?|m\.?d\.?|m\.?sc\.?|dr\.?|prof\.?")
_GROUP = re.compile(
    r"\bAI\b|(?i:^the\s|\b(alliance|association|authors|cent(er|re)|collaboration|community|company|consortium)\b)"
    r"|(?i:\b(corporation|foundation|gmbh|group|inc|initiative|institute|laboratory|labs?|ltd|network)\b)"
    r"|(?i:\b(organi[sz]ation|project|research|society|team|university|workshop)\b)"
)
_OTHERS = re.compile(
    r"(?i)[\s,]*(\bet\.?\s*al\b\.?|(\band\s+|&\s*)?(\b[0-9]+\s+)?\b(others|other authors)\b\.?|…|\.\.\.)$"
)
_AFFILIATION = re.compile(r"\s*[(\[][^()\[\]]*[)\]]")
_EASTERN = ("CJK", "HANGUL", "HIRAGANA", "KATAKANA")


@dataclass(frozen=True, slots=True)
class Name:
    """A person's name in parts, or one in one piece (`literal`), when all else is empty."""

    family: str = ""
    given: str = ""
    particle: str = ""
    suffix: str = ""
    literal: str = ""


def parse_authors(names: Sequence[str]) -> tuple[tuple[Name, ...], bool]:
    """Return authors' names in parts, and whether there are others, who aren't named ("et al.")."""
    plain = [clean_line(name) for name in names]
    cut = [_OTHERS.sub("", name) for name in plain]
    return tuple(parse_name(name) for name in cut if name), cut != plain


@lru_cache(maxsize=8192)
def parse_name(text: str) -> Name:
    """Return a name in parts: `Ludwig van Beethoven`, `King, Martin Luther, Jr.`, `Martin Luther King, Jr.`"""
    name = clean_line(_AFFILIATION.sub("", text)) or clean_line(text)
    first, *others = [part.strip() for part in name.split(",")]
    parts = [part for part in others if part and not _TITLE.fullmatch(part)]
    suffixes = [part for part in parts if _SUFFIX.fullmatch(part)]
    given = [part for part in parts if part not in suffixes]
    if not first or len(given) > 1 or len(suffixes) > 1 or _GROUP.search(name) or _is_eastern(name):
        return Name(literal=name)
    if given:
        particle, family = _split_particle(first.split())
        return Name(family, given[0], particle, *suffixes)
    words = first.split()
    if not suffixes and len(words) > 2 and _SUFFIX.fullmatch(words[-1]):
        suffixes = [words.pop()]
    return _split_words(words, *suffixes) if len(words) > 1 else Name(literal=name)


def clean_line(text: str) -> str:
    """Return a text in one line, without control characters and halves of characters, composed (NFC)."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    known = "".join(" " if unicodedata.category(one) in ("Cc", "Cs", "Zl", "Zp") else one for one in text)
    return unicodedata.normalize("NFC", " ".join(known.split()))


def _split_words(words: Sequence[str], suffix: str = "") -> Name:
    """Split given name, particle and family: a family is one word, or all that follow a particle."""
    starts = [at for at, word in enumerate(words[:-1]) if word in _PARTICLES]
    at = starts[0] if starts else len(words) - 1
    particle, family = _split_particle(words[at:])
    return Name(family, " ".join(words[:at]), particle, suffix)


def _split_particle(words: Sequence[str]) -> tuple[str, str]:
    at = 0
    while at < len(words) - 1 and words[at] in _PARTICLES:
        at += 1
    return " ".join(words[:at]), " ".join(words[at:])


def _is_eastern(name: str) -> bool:
    """Return whether a name is in a script in which the family comes first."""
    return not name.isascii() and any(unicodedata.name(one, "").startswith(_EASTERN) for one in name)
