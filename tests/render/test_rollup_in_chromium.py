"""A roll-up in a real browser, with sentences and as titles alone."""

import re
from dataclasses import replace
from itertools import pairwise
from typing import Literal

import pytest
from jinja2 import Environment
from playwright.async_api import Browser

from newsletter.config import Issues, Settings
from newsletter.model.issue import Issue, Section
from newsletter.model.rollup import Rollup
from newsletter.model.variant import VariantKey
from newsletter.render.digest import compile_rollup
from newsletter.render.rollup import render_rollup
from tests.looking import CONTRASTS, find_chromium
from tests.render.test_mail_in_chromium import shown
from tests.render.test_rollup import WEEK, later

pytestmark = pytest.mark.asyncio(loop_scope="session")

CHOSEN = VariantKey(frozenset({"first-things", "last-things"}))


@pytest.fixture
def rollup(issue: Issue) -> Rollup:
    wide = tuple(replace(entry, id=f"wide {entry.id}", title="W" * 80) for entry in issue.entries)
    more = replace(issue, slug="wide", sections=(Section("S" * 60, "wide", entries=wide),))
    return compile_rollup(WEEK, [*(later(issue, at) for at in range(4)), more], ())


@pytest.fixture(params=["sentences", "titles"])
def html(request: pytest.FixtureRequest, rollup: Rollup, settings: Settings, environment: Environment) -> str:
    find_chromium()
    limit = 95 if request.param == "sentences" else 11
    tight = settings.model_copy(update={"issues": Issues(html_error_kb=limit, html_warn_kb=1)})
    return render_rollup(rollup, CHOSEN, tight, environment).edition.html


@pytest.mark.parametrize("width", [320, 640, 1200])
async def test_nothing_is_wider_than_the_screen(chromium: Browser, html: str, width: int) -> None:
    async with shown(chromium, html, width) as page:
        assert await page.evaluate("document.documentElement.scrollWidth") == width


async def test_nothing_is_wider_than_the_smallest_screen_without_media_queries(chromium: Browser, html: str) -> None:
    async with shown(chromium, re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL), 320) as page:
        assert await page.evaluate("document.documentElement.scrollWidth") == 320


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_each_palette_is_readable(chromium: Browser, html: str, scheme: Literal["light", "dark"]) -> None:
    async with shown(chromium, html, 640, scheme) as page:
        ratios: list[tuple[float, str]] = await page.evaluate(CONTRASTS)
    assert len(ratios) > 20
    assert [(ratio, text) for ratio, text in ratios if ratio < 4.5] == []


async def test_headings_are_read_in_order(chromium: Browser, html: str) -> None:
    async with shown(chromium, html, 640) as page:
        levels: list[int] = await page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(h => +h.tagName[1])")
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
