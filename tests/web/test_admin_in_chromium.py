"""The admin pages in a real browser: with and without a script, narrow and wide, light and dark, and to axe's rules."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Literal

import pytest
from playwright.async_api import Browser, Page, expect

from newsletter.store.controls import accept_unknown, halt_edition, list_unknown, load_control, pause_edition
from newsletter.store.database import Database, open_database
from tests.looking import find_chromium
from tests.web.live import Server, served
from tests.web.scenery import PASSWORD, furnish
from tests.web.test_in_chromium import AXE, RUN_AXE

pytestmark = pytest.mark.asyncio(loop_scope="session")

UNDER_WAY = 2
ISSUE = "---\ntitle: Tomorrow\ndate: 2024-05-26\n---\n\n## News\n\n### [](https://example.org/)\n\n**Why?** Because.\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    find_chromium()
    folder = tmp_path_factory.mktemp("admin")
    with open_database(f"sqlite:///{folder / 'newsletter.db'}") as database:
        furnish(database, datetime.now(UTC))
        with database.transaction() as connection:
            pause_edition(connection, UNDER_WAY, datetime.now(UTC))  # the server sends by itself what may go out
    (folder / "issues").mkdir()
    (folder / "issues" / "2024-05-26.md").write_text(ISSUE)
    with served(folder, web="access_log = false\n") as running:
        yield running


@pytest.fixture
def database(server: Server) -> Iterator[Database]:
    with open_database(f"sqlite:///{server.folder / 'newsletter.db'}") as opened:
        yield opened


def list_addresses(database: Database) -> list[str]:
    """Who may or may not have the mail."""
    with database.read() as connection:
        return [row.address for row in list_unknown(connection, UNDER_WAY)]


@asynccontextmanager
async def browsing(chromium: Browser, server: Server, **context: Any) -> AsyncIterator[Page]:
    base = f"http://127.0.0.1:{server.port}"
    async with await chromium.new_context(base_url=base, locale="en-GB", **context) as opened:
        opened.set_default_timeout(60_000)
        yield await opened.new_page()


async def sign_in(page: Page, place: str = "/admin") -> None:
    await page.goto(place)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(f"**{place}")


async def look(page: Page, width: int) -> list[str]:
    """Return what is wrong with a page: that it doesn't fit, and what axe finds."""
    found = await page.evaluate("document.documentElement.scrollWidth")
    await page.evaluate(AXE)
    problems = [str(problem) for problem in await page.evaluate(RUN_AXE)]
    return [f"{page.url}: {problem}" for problem in ([f"{found} px wide"] if found != width else []) + problems]


async def test_every_page_fits_the_screen_and_axe_finds_nothing(chromium: Browser, server: Server) -> None:
    today = datetime.now(UTC).date()
    edition = f"/admin/editions/{today}"
    looks: list[tuple[int, Literal["light", "dark"], list[str]]] = [
        (320, "light", ["/admin", edition, "/admin/schedule", "/admin/bounces"]),
        (320, "dark", ["/admin", edition, "/admin/readers", "/admin/issues/2024-05-26"]),
        (1200, "light", ["/admin", edition]),
        (1200, "dark", ["/admin", edition]),
    ]
    # Axe is a script; that pages break no policy of their own is seen below.
    async with browsing(chromium, server, bypass_csp=True) as page:
        await page.goto("/admin/sign-in")
        problems = await look(page, 1280)
        await page.set_viewport_size({"width": 320, "height": 800})
        problems += await look(page, 320)
        await sign_in(page)
        for width, scheme, places in looks:
            await page.set_viewport_size({"width": width, "height": 800})
            await page.emulate_media(color_scheme=scheme)
            for place in places:
                await page.goto(place)
                problems += await look(page, width)
        await page.goto(edition)
        await page.get_by_role("button", name="Cancel").click()
        problems += await look(page, 1200)
    assert problems == []


async def test_a_table_that_goes_on_beyond_an_edge_is_shaded_there(chromium: Browser, server: Server) -> None:
    async with browsing(chromium, server, viewport={"width": 320, "height": 800}) as page:
        await sign_in(page, "/admin/editions")
        table = page.locator(".scroll")
        box = await table.bounding_box()
        assert box
        foot, edges = box["y"] + box["height"] - 6, (box["x"], box["x"] + box["width"] - 4)

        async def shot(scrolled: int) -> list[bytes]:
            """Return what is seen at both edges, below the words of the last row."""
            await table.evaluate(f"table => {{ table.scrollLeft = {scrolled} }}")
            return [await page.screenshot(clip={"x": x, "y": foot, "width": 4, "height": 4}) for x in edges]

        (plain, shaded), (shaded_left, plain_right), between = await shot(0), await shot(9999), await shot(60)
    assert plain == plain_right
    assert plain not in (shaded, shaded_left)
    assert between == [shaded_left, shaded]


async def test_without_a_script_everything_can_be_done_and_nobody_else_is_asked(
    chromium: Browser, server: Server, database: Database
) -> None:
    today = datetime.now(UTC).date()
    async with browsing(chromium, server, java_script_enabled=False) as page:
        asked, complaints = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        await sign_in(page)
        cookies = await page.context.cookies()
        assert [(one["name"], one["httpOnly"], one["sameSite"], one["path"]) for one in cookies] == [
            ("newsletter-admin", True, "Strict", "/admin")
        ]
        first, *others = list_addresses(database)
        await page.get_by_role("link", name=f"{today}: {len(others) + 1} may or may not").click()
        await page.get_by_label(first).check()
        await page.get_by_role("button", name="Take as sent").click()
        await expect(page.get_by_role("status")).to_have_text("They are taken as sent.")
        frame = page.frame_locator("iframe.mail")
        assert await frame.get_by_role("heading", name="Papers").inner_text() == "Papers"
        await page.get_by_role("button", name="Cancel").click()
        await page.get_by_role("link", name="Keep it").click()
        await page.get_by_role("link", name="Overview").click()
        await page.get_by_role("link", name="Load again every 5 seconds").click()
        await page.get_by_role("link", name="Stop").wait_for()
        await page.get_by_role("button", name="Sign out").click()
        await page.get_by_role("heading", name="Sign in").wait_for()
        await page.goto("/admin/bounces")
        assert page.url.endswith("/admin/sign-in?to=/admin/bounces")
    assert list_addresses(database) == others
    with database.read() as connection:
        assert load_control(connection, UNDER_WAY).state in ("paused", "halted")
    assert complaints == []
    assert {url.split("/")[2] for url in asked} == {f"127.0.0.1:{server.port}"}


async def test_with_a_script_numbers_are_renewed_in_place_and_more_than_numbers_loads_the_page(
    chromium: Browser, server: Server, database: Database
) -> None:
    now = datetime.now(UTC)
    async with browsing(chromium, server) as page:
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await sign_in(page)
        await page.evaluate("window.same = true")
        edition = page.locator('[data-live^="edition:"]')
        first, *others = list_addresses(database)
        await expect(edition).to_contain_text(f"unknown {len(others) + 1}")
        with database.transaction() as connection:
            accept_unknown(connection, UNDER_WAY, now, [first])
        await expect(edition).to_contain_text(f"unknown {len(others)}", timeout=20_000)
        await expect(page.get_by_text(f": {len(others)} may or may not")).to_be_visible()
        await expect(page.get_by_text("Kept up to date.")).to_be_visible()
        assert await page.evaluate("window.same")
        with database.transaction() as connection:
            halt_edition(connection, UNDER_WAY, now, "Too many refusals.")
        await expect(page.locator(".notice")).to_contain_text("Too many refusals.", timeout=20_000)
        assert await page.evaluate("window.same") is None
    assert complaints == []
