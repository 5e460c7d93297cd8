"""`newsletter preview`: show an issue in the browser while it is written."""

import contextlib
import socket
import threading
import webbrowser
from pathlib import Path

import click

from newsletter.app import App
from newsletter.cli.terminal import short
from newsletter.cli.words import parse_name, parse_topics
from newsletter.errors import NewsletterError

EPILOG = """\b
Examples:
  newsletter preview 2024-05-25
  newsletter preview issues/draft.md --port 8123 --no-open
  newsletter preview 2024-05-25 --topics agents,evaluations     as readers of these sections get it
"""


@click.command("preview", epilog=EPILOG, short_help="Show an issue in the browser while you write.")
@click.argument("name", metavar="DATE|FILE")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The port on 127.0.0.1 (default: a free one).")
@click.option("--open/--no-open", "opens", default=True, help="Open the browser, or only print the address.")
@click.option("--topics", default="", metavar="A,B", help="Mail of these sections alone, by heading or key.")
@click.pass_obj
def command(config: Path | None, name: str, port: int, opens: bool, topics: str) -> int:
    """Show an issue as light, dark and phone mail, text, feed entry and page, with its problems.

    The page reloads as the file, a template or the config is saved. Nothing is published. Ctrl-C ends it.
    """
    import uvicorn

    from newsletter.issues.folder import find_issue_file
    from newsletter.previewing import make_app

    with App.load(config) as app:
        path = find_issue_file(app.settings.issues.folder, parse_name(name, app.settings))
        web = make_app(app, path, config, parse_topics(topics))
        listener = _listen(port)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        click.echo(f"{short(path)} is shown at {address} until you press Ctrl-C.")
        if opens:
            threading.Timer(0.5, webbrowser.open, [address]).start()
        server = uvicorn.Server(uvicorn.Config(web, log_level="error", timeout_graceful_shutdown=1))
        with contextlib.suppress(KeyboardInterrupt):  # the way it is meant to end
            server.run(sockets=[listener])
    return 0


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise NewsletterError(f"Port {port} can't be used: {error.strerror}. Choose another with --port.") from None
    return listener
