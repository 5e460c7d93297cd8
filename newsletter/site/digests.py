"""What is in the site's files, for whoever serves them: a strong ETag needs no file to be read."""

from collections.abc import Mapping
from pathlib import Path

from newsletter.site.files import RECORD_NAME, TODO_NAME, read_own
from newsletter.site.record import parse_digests, parse_todo


def load_digests(folder: Path) -> Mapping[str, str]:
    """Return the digest of each file's content by path (`issues/2024-05-25/index.html`), as the last build knows it.

    Variants (`.gz`, `.br`) are not listed: each holds what its file holds. Files that a running or killed build is
    about to change are left out, and so is everything that isn't ours. **Limit.** What was changed after the build, or
    by a build that began after this was called, is not noticed: believe a digest only while `.build.json` and the file
    are as old as they were, else read the file.
    """
    record, todo = read_own(folder, RECORD_NAME), read_own(folder, TODO_NAME)
    doubtful = parse_todo(todo) if todo is not None else []
    if record is None or doubtful is None:
        return {}
    digests = parse_digests(record)
    return {path: digests[path] for path in digests.keys() - set(doubtful)}
