"""Signs many mails at a time: in the thread that asks, or, in a long run, in processes that do nothing else.

RSA is most of the work of a signed run, and needs no lock of the interpreter's. But a thread that signs gives that lock
back before each signature and waits for it after each, and so do the wire and the ledger. Processes take a whole batch
of digests and give back its signatures (`delivery.signer`): the lock changes hands once for a batch.

They are started when a run has signed more mails than their start costs, one for each core up to `MOST`, and never
where there is one core only. One that dies, stands still, answers something else or can't be started is nobody's loss:
it isn't asked again, and its share is signed in the thread that asks. Of each batch the last signature is verified, so
that no mail can get another's: an answer that is short, torn or late shifts all of them. They end when the sender does,
however it ends: their pipes end then.

The private key goes to a process through its pipe: it stands in no file, no argument and no environment.
"""

import logging
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from newsletter.delivery import signer
from newsletter.delivery.signer import COUNT_SIZE, make_sign

LEAST: Final = 500
"""Mails that a run signs by itself first: starting a process takes about as long as two hundred signatures."""

MOST: Final = 4
"""Processes at the most: what composes and sends is one process, which can't keep more of them busy."""

ANSWER_SECONDS: Final = 20.0
"""How long an answer is waited for: a batch takes a slow machine two or three with RSA-4096. An end waits as long."""

_logger = logging.getLogger(__name__)


class SignerProcess:
    """One process that signs, for one thread at a time; `close` it, also when anything has gone wrong with it."""

    def __init__(self, key: RSAPrivateKey, patience: float = ANSWER_SECONDS) -> None:
        """Start it. Raises OSError."""
        self._width = (key.key_size + 7) // 8
        self._verify = partial(key.public_key().verify, padding=PKCS1v15(), algorithm=Prehashed(SHA256()))
        self._patience = patience
        flags = list_flags(bool(sys.flags.ignore_environment), bool(sys.flags.no_user_site))
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, *flags, Path(signer.__file__)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            block = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
            self._say(len(block), block)
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._process.pid

    def sign(self, digests: Sequence[bytes]) -> list[bytes]:
        """Return the signatures of SHA-256 digests, in their order. Raises OSError when the process is of no use."""
        self._say(len(digests), b"".join(digests))
        width = self._width
        answer = self._hear(width * len(digests))
        signatures = [answer[start : start + width] for start in range(0, len(answer), width)]
        try:
            self._verify(signatures[-1], digests[-1])
        except InvalidSignature:
            raise OSError("the process that signs answers something else") from None
        return signatures

    def close(self) -> None:
        """End it at once: it has nothing that could be lost, and one that stands still ends no other way."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()
        self._process.wait()

    def _say(self, count: int, block: bytes) -> None:
        if self._process.stdin is None:
            raise RuntimeError("a signer is spoken to through pipes")
        self._process.stdin.write(count.to_bytes(COUNT_SIZE, "big") + block)
        self._process.stdin.flush()

    def _hear(self, size: int) -> bytes:
        """Return so many bytes of an answer. Raises OSError when they don't come."""
        if self._process.stdout is None:
            raise RuntimeError("a signer is spoken to through pipes")
        descriptor, answer = self._process.stdout.fileno(), b""
        news = select.poll()
        news.register(descriptor, select.POLLIN)
        while len(answer) < size:
            # In two halves: where sender and signer were stopped together, the first is over when they go on.
            if not any(news.poll(self._patience * 500) for _ in range(2)):
                raise TimeoutError("the process that signs doesn't answer")
            more = os.read(descriptor, size - len(answer))
            if not more:
                raise BrokenPipeError("the process that signs has ended")
            answer += more
        return answer


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
        self._sign_here = make_sign(key)
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
        place, kept = self._places.get(), None
        try:
            if place is not None:
                signatures = place.sign(digests)
                kept = place
                return signatures
        except Exception as error:  # whatever it was: what it says next may be the answer to this
            _logger.warning(
                "a process that signs is gone, and mail is signed without it: %s", str(error) or repr(error)
            )
            if place is not None:
                place.close()
        finally:
            self._places.put(kept)
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
        except Exception as error:  # an interpreter that knows no program of its own, or ends: not OSError alone
            _logger.warning("no process can be started to sign in, and mail is signed without it: %s", error)
            return None


def list_flags(ignore_environment: bool, no_user_site: bool) -> list[str]:
    """Return how Python is to start, so that it looks for modules nowhere that this one doesn't. Pure."""
    return ["-P", *(["-E"] if ignore_environment else []), *(["-s"] if no_user_site else [])]


@contextmanager
def open_signers(key: RSAPrivateKey) -> Iterator[Signers]:
    """Give what signs with a key on all cores that this process may use, for as long as it is needed."""
    signers = Signers(key, min(MOST, _count_cores()), LEAST)
    try:
        yield signers
    finally:
        signers.close()


def _count_cores() -> int:
    """Return how many cores this process may use, where the system tells; else how many there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
