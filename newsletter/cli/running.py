"""What `scheduler` and `worker` share: opening the publications, listening to signals, running until one comes."""

import os
import signal
import threading
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from newsletter.app import App
from newsletter.config import Settings, load_publications
from newsletter.delivery.brake import Brake
from newsletter.logs import start_logging
from newsletter.schedule.posts import Post
from newsletter.schedule.running import run_once, run_posts
from newsletter.schedule.ticks import Role
from newsletter.systemd import READY, STOPPING, Pulse, load_watchdog, notify

INTERRUPTED = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run_roles(config: Path | None, roles: Collection[Role], *, once: bool) -> int:
    """Run the ticks of these roles for every publication of a config until a signal comes; return the exit code."""
    publications = load_publications(config)
    log = publications[0].log
    start_logging(log.form, log.level, addresses=log.addresses)
    with open_posts(publications) as posts:
        if once:
            return 0 if run_once(posts, roles) else 1
        names = ", ".join(post.name for post in posts)
        click.echo(f"{' and '.join(roles).capitalize()} of {names} until Ctrl-C.", err=True)
        with stop_on_signals() as stop:
            notify(READY)
            in_order = run_posts(posts, roles, stop, Pulse(load_watchdog()))
    if not in_order:
        os._exit(1)  # a thread that doesn't end would keep the process from ending, too
    return 0


@contextmanager
def open_posts(publications: list[Settings]) -> Iterator[list[Post]]:
    """Open every publication's database, and close it at the end. Raises NewsletterError for one that can't be."""
    with ExitStack() as apps:
        posts = [Post(apps.enter_context(App(settings)), Brake()) for settings in publications]
        for post in posts:
            _ = post.app.database
        yield posts


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Yield what the first SIGINT or SIGTERM sets; the second ends the process where it stands."""
    stop = threading.Event()

    def handle(_number: int, _frame: object) -> None:
        if stop.is_set():
            os._exit(INTERRUPTED)
        notify(STOPPING)
        stop.set()

    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
