"""`newsletter serve`: the site, and the pages on which readers join, choose and leave."""

import errno
import os
import socket
import stat
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import click

from newsletter.app import App
from newsletter.config import DEFAULT_NAME, Settings, Web, load_publications, load_settings
from newsletter.errors import NewsletterError
from newsletter.logs import start_logging

EPILOG = """\b
Examples:
  newsletter serve
  newsletter serve --port 8080
  newsletter serve --print-nginx > /etc/nginx/conf.d/newsletter.conf
  newsletter serve --print-systemd > /etc/systemd/system/newsletter.service
"""

BACKLOG = 2048


@click.command("serve", epilog=EPILOG, short_help="Serve the site, and the pages of readers.")
@click.option("--host", help="The address to listen on, instead of [web] host.")
@click.option("--port", type=click.IntRange(0, 65535), help="The port, instead of [web] port; 0 takes a free one.")
@click.option("--print-nginx", is_flag=True, help="Print a configuration of nginx as its front, and end.")
@click.option("--print-systemd", is_flag=True, help="Print a unit of systemd that runs it, and end.")
@click.pass_obj
def command(config: Path | None, host: str | None, port: int | None, print_nginx: bool, print_systemd: bool) -> int:
    """Serve the site with its feeds, and the pages on which readers join, confirm, choose, search and leave.

    Does what `newsletter scheduler` and `newsletter worker` do, too: it publishes at the time in [schedule], and sends.
    The access log goes to standard output, everything else to standard error. Put a server that speaks TLS before it.
    Ctrl-C or SIGTERM ends it in good order.
    """
    given: dict[str, object] = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    if given:
        given["socket"] = None
    loaded = load_settings(config)
    settings = loaded.model_copy(update={"web": loaded.web.model_copy(update=given)})
    if print_nginx:
        from newsletter.web.nginx import compose_nginx

        click.echo(compose_nginx(settings), nl=False)
        return 0
    publications = load_publications(config) if settings.serve.publications else [settings]
    if print_systemd:
        from newsletter.hosting import compose_unit

        click.echo(compose_unit(_find_program(), (config or Path(DEFAULT_NAME)).absolute(), publications), nl=False)
        return 0
    start_logging(settings.log.form, settings.log.level, addresses=settings.log.addresses)
    return _serve(publications, settings.web.workers)


def _find_program() -> Path:
    """Return where this command is: beside the Python that runs it, if it was installed there."""
    beside = Path(sys.executable).with_name("newsletter")
    return beside if beside.exists() else Path(sys.argv[0]).absolute()


def _serve(publications: list[Settings], workers: int) -> int:
    from newsletter.daemon import run_workers

    with ExitStack() as listeners:
        doors = [(settings, listeners.enter_context(_listen(settings.web))) for settings in publications]
        for settings, listener in doors:
            where = compose_place(settings, listener.getsockname()[1])
            click.echo(f"Serving {settings.publication.title} at {where} until Ctrl-C.", err=True)

        def work() -> None:
            _work(doors)

        if workers > 1:
            return run_workers(workers, work)
        return _end_anyway(work)


def _end_anyway(work: Callable[[], None]) -> int:
    """Do it; where a thread hangs, which would keep the process from ending, too, end it. Return the exit code."""
    from newsletter.serving import HangingError

    try:
        work()
    except HangingError as error:
        click.echo(f"newsletter: {error}", err=True)
        os._exit(error.exit_code)
    return 0


def _work(doors: list[tuple[Settings, socket.socket]]) -> None:
    from newsletter.daemon import Door, Job, run_doors
    from newsletter.delivery.brake import Brake
    from newsletter.schedule.posts import Post
    from newsletter.serving import make_schedule_job, open_served

    with ExitStack() as apps:
        opened: list[Door] = []
        jobs: list[Job] = []
        posts: list[Post] = []
        for settings, listener in doors:
            app = apps.enter_context(App(settings))
            served = open_served(app, _write_log if settings.web.access_log else None)
            opened.append(Door(served.service, settings.web, listener))
            jobs += served.jobs
            posts.append(Post(app, Brake()))
        run_doors(opened, [*jobs, make_schedule_job(posts)])


def _write_log(lines: str) -> None:
    """Write lines of the access log; when nobody reads it any more, the server goes on without."""
    try:
        sys.stdout.write(lines)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _listen(web: Web) -> socket.socket:
    if web.socket:
        return _listen_locally(web.socket)
    family = socket.AF_INET6 if ":" in web.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((web.host.strip("[]"), web.port))
    except OSError as error:
        listener.close()
        raise NewsletterError(
            f"{web.host} port {web.port} can't be listened on: {error.strerror}. Choose another with --port, or in "
            "[web] port."
        ) from None
    listener.listen(BACKLOG)
    return listener


def _listen_locally(path: Path) -> socket.socket:
    """Listen on a Unix socket that the owner and his group may use; one that a dead server left is taken over."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.exists() and stat.S_ISSOCK(path.stat().st_mode) and _is_abandoned(path):
            path.unlink()
        mask = os.umask(0o117)
        try:
            listener.bind(str(path))
        finally:
            os.umask(mask)
    except OSError as error:
        listener.close()
        reason = "another server listens on it" if error.errno == errno.EADDRINUSE else error.strerror
        raise NewsletterError(f"{path}: [web] socket can't be listened on: {reason}.") from None
    listener.listen(BACKLOG)
    return listener


def _is_abandoned(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(str(path)) == errno.ECONNREFUSED


def compose_place(settings: Settings, port: int) -> str:
    """Return where a publication is served: its socket, or the address of its front page there."""
    if settings.web.socket:
        return str(settings.web.socket)
    return f"http://{settings.web.host}:{port}{urlsplit(settings.publication.url).path.rstrip('/')}/"
