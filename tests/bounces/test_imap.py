"""A mailbox on a real IMAP server: Dovecot, started for these tests on this machine only."""

import imaplib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from newsletter import config
from newsletter.bounces.mailbox import drain_imap
from newsletter.errors import NewsletterError
from newsletter.model.subscriber import SubscriberState
from tests.bounces.conftest import FULL, GONE, Office, bounce, vary

PASSWORD = "secret"
CONFIG = """\
protocols = imap
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{folder}/mail/%u
first_valid_uid = 1
default_internal_user = {user}
default_login_user = {user}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail/%u
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def dovecot() -> Iterator[int]:
    """The port of a running Dovecot, which takes any user with our password."""
    binary = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if binary is None:
        reason = "Dovecot isn't installed (Debian's package dovecot-imapd)"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason}, and CI must test it")
        pytest.skip(reason)
    owner = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
    # Not tmp_path: its parents are closed to the user that Dovecot reads mail as.
    folder, port = Path(tempfile.mkdtemp(prefix="newsletter-imap-")), free_port()
    folder.chmod(0o755)
    (folder / "mail").mkdir()
    if os.getuid() == 0:
        os.chown(folder / "mail", owner.pw_uid, owner.pw_gid)
    text = CONFIG.format(
        folder=folder, port=port, password=PASSWORD, user=owner.pw_name, uid=owner.pw_uid, gid=owner.pw_gid
    )
    (folder / "dovecot.conf").write_text(text)
    process = subprocess.Popen([binary, "-F", "-c", str(folder / "dovecot.conf")])
    try:
        _wait_for(port, process, folder)
        yield port
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(port: int, process: "subprocess.Popen[bytes]", folder: Path) -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise RuntimeError(f"Dovecot ended: {(folder / 'log').read_text()}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("Dovecot doesn't answer")


def deliver(port: int, user: str, *mails: bytes) -> None:
    with imaplib.IMAP4("127.0.0.1", port) as client:
        client.login(user, PASSWORD)
        for mail in mails:
            client.append("INBOX", "", "", mail)


def count(port: int, user: str, criterion: str = "ALL") -> int:
    with imaplib.IMAP4("127.0.0.1", port) as client:
        client.login(user, PASSWORD)
        client.select()
        return len(client.search(None, criterion)[1][0].split())


def rules(port: int, user: str, **more: object) -> config.Bounces:
    values = {"imap_host": "127.0.0.1", "imap_port": port, "imap_tls": "none", "imap_user": user}
    return config.Bounces.model_validate(values | more)


def test_what_is_in_the_mailbox_is_taken_in_and_deleted(office: Office, dovecot: int) -> None:
    user, edition = f"delete-{office.database.dialect}", office.publish()
    deliver(dovecot, user, bounce(GONE, edition).raw, *(vary(bounce(FULL, edition, 2), one).raw for one in range(3)))
    taken = drain_imap(office.desk, rules(dovecot, user), PASSWORD)
    assert len(taken) == 4
    assert office.reader().state is SubscriberState.SUSPENDED
    assert count(dovecot, user) == 0


def test_a_mail_may_stay_and_be_marked(office: Office, dovecot: int) -> None:
    user, edition = f"seen-{office.database.dialect}", office.publish()
    deliver(dovecot, user, bounce(GONE, edition).raw)
    seen = rules(dovecot, user, imap_after="seen")
    assert len(drain_imap(office.desk, seen, PASSWORD)) == 1
    assert drain_imap(office.desk, seen, PASSWORD) == []
    assert (count(dovecot, user), count(dovecot, user, "SEEN")) == (1, 1)


def test_a_ledger_that_refuses_leaves_the_mail_where_it_is(office: Office, dovecot: int) -> None:
    user, edition = f"refuse-{office.database.dialect}", office.publish()
    deliver(dovecot, user, bounce(GONE, edition).raw)
    with office.database.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE reports RENAME TO reports_away")
    with pytest.raises(Exception, match="reports"):
        drain_imap(office.desk, rules(dovecot, user), PASSWORD)
    with office.database.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE reports_away RENAME TO reports")
    assert count(dovecot, user, "UNSEEN") == 1


def test_what_is_no_mail_at_all_is_taken_in_too(office: Office, dovecot: int) -> None:
    user = f"junk-{office.database.dialect}"
    deliver(dovecot, user, b"\x01\x02", b"\xff" * 5000, b"Content-Type: multipart/mixed\r\n\r\n--\r\n")
    assert len(drain_imap(office.desk, rules(dovecot, user), PASSWORD)) == 3


def test_a_server_that_refuses_is_named(office: Office, dovecot: int) -> None:
    with pytest.raises(NewsletterError, match=r"127\.0\.0\.1: the mailbox of bounces can't be read"):
        drain_imap(office.desk, rules(dovecot, "anybody"), "wrong")
    with pytest.raises(NewsletterError, match="the mailbox of bounces can't be read"):
        drain_imap(office.desk, rules(free_port(), "anybody"), PASSWORD)
