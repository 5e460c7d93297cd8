"""Where problems are noted while a file is read or checked. Owns nothing but the list; nobody outside sees it grow."""

import difflib
from collections.abc import Iterable

from newsletter.model.problem import Problem, Severity


class Findings:
    """Collects the problems of one file; lines and columns count from 1."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._problems: list[Problem] = []

    def error(self, place: tuple[int, int], code: str, message: str, hint: str = "") -> None:
        """Note what stops a publish."""
        self._problems.append(Problem(self.path, *place, Severity.ERROR, code, message, hint))

    def warning(self, place: tuple[int, int], code: str, message: str, hint: str = "") -> None:
        """Note what is probably not meant, and stops nothing."""
        self._problems.append(Problem(self.path, *place, Severity.WARNING, code, message, hint))

    def extend(self, problems: Iterable[Problem]) -> None:
        """Note problems found elsewhere."""
        self._problems.extend(problems)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Return what was found, each once, in the order of the file."""
        return tuple(sorted(set(self._problems)))


def compose_guess(word: str, known: Iterable[str]) -> str:
    """Return ` Did you mean …?` for the nearest known word, or nothing."""
    near = difflib.get_close_matches(word.casefold(), known, n=1)
    return f"Did you mean {near[0]}?" if near else ""


def shorten(text: str, width: int = 60) -> str:
    """Return text on one line for a message, cut in the middle of nothing important."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1].rstrip() + "…"
