"""The key of a topic: what a section is called in addresses, in the ledger and in readers' choices.

Owns how a heading becomes a key. Keys are permanent: a change here would move pages and lose what readers chose.
"""

import hashlib
import re
import unicodedata

LONGEST_KEY = 60


def topic_key(heading: str) -> str:
    """Return the key of the section with this heading: lower-case ASCII letters, digits and inner hyphens.

    Never empty, at most LONGEST_KEY long, and the same for headings that differ only in case, spaces or punctuation. A
    heading that can't be written so without losing letters, or is too long, gets a digest at its end, so that two
    different ones don't share a key.
    """
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", heading).casefold())
    spelt = re.sub(r"\b([cf])#", r"\1 sharp ", re.sub(r"\bc\+\+", "c plus plus ", folded))
    key = plain_words(fold_text(spelt))
    lost = any(character.isalnum() and not character.isascii() for character in folded)
    if key and not lost and len(key) <= LONGEST_KEY:
        return key
    said = "".join(" " if unicodedata.category(character)[0] in "PZC" else character for character in folded)
    digest = hashlib.sha256(" ".join(said.split()).encode()).hexdigest()[:8]
    return f"{cut_words(key, LONGEST_KEY - len(digest) - 1) or 'topic'}-{digest}"


def fold_text(text: str) -> str:
    """Return what ASCII can hold of a text: accents are left out, and so is what has no ASCII letter at all."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().replace("'", "")


def plain_words(text: str, keep: str = "") -> str:
    """Return a text's ASCII letters and digits in lower case, all else as single hyphens, but for `keep` inside."""
    return re.sub(f"[^a-z0-9{re.escape(keep)}]+", "-", text.lower()).strip(f"-{keep}")


def cut_words(words: str, width: int) -> str:
    """Return hyphened words cut to a width, between two words where that is possible."""
    if len(words) <= width:
        return words
    return words[:width].rpartition("-")[0].strip("-.") or words[:width].strip("-.")
