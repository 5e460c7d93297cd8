"""Mailboxes that bounces are delivered to: a Maildir, or a folder on an IMAP server.

Owns what is done with a mail that was taken in. Nothing is removed before it is: killed in between, a mail is read
once more, and counts once. The only importer of imap_tools.
"""

import imaplib
import ssl
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, TypeVar

from imap_tools import BaseMailBox, MailBox, MailBoxStartTls, MailBoxUnencrypted
from imap_tools.errors import ImapToolsError

from newsletter import config
from newsletter.bounces.intake import Desk, Incoming, Taken, take_mails
from newsletter.errors import NewsletterError
from newsletter.mail.reports.limits import LIMITS
from newsletter.model.verdict import Way

BATCH: Final = 100
"""Mails taken in by one transaction."""

_READ_MOST: Final = LIMITS.size + 1
_TIMEOUT: Final = 60.0
_Item = TypeVar("_Item")


def drain_maildir(desk: Desk, folder: Path, limit: int = 10_000) -> list[Taken]:
    """Take in up to `limit` mails of a Maildir, oldest first, and mark them as seen (moved from new/ to cur/).

    Raises NewsletterError for a folder that is no Maildir, StoreError when the ledger refuses; what isn't taken in
    then stays new.
    """
    new, seen = folder / "new", folder / "cur"
    if not new.is_dir() or not seen.is_dir():
        raise NewsletterError(f"{folder}: bounces.maildir is no Maildir: it has no folders new and cur.")
    taken: list[Taken] = []
    for paths in _batches(sorted(new.iterdir(), key=lambda path: path.name)[:limit]):
        found = [(path, Incoming(raw, Way.MAILDIR)) for path in paths if (raw := _read(path)) is not None]
        taken += take_mails(desk, [mail for _, mail in found])
        for path, _ in found:
            path.rename(seen / f"{path.name}:2,S")
    return taken


def drain_imap(desk: Desk, rules: config.Bounces, password: str, limit: int = 10_000) -> list[Taken]:
    """Take in up to `limit` mails of the configured folder, oldest first.

    Raises NewsletterError when the server refuses, StoreError when the ledger does; what isn't taken in then stays.
    """
    try:
        with _log_in(rules, password) as mailbox:
            return list(_drain(desk, mailbox, rules, limit))
    except (ImapToolsError, imaplib.IMAP4.error, OSError) as error:
        raise NewsletterError(f"{rules.imap_host}: the mailbox of bounces can't be read: {_say(error)}.") from error


def _drain(desk: Desk, mailbox: BaseMailBox, rules: config.Bounces, limit: int) -> Iterator[Taken]:
    uids = mailbox.uids("ALL" if rules.imap_after == "delete" else "UNSEEN")[:limit]
    for chunk in _batches(uids):
        found = [(uid, raw) for uid in chunk if (raw := _fetch(mailbox, uid)) is not None]
        yield from take_mails(desk, [Incoming(raw, Way.IMAP) for _, raw in found])
        done = [uid for uid, _ in found]
        if rules.imap_after == "delete":
            mailbox.delete(done)
        else:
            mailbox.flag(done, r"\Seen", True)


def _log_in(rules: config.Bounces, password: str) -> BaseMailBox:
    mailbox = _connect(rules)
    try:
        return mailbox.login(rules.imap_user, password, rules.imap_folder)
    except BaseException:
        mailbox.client.shutdown()  # the library leaves the connection open then
        raise


def _connect(rules: config.Bounces) -> BaseMailBox:
    host, port = rules.imap_host, rules.imap_port
    if rules.imap_tls == "none":
        return MailBoxUnencrypted(host, port, timeout=_TIMEOUT)
    context = ssl.create_default_context(cafile=rules.imap_ca_file)
    kind = MailBox if rules.imap_tls == "implicit" else MailBoxStartTls
    return kind(host, port, timeout=_TIMEOUT, ssl_context=context)


def _fetch(mailbox: BaseMailBox, uid: str) -> bytes | None:
    """Return a mail's first bytes, without marking it; None if it is gone.

    Not by the library's own reading of mails: what comes back is often none that it could read.
    """
    status, answer = mailbox.client.uid("FETCH", uid, f"(BODY.PEEK[]<0.{_READ_MOST}>)")
    if status != "OK":
        raise imaplib.IMAP4.error(f"FETCH of {uid} was refused")
    parts = [part[1] for part in answer if isinstance(part, tuple)]
    return bytes(parts[0]) if parts else None


def _read(path: Path) -> bytes | None:
    """Return a mail's first bytes; None for what isn't a mail, or has been taken away meanwhile."""
    try:
        with path.open("rb") as file:
            return file.read(_READ_MOST)
    except (FileNotFoundError, IsADirectoryError):
        return None


def _batches(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]


def _say(error: Exception) -> str:
    text = error.args[0] if error.args and isinstance(error.args[0], bytes) else str(error)
    return (text.decode("utf-8", "replace") if isinstance(text, bytes) else text).strip().rstrip(".")
