"""The mail in a real browser: on the smallest screen, in the dark, and with its head cut off."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Literal

import pytest
from jinja2 import Environment
from playwright.async_api import Browser, Page

from newsletter.config import Settings
from newsletter.model.issue import Entry, Field, Issue, Markdown, Section
from newsletter.render.edition import render_edition
from tests.looking import CONTRASTS, find_chromium

pytestmark = pytest.mark.asyncio(loop_scope="session")

WIDE = f"""{"Donaudampfschifffahrtsgesellschaftskapitän" * 3} https://example.org/{"long/" * 40}

| {" | ".join(f"Column {at}" for at in range(9))} |
|{"--|" * 9}
| {" | ".join("a remark" for at in range(9))} |

| Model | Accuracy | Parameters | Training data |
|---|--:|--:|---|
| Llama-3-70B-Instruct | 81.2 % | 70,000,000,000 | Mostly English web pages |

```
{"unbroken" * 30}
```
"""


FOUR_COLUMNS = """() => [...document.querySelectorAll('.scroll')].filter(
  box => box.querySelectorAll('th').length === 4
).map(box => ({
  fits: box.scrollWidth <= box.clientWidth,
  numbers: [...box.querySelectorAll('td[align=right]')].map(cell => {
    const range = document.createRange();
    range.selectNodeContents(cell);
    return range.getClientRects().length;
  }),
}))"""


@pytest.fixture
def html(issue: Issue, settings: Settings, environment: Environment) -> str:
    find_chromium()
    wide = Entry(id="w", anchor="w", title="W" * 80, lead=Markdown(WIDE), fields=(Field("L" * 40, Markdown(WIDE)),))
    sections = (*issue.sections, Section("S" * 60, "wide", entries=(wide,)))
    return render_edition(replace(issue, sections=sections), settings, environment).html


@asynccontextmanager
async def shown(
    chromium: Browser, html: str, width: int, scheme: Literal["light", "dark"] = "light"
) -> AsyncIterator[Page]:
    """Show a mail; nothing is fetched, so that images stay empty."""
    async with await chromium.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme) as page:
        await page.route("**", lambda route: route.abort())
        await page.set_content(html)
        yield page


@pytest.mark.parametrize("width", [320, 640, 1200])
async def test_nothing_is_wider_than_the_screen(chromium: Browser, html: str, width: int) -> None:
    async with shown(chromium, html, width) as page:
        assert await page.evaluate("document.documentElement.scrollWidth") == width
        # Four columns are read without scrolling, and no number is torn apart.
        four = await page.evaluate(FOUR_COLUMNS)
        assert [one["fits"] for one in four] == [True, True]
        assert {height for one in four for height in one["numbers"]} == {1}


async def test_nothing_is_wider_than_the_smallest_screen_without_media_queries(chromium: Browser, html: str) -> None:
    async with shown(chromium, re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL), 320) as page:
        assert await page.evaluate("document.documentElement.scrollWidth") == 320


@pytest.mark.parametrize(("scheme", "paper"), [("light", "rgb(255, 254, 251)"), ("dark", "rgb(27, 26, 24)")])
async def test_each_palette_is_applied_and_readable(
    chromium: Browser, html: str, scheme: Literal["light", "dark"], paper: str
) -> None:
    async with shown(chromium, html, 640, scheme) as page:
        ground = "getComputedStyle(document.querySelector('.paper')).backgroundColor"
        assert await page.evaluate(ground) == paper
        ratios: list[tuple[float, str]] = await page.evaluate(CONTRASTS)
    assert len(ratios) > 50
    assert [(ratio, text) for ratio, text in ratios if ratio < 4.5] == []


async def test_labels_stand_beside_their_text_and_above_it_on_a_phone(chromium: Browser, html: str) -> None:
    places = "['.label', '.label + td'].map(name => document.querySelector(name).getBoundingClientRect().x)"
    async with shown(chromium, html, 640) as page:
        label, text = await page.evaluate(places)
        assert text - label >= 60
    async with shown(chromium, html, 320) as page:
        label, text = await page.evaluate(places)
        assert label == text


async def test_headings_are_read_in_order_and_layout_tables_are_not_announced(chromium: Browser, html: str) -> None:
    async with shown(chromium, html, 640) as page:
        levels = "[...document.querySelectorAll('h1,h2,h3')].map(heading => heading.tagName)"
        found: list[str] = await page.evaluate(levels)
        assert found == ["H1", "H2", "H3", "H3", "H2", "H2", "H3", "H2", "H3"]
        announced = "[...document.querySelectorAll('table:not([role=presentation])')].every(t => t.closest('.scroll'))"
        assert await page.evaluate(announced)


async def test_the_preheader_is_not_seen(chromium: Browser, html: str) -> None:
    async with shown(chromium, html, 640) as page:
        assert not await page.locator(".hidden").is_visible()
