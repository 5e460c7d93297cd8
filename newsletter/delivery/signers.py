"""Signs many mails at a time: in the thread that asks, or, in a long run, in processes that do nothing else.

RSA is most of the work of a signed run, and needs no lock of the interpreter's. But a thread that signs gives that lock
back before each signature and waits for it after each, and so do the wire and the ledger. Processes take a whole batch
of digests and give back its signatures (`delivery.signer`): the lock changes hands once for a batch.

They are started when a run has signed more mails than their start costs, one for each core up to `MOST`, and never
where there is one core only. One that dies, or can't be started, is nobody's loss: its share is signed in the thread
that asks. They end when the sender does, however it ends: their pipes end then.

The private key goes to a process through its pipe: it stands in no file, no argument and no environment.
"""

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
from typing import Final

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from newsletter.delivery import signer
from newsletter.delivery.signer import COUNT_SIZE

LEAST: Final = 500
"""Mails that a run signs by itself first: starting a process takes about as long as two hundred signatures."""

MOST: Final = 4
"""Processes at the most: what composes and sends is one process, which can't keep more of them busy."""

_PATIENCE: Final = 5.0
"""Seconds that a process has to end by itself."""

_logger = logging.getLogger(__name__)


class SignerProcess:
    """One process that signs, for one thread at a time; `close` it."""

    def __init__(self, key: RSAPrivateKey) -> None:
        """Start it. Raises OSError."""
        self._width = key.key_size // 8
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-P", Path(signer.__file__)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            self._say(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
        except OSError:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._process.pid

    def sign(self, digests: Sequence[bytes]) -> list[bytes]:
        """Return the signatures of SHA-256 digests, in their order. Raises OSError when the process is gone."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("a signer is spoken to through pipes")
        self._process.stdin.write(len(digests).to_bytes(COUNT_SIZE, "big") + b"".join(digests))
        self._process.stdin.flush()
        width = self._width
        signatures = self._process.stdout.read(width * len(digests))
        if len(signatures) < width * len(digests):
            raise BrokenPipeError("the process that signs has ended")
        return [signatures[start : start + width] for start in range(0, len(signatures), width)]

    def close(self) -> None:
        """Let it end, and wait for that."""
        with suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        if self._process.stdout is not None:
            self._process.stdout.close()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _say(self, block: bytes) -> None:
        if self._process.stdin is None:
            raise RuntimeError("a signer is spoken to through pipes")
        self._process.stdin.write(len(block).to_bytes(COUNT_SIZE, "big") + block)
        self._process.stdin.flush()


class Signers:
    """Signs with one RSA key for any number of threads; `close` it when no thread asks any more."""

    def __init__(
        self,
        key: RSAPrivateKey,
        processes: int,
        least: int = LEAST,
        start: Callable[[RSAPrivateKey], SignerProcess] = SignerProcess,
    ) -> None:
        self._key = key
        self._sign_here = partial(key.sign, padding=PKCS1v15(), algorithm=Prehashed(SHA256()))
        self._start_one = start
        self._places: SimpleQueue[SignerProcess | None] = SimpleQueue()
        """Free places to sign at; None is one whose process is gone: whoever takes it signs by himself."""
        self._wanted = processes
        self._left = least
        self._started = False
        self._lock = Lock()

    def sign(self, digests: Sequence[bytes]) -> list[bytes]:
        """Return the signatures of SHA-256 digests, in their order; waits for a process that is free."""
        if not self._is_worth_processes(len(digests)):
            return [self._sign_here(digest) for digest in digests]
        place: SignerProcess | None = self._places.get()
        try:
            if place is not None:
                return place.sign(digests)
        except OSError as error:
            _logger.warning("a process that signs is gone, and mail is signed without it: %s", error)
            if place is not None:
                place.close()
            place = None
        finally:
            self._places.put(place)
        return [self._sign_here(digest) for digest in digests]

    def close(self) -> None:
        """End the processes."""
        for _ in range(self._wanted if self._started else 0):
            place = self._places.get()
            if place is not None:
                place.close()

    def _is_worth_processes(self, count: int) -> bool:
        """Count what is signed, and start the processes when it is their time."""
        if self._wanted < 2:
            return False
        with self._lock:
            self._left -= count
            if self._left > 0:
                return False
            if not self._started:
                self._started = True
                for _ in range(self._wanted):
                    self._places.put(self._start())
        return True

    def _start(self) -> SignerProcess | None:
        try:
            return self._start_one(self._key)
        except OSError as error:
            _logger.warning("no process can be started to sign in, and mail is signed without it: %s", error)
            return None


@contextmanager
def open_signers(key: RSAPrivateKey) -> Iterator[Signers]:
    """Give what signs with a key on all cores that this process may use, for as long as it is needed."""
    signers = Signers(key, min(MOST, _count_cores()))
    try:
        yield signers
    finally:
        signers.close()


def _count_cores() -> int:
    """Return how many cores this process may use, where the system tells; else how many there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
