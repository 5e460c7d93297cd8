"""Anchors: the names of places within an issue's page. Permanent, so they come from what names the work or place."""

import hashlib
import re
from collections.abc import Container

from newsletter.model.issue import Identifier
from newsletter.model.topic import cut_words, fold_text, plain_words

ANCHOR = re.compile(r"[a-z0-9][a-z0-9.-]{0,99}")
_MAX_SLUG = 60
_MAX_IDENTIFIER = 100


def compose_anchor(title: str, identifier: Identifier | None = None, *, kind: str = "entry") -> str:
    """Return the default anchor: `arxiv-2405.16325`, or the title in plain letters.

    `kind` starts the anchor of a title without any Latin letter or digit.
    """
    if identifier and identifier.scheme != "url":
        return cut_words(plain_words(f"{identifier.scheme}-{identifier.value}", keep="."), _MAX_IDENTIFIER)
    slug = cut_words(plain_words(fold_text(title)), _MAX_SLUG)
    return slug or f"{kind}-{hashlib.sha256(title.encode(errors='replace')).hexdigest()[:8]}"


def unused_anchor(anchor: str, taken: Container[str]) -> str:
    """Return the anchor, or the first of `anchor-2`, `anchor-3`… that isn't taken."""
    number, free = 1, anchor
    while free in taken:
        number += 1
        free = f"{anchor}-{number}"
    return free
