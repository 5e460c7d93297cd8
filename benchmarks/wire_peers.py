"""Benchmark peers: building them, running them on a core of their own, and stopping them.

Everything listens on 127.0.0.1, lives for a bounded time, and is stopped by its process id.
"""

import contextlib
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

HERE = Path(__file__).parent
CACHE = Path(tempfile.gettempdir()) / "newsletter-benchmarks"
"""Where peers are built and installed; it can be deleted at any time."""

MESSAGE_SIZE = 40 * 1024
CONNECTIONS = 10
LONGEST_RUN = 120.0
_POSTFIX = "It comes with Debian's package postfix (installed is enough; it needn't run)."
_LIBRARIES = "postfix/usr/lib/postfix"


class MissingError(Exception):
    """A peer can't be had on this machine; says how to get it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a process may run; no core means any."""

    core: int | None = None

    def popen(self, words: Sequence[str | Path], cwd: Path | None = None) -> "subprocess.Popen[str]":
        """Start a process there."""
        pin = partial(os.sched_setaffinity, 0, {self.core}) if self.core is not None else None
        # Where Postfix's own libraries are, if it was unpacked and not installed.
        environment = os.environ | {"PYTHONPATH": str(HERE.parent), "LD_LIBRARY_PATH": str(CACHE / _LIBRARIES)}
        return subprocess.Popen(
            [str(word) for word in words],
            stdout=subprocess.PIPE,
            text=True,
            cwd=cwd,
            env=environment,
            preexec_fn=pin,
        )

    def run(self, words: Sequence[str | Path], cwd: Path | None = None) -> str:
        """Run a process there to its end and return what it printed; it may not fail, nor take for ever."""
        process = self.popen(words, cwd)
        try:
            output, _ = process.communicate(timeout=LONGEST_RUN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, words[0])
        return output


def find_two_cores() -> tuple[int, int]:
    """Return the numbers of two cores; a sender and a sink on one core would measure the sum of both."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise MissingError("This needs two cores: one for the sender, one for the sink.")
    return cores[0], cores[1]


def wait_for_quiet(patience: float) -> None:
    """Wait until the machine's cores have been idle for half a second, but no longer than `patience` seconds."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        busy, idle = _read_ticks()
        time.sleep(0.5)
        busy_then, idle_then = _read_ticks()
        if busy_then - busy <= (idle_then - idle) / 20:
            return


def _read_ticks() -> tuple[int, int]:
    """Return for how many ticks all cores together were busy and idle since the start."""
    ticks = [int(word) for word in Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]]
    idle = ticks[3] + ticks[4]
    return sum(ticks) - idle, idle


# Building and finding


def build(name: str) -> Path:
    """Compile one of our C peers, if it has changed."""
    source, program = HERE / "peers" / f"{name}.c", CACHE / name
    if program.exists() and program.stat().st_mtime > source.stat().st_mtime:
        return program
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise MissingError(f"There is no C compiler to build {source.name} with. Install Debian's package gcc.")
    CACHE.mkdir(exist_ok=True)
    subprocess.run([compiler, "-O2", "-Wall", "-Wextra", "-std=gnu11", "-o", program, source], check=True)
    return program


def find_postfix(name: str) -> Path:
    """Return smtp-source or smtp-sink: the installed one, or one out of Debian's package, unpacked into the cache."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    return Path(found) if found else _unpack_postfix() / "usr" / "sbin" / name


def _unpack_postfix() -> Path:
    folder = CACHE / "postfix"
    if not (folder / "usr" / "sbin").is_dir():
        if shutil.which("apt-get") is None:
            raise MissingError(f"There is no Postfix, and no apt-get to fetch it with. {_POSTFIX}")
        folder.mkdir(parents=True, exist_ok=True)
        if subprocess.run(["apt-get", "download", "-qq", "postfix"], cwd=folder, check=False).returncode:
            raise MissingError(f"apt-get couldn't fetch Postfix; it said why above. {_POSTFIX}")
        subprocess.run(["dpkg-deb", "-x", *folder.glob("*.deb"), folder], check=True)
    return folder


def install_nodemailer() -> Path:
    """Install nodemailer from npm, once, and return the folder."""
    npm, folder = shutil.which("npm"), CACHE / "nodemailer"
    if npm is None or shutil.which("node") is None:
        raise MissingError("There is no npm to install nodemailer with. Install Debian's packages nodejs and npm.")
    if not (folder / "node_modules" / "nodemailer").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true}\n')
        words = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--silent", "nodemailer"]
        if subprocess.run(words, cwd=folder, check=False).returncode:
            raise MissingError("npm couldn't install nodemailer; it said why above.")
    return folder


def write_message() -> Path:
    """Write a mail of 40 KB with six fields of 32 bytes, as many as an edition has, and return its path."""
    fields = [b"X-Field: QQTOKENQQ" + b"-" * 23 + b"\r\n"] * 6
    head = b"From: News <news@example.org>\r\nTo: reader@example.net\r\nSubject: Benchmark\r\nMIME-Version: 1.0\r\n\r\n"
    line = b"x" * 74 + b"\r\n"
    lines = [line] * ((MESSAGE_SIZE - len(head) - sum(map(len, fields))) // len(line))
    step = len(lines) // len(fields)
    for number, field in enumerate(fields):
        lines.insert(number * step, field)
    CACHE.mkdir(exist_ok=True)
    path = CACHE / "message.eml"
    path.write_bytes(head + b"".join(lines))
    return path


# Sinks


@contextlib.contextmanager
def stopping(process: "subprocess.Popen[str]") -> Iterator["subprocess.Popen[str]"]:
    """Stop a process at the end, whatever happens."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _read_port(process: "subprocess.Popen[str]") -> int:
    assert process.stdout
    return int(json.loads(process.stdout.readline())["port"])


@contextlib.contextmanager
def run_fast_sink(place: Place) -> Iterator[int]:
    """Run our own sink and give its port."""
    with stopping(place.popen([build("sink"), "0"])) as sink:
        yield _read_port(sink)


@contextlib.contextmanager
def run_postfix_sink(place: Place) -> Iterator[int]:
    """Run smtp-sink and give its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    words: list[str | Path] = [find_postfix("smtp-sink"), f"127.0.0.1:{port}", "1000"]
    if os.geteuid() == 0:
        words[1:1] = ["-u", "nobody"]  # it refuses to run as root
    with stopping(place.popen(words, Path("/"))) as sink:
        _wait_until_it_listens(port, sink)
        yield port


@contextlib.contextmanager
def run_far_sink(place: Place, milliseconds: float) -> Iterator[int]:
    """Run our own sink at the far end of a network whose round trip takes so long, and give the near port."""
    with run_fast_sink(place) as far:
        words: list[str | Path] = [build("delay"), "0", str(far), str(milliseconds / 2)]
        with stopping(place.popen(words)) as proxy:
            yield _read_port(proxy)


def _wait_until_it_listens(port: int, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise RuntimeError("smtp-sink didn't start")


# Senders


@dataclass(frozen=True, slots=True)
class Speed:
    """Messages per second, and per second of the sender's processor time."""

    per_second: float
    per_cpu_second: float


Sender = Callable[[Place, int, float], Speed]
"""Takes where to run, a port, and for how many seconds."""


def _speed(output: str) -> Speed:
    counts = json.loads(output)
    if counts.get("others"):
        raise RuntimeError(f"some mails weren't taken: {counts['others']}")
    return Speed(counts["messages"] / counts["seconds"], counts["messages"] / counts["cpu"])


def run_ours(place: Place, port: int, seconds: float, window: int = 1) -> Speed:
    """Our sender."""
    words = [sys.executable, HERE / "wire_ours.py", port, CONNECTIONS, seconds, write_message(), window]
    return _speed(place.run([str(word) for word in words]))


def run_ceiling(place: Place, port: int, seconds: float) -> Speed:
    """The C source, one round trip a mail."""
    return _speed(place.run([build("source"), str(port), str(CONNECTIONS), str(seconds), write_message(), "1"]))


def run_stock(place: Place, port: int, seconds: float) -> Speed:
    """Stock aiosmtplib."""
    words = [sys.executable, HERE / "wire_stock.py", port, CONNECTIONS, seconds, write_message()]
    return _speed(place.run([str(word) for word in words]))


def run_nodemailer(place: Place, port: int, seconds: float) -> Speed:
    """nodemailer's pool."""
    words = ["node", HERE / "peers" / "nodemailer.mjs", port, CONNECTIONS, seconds, write_message()]
    return _speed(place.run([str(word) for word in words], install_nodemailer()))


def run_smtp_source(place: Place, port: int, seconds: float, sessions: int = 50) -> Speed:
    """Postfix's smtp-source; it counts mails instead of seconds, so a short run tells how many."""

    def send(count: int) -> Speed:
        options = ["-d", "-s", str(sessions), "-l", str(MESSAGE_SIZE), "-m", str(count)]
        addresses = ["-f", "bounce@news.example.org", "-t", "reader@example.net"]
        begin, cpu = time.monotonic(), _cpu_of_children()
        place.run([find_postfix("smtp-source"), *options, *addresses, f"127.0.0.1:{port}"])
        return Speed(count / (time.monotonic() - begin), count / (_cpu_of_children() - cpu))

    return send(max(1000, int(send(1000).per_second * seconds)))


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
