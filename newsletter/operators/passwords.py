"""Passwords as argon2id hashes (RFC 9106); the only importer of argon2.

A hash takes 64 MB and some 50 ms. No more than AT_ONCE are made in a process at any time: whoever sends thousands of
passwords is told to come later, and readers' pages go on.
"""

from functools import cache
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Final

from newsletter.operators.policy import normalise_password

if TYPE_CHECKING:
    from argon2 import PasswordHasher

AT_ONCE: Final = 2

_room = BoundedSemaphore(AT_ONCE)


class BusyError(Exception):
    """Too many passwords are being checked already."""


@cache
def _hasher() -> "PasswordHasher":
    from argon2 import PasswordHasher
    from argon2.profiles import RFC_9106_LOW_MEMORY

    return PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)


def hash_password(password: str) -> str:
    """Return the hash to keep of a password, with a salt of its own."""
    return _hasher().hash(normalise_password(password))


def verify_password(password_hash: str, password: str) -> bool:
    """Return whether a password is the one that was hashed. Raises BusyError at once when there is no room."""
    from argon2.exceptions import InvalidHashError, VerificationError

    if not _room.acquire(blocking=False):
        raise BusyError
    try:
        return _hasher().verify(password_hash, normalise_password(password))
    except (VerificationError, InvalidHashError):
        return False
    finally:
        _room.release()


def is_outdated(password_hash: str) -> bool:
    """Return whether a hash was made with other parameters than are chosen today."""
    return _hasher().check_needs_rehash(password_hash)
