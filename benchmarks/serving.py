"""How fast feeds go out: `newsletter serve` against nginx, from the same folder, asked by wrk.

    python benchmarks/serving.py --rounds 7

Each round asks both for the same two things, one after the other within the same seconds: a feed that the client has
already (304), and the feed's precompressed body. Both run one process on one core and wrk has another, without an
access log unless `--log` says so. Printed is the ratio of requests per second, and that of the processor time spent on
one request, which a busy neighbour changes less. Exits 1 when a target is missed. Needs Debian's nginx and wrk; where
they are missing they are fetched and unpacked (nothing is installed, no service starts).
"""

import argparse
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TARGETS = {"304": 0.35, "body": 0.7}
TOOLS = {"nginx": "nginx", "wrk": "wrk"}
CONNECTIONS = 16
CLOCK = os.sysconf("SC_CLK_TCK")
ISSUE = Path(__file__).parent.parent / "issues" / "2024-05-25.md"
ACCEPT = "Accept-Encoding: gzip"
NGINX = """\
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log {log}; sendfile on; tcp_nopush on; keepalive_requests 100000000;
    client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
    uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
    types {{ application/rss+xml xml; }}
    server {{ listen 127.0.0.1:{port}; root {folder}/public; gzip_static on; add_header Cache-Control "max-age=300"; }}
}}
"""


@dataclass(frozen=True, slots=True)
class Contestant:
    """A server: its port, and the process that does its work."""

    name: str
    port: int
    worker: int

    @property
    def spent(self) -> float:
        """Return the processor time that it has used, in seconds."""
        fields = Path(f"/proc/{self.worker}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK


@dataclass(frozen=True, slots=True)
class Run:
    """What wrk saw, and what a request cost the server in microseconds of processor time."""

    per_second: float
    cost: float


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(port: int) -> str:
    """Return the feed's tag as a server gives it, waiting for the server to be there."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/feed.xml", headers={"Accept-Encoding": "gzip"})
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(request) as answer:  # noqa: S310 - our own server
                assert answer.headers["Content-Encoding"] == "gzip"
                return str(answer.headers["ETag"])
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def pin(core: int) -> list[str]:
    """Return the words before a command that keep it on one core, where there are several."""
    return ["taskset", "-c", str(core)] if (os.cpu_count() or 1) > 1 else []


def fetch_tools(folder: Path) -> None:
    """Put nginx and wrk on the PATH of this process, from Debian's packages if they aren't there."""
    missing = [package for tool, package in TOOLS.items() if not shutil.which(tool)]
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", "-qq", *missing], cwd=folder, check=True)
        for package in folder.glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
        os.environ["PATH"] = f"{folder}/usr/sbin:{folder}/usr/bin:{os.environ['PATH']}"


def race(one: Contestant, headers: Sequence[str], seconds: int) -> Run:
    """Let wrk ask one server for a while."""
    words = [*pin(1), "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}"]
    words += [word for header in headers for word in ("-H", header)]
    before = one.spent
    said = subprocess.run(
        [*words, f"http://127.0.0.1:{one.port}/feed.xml"], check=True, capture_output=True, text=True
    ).stdout
    spent = one.spent - before
    found = re.search(r"(\d+) requests in", said), re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert found[0], said
    assert found[1], said
    assert "Non-2xx" not in said, said
    return Run(float(found[1][1]), spent / int(found[0][1]) * 1e6)


@contextmanager
def running(words: Sequence[str | Path], folder: Path, log: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server, and end it."""
    with (log or Path(os.devnull)).open("wb") as out:
        process = subprocess.Popen(words, cwd=folder, stdout=out, stderr=subprocess.DEVNULL)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)


@contextmanager
def contestants(folder: Path, logs: bool) -> Iterator[tuple[Contestant, Contestant]]:
    """Publish the example issue, and serve its site by both."""
    folder.chmod(0o755)  # nginx's workers are another user when we are root
    (folder / "issues").mkdir()
    shutil.copy(ISSUE, folder / "issues")
    ours, theirs = free_port(), free_port()
    config = f'[publication]\nurl = "http://127.0.0.1:{ours}"\n[web]\naccess_log = {str(logs).lower()}\n'
    (folder / "config.toml").write_text(config)
    newsletter = [sys.executable, "-m", "newsletter"]
    subprocess.run([*newsletter, "publish", "2024-05-25"], cwd=folder, check=True, capture_output=True)
    log = f"{folder}/nginx.log combined buffer=64k flush=1s" if logs else "off"
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=theirs, log=log))
    serve = [*pin(0), *newsletter, "serve", "--port", str(ours)]
    with (
        running([*pin(0), "nginx", "-c", folder / "nginx.conf"], folder) as master,
        running(serve, folder, folder / "ours.log" if logs else None) as server,
    ):
        ask(ours)
        ask(theirs)
        children = Path(f"/proc/{master.pid}/task/{master.pid}/children").read_text().split()
        yield Contestant("ours", ours, server.pid), Contestant("nginx", theirs, int(children[0]))


def main() -> int:
    """Run and print; return the exit code."""
    parser = argparse.ArgumentParser(description="How fast feeds go out, against nginx.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=3, help="how long wrk asks each server for each thing")
    parser.add_argument("--log", action="store_true", help="let both write an access log")
    options = parser.parse_args()
    fetch_tools(Path(tempfile.gettempdir()) / "newsletter-benchmarks" / "serving")
    ratios: dict[str, list[float]] = {"304": [], "body": []}
    costs: dict[str, list[float]] = {"304": [], "body": []}
    with tempfile.TemporaryDirectory() as name, contestants(Path(name), options.log) as (ours, theirs):
        for number in range(options.rounds):
            for what in ratios:
                tags = [f"If-None-Match: {ask(one.port)}" if what == "304" else "" for one in (ours, theirs)]
                runs = [
                    race(one, [ACCEPT, *filter(None, [tag])], options.seconds)
                    for one, tag in zip((ours, theirs), tags, strict=True)
                ]
                ratios[what].append(runs[0].per_second / runs[1].per_second)
                costs[what].append(runs[1].cost / runs[0].cost)
                shown = ", ".join(f"{run.per_second:,.0f}/s {run.cost:.0f} µs" for run in runs)
                print(f"round {number + 1}, {what}: {shown}", flush=True)
    return report(ratios, costs)


def report(ratios: dict[str, list[float]], costs: dict[str, list[float]]) -> int:
    """Print what came out; return the exit code."""
    missed = False
    for what, target in TARGETS.items():
        median = statistics.median(ratios[what])
        missed |= median < target
        for kind, values in (("requests per second", ratios[what]), ("processor time", costs[what])):
            spread = f"min {min(values):.2f}, median {statistics.median(values):.2f}, max {max(values):.2f}"
            print(f"{what}, ours / nginx by {kind}: {spread}")
        print(f"{what}: target {target}, {'missed' if median < target else 'met'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
