"""Mail for the bounce domain over LMTP and SMTP: a 250 means that the ledger has it."""

import asyncio
import smtplib
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from newsletter.bounces.listener import listen, make_recipient_check
from newsletter.errors import NewsletterError
from newsletter.mail.verp import make_envelope_sender
from newsletter.model.subscriber import SubscriberState
from newsletter.store.bounces import list_reports
from newsletter.store.database import Database
from tests.bounces.conftest import DOMAIN, FULL, GONE, KEY, Office, bounce, vary

RECIPIENT = make_envelope_sender(KEY, 1, 1, DOMAIN)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def serving(office: Office, protocol: str) -> AsyncIterator[int]:
    port, stop = free_port(), asyncio.Event()
    check = make_recipient_check(DOMAIN, f"unsubscribe@{DOMAIN}")
    task = asyncio.create_task(listen(office.desk, check, f"127.0.0.1:{port}", protocol, stop))
    for _ in range(200):
        await asyncio.sleep(0.01)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
    try:
        yield port
    finally:
        stop.set()
        await task


async def talk(port: int, protocol: str, work: Callable[[Any], Any]) -> Any:
    def run() -> Any:
        kind = smtplib.LMTP if protocol == "lmtp" else smtplib.SMTP
        with kind("127.0.0.1", port) as client:
            return work(client)

    return await asyncio.to_thread(run)


@pytest.mark.parametrize("protocol", ["lmtp", "smtp"])
async def test_a_bounce_is_in_the_ledger_before_the_250(office: Office, protocol: str) -> None:
    edition = office.publish()
    async with serving(office, protocol) as port:
        mail = bounce(GONE, edition)

        def send(client: smtplib.SMTP) -> SubscriberState:
            client.sendmail("", [make_envelope_sender(KEY, 1, edition, DOMAIN)], mail.raw)
            return office.reader().state

        assert await talk(port, protocol, send) is SubscriberState.SUSPENDED


async def test_the_envelope_names_the_reader_where_the_mail_doesn_t(office: Office) -> None:
    edition = office.publish()
    async with serving(office, "lmtp") as port:
        named = make_envelope_sender(KEY, 1, edition, DOMAIN)
        raw = bounce(GONE, edition).raw.replace(named.encode(), b"undisclosed")
        await talk(port, "lmtp", lambda client: client.sendmail("", [named], raw))
    assert office.reader().state is SubscriberState.SUSPENDED


@pytest.mark.parametrize("to", [f"editor@{DOMAIN}", "b+abc@elsewhere.example", f"B@{DOMAIN}", "postmaster"])
async def test_mail_for_others_is_turned_away(office: Office, to: str) -> None:
    async with serving(office, "smtp") as port:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            await talk(port, "smtp", lambda client: client.sendmail("", [to], b"Subject: x\r\n\r\n"))


async def test_many_at_the_same_time_are_all_taken(office: Office) -> None:
    edition = office.publish()
    async with serving(office, "lmtp") as port:

        def send(number: int) -> Callable[[smtplib.SMTP], Any]:
            mails = [vary(bounce(FULL, edition), number * 10 + one).raw for one in range(10)]
            return lambda client: [client.sendmail("", [RECIPIENT], raw) for raw in mails]

        await asyncio.gather(*(talk(port, "lmtp", send(number)) for number in range(8)))
    with office.database.read() as connection:
        assert len(list_reports(connection, limit=1000)) == 80


async def test_a_ledger_that_refuses_makes_the_mta_keep_the_mail(office: Office) -> None:
    edition = office.publish()
    async with serving(office, "smtp") as port:
        with office.database.transaction() as connection:
            connection.exec_driver_sql("ALTER TABLE reports RENAME TO reports_away")
        with pytest.raises(smtplib.SMTPDataError) as caught:
            await talk(port, "smtp", lambda client: client.sendmail("", [RECIPIENT], bounce(GONE, edition).raw))
        with office.database.transaction() as connection:
            connection.exec_driver_sql("ALTER TABLE reports_away RENAME TO reports")
    assert caught.value.smtp_code == 451
    assert office.reader().state is SubscriberState.ACTIVE


async def test_an_address_that_can_t_be_used_is_a_clear_error(database: Database) -> None:
    office = Office(database, 0)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(NewsletterError, match=r"bounces\.listen: .* can't be used"):
            await listen(office.desk, lambda _: True, address, "lmtp", asyncio.Event())
