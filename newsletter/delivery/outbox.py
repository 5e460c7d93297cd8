"""The outbox: a folder of `.eml` files in place of a relay, for trials and for whoever sends by other means.

Owns the files' names. Writing the same edition to the same reader again replaces one file by its equal, so nothing can
be sent twice, and what a killed process had begun is simply written again. Limit: after a power failure the ledger
can't tell an outbox from a relay, and calls unknown what was claimed (`delivery.recovery`).
"""

import asyncio
import os
import re
from collections.abc import Callable
from pathlib import Path

from newsletter.delivery.exchange import Result
from newsletter.delivery.lanes import Lane, Mail
from newsletter.delivery.policy import Phase
from newsletter.errors import TransportError
from newsletter.model.delivery import Delivery, Reply

_PLAIN_NAME = re.compile(r"[a-z0-9][a-z0-9@._+-]{0,120}")
_BREATH = 50
"""Mails written before others get a turn on the event loop."""


class OutboxTransport:
    """Writes each mail to `FOLDER/SLUG/ADDRESS.eml`; `stem` gives files another name."""

    width = 1

    def __init__(self, folder: Path, slug: str, stem: Callable[[Delivery], str] | None = None) -> None:
        self.name = str(folder)
        self._folder = folder / safe_name(slug)
        self._stem = stem or file_stem

    async def open_lane(self) -> Lane:
        """Return a lane: an outbox is always open."""
        return _OutboxLane(self._folder, self._stem)


class _OutboxLane:
    """Writes files one after another; never worn out."""

    usable = True

    def __init__(self, folder: Path, stem: Callable[[Delivery], str]) -> None:
        self._folder = folder
        self._stem = stem
        self._stopped = False

    async def pump(
        self,
        next_mail: Callable[[], Mail | None],
        before_body: Callable[[Mail], None],  # noqa: ARG002 - `delivery.lanes`; a file can't arrive twice
        on_result: Callable[[Mail, Result], None],
    ) -> None:
        """Write mails, each whole or not at all. Raises TransportError if the folder can't be written."""
        count = 0
        while not self._stopped and (mail := next_mail()) is not None:
            path = self._folder / f"{self._stem(mail.key)}.eml"
            try:
                _write_atomically(path, b"".join(mail.body))
            except OSError as error:
                on_result(mail, Result(Phase.MAIL, Reply(0, "", f"not written: {error.strerror}")))  # not its fault
                raise TransportError(
                    f"{path}: the mail can't be written: {error.strerror}. Make room or make the folder writable; "
                    "what isn't written stays queued, and the same command goes on with it."
                ) from None
            on_result(mail, Result(Phase.DOT, Reply(250, "", f"written to {path.name}")))
            count += 1
            if count % _BREATH == 0:
                await asyncio.sleep(0)

    def stop(self) -> None:
        """Begin no further mail."""
        self._stopped = True

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""


def file_stem(delivery: Delivery) -> str:
    """Return the reader's address, or, if that can't be a file's name everywhere, what is left of it and a number."""
    address = delivery.address
    if _PLAIN_NAME.fullmatch(address):
        return address
    return f"{safe_name(address)[:80]}-{delivery.subscriber_id}"


def safe_name(text: str) -> str:
    """Return text with everything replaced that might lead out of a folder or be no file name somewhere."""
    return re.sub(r"[^A-Za-z0-9@._+-]", "_", text).lstrip(".") or "_"


def _write_atomically(path: Path, content: bytes) -> None:
    for folder in (path.parent.parent, path.parent):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # Mails hold addresses and links that are valid: nobody else may read them.
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
