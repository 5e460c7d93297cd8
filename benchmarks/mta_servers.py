"""Debian's Postfix, Exim and OpenSMTPD, each as an instance of its own in a folder of its own, on 127.0.0.1 alone.

Postfix is used where it is installed. The other two can't be installed beside it, so their packages are unpacked into
a folder and run from there, in a mount namespace where the users and paths they insist on exist for them alone. That
takes root.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PACKAGES: Final = ("exim4-daemon-light", "libidn12", "opensmtpd")
_STARTUP: Final = 20.0

_POSTFIX: Final = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/maillog
maillog_file_prefixes = {folder}
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.example.net
mydestination =
local_recipient_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
alias_maps =
relayhost = [127.0.0.1]:{rest}
transport_maps = inline:{{ {routes} }}
smtp_tls_security_level = none
maximal_queue_lifetime = 3s
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 1s
transport_retry_time = 1s
smtp_connection_cache_on_demand = no
default_destination_concurrency_failed_cohort_limit = 0
"""
_POSTFIX_SERVICES: Final = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
scache unix - - n - 1 scache
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""
_EXIM: Final = """\
exim_path = {binary}
exim_user = Debian-exim
exim_group = Debian-exim
primary_hostname = mx.example.net
spool_directory = {folder}/spool
log_file_path = {folder}/log-%s
pid_file_path = {folder}/pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
keep_environment =
tls_advertise_hosts =
acl_smtp_rcpt = everything
acl_smtp_data = everything
queue_run_max = 5
retry_interval_max = 1s
begin acl
everything:
  accept
begin routers
{routes}
rest:
  driver = manualroute
  route_list = * 127.0.0.1::{rest}
  self = send
  transport = out
begin transports
out:
  driver = smtp
  allow_localhost
  hosts_avoid_tls = *
begin retry
* * F,3s,1s
"""
_EXIM_ROUTE: Final = """\
to_{name}:
  driver = manualroute
  domains = {domain}
  route_list = * 127.0.0.1::{port}
  self = send
  transport = out
"""
_OPENSMTPD: Final = """\
queue ttl 4s
listen on 127.0.0.1 port {port} hostname mx.example.net
action "rest" relay host smtp://127.0.0.1:{rest}
{routes}
match from any for any action "rest"
"""
_USERS: Final = """\
Debian-exim:x:901:901::/nonexistent:/usr/sbin/nologin
opensmtpd:x:902:902::/var/lib/opensmtpd/empty:/usr/sbin/nologin
opensmtpq:x:903:903::/var/lib/opensmtpd/empty:/usr/sbin/nologin
"""
_GROUPS: Final = "Debian-exim:x:901:\nopensmtpd:x:902:\nopensmtpq:x:903:\n"
_NAMESPACE: Final = """\
set -e
mount --bind {folder}/passwd /etc/passwd
mount --bind {folder}/group /etc/group
for hidden in /var/spool /var/lib /run; do mount -t tmpfs -o mode=755 tmpfs $hidden; done
mkdir -p /var/spool/smtpd /var/lib/opensmtpd/empty
chmod 711 /var/spool/smtpd /var/lib/opensmtpd/empty
{command}
"""


@dataclass(frozen=True, slots=True)
class Routes:
    """Where mail goes: to a port for each domain, and to one for all others."""

    rest: int
    ports: Mapping[str, int]


def find_free_port() -> int:
    """Return a port that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def has_postfix() -> bool:
    """Return whether Postfix is here and may be run."""
    return os.geteuid() == 0 and shutil.which("postfix", path=_PATH) is not None


def unpack(folder: Path) -> None:
    """Fetch the packages that can't be installed beside Postfix, and unpack them, once for a folder."""
    if (folder / "usr/sbin/smtpd").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["apt-get", "download", "-qq", *PACKAGES], cwd=folder, check=True)
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package.name, "."], cwd=folder, check=True)


@contextmanager
def make_folder() -> Iterator[Path]:
    """Yield a new folder that the servers' own users can reach, and take it away at the end."""
    with tempfile.TemporaryDirectory(prefix="mta-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name) / "server"


@contextmanager
def run_postfix(folder: Path, routes: Routes) -> Iterator[int]:
    """Run Postfix in a new folder, and yield the port it takes mail at."""
    port = find_free_port()
    for name in ("etc", "queue", "data"):
        (folder / name).mkdir(parents=True)
    shutil.chown(folder / "data", "postfix")
    inline = ", ".join(f"{{{domain} = smtp:[127.0.0.1]:{at}}}" for domain, at in routes.ports.items())
    config = {"folder": folder, "port": port, "rest": routes.rest, "routes": inline}
    (folder / "etc/main.cf").write_text(_POSTFIX.format(**config))
    (folder / "etc/master.cf").write_text(_POSTFIX_SERVICES.format(**config))
    postfix = [shutil.which("postfix", path=_PATH) or "postfix", "-c", str(folder / "etc")]
    try:
        started = subprocess.run([*postfix, "start"], check=False, capture_output=True, text=True)
        if started.returncode:
            raise ChildProcessError(f"Postfix doesn't start: {started.stderr or (folder / 'maillog').read_text()}")
        _wait_for(port)
        yield port
    finally:
        subprocess.run([*postfix, "stop"], check=False, capture_output=True)


@contextmanager
def run_exim(folder: Path, routes: Routes, packages: Path) -> Iterator[int]:
    """Run Exim in a new folder, and yield the port it takes mail at."""
    port, binary = find_free_port(), packages / "usr/sbin/exim4"
    (folder / "spool").mkdir(parents=True)
    folder.chmod(0o777)  # its user is nobody's outside
    (folder / "spool").chmod(0o777)
    config = folder / "exim.conf"
    found = [
        _EXIM_ROUTE.format(name=domain.replace(".", "_"), domain=domain, port=at) for domain, at in routes.ports.items()
    ]
    text = _EXIM.format(folder=folder, port=port, binary=binary, rest=routes.rest, routes="".join(found))
    config.write_text(text)
    libraries = next((packages / "usr/lib").glob("*-linux-gnu"))
    # Exim drops its environment, so its library has to be found without.
    known = f"ldconfig -X -C {folder}/libraries {libraries}\nmount --bind {folder}/libraries /etc/ld.so.cache"
    command = f"{known}\nexec {binary} -C {config} -bdf -q1s"
    with _run_hidden(folder, command):
        _wait_for(port)
        yield port


@contextmanager
def run_opensmtpd(folder: Path, routes: Routes, packages: Path) -> Iterator[int]:
    """Run OpenSMTPD in a new folder, and yield the port it takes mail at; what waits there is tried every second."""
    port = find_free_port()
    folder.mkdir(parents=True)
    config = folder / "smtpd.conf"
    found = [
        f'action "{domain}" relay host smtp://127.0.0.1:{at}\nmatch from any for domain "{domain}" action "{domain}"'
        for domain, at in routes.ports.items()
    ]
    config.write_text(_OPENSMTPD.format(port=port, rest=routes.rest, routes="\n".join(found)))
    binaries = packages / "usr/sbin"
    again = (
        f"(while sleep 1; do {binaries}/smtpctl schedule all; {binaries}/smtpctl resume route; done) >/dev/null 2>&1 &"
    )
    with _run_hidden(folder, f"{again}\nexec {binaries}/smtpd -d -v -f {config}"):
        _wait_for(port)
        yield port


@contextmanager
def _run_hidden(folder: Path, command: str) -> Iterator[None]:
    """Run a shell's command where its users and paths are its own; all that it started ends with it."""
    (folder / "passwd").write_text(Path("/etc/passwd").read_text() + _USERS)
    (folder / "group").write_text(Path("/etc/group").read_text() + _GROUPS)
    script = _NAMESPACE.format(folder=folder, command=command)
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script],
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_for(port: int) -> None:
    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    if not wait_until(answers, _STARTUP):
        raise TimeoutError(f"nothing listens on port {port}")


def wait_until(holds: Callable[[], bool], seconds: float) -> bool:
    """Return whether something holds before so many seconds are over."""
    ends = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > ends:
            return False
        time.sleep(0.05)
    return True


_PATH: Final = f"{os.environ.get('PATH', '')}:/usr/sbin"
