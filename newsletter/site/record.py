"""The build's record, `.build.json` in the site's folder: what was written, from what, and each issue's card.

Owns the file's format, and that of `.build.todo`, the paths that a build is about to change. A record that can't be
read, or from another version of the format, counts as none: then everything is built again. It holds nothing that
isn't on the site.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from newsletter.render.content import Card, Listed
from newsletter.site.files import is_safe_path

FORMAT = 2
_OUTPUT = re.compile(r"\w+ \w+( [0-9]{1,15}){3}")


DOUBTFUL = ""
"""Stands for a file that is ours when nobody knows what is in it."""


def describe_output(inputs: str, content_digest: str, sizes: Sequence[int]) -> str:
    """Return the record's word about a file: what it was made from, what is in it, and the sizes in bytes of the file
    and of its variants (SUFFIXES), 0 for one that it doesn't have.

    One string and no object, because an archive has tens of thousands of them and most builds touch a dozen.
    """
    return " ".join([inputs, content_digest, *map(str, sizes)])


def is_made_from(output: str, inputs: str) -> bool:
    """Return whether a file was made from these inputs."""
    return output.startswith(f"{inputs} ")


def sizes_of(output: str) -> list[int]:
    """Return the sizes of the file and its variants, [] if they aren't known."""
    return [int(size) for size in output.split(" ")[2:]]


def digest_of(output: str) -> str:
    """Return the digest of the file's content, '' if it isn't known."""
    return output.split(" ")[1] if output else ""


@dataclass(frozen=True, slots=True)
class Record:
    """What the last build left: cards by slug, made under `fingerprint`, and outputs (described) by path."""

    fingerprint: str = ""
    cards: Mapping[str, Card] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)


def parse_record(source: bytes) -> Record | None:
    """Return the record, None if it can't be trusted."""
    try:
        raw = json.loads(source)
        outputs = _read_outputs(raw)
        cards = {slug: _parse_card(slug, values) for slug, values in raw["cards"].items()}
        return Record(str(raw["fingerprint"]), cards, outputs)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _read_outputs(raw: Any) -> dict[str, str]:
    outputs: dict[str, str] = raw["outputs"]
    right = raw["format"] == FORMAT and all(map(is_safe_path, outputs))
    if not right or not all(one == DOUBTFUL or _OUTPUT.fullmatch(one) for one in outputs.values()):
        raise ValueError("not a record of this format")
    return outputs


def parse_todo(source: bytes) -> list[str] | None:
    """Return the paths that a build was about to change, None if they can't be read."""
    try:
        paths = json.loads(source)
        return paths if isinstance(paths, list) and all(map(is_safe_path, paths)) else None
    except (ValueError, TypeError, RecursionError):
        return None


def render_todo(paths: Sequence[str]) -> bytes:
    """Return the paths that a build is about to change as JSON."""
    return json.dumps(paths).encode()


def render_record(record: Record) -> bytes:
    """Return the record as JSON."""
    raw = {
        "format": FORMAT,
        "fingerprint": record.fingerprint,
        "cards": {slug: _card_values(card) for slug, card in record.cards.items()},
        "outputs": dict(record.outputs),
    }
    return json.dumps(raw, ensure_ascii=False, separators=(",", ":")).encode()


def _card_values(card: Card) -> dict[str, Any]:
    return {
        "date": card.date.isoformat(),
        "title": card.title,
        "summary": card.summary,
        "language": card.language,
        "contents": card.contents,
        "source_hash": card.source_hash,
        "published_at": card.published_at.isoformat(),
        "updated_at": card.updated_at.isoformat(),
    }


def _parse_card(slug: str, values: Mapping[str, Any]) -> Card:
    return Card(
        slug=slug,
        date=date.fromisoformat(values["date"]),
        title=str(values["title"]),
        summary=str(values["summary"]),
        language=str(values["language"]),
        contents=tuple(
            (str(title), tuple(Listed(str(work), str(anchor), str(name)) for work, anchor, name in entries))
            for title, entries in values["contents"]
        ),
        source_hash=str(values["source_hash"]),
        published_at=datetime.fromisoformat(values["published_at"]),
        updated_at=datetime.fromisoformat(values["updated_at"]),
    )
