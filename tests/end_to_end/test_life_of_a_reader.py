"""The whole life of a reader, in a real browser, with real mail: from joining to staying away for good."""

import asyncio
import csv
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage

from playwright.async_api import Page, async_playwright

from newsletter.model.delivery import DeliveryState
from newsletter.store.database import open_database
from newsletter.store.deliveries import list_deliveries
from newsletter.store.editions import load_edition
from tests.end_to_end.conftest import Desk
from tests.end_to_end.test_publish_to_smtp import Mail, aiosmtpd_server, free_port
from tests.looking import ARGUMENTS, CHROMIUM, find_chromium
from tests.press import compose_issue, papers_in, text_of
from tests.web.live import serving

PATIENCE = 30
READER = "ann@example.net"
CONFIG = """
[publication]
url = "http://127.0.0.1:{port}"
postal_address = "1 Some Street, Some Town"
[mail]
from_address = "news@example.org"
[web]
port = {port}
[issues]
sections = ["Agents", "Evaluations", "Safety"]
[rollups]
by_hand = ["weekly"]
[joining]
min_seconds = 0.0
[smtp]
host = "127.0.0.1"
port = {smtp}
tls = "none"
"""
ISSUES = {
    date(2024, 5, 20): {"Agents": [1], "Safety": [2]},
    date(2024, 5, 22): {"Agents": [3], "Evaluations": [4], "Safety": [5]},
    date(2024, 5, 27): {"Agents": [6]},
    date(2024, 5, 28): {"Agents": [7]},
}


class Mailbox:
    """What has come to the reader; each mail is looked at once."""

    def __init__(self, mails: Callable[[], list[Mail]]) -> None:
        self._mails = mails
        self._seen = 0

    async def next(self) -> EmailMessage:
        """Wait for one mail; it is the reader's own."""
        async with asyncio.timeout(PATIENCE):
            while len(self._mails()) == self._seen:
                await asyncio.sleep(0.05)
        _, recipient, message = self._mails()[self._seen]
        assert recipient == message["To"] == READER
        self._seen += 1
        return message

    def has_nothing_new(self) -> bool:
        return len(self._mails()) == self._seen


def link_in(message: EmailMessage, name: str) -> str:
    """Return the link of a mail's text that leads to `/c/…`, `/p/…` or `/u/…`."""
    found = re.search(rf"http://\S+/{name}/\S+", text_of(message))
    assert found
    return found[0]


@asynccontextmanager
async def open_page() -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            context = await chromium.new_context(java_script_enabled=False, locale="en-GB")
            context.set_default_timeout(PATIENCE * 1000)
            yield await context.new_page()
        finally:
            await chromium.close()


async def press(page: Page, button: str, heading: str) -> None:
    await page.get_by_role("button", name=button, exact=True).click()
    await page.get_by_role("heading", level=1, name=heading).wait_for()


async def save(page: Page) -> None:
    await page.get_by_role("button", name="Save").click()
    await page.get_by_text("Saved.").wait_for()


def reason(desk: Desk, slug: str) -> str:
    """Return why the reader, and nobody else, is sent nothing of an edition."""
    with open_database(f"sqlite:///{desk.folder / 'newsletter.db'}") as database, database.read() as connection:
        stored = load_edition(connection, slug)
        assert stored
        (row,) = list_deliveries(connection, stored.id)
    assert row.state is DeliveryState.EXCLUDED
    assert row.reply
    return row.reply.text


async def test_a_reader_joins_chooses_rests_leaves_and_stays_away(desk: Desk) -> None:
    find_chromium()
    (desk.folder / "issues" / "2024-05-25.md").unlink()
    for day, papers in ISSUES.items():
        desk.write(f"issues/{day}.md", compose_issue(day, papers))
    port = free_port()
    with aiosmtpd_server() as (smtp, mails):
        desk.write("config.toml", CONFIG.format(port=port, smtp=smtp))
        with serving(desk.folder) as server:
            async with open_page() as page:
                await live(desk, page, Mailbox(mails), f"http://127.0.0.1:{port}")
        assert "Traceback" not in server.said
        assert READER not in server.said + server.log


async def live(desk: Desk, page: Page, mailbox: Mailbox, base: str) -> None:
    # He joins, and nothing comes before he has confirmed.
    await page.goto(f"{base}/join")
    await page.get_by_label("Your mail address").fill(READER)
    await page.get_by_label("Agents").check()
    await press(page, "Subscribe", "Look into your mailbox")
    asked = await mailbox.next()
    await page.goto(link_in(asked, "c"))
    await press(page, "Yes, confirm", "Welcome")

    # An issue comes, of what he chose alone.
    desk.run("publish", "2024-05-20")
    issue = await mailbox.next()
    assert papers_in(issue) == [1]

    # By the link in it, he chooses more, but less often.
    await page.goto(link_in(issue, "p"))
    await page.get_by_label("Evaluations").check()
    await page.get_by_label("Once a week").check()
    await save(page)
    desk.run("publish", "2024-05-22")
    assert mailbox.has_nothing_new()

    # The week comes, by section and without what he has had.
    desk.run("rollup", "weekly", "2024-05-22")
    week = await mailbox.next()
    assert papers_in(week) == [3, 4]
    assert week["Subject"].startswith("What this week brought")

    # He rests, and the ledger says so.
    await page.goto(link_in(week, "p"))
    assert await page.get_by_label("Once a week").is_checked()
    await page.get_by_label("Every issue").check()
    until = (datetime.now(UTC) + timedelta(days=9)).date()
    await page.get_by_label("No mail before").fill(until.isoformat())
    await save(page)
    desk.run("publish", "2024-05-27")
    assert mailbox.has_nothing_new()
    assert reason(desk, "2024-05-27").startswith("paused until ")

    # He leaves, and no list brings him back.
    await page.goto(link_in(week, "u"))
    await press(page, "Unsubscribe", "You are unsubscribed")
    with (desk.folder / "readers.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["email"], [READER], [READER.upper()]])
    desk.run("subscribers", "import", "readers.csv")
    told = json.loads(desk.run("publish", "2024-05-28", "--json").stdout)
    assert told["audit"]["audience"] == 0
    assert mailbox.has_nothing_new()
    await page.goto(link_in(week, "p"))
    await page.get_by_text("You have unsubscribed, and get no mail.").wait_for()
