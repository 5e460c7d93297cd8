"""A newsletter about something else than papers: nothing that its readers see is called one."""

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from newsletter.config import Publication

Ledger = Any
"""The Ledger in conftest.py; a test file can't import it, so it has no name here."""

BEDS = """---
title: What to do in {month}
date: 2024-{number:02}-01
---

The frost is over.

## Vegetables

### Sow beans

Two fingers deep.

### [Water early](https://garden.example/water/{number})

Before the sun is high.

## Tools

### Sharpen the spade

With a file.
"""
MARKS = re.compile(r'(?:id|class|href|for|aria-labelledby)="[^"]*"')
PAPER = re.compile(r"(?<![/\w.-])papers?\b(?![/\w])", re.I)


def test_no_page_and_no_feed_speaks_of_papers(tmp_path: Path, make_ledger: Callable[[Path], Ledger]) -> None:
    ledger = make_ledger(tmp_path / "public")
    publication = Publication(title="Green Fingers", tagline="What to do in the garden.", url="https://garden.example")
    ledger.settings = ledger.settings.model_copy(update={"publication": publication})
    for number, month in enumerate(("May", "June", "July"), 5):
        ledger.publish(date(2024, number, 1), source=BEDS.format(month=month, number=number))
    ledger.build()
    texts = {name: content.decode() for name, (_, content) in ledger.files().items() if not name.endswith(".css")}
    assert {"index.html", "feeds/index.html", "papers/feed.xml", "sections/tools/index.html"} <= texts.keys()
    assert {name: found for name, text in texts.items() if (found := PAPER.findall(MARKS.sub("", text)))} == {}
    assert "Cite this issue:" in texts["issues/2024-05-01/index.html"]
