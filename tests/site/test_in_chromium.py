"""The site's pages in a real browser: on the smallest screen and a large one, in the light and in the dark."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.async_api import Browser, Page

from tests.looking import CONTRASTS, find_chromium

pytestmark = pytest.mark.asyncio(loop_scope="session")

Ledger = Any
"""The Ledger in conftest.py; a test file can't import it, so it has no name here."""

EXAMPLE = Path(__file__).parents[2] / "issues" / "2024-05-25.md"
SECTION = "core-research-improving-llms"
PAGES = {
    "index": "",
    "sections": "sections/",
    "section": f"sections/{SECTION}/",
    "year": f"sections/{SECTION}/2024/",
    "feeds": "feeds/",
    "issue": "issues/2024-05-25/",
    "paper": "papers/arxiv-2405.16325/",
    "archive": "archive/2024/",
}
PAPERS: dict[Literal["light", "dark"], str] = {"light": "rgb(255, 254, 251)", "dark": "rgb(27, 26, 24)"}
WIDE = "https://a-rather-long-name.of-a-newsletter.with-many-subdomains.example/and/a/path/of/its/own"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, make_ledger: Callable[[Path], Ledger]) -> Path:
    """The example issue, three times over, on a site with a long address."""
    find_chromium()
    ledger = make_ledger(tmp_path_factory.mktemp("looked-at") / "public")
    publication = ledger.settings.publication.model_copy(update={"url": WIDE})
    short = ledger.settings.site.model_copy(update={"section_papers": 5})
    ledger.settings = ledger.settings.model_copy(update={"publication": publication, "site": short})
    source = EXAMPLE.read_text(encoding="utf-8")
    for n in range(3):
        day = date(2024, 5, 25) - timedelta(days=n)
        ledger.publish(day, source=source.replace("2024-05-25", str(day)).replace("2405.16", f"2405.{16 - n}"))
    ledger.build()
    return Path(ledger.folder)


@asynccontextmanager
async def shown(
    chromium: Browser, site: Path, path: str, width: int, scheme: Literal["light", "dark"] = "light"
) -> AsyncIterator[Page]:
    async with await chromium.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme) as page:
        await page.goto(f"file://{site}/{path}index.html")
        yield page


@pytest.mark.parametrize("name", PAGES)
async def test_a_page_fits_every_screen_and_can_be_read_in_both_palettes(
    chromium: Browser, site: Path, name: str
) -> None:
    for scheme, paper in PAPERS.items():
        async with shown(chromium, site, PAGES[name], 320, scheme) as page:
            for width in (320, 1200):
                await page.set_viewport_size({"width": width, "height": 800})
                assert await page.evaluate("document.documentElement.scrollWidth") == width, (name, width)
            assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == paper
            ratios: list[tuple[float, str]] = await page.evaluate(CONTRASTS)
            assert len(ratios) > 20
            assert [(ratio, text) for ratio, text in ratios if ratio < 4.5] == []


async def test_one_click_marks_the_whole_address_of_a_feed_and_nothing_else(chromium: Browser, site: Path) -> None:
    async with shown(chromium, site, PAGES["feeds"], 320) as page:
        for address in (f"{WIDE}/feed.xml", f"{WIDE}/papers/atom.xml", f"{WIDE}/sections/{SECTION}/feed.json"):
            await page.locator("code", has_text=address).click()
            assert await page.evaluate("getSelection().toString()") == address


async def test_every_link_of_the_page_about_feeds_is_reached_by_keyboard(chromium: Browser, site: Path) -> None:
    async with shown(chromium, site, PAGES["feeds"], 1200) as page:
        count = await page.locator("main a").count()
        reached = set()
        for _ in range(count + 12):
            await page.keyboard.press("Tab")
            reached.add(await page.evaluate("document.activeElement.closest('main') && document.activeElement.href"))
        assert len(reached - {None}) == count > 15
