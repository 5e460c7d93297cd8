"""The unit that `newsletter serve --print-systemd` prints, run by a real systemd: start, publish, crash, hang and stop.

    python benchmarks/under_systemd.py        no race; takes about two and a half minutes

Debian's systemd is booted as process 1 of namespaces of its own, on an overlay of this machine's files that is kept in
memory: it sees this machine's programs, touches nothing of it, and is gone at the end. Takes root, a kernel with
cgroup2, and this repository on the root file system. Exits with 1 when something isn't as the unit says.
"""

import contextlib
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
SYSTEMD: Final = Path("/lib/systemd/systemd")
PROGRAM: Final = Path(sys.executable).parent / "newsletter"
HOME: Final = "/srv/news"
UNIT: Final = "newsletter.service"
MASKED: Final = ("systemd-sysctl", "systemd-modules-load", "systemd-remount-fs", "systemd-udevd", "systemd-random-seed")
"""What would reach the kernel, and so the machine."""

_BOOT: Final = """\
set -e
echo $$ > {group}/cgroup.procs
exec unshare --fork --kill-child --pid --mount --uts --ipc --net --cgroup /bin/sh -ec {inner}
"""
_INNER: Final = """\
mount --make-rprivate /
mount -t tmpfs tmpfs {base}
mkdir {base}/upper {base}/work {base}/root
mount -t overlay overlay -o lowerdir=/,upperdir={base}/upper,workdir={base}/work {base}/root
ip link set lo up
cd {base}/root
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs sysfs sys -o ro
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs tmpfs dev -o mode=755
for name in null zero full random urandom tty; do touch dev/$name; mount --bind /dev/$name dev/$name; done
mkdir dev/pts dev/shm
mount -t devpts devpts dev/pts -o newinstance,ptmxmode=0666
ln -s pts/ptmx dev/ptmx
mount -t tmpfs tmpfs dev/shm -o mode=1777
mount -t tmpfs tmpfs run -o mode=755
rm -f etc/fstab
: > etc/machine-id
for name in {masked}; do ln -sf /dev/null etc/systemd/system/$name.service; done
printf '[Unit]\\nRequires=basic.target\\nAfter=basic.target\\n' > etc/systemd/system/trial.target
mkdir old
pivot_root . old
umount -l old
exec env -i container=trial PATH=/usr/sbin:/usr/bin:/sbin:/bin {systemd} --system --unit=trial.target
"""
_SINK: Final = """\
import time
from aiosmtpd.controller import Controller

class Slow:
    async def handle_DATA(self, server, session, envelope):
        import asyncio
        await asyncio.sleep(1)
        print(envelope.rcpt_tos[0], flush=True)
        return "250 2.0.0 taken"

Controller(Slow(), hostname="127.0.0.1", port=2525).start()
time.sleep(3600)
"""


class Machine:
    """A systemd that runs; `do` runs a command beside it, as root."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def do(self, script: str, *, check: bool = True) -> str:
        """Run a shell script in there, and return what it printed."""
        words = [
            "nsenter",
            "-t",
            str(self.pid),
            "-m",
            "-p",
            "-u",
            "-i",
            "-n",
            "-C",
            "-r",
            "-w",
            "/bin/sh",
            "-c",
            script,
        ]
        done = subprocess.run(words, capture_output=True, text=True, timeout=180, stdin=subprocess.DEVNULL)
        if check and done.returncode:
            raise SystemExit(f"{script}\n{done.stdout}{done.stderr}")
        return done.stdout.strip()

    def show(self, name: str) -> str:
        """Return one property of the service."""
        return self.do(f"systemctl show {UNIT} -p {name} --value")

    def wait(self, happened: Callable[[], object], seconds: float) -> bool:
        """Wait until something is so; return whether it came to be."""
        deadline = time.monotonic() + seconds
        while not happened():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.5)
        return True


@contextlib.contextmanager
def boot() -> Iterator[Machine]:
    """Boot a systemd of our own, and end it with everything that it runs."""
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    groups = [line.split()[1] for line in mounts if line.split()[2] == "cgroup2"]
    if os.geteuid() or not SYSTEMD.exists() or not groups:
        raise SystemExit("It takes root, Debian's package systemd, and a mounted cgroup2.")
    group = Path(groups[0]) / f"newsletter-trial-{os.getpid()}"
    group.mkdir()
    with TemporaryDirectory() as base:
        inner = _INNER.format(base=base, masked=" ".join(MASKED), systemd=SYSTEMD)
        script = _BOOT.format(group=group, inner=shlex.quote(inner))
        process = subprocess.Popen(["/bin/sh", "-c", script], stdin=subprocess.DEVNULL)
        try:
            yield _find(process)
        finally:
            process.kill()
            process.wait()
            time.sleep(1)
            for folder in (*sorted(group.rglob("*/"), reverse=True), group):
                with contextlib.suppress(OSError):
                    folder.rmdir()


def _find(process: "subprocess.Popen[bytes]") -> Machine:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    for _ in range(120):
        time.sleep(0.5)
        found = children.read_text().split() if process.poll() is None else []
        if found and Path(f"/proc/{found[0]}/comm").read_text().strip() == "systemd":
            machine = Machine(int(found[0]))
            if machine.do("systemctl is-active trial.target", check=False) == "active":
                return machine
    raise SystemExit("systemd didn't come up here.")


def prepare(machine: Machine, due: datetime) -> None:
    """Make what the unit's head says: a user, a folder of his, the unit; and an issue that is due."""
    day = due.date()
    issue = f"---\ntitle: Papers\ndate: {day}\n---\n\n## News\n\n### [A paper](https://example.org/a)\n\nIt.\n"
    config = (
        f'[publication]\ntitle = "Trial"\ntime_zone = "UTC"\nurl = "https://news.acme.example"\n'
        f'postal_address = "1 Some Street"\n[mail]\nfrom_address = "news@acme.example"\n'
        f'[schedule]\nat = "{due:%H:%M}"\n'
        '[smtp]\nhost = "127.0.0.1"\nport = 2525\ntls = "none"\nconnections = 2\n[web]\nport = 8099\n'
    )
    opened = {parent for path in (PROGRAM, Path(sys.base_prefix), ROOT) for parent in path.parents}
    readers = " ".join(f"reader{number}@acme.example" for number in range(30))
    machine.do(
        f"chmod o+x {' '.join(shlex.quote(str(path)) for path in sorted(opened))}\n"
        f"useradd --system newsletter\nmkdir -p {HOME}/issues\ncd {HOME}\n"
        f"printf %s {shlex.quote(issue)} > issues/{day}.md\nprintf %s {shlex.quote(config)} > config.toml\n"
        f"printf %s {shlex.quote(_SINK)} > /srv/sink.py\n"
        f"{PROGRAM} subscribers add {readers}\nchown -R newsletter {HOME}\n"
        f"{PROGRAM} --config {HOME}/config.toml serve --print-systemd > /etc/systemd/system/{UNIT}\n"
        f"systemd-run --unit=sink -p StandardOutput=append:/srv/taken {sys.executable} /srv/sink.py\n"
        "systemctl daemon-reload"
    )


def judge(name: str, good: object, seen: object = "") -> bool:
    """Print what was looked at, and return whether it was as it should be."""
    print(f"{'good' if good else 'BAD '}  {name}{f': {seen}' if seen != '' else ''}", flush=True)
    return bool(good)


def try_start(machine: Machine) -> Iterator[bool]:
    """Start it, and see what it may do."""
    machine.do(f"systemctl start {UNIT}")
    page = "curl -sf -o /dev/null http://127.0.0.1:8099/healthz"
    yield judge("systemctl start returns when it serves", machine.do(f"{page} && echo yes", check=False) == "yes")
    pid = machine.show("MainPID")
    outside = "touch /etc/x /usr/x /var/lib/x /srv/x 2>&1 | grep -c Read-only"
    outside += f"; touch {HOME}/x && rm {HOME}/x && echo own"
    seen = machine.do(f"nsenter -t {pid} -m /bin/sh -c {shlex.quote(outside)}").split()
    yield judge("it may write in its folder and nowhere else", seen == ["4", "own"], seen)
    status = machine.do(f"cat /proc/{pid}/status")
    bound = re.findall(r"^(?:CapBnd|NoNewPrivs|Seccomp):\s*(\w+)$", status, re.MULTILINE)
    yield judge("without capabilities, new privileges or other calls", bound == ["0" * 16, "1", "2"], bound)


def try_stop(machine: Machine) -> Iterator[bool]:
    """Stop it in the middle of an issue, and let it go on."""
    taken = "cat /srv/taken 2>/dev/null | wc -l"
    began = machine.wait(lambda: int(machine.do(taken)) >= 4, 120)
    yield judge("the issue that is due goes out by itself", began)
    start = time.monotonic()
    machine.do(f"systemctl stop {UNIT}")
    took = time.monotonic() - start
    result = [machine.show(name) for name in ("Result", "ExecMainStatus", "ActiveState")]
    yield judge(
        "systemctl stop ends it in good order", result == ["success", "0", "inactive"], f"{result}, {took:.1f} s"
    )
    heard = int(machine.do(taken))
    audit = machine.do(f"cd {HOME} && {PROGRAM} status | grep audience")
    drained = f"sent {heard}" in audit and "unknown 0" in audit and heard < 30
    yield judge("what was on the wire was finished, and the rest kept", drained, audit.strip())
    machine.do(f"systemctl start {UNIT}")
    ended = machine.wait(lambda: int(machine.do(taken)) >= 30, 120)
    twice = machine.do("sort /srv/taken | uniq -d | wc -l")
    yield judge("it goes on with who is left, and mails nobody twice", ended and twice == "0")
    made = machine.do(f"cd {HOME} && ls public/feed.xml backups/*.db && stat -c %U public backups", check=False).split()
    yield judge("site and backup are there, and its own", made[2:] == ["newsletter", "newsletter"], made)


def try_again(machine: Machine) -> Iterator[bool]:
    """Kill it, and let it hang."""
    for number, (signal, name, seconds) in enumerate((("KILL", "killed", 30), ("STOP", "silent", 120)), 1):
        start, before = time.monotonic(), machine.show("MainPID")
        machine.do(f"kill -{signal} {before}")
        counted = str(number)
        again = machine.wait(
            lambda counted=counted: (machine.show("NRestarts"), machine.show("ActiveState")) == (counted, "active"),  # type: ignore[misc]
            seconds,
        )
        yield judge(f"{name}, it is started again", again, f"after {time.monotonic() - start:.0f} s")


def main() -> int:
    """Try it all; return the exit code."""
    with boot() as machine:
        print(machine.do("systemctl --version | head -1"))
        prepare(machine, datetime.now(UTC) + timedelta(seconds=80))
        results = [*try_start(machine), *try_stop(machine), *try_again(machine)]
        if not all(results):
            print(machine.do(f"journalctl -u {UNIT} --no-pager -o cat | tail -50"))
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
