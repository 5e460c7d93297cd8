import hashlib
import io
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from newsletter.delivery.signer import serve
from newsletter.delivery.signers import ANSWER_SECONDS, SignerProcess, Signers, list_flags

KEY = generate_private_key(65537, 2048)
DIGESTS = [hashlib.sha256(b"%d" % number).digest() for number in range(40)]


def sign_alone(digests: Sequence[bytes]) -> list[bytes]:
    return [KEY.sign(digest, PKCS1v15(), Prehashed(SHA256())) for digest in digests]


class Town:
    """Starts processes for signers, and knows them."""

    def __init__(self) -> None:
        self.processes: list[SignerProcess] = []

    def start(self, key: RSAPrivateKey, patience: float = ANSWER_SECONDS) -> SignerProcess:
        process = SignerProcess(key, patience)
        self.processes.append(process)
        return process

    def lives(self) -> list[bool]:
        return [is_alive(process.pid) for process in self.processes]


@pytest.fixture
def town() -> Iterator[Town]:
    town = Town()
    yield town
    for process in town.processes:
        process.close()


def is_alive(pid: int) -> bool:
    """Return whether a process runs; one that has ended and that nobody has asked about doesn't."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)


def test_a_run_of_few_mails_is_signed_without_any_process(town: Town) -> None:
    signers = Signers(KEY, 2, least=len(DIGESTS) + 1, start=town.start)
    assert signers.sign(DIGESTS) == sign_alone(DIGESTS)
    signers.close()
    assert town.processes == []


def test_on_one_core_no_process_is_worth_its_start(town: Town) -> None:
    signers = Signers(KEY, 1, least=0, start=town.start)
    assert signers.sign(DIGESTS) == sign_alone(DIGESTS)
    signers.close()
    assert town.processes == []


def test_many_mails_are_signed_in_processes_each_answer_for_its_own_question(town: Town) -> None:
    signers = Signers(KEY, 2, least=0, start=town.start)
    batches = [DIGESTS[start : start + 5] for start in range(0, len(DIGESTS), 5)]
    with ThreadPoolExecutor(4) as pool:
        signed = list(pool.map(signers.sign, batches))
    assert signed == [sign_alone(batch) for batch in batches]
    assert town.lives() == [True, True]
    signers.close()
    assert town.lives() == [False, False]


def test_a_process_that_is_killed_costs_no_signature(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    signers = Signers(KEY, 2, least=0, start=town.start)
    signers.sign(DIGESTS[:1])
    for process in town.processes:
        os.kill(process.pid, signal.SIGKILL)
    wait_until(lambda: not any(town.lives()))
    with caplog.at_level(logging.WARNING):
        for _ in range(4):
            assert signers.sign(DIGESTS[:3]) == sign_alone(DIGESTS[:3])
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "a process that signs is gone, and mail is signed without it"
    ] * 2
    signers.close()
    assert len(town.processes) == 2


def test_one_that_stands_still_is_ended_and_holds_up_nobody(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    def start(key: RSAPrivateKey) -> SignerProcess:
        process = town.start(key, patience=0.1)
        os.kill(process.pid, signal.SIGSTOP)
        return process

    signers = Signers(KEY, 2, least=0, start=start)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert signers.sign(DIGESTS[:2]) == sign_alone(DIGESTS[:2])
    assert caplog.text.count("the process that signs doesn't answer") == 2
    assert town.lives() == [False, False]
    signers.close()


def test_one_that_stands_still_is_ended_with_the_others(town: Town) -> None:
    process = town.start(KEY)
    os.kill(process.pid, signal.SIGSTOP)
    process.close()
    assert town.lives() == [False]


def test_one_that_says_something_else_first_signs_no_mail(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('hello')", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    signers = Signers(KEY, 2, least=0, start=town.start)
    with caplog.at_level(logging.WARNING):
        assert signers.sign(DIGESTS[:3]) == sign_alone(DIGESTS[:3])
    assert "the process that signs answers something else" in caplog.text
    signers.close()


class Tired(SignerProcess):
    """Has no memory left for the answer to its first question."""

    asked = 0

    def _hear(self, size: int) -> bytes:
        self.asked += 1
        if self.asked == 1:
            raise MemoryError
        return super()._hear(size)


def test_an_answer_that_nobody_took_becomes_no_other_mail_s_signature(caplog: pytest.LogCaptureFixture) -> None:
    signers = Signers(KEY, 2, least=0, start=Tired)
    with caplog.at_level(logging.WARNING):
        for start in range(0, 15, 3):
            batch = DIGESTS[start : start + 3]
            assert signers.sign(batch) == sign_alone(batch)
    assert caplog.text.count("a process that signs is gone") == 2
    signers.close()


def test_a_key_of_an_odd_length_is_as_good_as_another(town: Town) -> None:
    odd = generate_private_key(65537, 2052)
    process = town.start(odd)
    assert process.sign(DIGESTS[:2]) == [odd.sign(digest, PKCS1v15(), Prehashed(SHA256())) for digest in DIGESTS[:2]]


@pytest.mark.parametrize("error", [OSError("no room for another process"), RuntimeError("Python ends"), TypeError("")])
def test_where_no_process_can_be_started_mail_is_signed_all_the_same(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(key: RSAPrivateKey) -> SignerProcess:
        raise error

    signers = Signers(KEY, 2, least=0, start=refuse)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert signers.sign(DIGESTS[:2]) == sign_alone(DIGESTS[:2])
    assert caplog.text.count("no process can be started to sign in") == 2
    signers.close()


def test_a_process_looks_for_modules_nowhere_that_the_sender_doesn_t() -> None:
    assert list_flags(ignore_environment=False, no_user_site=False) == ["-P"]
    assert list_flags(ignore_environment=True, no_user_site=False) == ["-P", "-E"]
    assert list_flags(ignore_environment=True, no_user_site=True) == ["-P", "-E", "-s"]


def test_a_signal_to_the_whole_group_leaves_it_to_the_sender_when_it_ends(town: Town) -> None:
    process = town.start(KEY)
    assert process.sign(DIGESTS[:1]) == sign_alone(DIGESTS[:1])
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(process.pid, number)
    assert process.sign(DIGESTS[:2]) == sign_alone(DIGESTS[:2])
    process.close()
    assert town.lives() == [False]


def test_a_sender_that_is_killed_leaves_no_process_behind(tmp_path: Path) -> None:
    program = tmp_path / "sender.py"
    program.write_text(
        "import sys\n"
        "from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key\n"
        "from newsletter.delivery.signers import SignerProcess\n"
        "process = SignerProcess(generate_private_key(65537, 2048))\n"
        "process.sign([bytes(32)])\n"
        "print(process.pid, flush=True)\n"
        "sys.stdin.read()\n",
        encoding="utf-8",
    )
    sender = subprocess.Popen([sys.executable, program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert sender.stdin is not None
    assert sender.stdout is not None
    with sender, sender.stdin, sender.stdout:
        pid = int(sender.stdout.readline())
        assert is_alive(pid)
        sender.kill()
        sender.wait(10)
    wait_until(lambda: not is_alive(pid))


def test_the_program_signs_what_is_whole_and_ends_where_its_pipe_does() -> None:
    block = KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    opening = len(block).to_bytes(4, "big") + block
    asked = b"\0\0\0\2" + DIGESTS[0] + DIGESTS[1]
    for torn in (b"", b"\0\0", b"\0\0\0\1", b"\0\0\0\2" + DIGESTS[2]):
        answers = io.BytesIO()
        serve(io.BytesIO(opening + asked + torn), answers)
        assert answers.getvalue() == b"".join(sign_alone(DIGESTS[:2]))


def test_the_program_takes_no_other_key_than_rsa() -> None:
    block = Ed25519PrivateKey.generate().private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(ValueError, match="RSA"):
        serve(io.BytesIO(len(block).to_bytes(4, "big") + block), io.BytesIO())
