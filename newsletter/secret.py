"""Secrets: the signing key and the relay's password, read from where the operator keeps them.

Owns how a secret file is made, read and complained about. Refuses a key too short to protect anything. Never prints,
logs or puts into an error what it read.
"""

import logging
import os
import secrets
import stat
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from newsletter.config import Bounces, Smtp
from newsletter.errors import NewsletterError, UsageError

PASSWORD_VARIABLE = "NEWSLETTER_SMTP_PASSWORD"  # noqa: S105 - a variable's name, not a password
IMAP_PASSWORD_VARIABLE = "NEWSLETTER_IMAP_PASSWORD"  # noqa: S105 - same

MIN_KEY_LENGTH = 32
"""Bytes of key material that a secret file must hold."""

_MAX_FILE_SIZE = 4096
_logger = logging.getLogger(__name__)


def load_secret(path: Path) -> bytes:
    """Return the key that signs, the first of `load_secrets`."""
    return load_secrets(path)[0]


def load_secrets(path: Path) -> tuple[bytes, ...]:
    """Return the keys of personal links, one a line: the first one signs, every one of them opens.

    The file is made with mode 0600 when there is none; two processes that come first at once agree on one key. Raises
    NewsletterError for a file that can't be read or made, or a key of fewer than 32 bytes. Other users being able to
    read it is worth a warning only: containers mount secrets that way.
    """
    if not path.exists():
        _write_new_secret(path)
    lines = [line.strip() for line in read_secret(path, "[secret] file").splitlines()]
    keys = tuple(dict.fromkeys(line for line in lines if line))
    if not keys or min(map(len, keys)) < MIN_KEY_LENGTH:
        raise NewsletterError(
            f"{path}: {'a' if len(keys) > 1 else 'the'} key that signs personal links is "
            f"{'too short' if keys else 'empty'}: it needs at least {MIN_KEY_LENGTH} characters. Put your backup of it "
            "back; without one, delete the file and a new key is made, but links in mail that is already out stop "
            "working."
        )
    warn_if_open(path)
    return keys


def load_password(smtp: Smtp, environ: Mapping[str, str] = os.environ, number: int = 1) -> str:
    """Return a relay's password from the environment, else from the file, else '' when no user is set.

    `number` counts the relays from 1, the one in host and port. Raises UsageError when a user is configured and no
    password can be found, NewsletterError for a file that can't be read or is empty.
    """
    variable = PASSWORD_VARIABLE if number == 1 else f"{PASSWORD_VARIABLE}_{number}"
    table = "smtp" if number == 1 else f"smtp.relays[{number - 2}]"
    if not smtp.user:
        return ""
    if environ.get(variable):
        return environ[variable]
    if smtp.password_file is None:
        raise UsageError(
            f"{table}.user is {smtp.user!r}, but there is no password: set {variable} or {table}.password_file."
        )
    return read_password(smtp.password_file, f"{table}.password_file")


def load_imap_password(bounces: Bounces, environ: Mapping[str, str] = os.environ) -> str:
    """Return the password of the mailbox that bounces come to. Raises UsageError and NewsletterError likewise."""
    if environ.get(IMAP_PASSWORD_VARIABLE):
        return environ[IMAP_PASSWORD_VARIABLE]
    if bounces.imap_password_file is None:
        raise UsageError(
            f"bounces.imap_user is {bounces.imap_user!r}, but there is no password: set {IMAP_PASSWORD_VARIABLE} or "
            "bounces.imap_password_file."
        )
    return read_password(bounces.imap_password_file, "bounces.imap_password_file")


def read_password(path: Path, key: str) -> str:
    """Return the password in a small file; `key` is its name in the config. Raises NewsletterError without one."""
    try:
        password = read_secret(path, key).decode()
    except UnicodeDecodeError:
        raise NewsletterError(f"{path}: {key} is not UTF-8 text.") from None
    if not password:
        raise NewsletterError(f"{path}: {key} is empty; write the password into it.")
    return password


def _write_new_secret(path: Path) -> None:
    """Write the whole file under another name and link it into place: nobody ever reads half a key."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, scratch = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(secrets.token_hex(32) + "\n")
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):  # another process was first, and its key is the key
                path.hardlink_to(scratch)
        finally:
            Path(scratch).unlink()
    except OSError as error:
        raise NewsletterError(
            f"{path}: the key that signs personal links can't be made: {error.strerror}. Make the folder writable, or "
            "write at least 64 random characters into the file yourself."
        ) from None


def read_secret(path: Path, key: str) -> bytes:
    """Return a small file, stripped; `key` is its name in the config. Raises NewsletterError if it can't be read."""
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_FILE_SIZE + 1)
    except OSError as error:
        raise NewsletterError(f"{path}: {key} can't be read: {error.strerror}.") from None
    if len(raw) > _MAX_FILE_SIZE:
        raise NewsletterError(f"{path}: {key} is larger than {_MAX_FILE_SIZE} bytes; that is no secret of ours.")
    return raw.strip()


def warn_if_open(path: Path) -> None:
    """Warn about a file of ours that other users of this machine can read."""
    found = path.stat()
    mine = hasattr(os, "getuid") and found.st_uid == os.getuid()
    if mine and found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        _logger.warning("%s can be read by other users of this machine; run: chmod 600 %s", path, path)
