"""When the editor is told of trouble that lasts, or comes back. Pure.

Owns that he is told at once and once, whatever the words are: an error's text may have a number, a time or a temporary
name in it that is another one each time. What counts is what fails and by which kind of error.

    since he was told of this last                 told again after
    the same kind, the same words, and it lasts    a day
    the same kind, in other words, or it was over  six hours
    another kind                                   an hour
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

LASTING: Final = timedelta(days=1)
REST: Final = timedelta(hours=6)
SHORTEST: Final = timedelta(hours=1)

SEEN: Final = timedelta(hours=2)
"""How long trouble is shown that hasn't come again: longer than the longest rest of whoever tries again."""

_VARYING: Final = re.compile(r"""[\d/\\'"«»“”<>@_]""")
"""In words that may be others each time: numbers, paths, quotations, names, addresses."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What fails, with which kind of error, and what it said."""

    what: str
    kind: str
    problem: str


@dataclass(frozen=True, slots=True)
class Known:
    """Trouble as it is kept, as it was the last time, at `failed_at`; it began at `since`.

    `lasts` is false when it went well since. Of `told_kind` in the words of `told_gist` the editor was `told_at`.
    """

    trouble: Trouble
    since: datetime
    failed_at: datetime
    told_kind: str
    told_gist: str
    told_at: datetime
    lasts: bool = True


def fold_problem(problem: str) -> str:
    """Return an error's text without the words that may be others each time."""
    return " ".join("#" if _VARYING.search(word) else word for word in problem[:1000].split())[:200]


def decide_known(known: Known | None, trouble: Trouble, now: datetime) -> tuple[Known, bool]:
    """Return what is kept of trouble that has just come, and whether the editor is told of it now."""
    gist = fold_problem(trouble.problem)
    told = Known(trouble, known.since if known and known.lasts else now, now, trouble.kind, gist, now)
    if known is None or not known.told_at <= now < known.told_at + _find_rest(known, trouble.kind, gist):
        return told, True
    return replace(told, told_kind=known.told_kind, told_gist=known.told_gist, told_at=known.told_at), False


def _find_rest(known: Known, kind: str, gist: str) -> timedelta:
    if kind != known.told_kind:
        return SHORTEST
    return LASTING if known.lasts and gist == known.told_gist else REST
