"""Every page in a real browser: no script, narrow and wide, light and dark, by keyboard alone, and to axe's rules."""

import itertools
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.resources import files
from typing import Literal

import pytest
from playwright.async_api import Browser as Chromium
from playwright.async_api import Page, async_playwright

from newsletter.mail.token import Purpose, make_token
from newsletter.model.consent import NewRequest, Origin, RequestKind
from newsletter.model.subscriber import NewSubscriber
from newsletter.secret import load_secret
from newsletter.store.database import open_database
from newsletter.store.requests import write_request
from newsletter.store.subscribers import add_subscriber, load_subscriber
from tests.looking import ARGUMENTS, CHROMIUM, find_chromium
from tests.web.live import Server, publish_example, served

pytestmark = pytest.mark.asyncio(loop_scope="session")

ABROAD = ["--disable-features=LocalNetworkAccessChecks"]
"""A site out there may not frame one on this machine, as far as the browser goes; that isn't what is tried."""

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
READER, GUEST, LEAVER, ERASED = range(1, 5)
ISSUES = '[issues]\nsections = ["Medical LLMs", "LLMs agents"]\n[rollups]\nby_hand = ["weekly", "monthly"]\n'

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
RUN_AXE = """async (rules) => {
  const found = await axe.run(document, rules ? {runOnly: rules} : {});
  if (found.passes.length < (rules ? rules.length : 10)) throw new Error("axe looked at nothing");
  return found.violations.map(one => [one.id, one.nodes.map(node => node.html)]);
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    find_chromium()
    folder = tmp_path_factory.mktemp("chromium")
    web = f'access_log = false\nembed_on = ["http://friend.example"]\n{ISSUES}[joining]\nmin_seconds = 0.0\n'
    publish_example(folder, web)
    now = datetime.now(UTC)
    with open_database(f"sqlite:///{folder / 'newsletter.db'}") as database, database.transaction() as connection:
        for name in ("reader", "guest", "leaver", "erased"):
            add_subscriber(connection, NewSubscriber(f"{name}@example.org", source="test"), now)
        for kind, reader in ((RequestKind.JOIN, None), (RequestKind.MOVE, GUEST)):
            expires_at = datetime(2100, 1, 1, tzinfo=UTC)
            new = NewRequest(kind, f"{kind}@example.org", Origin("test"), expires_at, subscriber_id=reader)
            write_request(connection, new, now)
    with served(folder, web=web) as running:
        yield running


class Browser:
    """A browser at a server; what it complained about is kept."""

    def __init__(self, server: Server, page: Page) -> None:
        self.page = page
        self._server = server
        self._key = load_secret(server.folder / "newsletter.secret")
        self.complaints: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def address(self, place: str) -> str:
        """`/u/{token:1}` with a token that fits."""
        purposes = {"c": Purpose.CONFIRM, "p": Purpose.PREFERENCES, "u": Purpose.UNSUBSCRIBE}

        def token(found: re.Match[str]) -> str:
            return f"/{found[1]}/{make_token(self._key, purposes[found[1]], int(found[2]), 0)}"

        return f"http://127.0.0.1:{self._server.port}" + re.sub(r"/(\w)/\{token:(\d)\}", token, place)

    async def open(self, place: str) -> bool:
        """Go to a place, and return whether there is one."""
        answer = await self.page.goto(self.address(place))
        return bool(answer and answer.ok)


@asynccontextmanager
async def browsing(chromium: Chromium, server: Server) -> AsyncIterator[Browser]:
    # Axe is a script; the pages themselves are tested without any.
    async with await chromium.new_context(bypass_csp=True, locale="en-GB") as context:
        context.set_default_timeout(60_000)
        yield Browser(server, await context.new_page())


PLACES = {
    "front page": "/",
    "issue": "/issues/2024-05-25/",
    "archive": "/archive/",
    "feeds": "/feeds/",
    "sections": "/sections/",
    "section": "/sections/core-research-improving-llms/",
    "paper": "/papers/arxiv-2405.16325/",
    "join": "/join",
    "join, in German": "/join?lang=de",
    "joined": "/join/done",
    "embedded": "/embed/join",
    "confirm": f"/c/{{token:{1}}}",
    "confirm a move": f"/c/{{token:{2}}}",
    "preferences": f"/p/{{token:{READER}}}",
    "preferences, saved": f"/p/{{token:{READER}}}?done=saved",
    "leave": f"/u/{{token:{READER}}}",
    "search": "/search",
    "something found": "/search?q=language+models",
    "nothing found": "/search?q=nothing",
}
BROKEN = {"too old": "/c/{token:9}", "no page": "/nowhere", "no reader": "/p/x"}


async def look(page: Page, name: str) -> None:
    """Hold the page that is shown to fitting the screen and to axe's rules: narrow and wide, light and dark.

    All rules twice, in another palette and at another width each; in between contrast, which alone takes after both.
    """
    await page.evaluate(AXE)
    for width, scheme in itertools.product((320, 1200), SCHEMES):
        await page.set_viewport_size({"width": width, "height": 800})
        await page.emulate_media(color_scheme=scheme)
        assert await page.evaluate("document.documentElement.scrollWidth") == width, name
        rules = None if (width == 320) == (scheme == "light") else ["color-contrast"]
        assert await page.evaluate(RUN_AXE, rules) == [], (name, width, scheme)


async def test_every_page_fits_every_screen_and_axe_finds_nothing(chromium: Chromium, server: Server) -> None:
    async with browsing(chromium, server) as browser:
        for name, place in (PLACES | BROKEN).items():
            assert await browser.open(place) == (name in PLACES), name
            await look(browser.page, name)


async def _post_pages(browser: Browser) -> AsyncIterator[str]:
    """Go to each page that only a button leads to."""
    await browser.open("/join")
    await browser.page.get_by_label("Your mail address").fill("nonsense")
    await browser.page.get_by_role("button", name="Subscribe").click()
    yield "join, with a problem"
    await browser.open(f"/p/{{token:{GUEST}}}")
    await browser.page.get_by_label("Your new mail address").fill("nonsense")
    await browser.page.get_by_role("button", name="Change the address").click()
    yield "preferences, with a problem"
    await browser.open(f"/u/{{token:{GUEST}}}")
    await browser.page.get_by_role("button", name="Once a month").click()
    yield "fewer"
    await browser.open(f"/u/{{token:{LEAVER}}}")
    await browser.page.get_by_role("button", name="Unsubscribe").click()
    yield "left"
    await browser.open(f"/u/{{token:{LEAVER}}}")
    yield "left before"
    await browser.open(f"/p/{{token:{LEAVER}}}")
    yield "preferences of who left"
    await browser.open(f"/p/{{token:{ERASED}}}")
    await browser.page.get_by_role("button", name="Erase me …").click()
    yield "erase"
    await browser.page.get_by_role("button", name="Erase for good").click()
    yield "erased"
    await browser.open(f"/c/{{token:{1}}}")
    await browser.page.get_by_role("button", name="Yes, confirm").click()
    yield "confirmed"
    await browser.open("/embed/join")
    await browser.page.get_by_label("Your mail address").fill("framed@example.org")
    await browser.page.get_by_role("button", name="Subscribe").click()
    yield "embedded, done"


async def test_the_pages_behind_buttons_are_as_good(chromium: Chromium, server: Server) -> None:
    seen = []
    async with browsing(chromium, server) as browser:
        async for name in _post_pages(browser):
            await look(browser.page, name)
            seen.append(name)
    assert len(seen) == 10


async def test_no_page_breaks_its_own_policy_or_asks_anybody_else(chromium: Chromium, server: Server) -> None:
    async with await chromium.new_page() as page:
        browser = Browser(server, page)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        for place in (PLACES | BROKEN).values():
            await browser.open(place)
    complaints = [text for text in browser.complaints if "status of 4" not in text]
    assert complaints == []
    assert {url.split("/")[2] for url in asked} == {f"127.0.0.1:{server.port}"}


async def test_joining_takes_no_mouse_and_no_script(chromium: Chromium, server: Server) -> None:
    async with await chromium.new_page(java_script_enabled=False, locale="en-GB") as page:
        await page.goto(f"http://127.0.0.1:{server.port}/join")
        keys = page.keyboard
        await page.get_by_label("Your mail address").focus()
        await keys.type("keys@example.org")
        await keys.press("Tab")
        await keys.press("Space")  # the first topic
        await keys.press("Tab")
        await keys.press("Tab")
        await keys.press("ArrowDown")  # once a week
        await keys.press("Enter")
        await page.wait_for_url("**/join/done")
        assert await page.get_by_role("heading", level=1).inner_text() == "Look into your mailbox"
    with open_database(f"sqlite:///{server.folder / 'newsletter.db'}") as database, database.read() as connection:
        asked = connection.exec_driver_sql("SELECT topics, cadence FROM requests WHERE address = 'keys@example.org'")
        assert tuple(asked.one()) == ("medical-llms", "weekly")


@pytest.mark.parametrize(("site", "shown"), [("friend", True), ("stranger", False)])
async def test_the_form_works_in_the_frames_of_our_other_sites_alone(server: Server, site: str, shown: bool) -> None:
    async with async_playwright() as playwright:
        careless = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, *ABROAD])
        try:
            page = await careless.new_page(locale="en-GB")
            frame = f'<!doctype html><iframe src="http://127.0.0.1:{server.port}/embed/join"></iframe>'
            await page.route("http://*.example/", lambda route: route.fulfill(body=frame, content_type="text/html"))
            await page.goto(f"http://{site}.example/")
            form = page.frame_locator("iframe")
            if shown:
                await form.get_by_label("Your mail address").fill("framed.elsewhere@example.org")
                await form.get_by_role("button", name="Subscribe").click()
                await form.get_by_role("heading", name="Look into your mailbox").wait_for()
            else:
                assert await form.get_by_text("127.0.0.1").count()  # the browser's own page: it was refused
            assert await form.locator("form").count() == 0
        finally:
            await careless.close()


FOCUSABLE = """() => [...document.querySelectorAll('a[href], input:not([type=hidden]), select, button')]
  .filter(one => one.tabIndex >= 0 && !(one.type === 'radio' && !one.checked))
  .map(one => one.name || one.textContent.trim())"""
FOCUSED = """() => {
  const element = document.activeElement, style = getComputedStyle(element), seen = element.getBoundingClientRect();
  const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1;
  return [element.name || element.textContent.trim(), outlined && seen.width * seen.height > 0];
}"""


@pytest.mark.parametrize("place", ["/join", f"/p/{{token:{READER}}}", f"/u/{{token:{READER}}}", "/search"])
async def test_the_focus_goes_in_reading_order_and_is_always_seen(
    chromium: Chromium, server: Server, place: str
) -> None:
    async with browsing(chromium, server) as browser:
        await browser.open(place)
        order: list[str] = await browser.page.evaluate(FOCUSABLE)
        seen: list[str] = []
        for _ in order:
            await browser.page.keyboard.press("Tab")
            name, shown = await browser.page.evaluate(FOCUSED)
            while seen and name == seen[-1] == "paused_until":  # a date has several parts
                await browser.page.keyboard.press("Tab")
                name, shown = await browser.page.evaluate(FOCUSED)
            assert shown, name
            seen.append(name)
        assert seen == order
        assert "website" not in seen


async def test_leaving_takes_one_tab_and_enter_from_the_content(chromium: Chromium, server: Server) -> None:
    now = datetime.now(UTC)
    with open_database(f"sqlite:///{server.folder / 'newsletter.db'}") as database:
        with database.transaction() as connection:
            _, reader = add_subscriber(connection, NewSubscriber("tab@example.org", source="test"), now)
        assert reader is not None
        async with browsing(chromium, server) as browser:
            await browser.open(f"/u/{{token:{reader.id}}}")
            await browser.page.keyboard.press("Tab")
            await browser.page.keyboard.press("Enter")  # skip to the content
            await browser.page.keyboard.press("Tab")
            await browser.page.keyboard.press("Enter")
            await browser.page.get_by_role("heading", name="You are unsubscribed").wait_for()
        with database.read() as connection:
            found = load_subscriber(connection, reader.id)
    assert found is not None
    assert found.state == "left"
