"""A door to knock at, on both engines."""

import pytest

from newsletter.store.database import Database
from tests.audience.door import Door, make_reception


@pytest.fixture
def door(database: Database) -> Door:
    return Door(database, make_reception())
