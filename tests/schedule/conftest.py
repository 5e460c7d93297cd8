"""A publication at its post, on either engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.schedule.posted import EVE, Desk


@pytest.fixture
def desk(ledger_url: str, tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path, ledger_url)
    with desk.app:
        desk.add("a@example.org", "b@example.org")
        desk.at(EVE)
        yield desk
