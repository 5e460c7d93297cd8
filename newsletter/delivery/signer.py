"""A process that does nothing but sign: digests come in by a pipe, RSA signatures go out by another.

Run as a file of its own, so that it needs neither the package nor its memory. It ends when its pipe does, which is when
whoever started it closes it or dies, and heeds no other wish to end: a signal to the whole group is meant for the
sender, who still has mails to finish.

In: the length of a private key (four bytes, big-endian) and the key in DER; then, again and again, how many digests
(four bytes) and the digests, 32 bytes each. Out: their signatures, each as long as the key's modulus.
"""

import signal
import sys
from collections.abc import Callable
from functools import partial
from typing import BinaryIO

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_private_key

DIGEST_SIZE = 32
COUNT_SIZE = 4


def serve(source: BinaryIO, target: BinaryIO) -> None:
    """Sign until `source` ends. Raises ValueError for what is no RSA key."""
    key = load_der_private_key(source.read(_read_count(source)), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("only RSA is worth a process")
    sign = make_sign(key)
    while count := _read_count(source):
        digests = source.read(count * DIGEST_SIZE)
        if len(digests) < count * DIGEST_SIZE:
            return
        starts = range(0, len(digests), DIGEST_SIZE)
        target.write(b"".join([sign(digests[start : start + DIGEST_SIZE]) for start in starts]))
        target.flush()


def make_sign(key: RSAPrivateKey) -> Callable[[bytes], bytes]:
    """Return what signs a SHA-256 digest (RFC 8017 section 8.2, as RFC 6376 wants it)."""
    return partial(key.sign, padding=PKCS1v15(), algorithm=Prehashed(SHA256()))


def _read_count(source: BinaryIO) -> int:
    """Return the next count; 0 when there is none."""
    return int.from_bytes(source.read(COUNT_SIZE), "big")


def main() -> None:
    """Serve whoever started this."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
