"""The example issue to 1,000 readers over real SMTP: each gets one mail, and it is his own."""

import email
import email.policy
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from newsletter.mail.token import Purpose, read_token
from newsletter.mail.verp import read_envelope_sender
from newsletter.secret import load_secret
from newsletter.store.database import open_database
from newsletter.store.subscribers import walk_subscribers
from tests.end_to_end.conftest import Desk

CONFIG = """
[publication]
url = "https://news.example.org"
postal_address = "1 Some Street, Some Town"
[mail]
from_address = "news@example.org"
[smtp]
host = "127.0.0.1"
port = {port}
tls = "none"
"""

Serve = Callable[[], AbstractContextManager[tuple[int, Callable[[], list["Mail"]]]]]

Mail = tuple[str, str, EmailMessage]
"""Envelope sender, envelope recipient, message."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def parse(content: bytes) -> EmailMessage:
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


class _Keeper:
    """Takes every mail and keeps it."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        assert len(envelope.rcpt_tos) == 1
        self.mails.append((envelope.mail_from, envelope.rcpt_tos[0], parse(envelope.original_content)))
        return "250 2.0.0 kept"


@contextmanager
def aiosmtpd_server() -> Iterator[tuple[int, Callable[[], list[Mail]]]]:
    keeper = _Keeper()
    controller = Controller(keeper, hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield controller.port, lambda: keeper.mails
    finally:
        controller.stop()


def read_dump(path: Path) -> Mail:
    """Read a mail that smtp-sink dumped: the envelope stands in headers of its own before it."""
    head, _, rest = path.read_bytes().partition(b"(UTC)\n")
    sender = re.search(rb"^X-Mail-Args: <(.*?)>", head, re.M)
    recipient = re.search(rb"^X-Rcpt-Args: <(.*?)>", head, re.M)
    assert sender
    assert recipient
    return sender[1].decode(), recipient[1].decode(), parse(rest)


@contextmanager
def smtp_sink() -> Iterator[tuple[int, Callable[[], list[Mail]]]]:
    program = shutil.which("smtp-sink") or shutil.which("smtp-sink", path="/usr/sbin")
    if program is None:
        assert not os.environ.get("CI"), "smtp-sink must be installed in CI (Debian's postfix)"
        pytest.skip("smtp-sink is not installed (Debian's postfix)")
    port = free_port()
    # Root's smtp-sink becomes nobody, who may not walk into pytest's own folders.
    dumps = Path(tempfile.mkdtemp(prefix="dumps-"))
    dumps.chmod(0o777)
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    server = subprocess.Popen([program, *user, "-d", f"{dumps}/m.", f"127.0.0.1:{port}", "100"])
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield port, lambda: [read_dump(path) for path in sorted(dumps.iterdir())]
    finally:
        server.terminate()
        server.wait(10)
        shutil.rmtree(dumps)


@pytest.mark.parametrize(
    ("serve", "readers"), [(aiosmtpd_server, 300), (smtp_sink, 1000)], ids=["aiosmtpd", "smtp-sink"]
)
def test_every_reader_gets_exactly_one_mail_of_his_own(desk: Desk, serve: Serve, readers: int) -> None:
    with serve() as (port, mails):
        desk.write("config.toml", CONFIG.format(port=port))
        desk.write("readers.csv", "email\n" + "".join(f"reader{n}@example.net\n" for n in range(readers)))
        desk.run("subscribers", "import", "readers.csv")
        assert json.loads(desk.run("publish", "2024-05-25", "--json").stdout)["audit"]["sent"] == readers
        assert json.loads(desk.run("publish", "2024-05-25", "--json").stdout)["mail"]["sent"] == 0
        taken = mails()
    assert Counter(recipient for _, recipient, _ in taken) == {f"reader{n}@example.net": 1 for n in range(readers)}
    secret = load_secret(desk.folder / "newsletter.secret")
    ids = subscriber_ids(desk.folder / "newsletter.db")
    for sender, recipient, message in taken:
        check_mail(secret, ids[recipient], sender, recipient, message)
    assert len({message["Message-ID"] for _, _, message in taken}) == readers


def subscriber_ids(path: Path) -> dict[str, int]:
    with open_database(f"sqlite:///{path}") as database, database.read() as connection:
        return {subscriber.address: subscriber.id for subscriber in walk_subscribers(connection)}


def check_mail(secret: bytes, reader: int, sender: str, recipient: str, message: EmailMessage) -> None:
    """Everything personal leads to this reader, and the headers are whole."""
    assert not message.defects
    assert message["To"] == recipient
    bounce = read_envelope_sender([secret], sender, "example.org")
    assert bounce is not None
    assert bounce.subscriber_id == reader
    https, mailto = message["List-Unsubscribe"].strip("<>").split(">, <")
    assert mailto.startswith("mailto:unsubscribe@example.org")
    token = https.removeprefix("https://news.example.org/u/")
    unsubscribe = read_token([secret], Purpose.UNSUBSCRIBE, token)
    assert unsubscribe is not None
    assert unsubscribe.subscriber_id == reader
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    for name in ("From", "Date", "Message-ID", "List-Id", "List-Archive", "List-Post", "Auto-Submitted"):
        assert len(message.get_all(name, [])) == 1, name
    for part in message.iter_parts():
        assert isinstance(part, EmailMessage)
        body = part.get_content()
        assert token in body
        assert "qqunsubscribe" not in body
        assert "qqpreferences" not in body
