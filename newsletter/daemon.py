"""Runs what runs for long: a web server, jobs beside it, signals, and an orderly end.

SIGTERM or SIGINT ends it: no new connection is taken, requests under way are answered (for `[web] drain_seconds`), jobs
are told to stop and waited for. A second one ends the process where it stands. A job that fails ends it all: half a
daemon that looks alive is worse than one that is started again.
"""

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import uvicorn

from newsletter.config import Web
from newsletter.web.protocol import make_protocol
from newsletter.web.service import Service

Job = Callable[[asyncio.Event], Coroutine[Any, Any, None]]
"""Runs until the event says that all is to stop."""

INTERRUPTED = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SHORT_LIFE = 5.0
_MOST_SHORT_LIVES = 5


class _Server(uvicorn.Server):
    """Uvicorn's server, but signals are ours to handle: it would raise them once more at the end."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


@dataclass(frozen=True, slots=True)
class Door:
    """One application, and where it listens."""

    service: Service
    web: Web
    listener: socket.socket


def run_daemon(service: Service, web: Web, listener: socket.socket, jobs: Sequence[Job]) -> None:
    """Serve, and run jobs, until a signal comes. Raises what a job raised."""
    run_doors([Door(service, web, listener)], jobs)


def run_doors(doors: Sequence[Door], jobs: Sequence[Job]) -> None:
    """Serve several applications in one process, and run jobs, until a signal comes. Raises what a job raised."""
    configs = [_configure(door.service, door.web) for door in doors]
    servers = [(_Server(config), door.listener) for config, door in zip(configs, doors, strict=True)]
    try:
        with asyncio.Runner(loop_factory=configs[0].get_loop_factory()) as runner:
            runner.run(_run(servers, jobs))
    finally:
        for door in doors:
            door.service.gate.flush()


def _configure(service: Service, web: Web) -> uvicorn.Config:
    return uvicorn.Config(
        service.app,
        http=make_protocol(service.files, service.gate, web.request_seconds, web.keep_alive_seconds),
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=web.connections,
        timeout_keep_alive=web.keep_alive_seconds,
        timeout_graceful_shutdown=max(1, round(web.drain_seconds)),
    )


async def run_every(
    seconds: float, work: Callable[[], object], stopping: asyncio.Event, *sooner: asyncio.Event
) -> None:
    """Do something in a thread now, and again every so many seconds, or sooner when an event says so."""
    while not stopping.is_set():
        for event in sooner:
            event.clear()
        await asyncio.to_thread(work)
        await wait_for_any(seconds, stopping, *sooner)


async def wait_for_any(seconds: float, *events: asyncio.Event) -> None:
    """Wait until one of the events is set, but no longer than so many seconds."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def run_workers(count: int, work: Callable[[], None]) -> int:
    """Do the same work in so many processes until a signal comes; return the exit code.

    One that dies is started again; when several die young one after another, all are ended, and the answer is 1. Must
    be called before the process has a thread or an open database: workers are forks of it.
    """
    with _Flock(work) as flock:
        for _ in range(count):
            flock.start()
        while flock.born:
            flock.bury()
        return 1 if flock.failed else 0


async def _run(servers: Sequence[tuple[_Server, socket.socket]], jobs: Sequence[Job]) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop(number: int) -> None:
        if stopping.is_set():
            os._exit(INTERRUPTED)
        stopping.set()
        for server, _ in servers:
            server.handle_exit(number, None)

    for number in _SIGNALS:
        loop.add_signal_handler(number, stop, number)
    running = [asyncio.create_task(job(stopping)) for job in jobs]
    serving = [asyncio.create_task(server.serve(sockets=[listener])) for server, listener in servers]
    try:
        done, _ = await asyncio.wait([*serving, *running], return_when=asyncio.FIRST_EXCEPTION)
        if any(task.exception() for task in done):
            for server, _ in servers:
                server.should_exit = True
        await asyncio.gather(*serving)
    finally:
        stopping.set()
        results = await asyncio.gather(*running, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


class _Flock:
    """The processes that do the same work; lives as long as any of them."""

    def __init__(self, work: Callable[[], None]) -> None:
        self.born: dict[int, float] = {}
        self.failed = False
        self._work = work
        self._ending = False
        self._short_lives = 0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "_Flock":
        self._before = {number: signal.signal(number, self._end) for number in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def start(self) -> None:
        """Start one more; never returns in the new process."""
        child = os.fork()
        if child:
            self.born[child] = time.monotonic()
            return
        code = 1
        try:
            for number, handler in self._before.items():
                signal.signal(number, handler)
            self._work()
            code = 0
        except KeyboardInterrupt:
            code = INTERRUPTED
        except BaseException as error:  # a fork must never go back into the code that made it
            os.write(2, f"newsletter: a worker ended: {type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(code)

    def bury(self) -> None:
        """Wait for one to end, and start another unless all are to end."""
        child, status = os.wait()
        lived = time.monotonic() - self.born.pop(child, 0.0)
        if self._ending:
            self.failed |= os.waitstatus_to_exitcode(status) == 1
            return
        self._short_lives = self._short_lives + 1 if lived < _SHORT_LIFE else 0
        if self._short_lives >= _MOST_SHORT_LIVES:
            self.failed = True
            self._end(signal.SIGTERM)
        else:
            self.start()

    def _end(self, _number: int, _frame: object = None) -> None:
        """End all of them."""
        self._ending = True
        for child in self.born:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)
