"""Which way a language is written.

Owns the list of scripts and languages that run from right to left; everything else runs from left to right.
"""

from typing import Literal

_RIGHT_TO_LEFT = frozenset(("ar", "arc", "ckb", "dv", "fa", "he", "ks", "nqo", "ps", "sd", "syr", "ug", "ur", "yi"))
_SCRIPTS = frozenset(("adlm", "arab", "hebr", "nkoo", "syrc", "thaa"))


def direction_of(language: str) -> Literal["ltr", "rtl"]:
    """Return HTML's `dir` for a language tag (RFC 5646); a script subtag goes before the language."""
    primary, *subtags = language.lower().split("-")
    script = next((subtag for subtag in subtags if len(subtag) == len("arab") and subtag.isalpha()), "")
    right_to_left = script in _SCRIPTS if script else primary in _RIGHT_TO_LEFT
    return "rtl" if right_to_left else "ltr"
