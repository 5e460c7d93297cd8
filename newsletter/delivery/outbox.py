"""The outbox: a folder of `.eml` files in place of a relay, for trials and for whoever sends by other means.

Owns the files' names. Writing the same edition to the same reader again replaces one file by its equal, so nothing can
be sent twice and nothing is ever unknown.
"""

import os
import re
from pathlib import Path

from newsletter.delivery.policy import Verdict
from newsletter.errors import TransportError
from newsletter.mail.message import Envelope
from newsletter.model.delivery import Accepted, DeliveryState, Reply

_PLAIN_NAME = re.compile(r"[a-z0-9][a-z0-9@._+-]{0,120}")
_BATCH = 100


class OutboxTransport:
    """Writes each mail to `FOLDER/SLUG/ADDRESS.eml`."""

    landing = DeliveryState.QUEUED
    width = _BATCH

    def __init__(self, folder: Path) -> None:
        self.name = str(folder)
        self._folder = folder

    async def deliver(self, envelope: Envelope) -> Verdict:
        """Write one mail, whole or not at all; raise TransportError if the folder can't be written."""
        path = self._folder / safe_name(envelope.slug) / f"{file_stem(envelope)}.eml"
        try:
            _write_atomically(path, envelope.message)
        except OSError as error:
            raise TransportError(
                f"{path}: the mail can't be written: {error.strerror}. Make room or make the folder writable; what "
                "isn't written stays queued, and the same command goes on with it."
            ) from None
        return Accepted(Reply(250, "", f"written to {path.name}"))

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""


def file_stem(envelope: Envelope) -> str:
    """Return the reader's address, or, if that can't be a file's name everywhere, what is left of it and a token."""
    address = envelope.recipient
    if _PLAIN_NAME.fullmatch(address):
        return address
    return f"{safe_name(address)[:80]}-{envelope.name}"


def safe_name(text: str) -> str:
    """Return text with everything replaced that might lead out of a folder or be no file name somewhere."""
    return re.sub(r"[^A-Za-z0-9@._+-]", "_", text).lstrip(".") or "_"


def _write_atomically(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        scratch.write_bytes(content)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
