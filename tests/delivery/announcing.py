"""A way to a server that says in its name that it takes commands in a pipeline.

smtp-sink doesn't announce PIPELINING where it refuses commands, and takes them in a pipeline all the same.
"""

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer

WITHOUT, WITH = b"250-8BITMIME\r\n", b"250-8BITMIME\r\n250-PIPELINING\r\n"


@contextmanager
def announce_pipelining(port: int) -> Iterator[int]:
    """Yield the port of the way to the server at `port`."""

    class Way(BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(("127.0.0.1", port)) as server, suppress(OSError):
                _carry(self.request, server)

    with ThreadingTCPServer(("127.0.0.1", 0), Way) as door:
        threading.Thread(target=door.serve_forever, args=(0.01,)).start()
        yield door.server_address[1]
        door.shutdown()


def _carry(client: socket.socket, server: socket.socket) -> None:
    """Carry bytes both ways until one end closes."""
    others = {client: server, server: client}
    while True:
        for giver in select.select(list(others), [], [])[0]:
            data = giver.recv(65536)
            if not data:
                return
            others[giver].sendall(data.replace(WITHOUT, WITH) if giver is server else data)
