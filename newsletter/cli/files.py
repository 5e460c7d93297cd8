"""Files that commands write."""

import os
from pathlib import Path
from typing import TextIO

from newsletter.cli.terminal import short
from newsletter.errors import NewsletterError


def open_private(path: Path) -> TextIO:
    """Open a file of addresses for writing, so that only its owner can read it."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        way_out = "Make the folder writable, or name a file in another one."
        raise NewsletterError(f"{short(path)} can't be written: {error.strerror}. {way_out}") from None
    return os.fdopen(descriptor, "w", encoding="utf-8", newline="")
