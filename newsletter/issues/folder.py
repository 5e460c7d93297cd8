"""The folder of issue files: finds an issue by date, slug or path, and says what there is instead.

Owns how files are named: `2024-05-25.md` or `2024-05-25-anything.md`. Refuses to guess between two.
"""

import os
import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from newsletter.config import Issues
from newsletter.errors import NotFoundError
from newsletter.issues.check import EarlierWork
from newsletter.issues.findings import Findings
from newsletter.issues.parse import Parsed, default_slug, parse_day, parse_issue
from newsletter.issues.scan import scan_slug, scan_works
from newsletter.issues.source import MAX_BYTES
from newsletter.model.problem import Problem

_HEAD_BYTES = 20_000
"""Where a slug is looked for: front matter is shorter."""

_NEAR = 6
"""How many dates are named when one isn't found."""


def load_issue(rules: Issues, name: str, language: str = "en") -> Parsed:
    """Read the issue that `name` means: a date (`2024-05-25`), a slug, or the path of a .md file.

    `language` is for an issue that names none. Raises NotFoundError, which names the dates nearby.
    """
    return load_file(find_issue_file(rules.folder, name), rules, language)


def load_file(path: Path, rules: Issues, language: str = "en") -> Parsed:
    """Read one file. What can't be read is a problem, not an exception."""
    findings = Findings(show_path(path))
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        findings.error((1, 1), "unreadable", f"The file can't be read: {error.strerror}.", "Check its permissions.")
        return Parsed(None, findings.problems)
    source = _decode(raw, findings)
    if source is None:
        return Parsed(None, findings.problems)
    parsed = parse_issue(source, findings.path, labels=rules.labels, language=language)
    findings.extend(parsed.problems)
    return Parsed(parsed.issue, findings.problems)


def _decode(raw: bytes, findings: Findings) -> str | None:
    """Return the text of a file, with U+FFFD for what isn't UTF-8; None for another encoding altogether, or none."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        findings.error((1, 1), "not-utf-8", "The file is UTF-16 text.", "Save it as UTF-8.")
        return None
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        if b"\0" in raw:
            findings.error((1, 1), "not-text", "The file isn't text.", "An issue is Markdown, saved as UTF-8.")
            return None
        # A file cut at the size limit may end within a character; its size is the problem then.
        if len(raw) <= MAX_BYTES:
            line = raw.count(b"\n", 0, error.start) + 1
            before = raw[raw.rfind(b"\n", 0, error.start) + 1 : error.start].decode("utf-8", "replace")
            message = f"The byte 0x{raw[error.start]:02x} here is not UTF-8 text."
            findings.error((line, len(before) + 1), "not-utf-8", message, "Save the file as UTF-8.")
        return raw.decode("utf-8", "replace")


def find_issue_file(folder: Path, name: str) -> Path:
    """Return the file that a date, slug or path means. Raises NotFoundError."""
    if name.endswith(".md") or "/" in name or os.sep in name:
        return _find_path(folder, Path(name))
    files = list_issue_files(folder)
    stems = [path for path in files if path.stem == name]
    found = stems or [path for path in files if str(parse_day(path.name)) == name] or _with_slug(files, name)
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise NotFoundError(f"{name} can mean several issues: {names}. Give the file's name.")
    if not found:
        raise NotFoundError(f"There is no issue {name} in {show_path(folder)}. {_describe(files, name)}")
    return found[0]


def list_issue_files(folder: Path) -> Sequence[Path]:
    """Return every issue file, oldest first; a missing folder has none."""
    dated = [(day, path.name, path) for path in _markdown_files(folder) if (day := parse_day(path.name))]
    return [path for _, _, path in sorted(dated)]


def list_issues_of(folder: Path, day: date) -> list[Path]:
    """Return the issue files of a day; where one is named by the date alone, that one."""
    found = [path for path in list_issue_files(folder) if parse_day(path.name) == day]
    return [path for path in found if path.stem == str(day)] or found


def list_misnamed_files(folder: Path) -> tuple[Problem, ...]:
    """Return a warning for each .md file that is no issue because of its name; README.md and dotfiles aside."""
    problems: list[Problem] = []
    for path in sorted(_markdown_files(folder)):
        if parse_day(path.name) is None:
            findings = Findings(show_path(path))
            message = f"{path.name} is not read as an issue: its name doesn't start with a date."
            findings.warning((1, 1), "file-name", message, "Rename it to YYYY-MM-DD.md, or move it out of the folder.")
            problems += findings.problems
    return tuple(problems)


def list_clashing_files(folder: Path) -> tuple[Problem, ...]:
    """Return an error for each issue whose slug, and with it its page's address, an earlier one has."""
    first: dict[str, Path] = {}
    problems: list[Problem] = []
    for path in list_issue_files(folder):
        slug = _slug_of(path)
        if slug in first:
            findings = Findings(show_path(path))
            message = f"The slug {slug} is {show_path(first[slug])}'s already, so both would have one address."
            findings.error((1, 1), "duplicate-slug", message, "Give one of them another slug in its front matter.")
            problems += findings.problems
        first.setdefault(slug, path)
    return tuple(problems)


def earlier_works(folder: Path, before: date, but: Path | None = None) -> dict[str, EarlierWork]:
    """Return where each work of the issues before a day was last, by its key and by `title:` and its title.

    `but` is left out: a file whose name says an earlier day than its front matter isn't earlier than itself.
    Reads headings only, so that thousands of issues take about a second. What can't be read is passed over.
    """
    works: dict[str, EarlierWork] = {}
    for path in list_issue_files(folder):
        day = parse_day(path.name)
        if day and day < before and not (but and _is_same(path, but)):
            works |= load_works(path)
    return works


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False


def load_works(path: Path) -> dict[str, EarlierWork]:
    """Return the works of one issue file, as `earlier_works` does; none, if it can't be read or has no date."""
    day = parse_day(path.name)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError:
        return {}
    return scan_works(raw, show_path(path), day) if day and len(raw) <= MAX_BYTES else {}


def show_path(path: Path) -> str:
    """Return a path as people and editors like it: relative to where they are, if it is below."""
    here = Path.cwd()
    absolute = path if path.is_absolute() else here / path
    return absolute.relative_to(here).as_posix() if absolute.is_relative_to(here) else str(path)


def _markdown_files(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as items:
            names = [item.name for item in items if item.name.endswith(".md") and item.is_file()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise NotFoundError(f"The issues folder {show_path(folder)} can't be read: {error.strerror}.") from None
    return [folder / name for name in names if not name.startswith(".") and name.lower() != "readme.md"]


def _find_path(folder: Path, path: Path) -> Path:
    """Return a path as given, or as a file's name in the folder."""
    for candidate in (path, folder / path):
        if os.path.isfile(candidate):  # noqa: PTH113 - Path.is_file raises for a name that is too long
            return candidate
    if os.path.isdir(path):  # noqa: PTH112 - as above
        raise NotFoundError(f"{path} is a folder. Give the date of an issue, or the path of its file.")
    raise NotFoundError(f"There is no file {path}. {_describe(list_issue_files(folder), path.stem)}")


def _with_slug(files: Sequence[Path], slug: str) -> list[Path]:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", slug):
        return []
    return [path for path in files if _slug_of(path) == slug]


def _slug_of(path: Path) -> str:
    day = parse_day(path.name)
    usual = default_slug(path.name, day) if day else ""
    try:
        with path.open("rb") as file:
            return scan_slug(file.read(_HEAD_BYTES)) or usual
    except OSError:
        return usual


def _describe(files: Sequence[Path], name: str) -> str:
    """Say which issues there are, the nearest to a date if `name` is one."""
    if not files:
        return "There are no issues yet; `newsletter new DATE` starts one."
    days = sorted({day for path in files if (day := parse_day(path.name))})
    wanted = parse_day(f"{name[:10]}.md")
    near = sorted(days, key=lambda day: abs((day - wanted).days))[:_NEAR] if wanted else days[-_NEAR:]
    which = "There are" if len(near) == len(days) else "The nearest are" if wanted else "The latest are"
    return f"{which}: {', '.join(str(day) for day in sorted(near))}."
